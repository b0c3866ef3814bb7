"""What the format tests share: bytes in, rows out."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from driftline import Field, Format, Kind
from driftline.ingest.read.decoding import Decoding

SAMPLES = Path(__file__).parent.parent / "data" / "samples"


def number(path: str) -> Field:
    return Field(path, path, Kind.NUMERIC)


def category(path: str) -> Field:
    return Field(path, path, Kind.CATEGORICAL)


def other(path: str) -> Field:
    return Field(path, path)


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time and can't go back."""

    def __init__(self, data: bytes, step: int = 7) -> None:
        self._data, self._at, self._step = data, 0, step

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        end = self._at + (min(size, self._step) if size >= 0 else self._step)
        piece, self._at = self._data[self._at : end], min(end, len(self._data))
        return piece


def read(
    form: Format,
    data: bytes | Any,
    *fields: Field,
    is_complete: bool = True,
    uri: str = "file:///x",
    **more: Any,
) -> tuple[list[dict[str, Any]], Decoding]:
    """All rows, and what was told beside them. Without fields everything is read."""
    ctx = Decoding(uri=uri, fields=fields or None, is_complete=is_complete, **more)
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    rows = [row for batch in form.decode(stream, ctx) for row in batch.to_pylist()]
    return rows, ctx
