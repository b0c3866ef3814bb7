"""Anomalies and changes of any series: found where they are, and not where nothing is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from driftline import stats
from driftline.stats.sequential.periods import find_period

KINDS = ("noise", "seasonal", "trend")


def series(kind: str, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    at = np.arange(n)
    values = rng.normal(0, 1, n)
    if kind == "seasonal":
        values += 5 * np.sin(2 * np.pi * at / 24) + 2 * np.sin(2 * np.pi * at / 168)
    if kind == "trend":
        values += 0.02 * at
    return values


@pytest.mark.parametrize("kind", KINDS)
def test_single_outliers_have_the_highest_scores(kind):
    """Of 24 outliers of 8 sd at least 22 are anomalies; of 6,000 usual values at most 12 are."""
    found = wrong = 0
    for seed in range(3):
        values = series(kind, 2000, seed)
        places = np.random.default_rng(seed).choice(np.arange(300, 1990), 8, replace=False)
        values[places] += 8
        marks = {at for at, item in enumerate(stats.score_series(values)) if item.is_anomaly}
        found += len(marks & set(places.tolist()))
        wrong += len(marks - {int(at) + lag for at in places for lag in range(4)})
    assert found >= 22
    assert wrong <= 12


def test_a_score_does_not_look_ahead():
    """The scores of the first values are the same whatever follows."""
    values = series("seasonal", 600, 1)
    other = np.concatenate((values[:400], values[400:] * 50))
    first, second = (
        [item.score for item in stats.score_series(side)][:400] for side in (values, other)
    )
    assert first == second


def test_a_constant_series_has_no_anomaly_but_the_value_that_differs():
    """Afterwards it is as before; a new level that stays is taken as the usual one."""
    values = np.full(300, 5.0)
    values[100] = 9.0
    values[200:] = 7.0
    marks = [at for at, item in enumerate(stats.score_series(values)) if item.is_anomaly]
    assert marks[0] == 100
    assert 200 in marks
    assert len(marks) <= 12
    assert max(marks) < 220


@pytest.mark.parametrize(
    "values",
    [[], [1.0], [1.0, 2.0, 3.0], [math.nan] * 5, [1.0, math.nan, math.inf, -math.inf, 2.0] * 40,
     [0.0] * 50, [1e300, -1e300] * 30, [1e-300] * 20 + [2e-300] * 20],
    ids=range(8),
)  # fmt: skip
def test_odd_series_have_scores_between_0_and_1(values):
    """Empty, short, constant, huge, tiny, with missing values."""
    with np.errstate(all="ignore"):
        scored = list(stats.score_series(values))
        changes = stats.find_change_points(np.array([v for v in values if math.isfinite(v)]))
    assert len(scored) == len(values)
    assert all(0 <= item.score <= 1 for item in scored)
    assert all(0 < change.place < len(values) for change in changes)


@pytest.mark.parametrize(("period", "noise"), [(7, 0.5), (24, 1.0), (168, 0.5)])
def test_the_period_of_a_season_is_found(period, noise):
    """After how many values it repeats, also with noise and a trend."""
    at = np.arange(8 * period + 5)
    rng = np.random.default_rng(period)
    values = 3 * np.sin(2 * np.pi * at / period) + 0.01 * at + rng.normal(0, noise, len(at))
    found = find_period(values)
    assert found is not None
    assert abs(found - period) <= max(1, period // 20)


@pytest.mark.parametrize("seed", range(5))
def test_noise_has_no_period(seed):
    """Independent values do not repeat."""
    assert find_period(np.random.default_rng(seed).normal(size=500)) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_lasting_change_is_dated(kind):
    """Of 40 steps of 1.5 sd at least 37 are dated within 10 values and within their interval."""
    dated = covered = others = 0
    for seed in range(40):
        values = series(kind, 1000, seed)
        place = int(np.random.default_rng(seed).integers(200, 800))
        values[place:] += 1.5
        changes = [c for c in stats.find_change_points(values) if c.kind == "mean"]
        near = [c for c in changes if abs(c.place - place) <= 10]
        dated += bool(near)
        covered += any(c.low <= place <= c.high for c in changes)
        others += len(changes) - bool(near)
    assert dated >= 37
    assert covered >= 35
    assert others <= 10


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_dated_where_nothing_changes(kind):
    """Season and steady trend are no changes: at most one date in ten series."""
    assert sum(len(stats.find_change_points(series(kind, 2000, seed))) for seed in range(10)) <= 1


@pytest.mark.parametrize(
    "pattern", [[0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]]
)
def test_a_pattern_that_repeats_exactly_has_no_change(pattern):
    """Without noise nothing is left but rounding errors."""
    assert stats.find_change_points(np.array(pattern * 80)) == []


def test_a_step_without_noise_is_dated():
    """A constant that becomes another one has one change."""
    [change] = stats.find_change_points(np.array([5.0] * 60 + [7.0] * 60))
    assert (change.place, change.before, change.after) == (60, 5.0, 7.0)


def test_a_change_of_the_spread_is_dated():
    """The noise doubles at value 600."""
    values = series("noise", 1000, 4)
    values[600:] *= 2.5
    [change] = stats.find_change_points(values)
    assert change.kind == "spread"
    assert abs(change.place - 600) <= 25
    assert change.after / change.before == pytest.approx(2.5, rel=0.25)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e307, 1e160, 1e-200, 1e-307])
def test_huge_and_tiny_values_are_scored_as_others(size):
    """Squares of them do not exist; the spike is found all the same."""
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, 300)
    values[200] = 12.0
    scored = list(stats.score_series(values * size))
    assert [item.value for item in scored] == (values * size).tolist()
    assert scored[200].is_anomaly
    assert scored[200].expected == pytest.approx(0, abs=3 * size)


@pytest.mark.filterwarnings("error")
def test_values_at_both_ends_of_the_range_are_scored():
    values = [1.7e308 * (-1) ** at for at in range(100)]
    assert all(math.isfinite(item.score) for item in stats.score_series(values))
