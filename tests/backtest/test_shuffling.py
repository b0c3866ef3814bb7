"""Shuffled history: what is exchanged, what alarms in it, and the bounds of a rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as law

from driftline.backtest import shuffled_history
from driftline.backtest.measure_history import MeasuredSeries
from driftline.backtest.shuffled_history import (
    AlarmRate,
    SeriesMatrix,
    alarm_rate,
    find_noisy_series,
    replay_shuffled,
)
from driftline.contracts.rule import Unusual
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.observation import Observation
from driftline.evaluate.evidence.trail import Stream
from driftline.types.times import DAY_MICROS, HOUR_MICROS

pytestmark = pytest.mark.system

FIRST = 20_000 * DAY_MICROS
POLICY = AlarmPolicy(DAY_MICROS)


def history(levels, length=DAY_MICROS):
    """Series of levels, shape (K, J), in units of their own spread, of which 1 matters."""
    columns = [f"c{place}" for place in range(levels.shape[1])]
    series = [
        MeasuredSeries(
            "", "", "drift", "mean_shift", (("column", name),), "sd", "drift", Unusual(warning=1.0)
        )
        for name in columns
    ]
    told = [
        Observation(
            stream=Stream("", "", "drift", "mean_shift", name),
            level=np.nan,
            size=np.nan,
            least_sd=0.0,
            tolerance=1.0,
        )
        for name in columns
    ]
    starts = FIRST + length * np.arange(len(levels))
    none = np.zeros_like(levels)
    numbers = np.stack([levels, levels, none, none + 100, none, none * np.nan])
    return SeriesMatrix(starts, tuple(series), tuple(told), numbers)


@pytest.mark.parametrize("length", [HOUR_MICROS, 6 * HOUR_MICROS, DAY_MICROS, 7 * DAY_MICROS])
def test_only_windows_of_one_hour_and_weekday_change_places(length):
    """Every window once, each where one of its hour and weekday was; another order for another
    seed, the same for the same.
    """
    starts = FIRST + length * np.arange(700)
    orders = [
        shuffled_history._shuffle_order(starts, length, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    ]
    assert sorted(orders[0]) == list(range(700))
    week = 7 * DAY_MICROS
    np.testing.assert_array_equal(starts[orders[0]] % week, starts % week)
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).mean() > 0.5


def test_the_same_seed_gives_the_same_alarms_beside_whatever_others():
    """Histories that are judged side by side know nothing of each other."""
    levels = np.random.default_rng(5).standard_cauchy((200, 3))
    one, two = history(levels), replace(POLICY, false_pages_per_year=12.0)
    together = replay_shuffled(one, two, [1, 2])
    for seed, began in zip((1, 2), together, strict=True):
        [alone] = replay_shuffled(one, two, [seed])
        np.testing.assert_array_equal(alone, began)
    assert sum(int(each.sum()) for each in together) > 0


def test_levels_that_change_nothing_are_suspected_of_nothing():
    """Independent normal levels keep the budget, and no series is refused."""
    found = history(np.random.default_rng(3).normal(0, 0.5, (365, 6)))
    began = replay_shuffled(found, POLICY, range(6))
    assert alarm_rate(found, began, POLICY).lower_bound <= POLICY.false_pages_per_year
    assert find_noisy_series(found, began, POLICY) == []


def test_a_change_that_happened_does_not_count_against_the_series():
    """Thirty windows far out, one after the other, are spread over the year."""
    levels = np.random.default_rng(3).normal(0, 0.5, (365, 3))
    levels[200:230, 1] += 3
    found = history(levels)
    assert find_noisy_series(found, replay_shuffled(found, POLICY, range(6)), POLICY) == []


def test_a_heavy_tailed_series_must_not_page_and_the_reason_is_in_words():
    """One Cauchy series among normal ones is found, the first and only one."""
    rng = np.random.default_rng(4)
    levels = rng.normal(0, 0.5, (365, 4))
    levels[:, 2] = 3 * rng.standard_cauchy(365)
    found = history(levels)
    [noisy] = find_noisy_series(found, replay_shuffled(found, POLICY, range(10)), POLICY)
    assert noisy.series is found.series[2]
    assert noisy.rate.lower_bound > noisy.share > 0
    assert noisy.cause.startswith("heavy tails: excess kurtosis ")


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (
            np.linspace(0, 9, 200) + np.random.default_rng(1).normal(0, 1, 200),
            "a trend: correlation 0.9",
        ),
        (np.repeat(np.random.default_rng(1).normal(0, 1, 40), 5), "memory: correlation 0."),
        (np.arange(50.0), "too few windows: 50"),
        (np.random.default_rng(1).standard_t(2, 200), "heavy tails: excess kurtosis"),
    ],
)
def test_what_makes_a_series_alarm_is_said(levels, said):
    """Whatever stands out most."""
    assert shuffled_history._likely_cause(history(levels[:, None]), 0, POLICY).startswith(said)


def test_alarms_about_the_model_in_one_window_are_one():
    """About its traffic, or in another window, they are not."""
    found = history(np.zeros((10, 3)))
    found = replace(
        found,
        observations=(*found.observations[:2], replace(found.observations[2], family="service")),
    )
    began = np.zeros((10, 3), np.bool_)
    began[4] = True
    began[6, 0] = True
    told = alarm_rate(found, [began, np.zeros_like(began)], POLICY)
    assert told == AlarmRate(3, 20 / 365.25)


@given(st.integers(0, 200), st.floats(0.1, 1000))
@settings(max_examples=30)
def test_the_bounds_of_a_rate_are_the_exact_ones_of_poisson(alarms, years):
    """At the upper bound so few alarms have a chance of 5%, at the lower one so many."""
    found = AlarmRate(alarms, years)
    assert found.mean == alarms / years
    assert law.poisson.cdf(alarms, found.upper_bound * years) == pytest.approx(0.05)
    if alarms:
        assert law.poisson.sf(alarms - 1, found.lower_bound * years) == pytest.approx(0.05)
    else:
        assert found.lower_bound == 0


def test_without_windows_nothing_is_known_of_a_rate():
    """Neither a mean nor an upper bound."""
    assert (AlarmRate(0, 0).mean, AlarmRate(0, 0).upper_bound) == (0, np.inf)
