"""Unfairness is reported soon, and equal groups are left alone: the benchmark with few seeds."""

from __future__ import annotations

import numpy as np
import pytest
from fairness_power import days_until_reported, false_alarms
from incident_cost import simulate


def test_ten_points_in_a_group_of_500_rows_a_day_are_reported_within_a_week():
    """An incident names the group."""
    delays = [days_until_reported(seed, has_labels=seed % 2 == 0) for seed in range(4)]
    assert all(delay is not None for delay in delays)


@pytest.mark.slow
def test_ten_points_are_reported_within_a_week_in_nine_of_ten_models():
    """100 seeds, half of them without labels."""
    delays = [days_until_reported(seed, has_labels=seed % 2 == 0) for seed in range(100)]
    assert sum(delay is not None for delay in delays) >= 90


@pytest.mark.slow
def test_four_equal_groups_give_at_most_three_alarms_in_twenty_years():
    """Seeds that were fixed before the first run."""
    years = [false_alarms(10_000 + seed, has_labels=seed % 2 == 0) for seed in range(20)]
    assert sum(len(year) for year in years) <= 3


@pytest.mark.slow
@pytest.mark.parametrize("is_last", [False, True])
def test_the_interval_of_an_incidents_cost_holds_the_cost(is_last):
    """Of 1,000 models, in 90 to 97%: in messages, and on the last day."""
    outcomes = [one for seed in range(1000) for one in simulate(seed) if one.is_last == is_last]
    covered = [one.interval[0] <= one.truth <= one.interval[1] for one in outcomes]
    assert len(covered) >= 1000
    assert 0.90 <= np.mean(covered) <= 0.97
