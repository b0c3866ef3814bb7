"""What the drift check says of real profiles is what the raw values say."""

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats as ss
from driftline_plugins.checks.drift import Drift

from driftline import CheckContext, Field, Kind, Schema, stats
from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.spec import make_spec

SCHEMA = Schema(
    features={"x": Field("x", "x", Kind.NUMERIC), "c": Field("c", "c", Kind.CATEGORICAL)}
)


def nearly_constant(rng, n, shift):
    values = np.full(n, 5.0)
    values[: n // 200] = rng.normal(5 + shift, 1, n // 200)
    return values


LAWS = {
    "normal": lambda rng, n, shift: rng.normal(shift, 1, n),
    "lognormal": lambda rng, n, shift: rng.lognormal(shift, 1, n),
    "cauchy": lambda rng, n, shift: rng.standard_cauchy(n) + shift,
    "discrete": lambda rng, n, shift: rng.poisson(4 + 3 * shift, n).astype(float),
    "constant": lambda rng, n, shift: np.full(n, 2.0 + shift),
    "nearly constant": nearly_constant,
}


def windows(was, now, was_c, now_c):
    """Reference and window as real profiles, each made of three batches."""
    names, counts = np.unique(was_c, return_counts=True)
    spec = make_spec(
        SCHEMA,
        {"x": was},
        {"c": dict(zip(names.tolist(), counts.tolist(), strict=True))},
        ("numeric", "categories"),
    )
    made = []
    for x, c in ((was, was_c), (now, now_c)):
        profile = Profile(spec, BUILT_IN)
        for part in np.array_split(np.arange(len(x)), 3):
            encoded = pa.array(c[part].tolist()).dictionary_encode()
            profile.update(Batch(rows=len(part), columns={"x": pa.array(x[part]), "c": encoded}))
        made.append(profile.window())
    return made


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("shift", [0.0, 0.1, 1.0])
def test_numeric_distances_of_profiles_are_those_of_the_values(law, shift):
    """PSI and Jensen-Shannon are exact for their bins, and KS is at most 0.1% below scipy, for
    every kind of column.
    """
    rng = np.random.default_rng(4)
    was, now = LAWS[law](rng, 20_000, 0.0), LAWS[law](rng, 4_000, shift)
    letters = rng.choice(list("abc"), 20_000)
    reference, current = windows(was, now, letters, letters[:4_000])
    found = {
        m.name: m
        for m in Drift(columns=("x",)).evaluate(
            CheckContext(current=current, reference=reference, schema=SCHEMA)
        )
    }
    exact = ss.ks_2samp(was, now).statistic
    assert exact - 1e-3 <= found["ks"].value <= exact + 1e-12
    assert found["ks"].interval[0] <= exact <= found["ks"].interval[1]
    p, q = (grouped(was, side) for side in (was, now))
    kept = p + q > 0
    assert found["psi"].detail["raw"] == pytest.approx(
        stats.psi(p[kept], q[kept]) if kept.sum() > 1 else 0.0, rel=1e-12
    )
    assert found["js"].detail["raw"] == pytest.approx(stats.js_distance(p, q), rel=1e-12)


def grouped(was, values):
    """Counts between the deciles of the reference, a value with a tenth of it apart; from the raw
    values alone.
    """
    distinct, counts = np.unique(was, return_counts=True)
    upto = np.cumsum(counts)
    grid = (
        distinct
        if len(distinct) <= 1_500
        else np.unique(np.quantile(was, np.arange(1_501) / 1_500, method="inverted_cdf"))
    )
    on_grid = upto[np.searchsorted(distinct, grid)]
    ends = {(grid[np.argmin(np.abs(on_grid - len(was) * k / 10))], "after") for k in range(1, 10)}
    for value, count in zip(distinct, counts, strict=True):
        if 10 * count >= len(was):
            ends |= {(value, "before"), (value, "after")}
    ordered = np.sort(values)
    places = sorted(
        int(np.searchsorted(ordered, value, "left" if side == "before" else "right"))
        for value, side in ends
    )
    return np.diff([0, *places, len(values)])


def test_categorical_distances_of_profiles_are_those_of_the_values():
    """PSI, Jensen-Shannon, L-infinity and chi-square are exact on the counts of the categories."""
    rng = np.random.default_rng(5)
    was, now = (
        rng.choice(list("abcd"), 9_000, p=[0.4, 0.3, 0.2, 0.1]),
        rng.choice(list("abce"), 2_000, p=[0.5, 0.3, 0.1, 0.1]),
    )
    x = np.zeros(9_000)
    reference, current = windows(x, x[:2_000], was, now)
    found = {
        m.name: m
        for m in Drift(columns=("c",)).evaluate(
            CheckContext(current=current, reference=reference, schema=SCHEMA)
        )
    }
    p, q = ([int(np.sum(side == name)) for name in "abcde"] for side in (was, now))
    theirs = ss.chi2_contingency([p, q], correction=False)
    assert found["psi"].detail["raw"] == pytest.approx(stats.psi(p, q), rel=1e-12)
    assert found["js"].detail["raw"] == pytest.approx(stats.js_distance(p, q), rel=1e-12)
    assert (found["chi_square"].value, found["chi_square"].p_value) == pytest.approx(
        (theirs.statistic, theirs.pvalue)
    )
    assert found["linf"].value == pytest.approx(
        max(abs(a / 9_000 - b / 2_000) for a, b in zip(p, q, strict=True))
    )
    assert found["new_categories"].value == np.mean(now == "e")
