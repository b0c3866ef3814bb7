"""What a format knows by its name to be no data is left out of the listing, with the reason."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from station import MODEL, START, Station

pytestmark = pytest.mark.postgres

BENTOML = MODEL.replace("format: jsonl", "format: bentoml").replace(
    "timestamp: t", "timestamp: timestamp"
)


def test_a_schema_beside_the_data(tmp_path):
    """BentoML's schema log is neither read nor rejected; its data log is."""
    station = Station(tmp_path, BENTOML)
    station.clock.now = START + timedelta(hours=2)
    for name in ("data", "schema"):
        (tmp_path / "log" / "shop" / name).mkdir(parents=True)
    row = {
        "timestamp": "2026-05-01T00:10:00",
        "request_id": "1",
        "trace_id": "2",
        "amount": 50.0,
        "plan": "a",
    }
    (tmp_path / "log/shop/data/data.1.log").write_text(json.dumps(row) + "\n")
    (tmp_path / "log/shop/schema/schema.1.log").write_text(
        json.dumps({"meta_data": {}, "columns": []}) + "\n"
    )
    with station.open():
        report = station.tick()
        assert (report.object_count, report.reading.rows, station.summary()["rejected"]) == (
            1,
            1,
            0,
        )
        [(uri, reason)] = report.skipped_objects
        assert uri.endswith("schema.1.log")
        assert "no data" in reason


def test_the_title_of_silence_follows_its_age(tmp_path):
    """While no record comes, the title says the age as of the newest window, without a message."""
    station = Station(tmp_path)
    titles = []
    with station.open():
        for hour in range(15):
            if hour < 10:
                station.hour(hour)
            station.clock.now = START + timedelta(hours=hour + 1, minutes=20)
            station.tick()
            titles += [title for (title,) in station.sql("SELECT title FROM incidents")]
        assert len(station.told()) == 2
    assert [re.split("; | \\(limit", title)[0] for title in titles[1:]] == [
        f"shop: no new record for {age} h" for age in (2, 3, 4, 5)
    ]
