"""The lock file beside the database: one agent at a time.

Refuses to guess: the operating system holds the lock and lets go of it when the process ends,
however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from driftline.types.errors import StateError


class FileLock:
    """An exclusive lock on a file of its own, which names its holder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take it at once. Raises StateError naming the holder when another process has it."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 100).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise StateError(
                f"another agent (process {holder}) works on this state: stop it, or use another agent.state"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go. Safe without `acquire`, safe twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
