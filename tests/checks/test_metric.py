"""A metric of one's own: one function of sampled rows."""

from __future__ import annotations

import numpy as np
import pytest

from driftline import hookimpl, metric
from driftline.profiles.labelled_sample import LabelledSampleCollector
from driftline.stats import bootstrap_interval
from driftline.testing import assert_collector_contract, assert_plugin_contract, context, window
from driftline.types.model import Field, Kind, Schema, Task

SCHEMA = Schema(
    features={"amount": Field("amount", "amount", Kind.NUMERIC)},
    prediction=Field("prediction", "prediction", Kind.CATEGORICAL),
    label=Field("label", "label", Kind.CATEGORICAL),
    task=Task.BINARY,
)


@metric(better="higher", margin=0.03)
def hits(rows):
    """Share of right decisions."""
    return float((rows.prediction == rows.label).mean())


@metric(better="lower", margin=1.0, unit="EUR")
def mean_loss(rows):
    """Mean amount of the wrong decisions; none without a wrong one."""
    wrong = rows.prediction != rows.label
    return float(rows.columns["amount"][wrong].mean()) if wrong.any() else None


@metric(better="higher", margin=1.0, needs_label=False)
def mean_number(rows):
    """Mean of a column that may be missing."""
    numbers = rows.columns.get("number", np.empty(0))
    numbers = numbers[np.isfinite(numbers)] if numbers.dtype == np.float64 else np.empty(0)
    return float(numbers.mean()) if len(numbers) else None


@hookimpl
def register_checks():
    return [hits, mean_loss, mean_number]


def windows(rows: int, right: float, seed: int = 1):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows)
    prediction = np.where(rng.random(rows) < right, label, 1 - label)
    return {
        "amount": rng.normal(100, 10, rows).tolist(),
        "prediction": [str(value) for value in prediction],
        "label": [str(value) for value in label],
    }


def measure(check, now, before=None):
    reference = None if before is None else window(schema=SCHEMA, check=check, **before)
    current = window(reference, schema=SCHEMA, check=check, **now)
    [measurement] = check.evaluate(context(current, reference, schema=SCHEMA, seed=5))
    return measurement


def test_the_value_is_that_of_the_function_with_an_interval_on_both_sides():
    """400 rows with 90% hits: the interval is about that of a share of 400 rows."""
    now, before = windows(400, 0.9), windows(400, 0.8, seed=2)
    measurement = measure(hits(), now, before)
    shares = [np.mean(np.array(side["prediction"]) == side["label"]) for side in (now, before)]
    assert [measurement.value, measurement.was] == pytest.approx(shares)
    half = 1.96 * np.sqrt(shares[0] * (1 - shares[0]) / 400)
    low, high = measurement.interval
    assert (low, high) == pytest.approx((shares[0] - half, shares[0] + half), abs=half / 4)
    assert measurement.was_interval[0] < shares[1] < measurement.was_interval[1]
    assert measurement.rows == 400


def test_only_labelled_rows_count():
    """A missing label, or one that stands for unknown, leaves its row out."""
    now = windows(100, 1.0)
    now["label"][:40] = [None] * 20 + ["pending"] * 10 + ["-1"] * 10
    measurement = measure(hits(), now)
    assert (measurement.rows, measurement.value) == (60, 1.0)
    assert measurement.interval is None
    assert "too much alike" in measurement.reason


@pytest.mark.parametrize(
    ("right", "rows", "reason"),
    [(1.0, 100, "the metric has no value"), (0.5, 0, "the window has no labelled rows")],
)
def test_without_a_value_the_reason_is_said(right, rows, reason):
    """None from the function, and a window without labels, give no number."""
    measurement = measure(mean_loss(), windows(rows, right))
    assert (measurement.value, measurement.reason) == (None, reason)


def test_the_same_window_gives_the_same_interval():
    """The draws come from the seed of the window."""
    now = windows(200, 0.7)
    assert measure(hits(), now) == measure(hits(), now)


@pytest.mark.parametrize("margin", [0.0, -1.0, float("nan")])
def test_a_margin_must_be_a_size(margin):
    """A loss that matters has a size."""
    with pytest.raises(ValueError, match="margin should be a number above 0"):
        metric(better="higher", margin=margin)


def test_intervals_of_a_mean_cover_it():
    """Of 400 bootstrap intervals of 60 rows, 91 to 98% cover the true mean."""
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        values = rng.exponential(1.0, 60)
        low, high = bootstrap_interval(lambda at, v=values: float(v[at].mean()), 60, rng)
        hits += low <= 1.0 <= high
    assert 0.91 <= hits / 400 <= 0.98


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_have_no_interval(rows):
    """One row says nothing of the spread."""
    rng = np.random.default_rng(3)
    assert bootstrap_interval(lambda places: 1.0, rows, rng) is None


def test_a_metric_keeps_the_contract_of_plugins():
    """On any window there may be, it measures a finite number or says why there is none."""
    assert_plugin_contract(mean_number)
    assert_plugin_contract(hits)


def test_the_sample_keeps_the_contract_of_collectors():
    """Merging, splitting and packing change nothing."""
    assert_collector_contract(LabelledSampleCollector)
