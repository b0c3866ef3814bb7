"""Appends each notification to a file, as one line of JSON by the published schema.

Reports success only when the disk has the line, and leaves no partial line.
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
    """Appends notifications to a file that only its owner can read."""

    type: ClassVar[str] = "file"
    repeat: ClassVar[Literal["deduplicates", "looks", "repeats"]] = "looks"
    pace: ClassVar[float] = 0.0

    path: str
    """The file; a relative path starts at the folder of the configuration file.

    It must not be a link: whoever can write to its folder could have the agent write elsewhere.
    """
    max_size: Size | None = None
    """The size, such as `10MB`, at which the file is renamed to `.1`.

    Older files are renamed to `.2` and so on. Without it the file grows without limit.
    """
    keep: int = Field(default=5, ge=1, le=1000)
    """How many renamed files are kept; older ones are overwritten."""

    @property
    def _path(self) -> Path:
        return self.context.config_folder / self.path

    def send(self, notification: Notification) -> str | None:
        """Append the line and wait until the disk has it."""
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

    def find_delivered(self, notification: Notification, since: datetime) -> str | None:
        """Return the id where the file, or the file renamed last, has the line."""
        start = notification.model_dump_json(include={"id"}).removesuffix("}").encode() + b","
        try:
            lines = (line for path in (self._path, self._renamed_file(1)) for line in _lines(path))
            exists = any(line.startswith(start) and line.endswith(b"}\n") for line in lines)
        except OSError as error:
            raise Retryable(f"{self.path}: {error.strerror or type(error).__name__}") from None
        return notification.id if exists else None

    def _renamed_file(self, place: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{place}")

    def _rotate(self) -> None:
        for place in range(self.keep - 1, 0, -1):
            if self._renamed_file(place).exists():
                self._renamed_file(place).replace(self._renamed_file(place + 1))
        self._path.replace(self._renamed_file(1))


def _append(path: Path, line: bytes) -> None:
    with os.fdopen(
        os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600),
        "r+b",
        buffering=0,
    ) as file:
        size = file.seek(0, os.SEEK_END)
        # After a crash the last line may be incomplete: it stays a line of its own.
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
    """Register the sink of this file."""
    return [File]
