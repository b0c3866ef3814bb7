"""A file: one line of JSON for each notification, by its published schema, for programs that follow
it.

Refuses to say that a line is there before the disk has it, and to leave half a line behind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from driftline import Notification, Retryable, Sink, hookimpl
from driftline.kit.settings import Size


class File(Sink):
    """Appends to a file that only its owner can read."""

    type: ClassVar[str] = "file"
    repeat: ClassVar[Literal["deduplicates", "looks", "repeats"]] = "looks"
    pace: ClassVar[float] = 0.0

    path: str
    """The file; a relative path starts at the folder of the configuration."""
    max_size: Size | None = None
    """From this size on, such as `10MB`, the file is put aside as `.1`, older ones as `.2` and so
    on; without it, it grows.
    """
    keep: int = Field(default=5, ge=1, le=1000)
    """How many files that were put aside are kept."""

    @property
    def _path(self) -> Path:
        return self.context.base / self.path

    def send(self, notification: Notification) -> str | None:
        """Append the line, and wait until the disk has it."""
        line = notification.model_dump_json().encode("utf-8", "replace") + b"\n"
        try:
            if (
                self.max_size
                and self._path.exists()
                and self._path.stat().st_size + len(line) > self.max_size
            ):
                self._rotate()
            _append(self._path, line)
        except OSError as error:
            raise Retryable(f"{self.path}: {error.strerror or type(error).__name__}") from None
        return notification.id

    def look(self, notification: Notification, since: datetime) -> str | None:
        """Whether the line is there, in the file or in the one put aside last."""
        start = notification.model_dump_json(include={"id"}).removesuffix("}").encode() + b","
        try:
            lines = (line for path in (self._path, self._aside(1)) for line in _lines(path))
            found = any(line.startswith(start) and line.endswith(b"}\n") for line in lines)
        except OSError as error:
            raise Retryable(f"{self.path}: {error.strerror or type(error).__name__}") from None
        return notification.id if found else None

    def _aside(self, place: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{place}")

    def _rotate(self) -> None:
        for place in range(self.keep - 1, 0, -1):
            if self._aside(place).exists():
                self._aside(place).replace(self._aside(place + 1))
        self._path.replace(self._aside(1))


def _append(path: Path, line: bytes) -> None:
    with os.fdopen(
        os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600),
        "r+b",
        buffering=0,
    ) as file:
        size = file.seek(0, os.SEEK_END)
        # What a crash cut off stays a line of its own.
        whole = line if not size or os.pread(file.fileno(), 1, size - 1) == b"\n" else b"\n" + line
        try:
            if file.write(whole) != len(whole):
                raise OSError("the disk took only a part of the line")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise


def _lines(path: Path) -> Iterator[bytes]:
    if path.exists():
        with path.open("rb") as file:
            yield from file


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """The one sink of this file."""
    return [File]
