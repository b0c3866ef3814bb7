"""A log with a fault, read by the whole agent: what is lost is in `status`, and above 5% in an
incident that names the file. The laws for many faults are in tests/ingest/test_lost_rows.py.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from station import START, Station

pytestmark = [pytest.mark.system]

Rewrite = Callable[[list[str], random.Random], bytes]


def joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def with_columns(change: Callable[[dict], dict], share: float) -> Rewrite:
    def rewrite(lines: list[str], rng: random.Random) -> bytes:
        return joined(
            [
                json.dumps(change(json.loads(line))) if place < share * len(lines) else line
                for place, line in enumerate(lines)
            ]
        )

    return rewrite


def torn(share: float) -> Rewrite:
    def rewrite(lines: list[str], rng: random.Random) -> bytes:
        return joined(
            [line[:30] if place < share * len(lines) else line for place, line in enumerate(lines)]
        )

    return rewrite


def renamed_time(row: dict) -> dict:
    return {"time_of_day" if name == "t" else name: value for name, value in row.items()}


def later(row: dict) -> dict:
    at = datetime.fromisoformat(row["t"]) + timedelta(days=40)
    return row | {"t": at.isoformat()}


FAULTS: dict[str, tuple[Rewrite, float]] = {
    "time column renamed": (with_columns(renamed_time, 1), 1),
    "time column renamed in 40%": (with_columns(renamed_time, 0.4), 0.4),
    "time of another type": (with_columns(lambda row: row | {"t": [1, 2]}, 0.2), 0.2),
    "shifted in time": (with_columns(later, 0.5), 0.5),
    "torn lines": (torn(0.25), 0.25),
    "a few torn lines": (torn(0.04), 0.04),
    "no objects": (with_columns(lambda row: list(row.values()), 0.3), 0.3),  # type: ignore[arg-type]
    "UTF-16": (lambda lines, rng: joined(lines).decode().encode("utf-16"), 0),
    "cp1252": (lambda lines, rng: joined(lines).replace(b'"a"', b'"\xe9"', 100), 0.25),
    "other order": (lambda lines, rng: joined(rng.sample(lines, len(lines))), 0),
    "columns in another order": (with_columns(lambda row: dict(reversed(row.items())), 1), 0),
    "a feature renamed": (
        with_columns(lambda row: {k.replace("plan", "tariff"): v for k, v in row.items()}, 1),
        0,
    ),
    "written twice": (lambda lines, rng: joined(lines + lines), 0),
}
USUAL = ("time column renamed in 40%", "torn lines", "a few torn lines", "columns in another order")


def play(folder: Path, name: str) -> None:
    rewrite, lost = FAULTS[name]
    station = Station(folder)
    station.hour(0, 200)
    lines = station.rows(START + timedelta(hours=1), timedelta(hours=1), 400)
    data = rewrite(lines, random.Random(15))
    (folder / "log" / "bad.jsonl").write_bytes(data)
    with station.open():
        station.clock.now = START + timedelta(hours=2, minutes=20)
        station.tick()
        status = station.summary()
        [(counted,)] = station.sql("select coalesce(sum(rows), 0) from windows where segment = ''")
        trouble = [note for note in station.told() if note["cause"] == "monitoring"]
    assert status["rows"] == counted + status["held"]
    assert status["rows"] + status["rejected"] == 200 + data.count(b"\n")
    assert status["held"] + status["rejected"] == lost * 400
    assert bool(trouble) == (lost * 400 > 0.05 * 600)
    assert all("bad.jsonl" in note["title"] for note in trouble)


@pytest.mark.parametrize("name", USUAL)
def test_lost_rows_are_shown(tmp_path: Path, name: str) -> None:
    play(tmp_path, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FAULTS if name not in USUAL])
def test_lost_rows_of_each_kind_of_fault_are_shown(tmp_path: Path, name: str) -> None:
    play(tmp_path, name)
