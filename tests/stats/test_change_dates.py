"""Dates of changes: their intervals, and series without a level that lasts."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.stats.sequential.change_points import date_change, find_change_points


def draw_incident(seed):
    """40 to 89 windows of noise that is a little correlated; the last 3 to 14 are worse."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(40, 90))
    begin = count - int(rng.integers(3, 15))
    noise = rng.normal(size=count)
    correlation = rng.choice([0.0, 0.3])
    for place in range(1, count):
        fresh = noise[place] * np.sqrt(1 - correlation**2)
        noise[place] = correlation * noise[place - 1] + fresh
    noise[begin:] += rng.uniform(0.75, 3)
    return noise, begin


def share_of_intervals_with_the_start(seeds):
    hits = 0
    for seed in seeds:
        values, begin = draw_incident(seed)
        _, low, high = date_change(values)
        hits += low <= begin <= high
    return hits / len(seeds)


def test_the_interval_of_an_incident_holds_its_start():
    assert 0.90 <= share_of_intervals_with_the_start(range(300)) <= 0.99


@pytest.mark.slow
def test_the_interval_holds_the_start_in_90_to_97_of_100_incidents():
    assert 0.90 <= share_of_intervals_with_the_start(range(2_000)) <= 0.97


@pytest.mark.parametrize("values", [[], [1.0, 2.0, 3.0], [5.0] * 50])
def test_few_or_equal_values_have_no_date(values):
    assert date_change(np.array(values)) is None


def test_random_walks_have_few_changes():
    walks = (np.random.default_rng(seed).normal(size=2_000).cumsum() for seed in range(12))
    assert sum(len(find_change_points(walk)) for walk in walks) <= 12


def test_a_sharp_change_is_found_in_noise_that_is_correlated():
    rng = np.random.default_rng(4)
    values = rng.normal(size=300)
    for place in range(1, 300):
        values[place] = 0.8 * values[place - 1] + 0.6 * values[place]
    values[150:] += 6
    [change] = find_change_points(values)
    assert abs(change.place - 150) <= 2


def test_many_levels_are_found():
    rng = np.random.default_rng(5)
    values = rng.normal(size=400) + np.repeat(4.0 * rng.permutation(np.arange(20) % 5), 20)
    assert len(find_change_points(values)) >= 12
