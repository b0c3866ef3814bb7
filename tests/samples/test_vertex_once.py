"""Vertex AI end to end: what the agent counts is what a plain recount of the table, or of the
folder, gives.
"""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime, timedelta

import databases
import pytest
from bigquery_server import BigQueryServer
from run_commands import configure, run_once

from driftline.state.factory import open_store
from driftline.state.tables import windows

pytestmark = pytest.mark.system

TABLE = "demo-project.logs.request_response_logging"
HOUR = timedelta(hours=1)
MODEL = {
    "schema": {
        "timestamp": "event_time",
        "id": "event_id",
        "version": {"column": "deployed_model_id"},
        "features": {"x": "numeric", "plan": "categorical"},
        "prediction": {"column": "prediction", "kind": "regression"},
    },
    "reference": {"trailing": "7d"},
}


@pytest.fixture
def server():
    made = BigQueryServer()
    made.create(TABLE)
    yield made
    made.close()


def request(number: int, at: datetime, instances: int = 1):
    return {
        "endpoint": "e",
        "deployed_model_id": str(number % 2),
        "logging_time": at,
        "request_id": 2**62 + number,
        "request_payload": [json.dumps({"x": number + i, "plan": "pro"}) for i in range(instances)],
        "response_payload": [json.dumps({"value": number * 1.5})] * instances,
    }


def recount(requests):
    """Rows by hour and version, each request once."""
    found: dict[tuple[datetime, str], int] = {}
    for one in {(one["endpoint"], one["request_id"]): one for one in requests}.values():
        key = (
            one["logging_time"].replace(minute=0, second=0, microsecond=0),
            one["deployed_model_id"],
        )
        found[key] = found.get(key, 0) + len(one["request_payload"])
    return found


def counted(config):
    """Rows by hour and version as the agent's windows have them."""
    store = open_store(databases.of(config.parent), readonly=True)
    try:
        with store.read() as connection:
            rows = connection.execute(windows.select().where(windows.c.segment == "")).all()
    finally:
        store.close()
    return {
        (datetime.fromtimestamp(row.start / 1e6, UTC), row.version): row.rows
        for row in rows
        if row.rows
    }


def test_late_rows_and_repeated_ones_are_counted_once(server, tmp_path):
    """Two runs with late rows in old slices and rows written twice between them equal a recount of
    the table.
    """
    draw = random.Random(7)
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 10 * HOUR
    table = []

    def log(first, count):
        made = [
            request(
                first + i,
                begin + timedelta(microseconds=draw.randrange(8 * 3_600_000_000)),
                draw.choice((1, 1, 3)),
            )
            for i in range(count)
        ]
        made += draw.sample(made, count // 10)
        server.insert(TABLE, *made)
        table.extend(made)

    source = {
        "type": "bigquery",
        "options": {
            "table": TABLE,
            "endpoint_url": server.url,
            "anonymous": True,
            "lookback": "12h",
        },
    }
    config = configure(tmp_path, {"churn": {"source": source, **MODEL}})
    log(0, 400)
    code, told = run_once(config)
    assert code in (0, 1)
    assert (told["models"]["churn"]["error"], told["models"]["churn"]["rejected"]) == ("", 0)
    assert counted(config) == recount(table)
    log(1000, 40)
    ran = len(server.queries)
    run_once(config)
    assert counted(config) == recount(table)
    assert len(server.queries) - ran <= 1 + 8
    ran = len(server.queries)
    _, told = run_once(config)
    assert told["models"]["churn"]["added"] == told["models"]["churn"]["added"] | {
        "rows": 0,
        "objects": 0,
    }
    assert len(server.queries) - ran == 1


def test_a_folder_of_shards_is_read_when_it_is_whole(tmp_path):
    """Parts of results wait for the others; then each is read once. After a day without them what
    is there is read.
    """
    folder = tmp_path / "prediction-churn-2024_05_01T07_00_00_000Z"
    folder.mkdir()
    line = json.dumps({"instance": {"x": 1, "plan": "pro"}, "prediction": {"value": 2.5}}) + "\n"
    source = {"type": "local", "options": {"path": str(folder), "format": "vertex_batch"}}
    schema = MODEL["schema"] | {"id": None, "version": None}
    config = configure(
        tmp_path,
        {
            "churn": {
                "source": source,
                **MODEL,
                "schema": {k: v for k, v in schema.items() if v},
                "windows": {"backfill": None},
            }
        },
    )

    def write(part, of=3):
        path = folder / f"prediction.results-{part:05d}-of-{of:05d}"
        path.write_text(line * (part + 1))
        return path

    def rows():
        _, told = run_once(config)
        assert told["models"]["churn"]["error"] == ""
        return told["models"]["churn"]["rows"]

    write(0)
    write(2)
    (folder / "prediction.errors_stats-00000-of-00001").write_text("")
    assert rows() == 0
    write(1)
    assert rows() == 6
    assert rows() == 6
    old = datetime.now(UTC).timestamp() - 25 * 3600
    for path in (write(0, 9), write(1, 9)):
        os.utime(path, (old, old))
    assert rows() == 9
