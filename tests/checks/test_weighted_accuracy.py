"""Accuracy estimated where inputs moved: reference rows weigh as in the window."""

from __future__ import annotations

import numpy as np
import pytest
from driftline_plugins.checks.estimated_performance import EstimatedPerformance
from labelled_profiles import profile_rows, profile_spec

from driftline import CheckContext, Field, Kind, Schema, stats
from driftline.kit.checks import Task
from driftline.kit.checks import weighted_accuracy as weighted

CHECK = EstimatedPerformance()
SCHEMA = Schema(
    features={"x": Field("x", "x", Kind.NUMERIC), "z": Field("z", "z", Kind.NUMERIC)},
    score=Field("s", "s", Kind.NUMERIC),
    label=Field("y", "y", Kind.CATEGORICAL),
    task=Task.BINARY,
)


def draw(rng, count, shift=0.0):
    """Scores by `z` alone, which mean less the larger `x` is; `shift` moves `x`."""
    x, z = rng.normal(shift, 1, count), rng.normal(0, 1.5, count)
    score = 1 / (1 + np.exp(-1.5 * z))
    probability = 1 / (1 + np.exp(-3 * z / (1 + np.exp(1.5 * x))))
    return {"x": x, "z": z, "s": score, "y": (rng.random(count) < probability).astype(int)}


def evaluate(reference, now, sample_rows=1_000, hours=0, labelled=0):
    spec = profile_spec(SCHEMA, reference, sample_rows)
    ctx = CheckContext(
        current=profile_rows(SCHEMA, spec, now, labelled, 2 * hours),
        reference=profile_rows(SCHEMA, spec, reference, hours=2 * hours + 1),
        schema=SCHEMA,
        seed=hours,
    )
    return {m.name: m for m in CHECK.evaluate(ctx)}


def accuracy(rows):
    return float(np.mean((rows["s"] >= 0.5) == rows["y"]))


@pytest.mark.parametrize("repeats", [10, pytest.param(500, marks=pytest.mark.slow)])
def test_weights_correct_scores_that_mean_less_where_inputs_moved(repeats):
    """The scores do not move, so that scores alone see nothing: weights are near the labels."""
    rng, held, errors, alone = np.random.default_rng(1), 0, [], []
    for repeat in range(repeats):
        now = draw(rng, 2_000, shift=0.8)
        found = evaluate(draw(rng, 4_000), now, hours=repeat)
        low, high = found["weighted_accuracy"].interval
        held += low <= accuracy(now) <= high
        errors.append(found["weighted_accuracy"].value - accuracy(now))
        alone.append(found["estimated_accuracy"].value - accuracy(now))
    assert held / repeats >= 0.93 - 0.5 / np.sqrt(repeats)
    assert np.mean(alone) > 0.06
    assert abs(np.mean(errors)) < 0.015


def test_inputs_that_did_not_move_change_little():
    """Without a shift nearly all sampled rows are in effect, and both estimates agree."""
    rng = np.random.default_rng(2)
    found = evaluate(draw(rng, 4_000), draw(rng, 2_000))
    weighted = found["weighted_accuracy"]
    assert weighted.detail["effective_rows"] > 900
    assert weighted.value == pytest.approx(found["estimated_accuracy"].value, abs=0.04)


def test_inputs_far_from_the_reference_have_no_weighted_estimate():
    """Hardly a row of the reference is like those of the window: the reason counts them."""
    rng = np.random.default_rng(3)
    weighted = evaluate(draw(rng, 3_000), draw(rng, 1_000, shift=4.0))["weighted_accuracy"]
    assert weighted.value is None
    assert weighted.reason.startswith("the reference has too few rows like those of the window:")


def test_inputs_far_from_the_reference_have_estimates_with_labels_only():
    """Scores alone say nothing there, with the reason; labels of the window still do."""
    rng = np.random.default_rng(3)
    reference, now = draw(rng, 3_000), draw(rng, 1_000, shift=4.0)
    estimate = evaluate(reference, now)["estimated_accuracy"]
    assert estimate.value is None
    assert estimate.reason.startswith("the reference has too few rows like those of the window:")
    found = evaluate(reference, now, labelled=300)
    assert found["correction"].rows == 300
    low, high = found["estimated_accuracy"].interval
    assert low <= accuracy(now) <= high


@pytest.mark.parametrize("repeats", [10, pytest.param(300, marks=pytest.mark.slow)])
def test_intervals_hold_where_scores_mean_less(repeats):
    """The correction of the reference widens the intervals of estimates from scores alone."""
    rng, held = np.random.default_rng(5), 0
    for repeat in range(repeats):
        now = draw(rng, 1_000, shift=rng.uniform(0.2, 0.8))
        found = evaluate(draw(rng, 4_000), now, hours=repeat)
        low, high = found["estimated_accuracy"].interval
        held += low <= accuracy(now) <= high
    assert held / repeats >= 0.9 - 0.5 / np.sqrt(repeats)


def test_a_model_without_features_has_a_reason():
    """Weights need inputs."""
    schema = Schema(score=SCHEMA.score, label=SCHEMA.label, task=Task.BINARY)
    rows = {name: draw(np.random.default_rng(4), 1_000)[name] for name in ("s", "y")}
    spec = profile_spec(schema, rows)
    window = profile_rows(schema, spec, rows)
    ctx = CheckContext(current=window, reference=window, schema=schema)
    [found] = [m for m in CHECK.evaluate(ctx) if m.name == "weighted_accuracy"]
    assert (found.value, found.reason) == (None, "the model has no features")


@pytest.mark.parametrize(
    ("correction", "error"),
    [
        (stats.Estimate(-0.05, 0.03, n=300), 0.05),
        (stats.Estimate(0.02, 0.03, n=300), 0.02),
        (stats.Estimate(None, n=12, reason="too few rows like those of the window"), np.inf),
        (stats.Estimate(None, reason="the model has no features"), 0.0),
    ],
)
def test_the_doubt_is_the_size_of_the_correction(correction, error):
    """A correction widens estimates by its size; one of too few rows leaves no estimate."""
    assert weighted.doubt(correction) == pytest.approx(error)
