"""What lies upstream of a change: a new version of the model makes one incident of what follows
it.
"""

from datetime import timedelta

import pytest
from station import MODEL, START, Station

pytestmark = [pytest.mark.postgres, pytest.mark.system]


def test_columns_that_move_after_a_new_version_are_one_incident(tmp_path):
    """Two columns of a new version that move ten windows apart are one incident, which names the
    version.
    """
    station = Station(tmp_path)
    station.configure(MODEL.replace("id: id", "id: id\n      version: v").replace("for: 2, ", ""))
    for hour in range(44):
        version = "v1" if hour < 28 else "v2"
        moved = {"amount": 120.0} if version == "v2" else {}
        station.hour(hour, 100, v=version, **moved, **({"plan": "c"} if hour >= 38 else {}))
    with station.open():
        station.clock.now = START + timedelta(hours=44, minutes=20)
        station.tick()
        drift = [note for note in station.told() if note["cause"] == "drift"]
    assert [note["event"] for note in drift] == ["opened", "updated"]
    assert {note["facts"]["upstream"] for note in drift} == {"version v2 is new"}
    assert drift[1]["title"].startswith("shop: also “plan”: the value ‘c’ went from")
