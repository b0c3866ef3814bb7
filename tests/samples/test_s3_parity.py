"""The same 5,000 log objects in a bucket, over real HTTP, and on disk: the agent finds the same."""

from __future__ import annotations

import io
import json
import logging
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import measurement_sql
import pytest
from botocore.config import Config
from run_commands import configure

from driftline.agent.composition_root import open_agent, read_config
from driftline.agent.summary import summarise
from driftline.telemetry.logs import make_log
from driftline.types.times import as_micros

pytestmark = [pytest.mark.slow, pytest.mark.system]

OBJECTS, HOURS = 5000, 10
START = datetime(2026, 5, 1, tzinfo=UTC)
BUCKET = "ml-parity"


def records(
    rng: random.Random, start: datetime, span: timedelta, count: int, moved: bool = False
) -> bytes:
    lines = []
    for place in range(count):
        at = start + span * place / count
        lines.append(
            json.dumps({
                "t": at.isoformat(),
                "id": f"{rng.getrandbits(64):016x}",
                "amount": rng.gauss(70 if moved else 50, 10),
                "plan": rng.choice("aab" if moved else "abc") if rng.random() > 0.01 else None,
                "score": (score := round(rng.random(), 4)),
                "label": int(rng.random() < score),
            })
        )  # fmt: skip
    return "\n".join(lines).encode() + b"\n"


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    """Keys and bytes: ten hours of logs, the last ones changed, and a reference."""
    rng = random.Random(11)
    span = timedelta(hours=HOURS) / OBJECTS
    found = {
        f"log/{place:05d}.jsonl": records(
            rng, START + span * place, span, 4, moved=place >= OBJECTS * 0.7
        )
        for place in range(OBJECTS)
    }
    return found | {
        "reference/train.jsonl": records(rng, START - timedelta(days=1), timedelta(days=1), 5000)
    }


@pytest.fixture
def asked():
    """Every request that the server saw."""
    asked: list[str] = []

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            asked.append(record.getMessage())

    log, notes = logging.getLogger("werkzeug"), Notes()
    level = log.level
    log.addHandler(notes)
    log.setLevel(logging.INFO)
    yield asked
    log.setLevel(level)
    log.removeHandler(notes)


def run(folder: Path, log: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    """One run with everything that it found, as the database holds it, object names aside."""
    model = {
        "source": log,
        "reference": reference,
        "schema": {
            "timestamp": "t",
            "id": "id",
            "features": {"amount": "numeric", "plan": "categorical"},
            "prediction": {"kind": "binary", "score": "score"},
            "label": {"column": "label"},
        },
        "windows": {"length": "1h"},
        # A bound of its own: ten hours are too few for hours to be compared with a day.
        "checks": {
            "drift": {"type": "drift", "rule": {"measurement": "psi", "above": {"warning": 0.25}}},
            "missing": {"type": "missing"},
            "performance": {"type": "performance"},
            "volume": {"type": "volume"},
        },
    }
    folder.mkdir()
    config = configure(folder, {"shop": model})
    now = START + timedelta(hours=HOURS, minutes=20)
    quiet = make_log(io.StringIO(), human=False)
    with open_agent(
        read_config(config), clock=lambda: now, log=quiet, console=io.StringIO(), once=True
    ) as agent:
        tick = agent.tick("shop", seal=True)
        assert tick.error == ""
        summary = summarise(agent.store, agent.config)["models"]["shop"]
        with agent.store.read() as connection:

            def compared(
                rows: Iterable[Mapping[str, Any]], without: tuple[str, ...] = ()
            ) -> list[dict[str, Any]]:
                return sorted(
                    ({k: v for k, v in row.items() if k not in without} for row in rows), key=repr
                )

            def table(name: str, without: tuple[str, ...] = ()) -> list[dict[str, Any]]:
                rows = connection.exec_driver_sql(f'select * from "{name}"').mappings()
                return compared([dict(row) for row in rows], without)

            names = {
                row.id: row.uri.rpartition("/")[2]
                for row in connection.exec_driver_sql("select id, uri from objects")
            }
            shares = [row | {"object_id": names[row["object_id"]]} for row in table("shares")]
            return {
                "listed": tick.object_count,
                "summary": {key: value for key, value in summary.items() if key != "incidents"},
                "incidents": [
                    (row["state"], row["severity"], row["title"], row["since"])
                    for row in summary["incidents"]
                ],
                "measurements": compared(measurement_sql.load_all(connection), ("reference_id",)),
                "windows": table("windows", ("config_digest",)),
                "shares": sorted(shares, key=repr),
                "last_event": [row["last_event"] for row in table("models")],
            }


def test_a_bucket_and_a_folder_give_identical_measurements(
    tmp_path, s3_server, contents, asked, monkeypatch
):
    """5,000 objects over five pages of listing: every measurement, window, verdict and profile
    equals the folder's.
    """
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    monkeypatch.setenv("PARITY_KEY", "key")
    keys = {"region_name": "us-east-1", "aws_access_key_id": "key", "aws_secret_access_key": "key"}
    path_style = Config(s3={"addressing_style": "path"})
    boto3.client("s3", endpoint_url=s3_server, config=path_style, **keys).create_bucket(
        Bucket=BUCKET
    )
    for key, body in contents.items():
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(BUCKET, key, body)
        path = tmp_path / "disk" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def s3(prefix: str) -> dict[str, Any]:
        options = {
            "bucket": BUCKET,
            "prefix": prefix,
            "endpoint_url": s3_server,
            "region": "us-east-1",
            "format": "jsonl",
        }
        secret = {"access_key_id": "${env:PARITY_KEY}", "secret_access_key": "${env:PARITY_KEY}"}
        return {"type": "s3", "options": {**options, **secret, "addressing_style": "path"}}

    def local(folder: str) -> dict[str, Any]:
        return {
            "type": "local",
            "options": {"path": str(tmp_path / "disk" / folder), "format": "jsonl"},
        }

    disk = run(tmp_path / "a", local("log"), local("reference"))
    bucket = run(tmp_path / "b", s3("log/"), s3("reference/"))
    assert disk["listed"] == OBJECTS
    assert disk["summary"]["rows"] == 4 * OBJECTS
    assert disk["summary"]["windows"] == HOURS
    assert disk["last_event"] == [
        as_micros(START + timedelta(hours=HOURS) * (1 - 1 / (4 * OBJECTS)))
    ]
    assert disk["summary"]["verdicts"]["changed"] > 0
    assert disk["incidents"] != []
    assert sum("list-type=2&prefix=log/" in request for request in asked) == OBJECTS / 1000, (
        "pages of the listing"
    )
    assert sum("/log/" in request and "list-type" not in request for request in asked) == OBJECTS, (
        "one request an object"
    )
    assert len(disk["measurements"]) > 300
    for part, found in disk.items():
        assert bucket[part] == found, part
