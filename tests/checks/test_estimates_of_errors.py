"""Estimated errors of regression models: from predictions alone, and corrected by labels."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from driftline_plugins.checks.estimated_performance import EstimatedPerformance
from labelled_profiles import profile_rows, profile_spec
from loss_streams import JudgedStream

from driftline import CheckContext, Field, Kind, Schema
from driftline.kit.checks import Task
from driftline.profiles.prediction_errors import PredictionErrorCollector
from driftline.profiles.window import PredictionErrors
from driftline.testing import assert_collector_contract

CHECK = EstimatedPerformance()
SCHEMA = Schema(
    prediction=Field("p", "p", Kind.NUMERIC),
    label=Field("y", "y", Kind.NUMERIC),
    task=Task.REGRESSION,
)


def draw(rng, count, shift=0.0, scale=1.0):
    """Predictions of prices: the larger, the larger the error; `scale` is that of the errors."""
    p = 100 * np.exp(rng.normal(shift, 0.5, count))
    return {"p": p, "y": p + scale * rng.laplace(0, 0.1, count) * p}


def evaluate(reference, now, labels=0, hours=0):
    spec = profile_spec(SCHEMA, reference)
    ctx = CheckContext(
        current=profile_rows(SCHEMA, spec, now, labels, hours),
        reference=profile_rows(SCHEMA, spec, reference),
        schema=SCHEMA,
    )
    return {m.name.removeprefix("estimated_"): m for m in CHECK.evaluate(ctx)}


def realised(rows):
    """What all labels show."""
    e = rows["p"] - rows["y"]
    return {"mae": np.mean(np.abs(e)), "rmse": np.sqrt(np.mean(e**2))}


@pytest.mark.parametrize("repeats", [25, pytest.param(1_000, marks=pytest.mark.slow)])
def test_intervals_hold_what_labels_show_later(repeats):
    """With other predictions, larger ones too: nine of ten intervals hold the error of the labels,
    and the estimate is closer to it than the reference is.
    """
    rng, held, errors, naive = np.random.default_rng(1), Counter[str](), [], []
    for repeat in range(repeats):
        reference, now = draw(rng, 3_000), draw(rng, 800, shift=rng.uniform(-0.3, 0.3))
        estimates, real = evaluate(reference, now, hours=repeat), realised(now)
        for name, value in real.items():
            low, high = estimates[name].interval
            held[name] += low <= value <= high
        errors.append(abs(estimates["mae"].value - real["mae"]))
        naive.append(abs(estimates["mae"].was - real["mae"]))
    for name, count in held.items():
        assert count / repeats >= 0.92 - 0.5 / np.sqrt(repeats), (name, count)
    assert np.mean(errors) < 0.5 * np.mean(naive)


def test_labels_correct_the_estimate_of_larger_errors():
    """Errors are 1.5 times as large at the same predictions: 200 labels of 3,000 show it."""
    rng = np.random.default_rng(2)
    reference, now = draw(rng, 5_000), draw(rng, 3_000, shift=0.2, scale=1.5)
    alone, corrected = (evaluate(reference, now, labels) for labels in (0, 200))
    for name, value in realised(now).items():
        low, high = corrected[name].interval
        assert low <= value <= high, name
        assert alone[name].interval[1] < value, name
        assert corrected[name].detail["predictions_alone"] == alone[name].value
    low, high = corrected["error_correction"].interval
    assert 0.2 < low < 0.5 < high
    assert alone["error_correction"].reason


def test_all_labels_give_the_errors_of_the_labels():
    """Where each row has a label, the corrected estimates are what the labels show."""
    rng = np.random.default_rng(3)
    now = draw(rng, 2_000, scale=2.0)
    estimates = evaluate(draw(rng, 2_000), now, labels=2_000)
    for name, value in realised(now).items():
        assert estimates[name].value == pytest.approx(value, rel=1e-9), name


def alarm_days(seed, scale_from, days):
    """The days on which the correction of 300 labels a day is `changed`."""
    rng = np.random.default_rng(seed)
    reference = draw(rng, 3_000)
    stream = JudgedStream(rule=CHECK.default_rules["error_correction"].loss)
    for day in range(days):
        rows = draw(rng, 600, shift=rng.normal(0, 0.2), scale=1.25 if day >= scale_from else 1.0)
        gap = evaluate(reference, rows, labels=300, hours=day)["error_correction"]
        stream.window(day, gap)
    return [day for day, is_on in enumerate(stream.is_on) if is_on]


def test_larger_errors_at_the_same_predictions_alarm():
    """Errors grow by a quarter on day 20: told within 15 days, and nothing before."""
    days = alarm_days(4, scale_from=20, days=40)
    assert 20 <= days[0] < 35


@pytest.mark.parametrize("days", [30, pytest.param(2_000, marks=pytest.mark.slow)])
def test_errors_as_large_as_before_do_not_alarm(days):
    """Predictions move from day to day, and errors with them: no alarm."""
    assert not alarm_days(5, scale_from=10**6, days=days)


@pytest.mark.parametrize(
    ("reference", "now", "reason"),
    [
        (100, 0.0, "fewer than 200 labelled rows in the reference"),
        (1_000, 2.0, "of predictions lie beyond those of the labelled reference"),
    ],
)
def test_no_estimate_has_a_reason(reference, now, reason):
    """A short reference, and predictions as it has none, give no number."""
    rng = np.random.default_rng(6)
    for measurement in evaluate(draw(rng, reference), draw(rng, 500, shift=now)).values():
        assert measurement.value is None
        assert reason in measurement.reason


def test_a_model_without_errors_has_no_correction():
    """Predictions that equal their labels: the estimate is 0, a correction does not exist."""
    rng = np.random.default_rng(7)
    rows = {"p": rng.normal(0, 1, 500)} | {"y": np.zeros(500)}
    rows["y"] = rows["p"]
    estimates = evaluate(rows, rows, labels=100)
    assert estimates["mae"].value == 0.0
    assert estimates["error_correction"].reason == "the model made no errors in the reference"


def test_groups_are_those_of_the_predictions():
    """Rows by group, counted from the column of predictions, are those that the labels give."""
    rng = np.random.default_rng(8)
    rows = draw(rng, 4_000)
    spec = profile_spec(SCHEMA, rows)
    window = profile_rows(SCHEMA, spec, rows)
    errors = window.summaries["prediction_errors"]
    assert isinstance(errors, PredictionErrors)
    assert len(errors.rows) == 20
    assert errors.rows_by_group(window.columns["p"]).tolist() == errors.rows.tolist()
    assert errors.abs_e.sum() == pytest.approx(np.abs(rows["p"] - rows["y"]).sum())


def test_the_collector_keeps_its_contract():
    """It merges in any order, and is stored and read back."""
    assert_collector_contract(PredictionErrorCollector)
