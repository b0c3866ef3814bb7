"""Segments that the configuration declares: bands, combined columns and conditions."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from station import MODEL, START, Station

from driftline.cli.explain import explain

pytestmark = pytest.mark.system

SEGMENTS = MODEL.replace(
    "      features: {{amount: numeric, plan: categorical}}\n",
    """      features: {{amount: numeric, age: numeric, plan: categorical}}
      segments:
        - {{name: age_band, column: age, bands: [30, 50]}}
        - {{name: plan_and_age, columns: [plan, age_band]}}
        - {{name: young_a, where: 'age < 30 and plan == "a"'}}
""",
)


def write_hours(station: Station, hours: int, changed_from: int) -> None:
    """Ages from 20 to 69; from some hour on, the amounts of young people of plan a are higher."""

    def amount(row: dict[str, object], is_late: bool) -> object:
        is_young_a = row["plan"] == "a" and row["age"] < 30
        return row["amount"] + (30 if is_late and is_young_a else 0)

    for hour in range(hours):
        is_late = hour >= changed_from
        station.write(
            f"log/{hour:04d}.jsonl", START + timedelta(hours=hour), timedelta(hours=1), 3000,
            age=lambda row: row.setdefault("age", station.rng.randrange(20, 70)),
            amount=lambda row, is_late=is_late: amount(row, is_late),
        )  # fmt: skip


def test_a_change_of_one_declared_segment_is_reported_with_its_name(tmp_path):
    """The amounts of 3% of the rows change; the message names the segments, and no other one."""
    station = Station(tmp_path, SEGMENTS)
    station.write(
        "reference.jsonl", START - timedelta(days=1), timedelta(days=1), 6000,
        age=lambda row: station.rng.randrange(20, 70),
    )  # fmt: skip
    write_hours(station, 8, changed_from=4)
    station.clock.now = START + timedelta(hours=8, minutes=20)
    with station.open():
        station.tick()
        rows = dict(station.sql("select segment, sum(rows) from windows group by segment"))
        messages = [note for note in station.told() if note["cause"] == "drift"]
    total = rows[""]
    bands = [name for name in rows if name.startswith("age_band=")]
    assert sorted(bands) == ["age_band=30 to 50", "age_band=50 or more", "age_band=below 30"]
    assert sum(rows[name] for name in bands) == total == 8 * 3000
    assert rows["young_a=yes"] + rows["young_a=no"] == total
    assert rows["young_a=yes"] == rows["plan_and_age=a, below 30"]
    segments = {alert["labels"].get("segment", "") for note in messages for alert in note["alerts"]}
    assert segments >= {"young_a=yes"}
    assert segments <= {"young_a=yes", "plan_and_age=a, below 30", "age_band=below 30"}
    assert "young_a=yes" in json.dumps(messages)


def test_explain_names_what_all_segments_rest_on_once(tmp_path):
    """A line for each segment, then one reference, one configuration and one log object."""
    station = Station(tmp_path, SEGMENTS)
    station.write(
        "reference.jsonl", START - timedelta(days=1), timedelta(days=1), 500,
        age=lambda row: station.rng.randrange(20, 70),
    )  # fmt: skip
    write_hours(station, 1, changed_from=4)
    station.clock.now = START + timedelta(hours=1, minutes=20)
    with station.open():
        station.tick()
        text = CliRunner().invoke(explain, ["shop", "-c", str(station.config)]).stdout
    assert text.count("revision 1") > 3
    for line in ("compared with reference 1:", "judged by configuration", "0000.jsonl"):
        assert text.count(line) == 1, line
    assert "3,000 rows" in text.splitlines()[-1]
