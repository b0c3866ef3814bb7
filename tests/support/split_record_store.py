"""A store of lines in memory whose records are logged in halves, and what a plain recount of it
gives.
"""

from __future__ import annotations

import io
import json
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import databases
import pyarrow as pa
import sqlalchemy as sa
from pydantic import PrivateAttr

from driftline import Field, Format, Kind, LogObject, Schema, Source
from driftline.ingest.pairs.pairing import pair_halves
from driftline.ingest.read.job import Job
from driftline.ingest.read.list_work import list_work, note_vanished
from driftline.ingest.read.profile_rows import latest_event_time
from driftline.ingest.read.read_pass import ReadCounts, ReadPass
from driftline.kit.decoding import json_values
from driftline.kit.decoding.line_chunks import LineChunks
from driftline.kit.decoding.split_records import mark_side
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.spec import make_spec
from driftline.state import models, pair_rows, windows
from driftline.state.factory import open_store
from driftline.state.tables import waiting as table
from driftline.state.tables import windows as spans
from driftline.types.records import WindowKey

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = 3_600_000_000
SCHEMA = Schema(
    features={"x": Field("x", "x", Kind.NUMERIC)},
    timestamp=Field("t", "t"),
    version=Field("v", "v"),
    prediction=Field("y", "y", Kind.NUMERIC),
)


@dataclass(frozen=True)
class Line:
    """One half as it is logged."""

    side: str
    id: str
    hour: int
    value: float

    def text(self) -> str:
        at = (START + timedelta(hours=self.hour, minutes=5)).isoformat()
        row: dict[str, Any] = {"side": self.side, "id": self.id, "t": at}
        row |= (
            {"x": self.value}
            if self.side == "request"
            else {"y": self.value, "v": f"v{self.value % 2:g}"}
        )
        return json.dumps(row) + "\n"


class Halved(Format):
    """A half a line."""

    type = "halved"

    def decode(self, stream: Any, ctx: Any) -> Any:
        for chunk in LineChunks(stream, ctx.is_complete):
            rows = [json.loads(line) for line in chunk.data.splitlines()]
            ctx.report_progress(chunk.end)
            for side in ("request", "response"):
                mine = [row for row in rows if row["side"] == side]
                if mine:
                    columns = {
                        f.name: json_values.value_array([row.get(f.path) for row in mine], f.kind)
                        for f in ctx.fields
                    }
                    batch = json_values.record_batch(
                        list(columns), list(columns.values()), len(mine)
                    )
                    yield mark_side(batch, side, [row["id"] for row in mine])


class Shelf(Source):
    """Objects in memory."""

    type = "shelf"
    _objects: dict[str, tuple[str, int]] = PrivateAttr(default_factory=dict)

    def put(self, uri: str, text: str) -> None:
        self._objects[uri] = text, self._objects.get(uri, ("", 0))[1] + 1

    def append(self, uri: str, text: str) -> None:
        self._objects[uri] = (
            self._objects.get(uri, ("", 1))[0] + text,
            self._objects.get(uri, ("", 1))[1],
        )

    def discover(self, ctx: Any) -> Any:
        for uri, (text, lineage) in self._objects.items():
            yield LogObject(
                uri=uri,
                version=f"{lineage}-{len(text)}",
                size=len(text),
                modified=START,
                grows=True,
                lineage=str(lineage),
            )

    def open(self, obj: LogObject, start: int = 0) -> Any:
        return io.BytesIO(self._objects[obj.uri][0][start : obj.size].encode())


@dataclass
class Halves:
    """A model whose log is a shelf."""

    transform: Any = None
    shelf: Shelf = field(default_factory=Shelf)
    lines: dict[str, list[Line]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = open_store(databases.fresh())
        self.spec = make_spec(SCHEMA, {}, {}, ("numeric", "categories", "sample"))
        self.job = Job(
            source=self.shelf,
            formats={"": Halved()},
            schema=SCHEMA,
            spec=self.spec,
            length=HOUR,
            latest=latest_event_time(START + timedelta(days=9)),
            transform=self.transform,
        )
        with self.store.write() as connection:
            models.add_model(connection, "m", 0)

    def append(self, uri: str, lines: list[Line]) -> None:
        self.lines.setdefault(uri, []).extend(lines)
        self.shelf.append(uri, "".join(line.text() for line in lines))

    def overwrite(self, uri: str, lines: list[Line]) -> None:
        self.lines[uri] = list(lines)
        self.shelf.put(uri, "".join(line.text() for line in lines))

    def read(self) -> None:
        """List and read, and nothing more."""
        listing = list_work(self.store, "m", self.job, START + timedelta(days=1))
        with ThreadPoolExecutor(1) as threads:
            reading = ReadPass(
                store=self.store,
                model="m",
                job=self.job,
                executor=threads,
                in_flight=1,
                clock=lambda: START,
                monotonic=time.monotonic,
            )
            reading.run(listing.work, ReadCounts())
        note_vanished(self.store, "m", listing)

    def tick(self) -> list[str]:
        self.read()
        return pair_halves(self.store, "m", self.job)

    def found(self) -> dict[tuple[int, str], tuple[int, float, int, float]]:
        """By hour and version: rows, sum of x, answers, sum of y."""
        told = {}
        with self.store.read() as connection:
            for row in connection.execute(sa.select(spans).where(spans.c.rows != 0)):
                key = WindowKey("m", row.start, row.version, row.segment)
                window = windows.load_profile(connection, key, self.spec, BUILT_IN).window()
                x, y = (next(c for c in window.numeric() if c.name == name) for name in "xy")
                assert window.rows == row.rows
                hour = (row.start - int(START.timestamp() * 1e6)) // HOUR
                sums = [round(c.mean * c.count) if c.count else 0 for c in (x, y)]
                told[hour, row.version] = window.rows, sums[0], y.count, sums[1]
        return told

    def expected(self) -> dict[tuple[int, str], tuple[int, float, int, float]]:
        """The same, counted from the lines: the k-th request of an id with its k-th response."""
        ordered = [line for _, line in sorted(self._ranked(), key=lambda pair: pair[0])]
        answers: dict[str, list[Line]] = defaultdict(list)
        for line in ordered:
            if line.side == "response":
                answers[line.id].append(line)
        told: dict[tuple[int, str], list[float]] = defaultdict(lambda: [0, 0, 0, 0])
        for line in ordered:
            if line.side == "request":
                answer = answers[line.id].pop(0) if answers[line.id] else None
                sums = told[line.hour, f"v{answer.value % 2:g}" if answer else ""]
                sums[0] += 1
                sums[1] += line.value
                sums[2] += answer is not None
                sums[3] += answer.value if answer else 0
        return {key: tuple(sums) for key, sums in told.items()}

    def _ranked(self):
        for uri, lines in self.lines.items():
            for place, line in enumerate(lines):
                yield (line.hour, uri, place), line

    def alone(self) -> dict[str, int]:
        with self.store.read() as connection:
            return pair_rows.count_unpaired(connection, "m", 2**62)

    def kept(self) -> list[tuple[int, ...]]:
        """The kept halves: role, window, rows, matched, joined, removed."""
        c = table.c
        with self.store.read() as connection:
            query = sa.select(c.role, c.start, c.rows, c.matched, c.joined, c.removed).order_by(
                c.id
            )
            return [tuple(row) for row in connection.execute(query)]


def batch(side: str, ids: list[str | None], **columns: list[Any]) -> pa.RecordBatch:
    return mark_side(pa.RecordBatch.from_pydict(columns), side, ids)
