"""What a format knows by its name to be no data is left out of the listing, with the reason."""

from __future__ import annotations

import json
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
