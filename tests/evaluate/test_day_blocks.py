"""The evidence of windows shorter than a day, early drift, and recovery, on simulated series."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.baseline import Baseline
from driftline.evaluate.evidence.engine import add_window
from driftline.evaluate.evidence.observation import (
    SHARES,
    Observation,
    Panel,
    StreamNumbers,
)
from driftline.evaluate.evidence.trail import FIRST_TRACE, TRACE, Stream
from driftline.extensions.registry import Registry
from driftline.types.family import CHECK_FAMILIES
from driftline.types.times import DAY_MICROS, HOUR_MICROS

pytestmark = pytest.mark.system

FIRST = 20_000 * DAY_MICROS
REFERENCE_ROWS = 10_000


def observation(column, **settings):
    return Observation(
        stream=Stream("", "", "drift", "mean_shift", f"c{column}"),
        level=0.0,
        size=0.0,
        **{"tolerance": 0.1, "neutral": 0.0, "obvious": 0.75, **settings},
    )


def changed(values, length, rows=200, **settings):
    """Where each column is changed, shape (windows, columns), as `values`: shifts of a mean."""
    return np.isfinite(begins(values, length, rows, **settings))


def begins(values, length, rows=200, **settings):
    """When the change of each column began, microseconds; NaN where it is not changed."""
    policy = AlarmPolicy(length)
    trail = policy.make_trail()
    panel = Panel.of([observation(column, **settings) for column in range(values.shape[1])])
    error = np.full(values.shape[1], np.sqrt(1 / rows + 1 / REFERENCE_ROWS))
    since = np.full(values.shape, np.nan)
    for number, shift in enumerate(values):
        numbers = StreamNumbers(
            level=shift,
            size=shift,
            least_sd=0.7 * error,
            rows=np.full(len(shift), float(rows)),
            size_error=error,
            neutral=np.full(len(shift), settings.get("neutral", 0.0)),
        )
        evidence = add_window(trail, FIRST + number * length, panel, numbers, policy)
        since[number] = evidence.traces["since"]
    return since


def noise(rng, windows, columns, rows=200):
    reference = rng.normal(0, 1 / np.sqrt(REFERENCE_ROWS), columns)
    return rng.normal(0, 1 / np.sqrt(rows), (windows, columns)) + reference


def day_shifts(rng, days, columns, wobble):
    return np.repeat(rng.normal(0, wobble, (days, columns)), 24, axis=0)


@pytest.mark.parametrize("wobble", [0.05, 0.1])
def test_hours_that_share_the_shift_of_their_day_raise_no_alarm(wobble):
    """Eight columns, 200 rows an hour, 60 days: the same evidence is not counted 24 times."""
    rng = np.random.default_rng(3)
    values = noise(rng, 60 * 24, 8) + day_shifts(rng, 60, 8, wobble)
    assert not changed(values, HOUR_MICROS).any()


def test_hours_of_a_day_that_differ_raise_no_alarm():
    """A wave over the hours and higher weekends are usual once they are known, and before that
    whole days are compared.
    """
    rng = np.random.default_rng(4)
    hours = np.arange(60 * 24)
    wave = 0.9 * np.sin(hours % 24 / 24 * 2 * np.pi)[:, None]
    weekend = 0.2 * (hours // 24 % 7 >= 5)[:, None]
    values = noise(rng, len(hours), 4) + day_shifts(rng, 60, 4, 0.05) + wave + weekend
    assert not changed(values, HOUR_MICROS).any()


@pytest.mark.parametrize(("first", "begin"), [(0, 0), (5, 5), (30, 30)])
def test_a_log_unlike_its_reference_has_changed_since_its_first_window_with_rows(first, begin):
    """Two days that lack some hours are whole: the change does not begin before the log does."""
    rng = np.random.default_rng(6)
    values = noise(rng, 80, 2)
    values[:, 0] += 3.0
    values[:first] = np.nan
    since = begins(values, HOUR_MICROS)[:, 0]
    known = since[np.isfinite(since)]
    assert len(known)
    assert set(known) == {FIRST + begin * HOUR_MICROS}


@pytest.mark.parametrize(("shift", "limit"), [(1.0, 48), (3.0, 2)])
def test_a_shift_in_hourly_windows_is_found(shift, limit):
    """One standard deviation within 48 hours, three in the second window."""
    rng = np.random.default_rng(5)
    values = noise(rng, 24 * 24, 6) + day_shifts(rng, 24, 6, 0.05)
    values[20 * 24 + 7 :, 0] += shift
    is_on = changed(values, HOUR_MICROS)
    assert not is_on[: 20 * 24 + 7].any()
    assert is_on[20 * 24 + 7 + limit - 1, 0]
    assert not is_on[:, 1:].any()


@pytest.mark.parametrize("begin", [0, 10, 25])
@pytest.mark.parametrize("shift", [1.0, -1.5])
def test_a_drift_before_there_is_a_baseline_is_found_and_ends(begin, shift):
    """Daily windows of 200 rows: changed from the second window on, the third at the latest, for as
    long as it lasts; over within three windows; and its windows are no part of the baseline.
    """
    rng = np.random.default_rng(6)
    values = noise(rng, begin + 45 + 30, 6) + rng.normal(0, 0.05, (begin + 75, 6))
    values[begin : begin + 45] += shift
    is_on = changed(values, DAY_MICROS)
    assert not is_on[:begin].any()
    assert is_on[begin + 1].mean() >= 5 / 6
    assert is_on[begin + 2 : begin + 45].all()
    assert not is_on[begin + 45 + 3 :].any()


def test_an_early_drift_in_hourly_windows_is_found_by_whole_days():
    """By the end of the second whole day, though nights differ from days; over within 27 hours."""
    rng = np.random.default_rng(7)
    hours = np.arange(16 * 24)
    values = noise(rng, len(hours), 4) + day_shifts(rng, 16, 4, 0.05)
    values += 0.5 * np.sin(hours % 24 / 24 * 2 * np.pi)[:, None]
    values[: 8 * 24, 0] += 1.2
    is_on = changed(values, HOUR_MICROS)
    assert is_on[47, 0]
    assert is_on[47 : 8 * 24, 0].all()
    assert not is_on[8 * 24 + 27 :, 0].any()
    assert not is_on[:, 1:].any()


def test_a_single_far_window_is_no_early_change():
    """One window far from the reference, or two of which neither is proven, is no change."""
    rng = np.random.default_rng(8)
    values = noise(rng, 20, 2, 2_000)
    values[5, 0] += 3
    values[8:10, 1] += 0.6
    assert not changed(values, DAY_MICROS, 2_000).any()


def test_the_return_to_the_reference_is_no_alarm():
    """A baseline that lies half a standard deviation off, and windows that come back."""
    rng = np.random.default_rng(9)
    values = noise(rng, 90, 3, 1_000) + 0.5
    values[60:] -= 0.5
    assert not changed(values, DAY_MICROS, 1_000).any()
    away = noise(rng, 90, 3, 1_000) + 0.5
    away[60:] += 0.5
    assert changed(away, DAY_MICROS, 1_000)[60:].any()


def test_a_missing_window_is_no_evidence_and_no_obstacle():
    """Nights without a number: a shift of one standard deviation is found all the same."""
    rng = np.random.default_rng(10)
    hours = np.arange(24 * 24)
    values = noise(rng, len(hours), 3) + day_shifts(rng, 24, 3, 0.05)
    values[hours % 24 < 7] = np.nan
    assert not changed(values, HOUR_MICROS).any()
    values[20 * 24 :, 0] += 1
    assert changed(values, HOUR_MICROS)[20 * 24 + 47, 0]


@pytest.mark.parametrize("length", [HOUR_MICROS // 12, HOUR_MICROS, 6 * HOUR_MICROS, DAY_MICROS])
def test_the_threshold_counts_days_up_to_daily_windows(length):
    """The budget is the same for every window length."""
    assert AlarmPolicy(length).alarm_threshold == pytest.approx(365.25)
    assert AlarmPolicy(7 * DAY_MICROS).alarm_threshold == pytest.approx(365.25 / 7)


def test_the_shares_of_the_families_are_the_budget():
    """Each family that a check may have has a share; with the budgets of checks they sum to 1."""
    budgets = [
        rule.p_value.budget or 0.0
        for check in Registry.load().checks()
        for rule in check.default_rules.values()
        if rule.p_value is not None
    ]
    assert set(SHARES) == set(CHECK_FAMILIES)
    assert sum(budgets) > 0
    assert sum(SHARES.values()) + sum(budgets) == pytest.approx(1.0)


def test_windows_of_a_day_that_resemble_each_other_count_as_fewer():
    """24 equal windows a day are worth one; independent ones are worth nearly all."""
    rng = np.random.default_rng(11)
    starts = FIRST + HOUR_MICROS * np.arange(40 * 24)
    same = np.repeat(rng.normal(size=(40, 1)), 24, axis=0) + rng.normal(0, 0.01, (960, 1))
    independent = rng.normal(size=(960, 1))
    for levels, low, high in ((same, 30, 60), (independent, 600, 960)):
        base = Baseline.estimate(levels, levels, starts, HOUR_MICROS)
        assert low <= base.evidence_windows[0] <= high


def test_a_trace_of_an_earlier_version_is_read():
    """Daily evidence goes on where it was; that of an unfinished day of hours is left out."""
    for length, total in ((DAY_MICROS, 7.0), (HOUR_MICROS, 0.0)):
        stored = np.zeros((), FIRST_TRACE)
        stored["level"], stored["size"], stored["total"], stored["since"] = 1.0, 1.0, 7.0, np.nan
        policy = AlarmPolicy(length)
        trail = policy.make_trail()
        stream = observation(0).stream
        trail.restore([(FIRST, stream, stored.tobytes())])
        trace = trail.newest_before(FIRST + length, trail.columns_of([stream]))
        assert trace["start"][0] == FIRST
        assert trace["block_total"][0].tolist() == [[total] * 2] * 2
        assert len(trace[0].tobytes()) == TRACE.itemsize


def test_a_change_from_the_first_hour_on_does_not_begin_before_it():
    """Two days of which a quarter may lack: the change begins with the first window there is."""
    policy = AlarmPolicy(HOUR_MICROS)
    trail = policy.make_trail()
    panel = Panel.of([observation(0)])
    one = np.ones(1)
    numbers = StreamNumbers(
        level=3 * one, size=3 * one, least_sd=0.05 * one, rows=200 * one, size_error=0.07 * one,
        neutral=0 * one,
    )  # fmt: skip
    begins = [
        add_window(trail, FIRST + number * HOUR_MICROS, panel, numbers, policy).traces["since"][0]
        for number in range(40)
    ]
    known = [begin for begin in begins if np.isfinite(begin)]
    assert known
    assert min(known) == FIRST
