"""Takes numbers from outside: `POST /api/measurements` writes points where a source reads them.

A batch of points is one file. Its name is the id of the batch, so a batch that is sent again is
stored once. Reading, windows, checks and incidents are those of any other model.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from driftline.web.request_body import BodyTooLarge, read_body

LARGEST = 4_000_000
"""Bytes of a request body that are read."""
MOST_POINTS = 10_000
"""Points of one batch."""
LONGEST = 500
"""Characters of a text."""
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Point(msgspec.Struct, forbid_unknown_fields=True):
    """One number at one time."""

    time: str | int | float
    """ISO 8601, or seconds to nanoseconds since 1970."""
    value: float | None
    name: str = ""
    """The series, such as `auc`."""
    labels: dict[str, str] = {}
    """Further columns of the row."""


class PointBatch(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request."""

    model: str
    id: str
    points: list[Point]


@dataclass(frozen=True)
class Inbox:
    """The folder of the points, with one folder for each model."""

    folder: Path
    models: Collection[str]
    """The models of the configuration."""

    def store(self, batch: PointBatch) -> int:
        """Store the points of a batch; returns how many, and 0 if the batch is there already.

        Raises ValueError for a batch that can't be taken, and FileExistsError where its id stands
        for other points.
        """
        lines = _lines(batch, self.models)
        folder = self.folder / batch.model
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{batch.id}.jsonl"
        if path.exists():
            return _compare(path, lines)
        part = folder / f".{batch.id}.{os.getpid()}.part"
        with part.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link, unlike a rename, never replaces a batch that another request stored.
            path.hardlink_to(part)
        except FileExistsError:
            return _compare(path, lines)
        finally:
            part.unlink()
        return len(batch.points)


def _compare(path: Path, lines: bytes) -> int:
    if path.read_bytes() != lines:
        raise FileExistsError(f"the id {path.stem} stands for other points already")
    return 0


def _lines(batch: PointBatch, models: Collection[str]) -> bytes:
    """The rows of a batch as JSON Lines. Raises ValueError."""
    if batch.model not in models:
        raise ValueError(f"there is no model {batch.model[:100]!r}")
    if not ID.fullmatch(batch.id):
        raise ValueError("the id has up to 100 letters, digits, dots, dashes or underscores")
    if not 0 < len(batch.points) <= MOST_POINTS:
        raise ValueError(f"a batch has 1 to {MOST_POINTS:,} points")
    return b"".join(_line(place, point) for place, point in enumerate(batch.points))


def _line(place: int, point: Point) -> bytes:
    row: Mapping[str, Any] = {
        **point.labels,
        "time": point.time,
        "value": point.value,
        "name": point.name,
    }
    if point.labels.keys() & {"time", "value", "name"}:
        raise ValueError(f"points[{place}].labels: time, value and name are no labels")
    if any(isinstance(text, str) and len(text) > LONGEST for text in (*row, *row.values())):
        raise ValueError(f"points[{place}]: a text has more than {LONGEST} characters")
    if point.value is not None and not math.isfinite(point.value):
        raise ValueError(f"points[{place}].value: not a finite number")
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def inbox_route(
    inbox: Inbox | None, can_act: Callable[[HttpRequest], bool], deny: Callable[[], Response]
) -> Route:
    """The route that takes batches; without an inbox it says which setting opens it."""

    async def take(request: HttpRequest) -> Response:
        if not can_act(request):
            return deny()
        if inbox is None:
            return JSONResponse({"error": "set agent.inbox to take measurements"}, 404)
        try:
            batch = msgspec.json.decode(await read_body(request, LARGEST), type=PointBatch)
            stored = await run_in_threadpool(inbox.store, batch)
        except BodyTooLarge:
            error_text = f"a batch has at most {LARGEST:,} bytes; send several"
            return JSONResponse({"error": error_text}, 413)
        except FileExistsError as error:
            return JSONResponse({"error": str(error)}, 409)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        except OSError as error:
            return JSONResponse({"error": f"the inbox can't be written: {error.strerror}"}, 503)
        return JSONResponse({"stored": stored, "repeated": stored == 0})

    return Route("/api/measurements", take, methods=["POST"])
