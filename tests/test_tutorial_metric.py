"""docs/tutorial-metric.md is true: one function gets interval, history, segments and backtest."""

from __future__ import annotations

import measurement_sql
import pytest
from reader import follow

pytestmark = pytest.mark.system

PAGE = "tutorial-metric.md"


@pytest.mark.slow
def test_a_metric_of_ones_own_is_monitored(tmp_path):
    """The page is true; each day has an interval, also for each segment, and there is a chart."""
    folder = follow(PAGE, tmp_path / "work")
    rows = measurement_sql.query_state(
        folder / "driftline.db",
        "select segment, count(*), min(low is not null) from measurements "
        "where name = 'profit_per_case' group by segment order by segment",
    )
    assert rows == [("", 24, 1), ("branch=a", 24, 1), ("branch=b", 24, 1)]
    assert "<svg" in (folder / "alarms.svg").read_text()
