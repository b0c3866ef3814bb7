"""When a series will cross a bound at its present slope."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.stats.sequential.crossing import forecast_crossing


def test_a_line_crosses_where_it_must():
    noise = 0.01 * np.random.default_rng(2).normal(size=40)
    crossing = forecast_crossing(np.arange(40.0) + noise, 49.0)
    assert crossing.steps == pytest.approx(10, abs=0.1)
    assert crossing.earliest <= crossing.steps <= crossing.latest


def test_the_interval_holds_the_true_time_in_about_95_of_100_series():
    hits = count = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        crossing = forecast_crossing(0.2 * np.arange(40) + rng.normal(size=40), 12.0)
        if crossing is not None:
            count += 1
            hits += crossing.earliest <= 21 <= crossing.latest
    assert count > 250
    assert 0.90 <= hits / count <= 0.99


@pytest.mark.parametrize(
    ("values", "bound"),
    [
        ([1.0, 2.0, 3.0], 10.0),
        ([5.0] * 30, 6.0),
        (list(np.arange(30.0)), -5.0),
        (list(np.random.default_rng(1).normal(size=40)), 9.0),
        (list(np.arange(30.0)), float("inf")),
    ],
)
def test_a_series_that_does_not_approach_a_bound_has_no_time(values, bound):
    assert forecast_crossing(np.array(values), bound) is None


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1.0, 1e200, 1e305])
def test_the_time_is_the_same_in_every_unit(size):
    values = np.arange(40.0) + 0.01 * np.random.default_rng(2).normal(size=40)
    crossing = forecast_crossing(values * size, 49.0 * size)
    assert crossing.steps == pytest.approx(10, abs=0.1)
    assert crossing.earliest <= crossing.steps <= crossing.latest


@pytest.mark.parametrize("bound", [1e308, 1e300, 1e14])
def test_a_bound_that_nobody_waits_for_has_no_time(bound):
    values = np.arange(40.0) + 0.01 * np.random.default_rng(2).normal(size=40)
    assert forecast_crossing(values, bound) is None
