"""What checks tell their collectors goes with the reference: other texts make another one, and open
windows are read again.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from driftline_plugins.checks.rules import Rules
from driftline_plugins.checks.skew import Skew
from station import MODEL, START, Station

from driftline.agent.model_settings import Origin, reference_digest
from driftline.evaluate.check_plan import CheckPlan, collector_requests

pytestmark = [pytest.mark.postgres, pytest.mark.system]

CHECKS = """
      rules: {{type: rules, options: {{expressions: {{small: "amount < LIMIT", known: "plan in ['a', 'b']"}}}}}}
      unique: {{type: uniqueness}}
"""


def model(limit: int) -> str:
    segmented = MODEL.replace("id: id\n", "id: id\n      segments: [plan]\n")
    return segmented.split("    checks:")[0] + "    checks:" + CHECKS.replace("LIMIT", str(limit))


def due(station: Station, hours: int) -> None:
    station.clock.now = START + timedelta(hours=hours, minutes=20)


def rates(station: Station) -> dict[tuple, float]:
    query = "select start, segment, name, labels, value from measurements where name in ('broken_rate', 'duplicate_rate')"
    return {
        (start, segment, name + labels): value
        for start, segment, name, labels, value in station.sql(query)
    }


def test_rules_and_ids_are_counted_row_by_row_and_in_segments(tmp_path):
    """A broken rule and records that came twice are told of; each segment has its own rates."""
    station = Station(tmp_path, model(1000))
    station.hour(0)
    lines = station.hour(
        1, amount=lambda row: 5000 if row["plan"] == "c" else row["amount"]
    ).read_text()
    (tmp_path / "log" / "again.jsonl").write_text("\n".join(lines.splitlines()[:40]) + "\n")
    due(station, 2)
    with station.open():
        station.tick()
        assert station.events("quality")[0] == "opened"
        found = rates(station)
        hour = int((START + timedelta(hours=1)).timestamp() * 1e6)
        small = 'broken_rate{"rule":"small"}'
        assert found[hour, "plan=c", small] == 1
        assert found[hour, "plan=a", small] == 0
        assert 0.2 < found[hour, "", small] < 0.5
        assert found[hour, "", "duplicate_rate{}"] == 40 / 440


def test_other_expressions_make_another_reference(tmp_path):
    """Judged windows stay; what is open is counted by the new expressions, rows and all."""
    station = Station(tmp_path, model(1000))
    for hour in range(4):
        station.hour(hour)
    due(station, 2)
    with station.open():
        station.tick()
        assert station.sql("select count(*) from reference_profiles") == [(1,)]
    with station.open():
        station.tick()
        assert station.sql("select count(*) from reference_profiles") == [(1,)], (
            "a restart changes nothing"
        )
    station.configure(model(50))
    due(station, 4)
    with station.open():
        station.tick()
        assert station.sql("select count(*) from reference_profiles") == [(2,)]
        assert station.summary()["rows"] == 1600
        small = [
            value
            for (_, segment, name), value in sorted(rates(station).items())
            if not segment and "small" in name
        ]
    assert small[:2] == [0, 0]
    assert all(0.3 < value < 0.7 for value in small[2:])
    assert len(small) == 4


def test_a_model_whose_checks_want_nothing_is_grounded_as_before():
    """No check that wants something leaves the digest of a reference as it always was."""
    plain = reference_digest(Origin(), None, ("numeric",))
    assert plain == reference_digest(Origin(), None, ("numeric",), {}) == "34f8c3967e7cc028"
    assert plain != reference_digest(Origin(), None, ("numeric",), {"expressions": ("a > 0",)})


def test_what_is_wanted_depends_on_the_texts_alone():
    """Two checks with one expression want it once, and their names and order don't show."""
    one = CheckPlan(name="one", check=Rules(expressions={"x": "b > 0", "y": "a > 0"}))
    two = CheckPlan(name="two", check=Rules(expressions={"z": "a > 0"}))
    assert (
        collector_requests([one, two])
        == collector_requests([two, one])
        == {"expressions": ("a > 0", "b > 0")}
    )
    assert collector_requests([CheckPlan(name="none", check=Skew())]) == {}
