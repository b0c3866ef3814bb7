"""What lies upstream of a change is known to a backtest as it is to the agent: the same incidents,
for the same reasons.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from judged_weeks import past
from station import MODEL, START, Station

pytestmark = pytest.mark.system

CHECKS = """      drift: {{type: drift, rule: {{measurement: psi, above: {{warning: 0.1}}}}}}
      schema: {{type: schema}}
"""


def seen(notes):
    """Of each incident: its cause, when it began, what lies upstream, and the columns that it ever
    named.
    """
    found = {}
    for note in notes:
        first = found.setdefault(
            note["incident"], (note["cause"], note["since"], note["facts"].get("upstream"), set())
        )
        first[3].update(alert["labels"].get("column") for alert in note["alerts"])
    return sorted(found.values(), key=str)


def test_the_incidents_are_those_of_the_agent(tmp_path):
    """Two columns of a new version that move ten hours apart are one; a column that goes away is
    another, whose own finding is not repeated as its cause.
    """
    station = Station(tmp_path)
    shape = MODEL.replace("id: id", "id: id\n      version: v").replace(
        "reopen_for: 12h", "notify_within: 365d"
    )
    station.configure(
        shape.partition("      drift:")[0] + CHECKS, ", keep: {profiles_hourly: 400d}"
    )
    for hour in range(64):
        moved = (
            {"amount": (lambda row: row["amount"] + 60) if hour < 50 else None}
            if 28 <= hour < 50 or hour >= 58
            else {}
        )
        station.hour(
            hour,
            100,
            v="v1" if hour < 28 else "v2",
            **moved,
            **({"plan": "c"} if hour >= 38 else {}),
        )
    station.clock.now = START + timedelta(hours=64, minutes=20)
    with station.open():
        station.tick()
    of = past(station)
    replayed = of.replay(of.measure(lambda *told: None, 1), of.policy)
    found = seen([told.change.notification.model_dump(mode="json") for told in replayed])
    assert found == seen(station.told())
    assert [(cause, upstream, columns) for cause, _, upstream, columns in found] == [
        ("drift", "version v2 is new", {"amount", "plan"}),
        ("quality", None, {"amount"}),
    ]
