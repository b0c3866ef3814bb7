"""Whatever lies in the folder: what can be read counts exactly, the rest is counted or quarantined
with its reason.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import databases
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from run_commands import configure, run_once, show_status
from tick_agent import ticking

pytestmark = pytest.mark.system

START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=6)
OLD = START.timestamp()


def record(place: int, **changes: Any) -> bytes:
    at = START + timedelta(seconds=place)
    row = {
        "t": at.isoformat(),
        "id": f"r{place}",
        "age": 20 + place % 50,
        "plan": "abc"[place % 3],
        **changes,
    }
    return (
        json.dumps({name: value for name, value in row.items() if value is not ...}).encode()
        + b"\n"
    )


def lines(count: int, **changes: Any) -> bytes:
    return b"".join(record(place, **changes) for place in range(count))


def noise(size: int) -> bytes:
    """Bytes that don't pack, the same each time."""
    return random.Random(5).randbytes(size)


def parquet(count: int) -> bytes:
    columns = {
        "t": [(START + timedelta(seconds=i)).isoformat() for i in range(count)],
        "age": list(range(count)),
    }
    written = io.BytesIO()
    pq.write_table(pa.table(columns | {"plan": ["a"] * count}), written)
    return written.getvalue()


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + os.fsencode(name)))
        path.write_bytes(content)
        os.utime(path, (OLD, OLD))


def model(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "source": {"type": "local", "options": {"path": str(folder / "log")}},
        "schema": {
            "timestamp": "t",
            "id": "id",
            "features": {"age": "numeric", "plan": "categorical"},
        },
        "reference": {"type": "local", "options": {"path": str(folder / "reference.jsonl")}},
        "windows": {"length": "1h", "lateness": "15m"},
        **changes,
    }


GOOD = {
    "good.jsonl": lines(100),
    "good.jsonl.gz": gzip.compress(lines(50)),
    "good.parquet": parquet(30),
}
WHOLE_NAMES = {"line\nbreak.jsonl": lines(3), "\N{PARTY POPPER} 100%.jsonl": lines(4), "%2e%2e%2fetc.jsonl": lines(5),
    "\udcff\n.jsonl": lines(6), "-rf *?[a].jsonl": lines(7)}  # fmt: skip
packed = gzip.compress(b"".join(record(i, note=noise(40 + i % 7).hex()) for i in range(400)))
mb = b"x" * (17 << 20)
# Name: content, rows that count, rejects, state, part of the reason.
BAD: dict[str, tuple[bytes, int, int, str, str]] = {
    "empty.jsonl": (b"", 0, 0, "done", ""),
    "blank.jsonl": (b"\n\n  \n", 0, 0, "done", ""),
    "middle.jsonl": (lines(5) + b"{not json}\n" + lines(5), 10, 1, "done", "not JSON"),
    "utf8.jsonl": (
        lines(2) + b'{"age": 1, "plan": "\xff\xfe"}\n' + lines(2),
        4,
        1,
        "done",
        "UTF-8",
    ),
    "long.jsonl": (
        lines(3) + b'{"age": 1, "note": "' + mb + b'"}\n' + lines(3),
        6,
        1,
        "done",
        "line longer than 16 MiB",
    ),
    "bomb.jsonl.gz": (gzip.compress(b" " * (300 << 20)), 0, 0, "quarantined", "a bomb"),
    "damaged.jsonl.bz2": (
        bz2.compress(lines(3000)) + bz2.compress(lines(9))[:-40] + b"\0" * 40,
        3000,
        0,
        "quarantined",
        "damaged",
    ),
    "cut.parquet": (parquet(30)[:-20], 0, 0, "quarantined", "arquet"),
    "header.parquet": (b"PAR1", 0, 0, "quarantined", "arquet"),
    "unknown.bin": (noise(100), 0, 0, "quarantined", "no format is known by this file name"),
    "utf16.csv": (b"\xff\xfe\x00\xd8\x41\x00", 0, 0, "quarantined", "set the format's encoding"),
    "ragged.csv": (
        b"t,age,plan\n" + b"2026-01-01T00:00:00Z,1,a\n" * 3 + b"only one\n",
        3,
        1,
        "done",
        "values",
    ),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """One run over everything at once; the summary, the status, and the rows of each object."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "reference.jsonl").write_bytes(lines(300))
    write(
        folder / "log", GOOD | WHOLE_NAMES | {name: content for name, (content, *_) in BAD.items()}
    )
    write(folder / "log", {"cut.jsonl.gz": packed[: len(packed) // 2]})
    (folder / "log" / "folder.jsonl").mkdir()
    os.mkfifo(folder / "log" / "pipe.jsonl")
    (folder / "log" / "nowhere.jsonl").symlink_to(folder / "gone")
    (folder / "log" / "round.jsonl").symlink_to(folder / "log")
    config = configure(folder, {"shop": model(folder)})
    code, summary = run_once(config)
    rows = databases.rows(folder, "select uri, state, rows, rejected, error from objects")
    objects = {row.pop("uri").rpartition("/log/")[2]: tuple(row.values()) for row in rows}
    trouble = {
        row["uri"].rpartition("/log/")[2]: row
        for row in show_status(config)["models"]["shop"]["trouble"]
    }
    again = run_once(config)[1]
    return {
        "code": code,
        "shop": summary["models"]["shop"],
        "objects": objects,
        "trouble": trouble,
        "again": again,
    }


def test_what_is_good_counts_whatever_lies_beside_it(found):
    """Good files, of whatever name, give all their rows and no trouble."""
    for name, rows in (("good.jsonl", 100), ("good.jsonl.gz", 50), ("good.parquet", 30)):
        assert found["objects"][name] == ("done", rows, 0, "")
        assert name not in found["trouble"]
    for name, content in WHOLE_NAMES.items():
        assert found["objects"][quote(os.fsencode(name))] == ("done", content.count(b"\n"), 0, "")


@pytest.mark.parametrize("name", BAD)
def test_each_bad_thing_costs_only_itself_and_is_shown(found, name):
    """The readable records of a bad file count; the others are rejects, or the file is quarantined,
    with a reason.
    """
    _, rows, rejected, state, reason = BAD[name]
    assert found["objects"][name][:3] == (state, rows, rejected)
    if not reason:
        assert name not in found["trouble"]
        return
    shown = found["trouble"][name]
    told = shown["error"] if state == "quarantined" else shown["records"][0]["reason"]
    assert (shown["state"], shown["rejected"]) == (state, rejected)
    assert reason in told
    assert "Error" not in told, "a reason is for people"


def test_rows_before_the_cut_of_a_packed_file_count(found):
    """Of a truncated gzip file the rows that came whole count, and the file is in quarantine."""
    state, rows, rejected, error = found["objects"]["cut.jsonl.gz"]
    assert (state, rejected) == ("quarantined", 0)
    assert 150 < rows < 250
    assert "cut" in error or "ends" in error


def test_the_sums_are_those_of_the_objects(found):
    """Rows and rejects of the summary are the sums over all objects; a second run adds nothing to
    them.
    """
    objects = found["objects"].values()
    shop, again = found["shop"], found["again"]["models"]["shop"]
    assert shop["rows"] == sum(rows for _, rows, _, _ in objects)
    assert (
        shop["rejected"]
        == sum(rejected for _, _, rejected, _ in objects)
        == sum(bad[2] for bad in BAD.values())
    )
    assert shop["objects"] == len(objects) == len(GOOD) + len(WHOLE_NAMES) + len(BAD) + 1
    assert shop["quarantined"] == sum(state == "quarantined" for state, *_ in objects)
    assert shop["error"] == ""
    assert again["added"]["rows"] == 0
    assert (again["rows"], again["rejected"]) == (shop["rows"], shop["rejected"])


def test_unreadable_records_are_an_incident_of_their_own(found):
    """So much trouble is told, as trouble of the feed and not of the model."""
    assert found["code"] == 1
    assert "monitoring" in {incident["cause"] for incident in found["shop"]["incidents"]}


def test_a_torn_last_line_counts_once_it_is_whole(tmp_path):
    """Half a record is no reject while the file may grow; completed, it is one row, and no row is
    counted twice.
    """
    (tmp_path / "reference.jsonl").write_bytes(lines(300))
    whole = lines(11)
    write(tmp_path / "log", {"app.jsonl": whole[:-30]})
    path = tmp_path / "log" / "app.jsonl"
    os.utime(path)
    with ticking(configure(tmp_path, {"shop": model(tmp_path)})) as tick:
        for _ in range(2):
            assert {key: tick()[key] for key in ("rows", "rejected")} == {"rows": 10, "rejected": 0}
        with path.open("ab") as file:
            file.write(whole[-30:] + record(12))
        for _ in range(2):
            assert {key: tick()[key] for key in ("rows", "rejected")} == {"rows": 12, "rejected": 0}


STRANGE: dict[str, dict[str, Any]] = {
    "wrong type": {"age": "old"},
    "nested": {"age": {"years": 3}},
    "all null": {"age": None},
    "missing": {"age": ...},
    "constant": {"age": 7},
    "huge": {"age": 1e308},
    "not a number": {"age": float("nan")},
    "infinite": {"age": float("inf")},
    "unseen column": {"extra": 1},
    "unseen category": {"plan": "z"},
    "long category": {"plan": "z" * 5000},
    "lone surrogate": {"plan": "\ud800"},
}


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """A model for each strange column."""
    folder = tmp_path_factory.mktemp("strange")
    (folder / "reference.jsonl").write_bytes(lines(300))
    models = {}
    for place, (name, changes) in enumerate(STRANGE.items()):
        write(folder / f"log{place}", {"a.jsonl": lines(200, **changes)})
        models[name.replace(" ", "-")] = model(
            folder, source={"type": "local", "options": {"path": str(folder / f"log{place}")}}
        )
    config = configure(folder, models)
    _, summary = run_once(config)
    return summary, databases.rows(folder, "select * from measurements")


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_column_has_a_verdict_of_its_own(strange, name):
    """All rows count, no check errs, and no number is anything but finite."""
    summary, rows = strange
    name = name.replace(" ", "-")
    shop = summary["models"][name]
    assert (shop["rows"], shop["rejected"], shop["held"], shop["error"], shop["windows"] > 0) == (
        200,
        0,
        0,
        "",
        True,
    )
    assert shop["verdicts"]["error"] == 0, [
        row for row in rows if row["model"] == name and row["verdict"] == "error"
    ]
    mine = [row for row in rows if row["model"] == name]
    json.dumps(
        [{key: row[key] for key in ("value", "low", "high", "p_value", "was")} for row in mine],
        allow_nan=False,
    )
    for row in mine:
        json.dumps(json.loads(row["detail"] or "{}"), allow_nan=False)
    changed = {
        (row["check"], json.loads(row["labels"]).get("column"))
        for row in mine
        if row["verdict"] == "changed"
    }
    if name in ("wrong-type", "nested", "all-null", "missing", "not-a-number"):
        assert ("missing", "age") in changed
    elif name == "unseen-column":
        assert changed == set()
    else:
        assert {column for _, column in changed} >= {
            "age" if "age" in STRANGE[name.replace("-", " ")] else "plan"
        }


def test_rows_without_a_usable_time_are_held_and_counted(tmp_path):
    """A time that is missing, no time, or far in the future belongs to no window: counted, shown,
    and never judged.
    """
    (tmp_path / "reference.jsonl").write_bytes(lines(300))
    write(
        tmp_path / "log",
        {
            "a.jsonl": lines(3, t="soon")
            + lines(4, t=...)
            + lines(5, t="2999-01-01T00:00:00Z")
            + lines(6)
        },
    )
    _, summary = run_once(configure(tmp_path, {"shop": model(tmp_path)}))
    shop = summary["models"]["shop"]
    assert (shop["rows"], shop["held"], shop["rejected"], shop["error"]) == (18, 12, 0, "")
