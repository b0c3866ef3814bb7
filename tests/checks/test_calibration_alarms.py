"""Scores that stay the same while the labels change: calibration metrics, and their rules."""

from __future__ import annotations

import numpy as np
import pytest
from driftline_plugins.checks.performance import Performance
from loss_streams import JudgedStream
from profile_builder import binary_scores, context, window_of

from driftline import Field, Kind
from driftline.kit.checks import Task

SCORE = Field("s", "s", Kind.NUMERIC)
EDGES = np.linspace(0.01, 0.99, 99)
REFERENCE_ROWS = 3_000


def draw(rng, rows, slope=1.0, intercept=0.0):
    """Scores of always one distribution, and labels whose log odds are a line of the score's."""
    s = np.clip(1 / (1 + np.exp(-rng.normal(0, 1.5, rows))), 0.01, 0.99)
    odds = intercept + slope * np.log(s / (1 - s))
    return (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int), s


def measure(check, now, was, hours=0):
    windows = (window_of(binary_scores(*rows, edges=EDGES), hours) for rows in (now, was))
    ctx = context(*windows, score=SCORE, task=Task.BINARY)
    return {m.name: m for m in check.evaluate(ctx)}


def alarm_days(metric, seed, days=40, rows=600, **change):
    """The days on which a rule of `metric` says `changed`; the labels change on day 20."""
    rng, check = np.random.default_rng(seed), Performance(metrics=(metric,))
    reference = draw(rng, REFERENCE_ROWS)
    stream = JudgedStream(rule=check.default_rules[metric].loss)
    for day in range(days):
        now = draw(rng, rows, **(change if day >= 20 else {}))
        stream.window(day, measure(check, now, reference, hours=day)[metric])
    return [day for day, is_on in enumerate(stream.is_on) if is_on]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_a_slope_that_falls_with_unchanged_scores_alarms(seed):
    """High scores mean less, low ones more, and the mean label stays: the slope shows it within 10
    days, the gap does not.
    """
    days = alarm_days("calibration_slope", seed, slope=0.6)
    assert 20 <= days[0] < 30
    assert not alarm_days("calibration_gap", seed, slope=0.6)


def test_labels_that_fall_with_unchanged_scores_alarm():
    """Six points fewer positive labels at the same scores: the gap, judged by default, shows it."""
    days = alarm_days("calibration_gap", 4, intercept=-0.4)
    assert 20 <= days[0] < 30
    assert "calibration_gap" in measure(
        Performance(), *(draw(np.random.default_rng(0), 500) for _ in range(2))
    )


@pytest.mark.parametrize("rows", [600, pytest.param(120, marks=pytest.mark.slow)])
@pytest.mark.parametrize("metric", ["calibration_slope", "calibration_gap"])
def test_unchanged_labels_do_not_alarm(metric, rows):
    """Two months of days, or half a year: no alarm, also with few labels."""
    assert not alarm_days(metric, 5, days=60 if rows > 500 else 180, rows=rows)


def test_the_debiased_calibration_error_is_zero_where_scores_are_right():
    """Its mean is near 0 where the plain error is above 0 by chance, and right where they are not."""
    check = Performance(metrics=("expected_calibration_error", "debiased_calibration_error"))
    rng, plain, debiased, moved = np.random.default_rng(6), [], [], []
    reference = draw(rng, 500)
    for _ in range(60):
        found = measure(check, draw(rng, 500), reference)
        plain.append(found["expected_calibration_error"].value)
        debiased.append(found["debiased_calibration_error"].value)
        changed = measure(check, draw(rng, 500, intercept=1.0), reference)
        moved.append(changed["debiased_calibration_error"].value)
    assert np.mean(plain) > 0.03
    assert abs(np.mean(debiased)) < 3 * np.std(debiased) / np.sqrt(60) + 2e-4
    assert min(moved) > max(debiased)
