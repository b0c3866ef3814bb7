"""The definitions of other tools on columns with outliers and heavy tails, through profiles, against
numpy and scipy on the raw rows.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats as ss
from column_shapes import SCHEMA, summary
from driftline_plugins.checks.other_tool import OtherTool
from scipy.spatial.distance import jensenshannon

from driftline import CheckContext, Measurement
from driftline.profiles.spec import make_spec

pytestmark = pytest.mark.system


def an_outlier(rng: np.random.Generator, rows: int, value: float, mean: float = 100) -> np.ndarray:
    return np.append(rng.normal(mean, 10, rows - 1), value)


PAIRS = {
    "an outlier in the reference": lambda r: (
        an_outlier(r, 5000, 1e6),
        r.normal(105, 12, 2000),
    ),
    "an outlier in the window": lambda r: (r.normal(100, 10, 5000), an_outlier(r, 2000, -1e5, 105)),
    "outliers on both sides": lambda r: (
        an_outlier(r, 5000, 1e6),
        an_outlier(r, 2000, 1e7, 105),
    ),
    "heavy tails": lambda r: (r.lognormal(0, 3, 5000), r.lognormal(0.3, 3, 2000)),
}


def measured(
    like: str, metrics: tuple[str, ...], was: np.ndarray, now: np.ndarray
) -> dict[str, Measurement]:
    spec = make_spec(SCHEMA, {"x": was}, {}, ("numeric",))
    context = CheckContext(
        current=summary(now, spec, 3), reference=summary(was, spec, 3), schema=SCHEMA
    )
    return {m.name: m for m in OtherTool(like=like, metrics=metrics).evaluate(context)}


@pytest.mark.parametrize("pair", PAIRS)
def test_wasserstein_is_that_of_the_rows(pair):
    """Evidently's, Azure's and NannyML's distances are scipy's on the rows, within 1%."""
    was, now = PAIRS[pair](np.random.default_rng(7))
    distance = ss.wasserstein_distance(was, now)
    expected = {
        ("evidently", "wasserstein"): distance / np.std(was),
        ("azure", "normalized_wasserstein_distance"): distance / np.std(was, ddof=1),
        ("nannyml", "wasserstein"): distance,
    }
    for (like, metric), value in expected.items():
        found = measured(like, (metric,), was, now)[metric]
        assert found.value == pytest.approx(value, rel=0.01)


@pytest.mark.parametrize("pair", PAIRS)
def test_bins_of_equal_width_have_the_rows_that_lie_in_them(pair):
    """Where outliers stretch the bins, nearly all rows lie in one bin, and the distance says so."""
    was, now = PAIRS[pair](np.random.default_rng(7))
    bins = math.ceil(math.log2(min(len(was), len(now))) + 1)
    ends = min(was.min(), now.min()), max(was.max(), now.max())
    counts = [np.histogram(rows, bins, ends)[0] for rows in (was, now)]
    found = measured("azure", ("jensen_shannon_distance",), was, now)["jensen_shannon_distance"]
    assert found.value == pytest.approx(jensenshannon(*counts, base=2), rel=0.01, abs=0.002)
