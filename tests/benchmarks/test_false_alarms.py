"""Simulated years in which nothing changes: few messages a year, whatever the data look like.

The whole table is made by benchmarks/false_alarms.py; these are some of its cells.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from false_alarms import run_cell
from series_cells import DAY, Cell, single_cells

CELLS = {cell.name: cell for cell in single_cells()}
DAILY = ("iid", "weekday 0.2", "t3", "memory 0.5", "skew 0.15", "12 holidays")
HOURLY = ("iid", "wobble 0.1", "hour wave 0.3", "weekday 0.2", "50 rows", "correlated 0.6")
MOST_ALARMS = 3
"""A model-year with more than three is as rare as 2% where one is the promise."""


def assert_quiet(cell: Cell, days: int) -> None:
    result = run_cell(cell, models=1, days=days, seed=1)
    assert sum(result.alarms) <= MOST_ALARMS, result.line


@pytest.mark.parametrize("name", DAILY)
def test_a_year_of_daily_windows_is_quiet(name: str) -> None:
    """20 columns of 200 rows a day: at most three alarms in a model-year of each kind."""
    assert_quiet(replace(CELLS[name], length=DAY), 366)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOURLY)
def test_a_year_of_hourly_windows_is_quiet(name: str) -> None:
    """20 columns of 200 rows an hour: at most three alarms in a model-year of each kind."""
    assert_quiet(CELLS[name], 366)


def test_a_skew_of_one_deviation_is_no_quiet_year() -> None:
    """Each column differs from the reference by about 1 sd from the first day on: it alarms."""
    cell = replace(CELLS["iid"], length=DAY, skew=1.0)
    assert run_cell(cell, models=1, days=5, seed=1).alarms == [1]
