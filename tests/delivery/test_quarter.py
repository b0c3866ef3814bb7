"""A simulated quarter: 12 changes in 200 columns, outages of the feed and of the chat, a column
that flaps, 30 restarts.
"""

from datetime import timedelta

import pytest
from quarter import RESTARTS, Quarter

from driftline import Event

pytestmark = [pytest.mark.slow, pytest.mark.system]


def test_a_quarter_is_told_once_and_wholly(tmp_path):
    """One incident for each cause; at most one open message of it, no repeat where the sink can
    tell, no missing end, pages within the cap, and the flapping column says so once.
    """
    quarter = Quarter(tmp_path, timedelta(hours=8))
    quarter.run()
    assert quarter.restarts == RESTARTS
    assert quarter.broken_promises() == []
    rows = {row["sink"]: row for row in quarter.table()}
    for heard in quarter.heard.values():
        assert len({told.id for _, told in heard.messages}) == len(heard.messages)
    assert rows["hook"]["sent again"] > 0, "after a crash a message is sent again"
    alerts = quarter.receivers["pager"].accepted
    assert all(alert.status == "resolved" for alert in alerts)
    assert len({alert.key for alert in alerts}) == len(alerts)
    assert quarter.heard["chat"].failures > 10, "the chat was away for a day"
    whys = [told.facts["why"] for told in quarter.heard["hook"].of(Event.REOPENED)]
    assert whys == ["comes and goes, held until it is calm"]
    service = [
        told.event.value for _, told in quarter.heard["hook"].messages if told.cause == "service"
    ]
    assert service == ["opened", "resolved"]
