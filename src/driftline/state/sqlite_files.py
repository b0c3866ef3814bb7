"""The files of a SQLite state: whether the write-ahead log is there, and who may read them.

The database holds a mark while an agent has it open. A file with the mark but without its log lacks
what the log held: it was copied alone, or the log was removed after a crash.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.engine import Connection

from driftline.state.lock import FileLock
from driftline.state.store import Store
from driftline.types.errors import StateError

CLOSED, IN_USE = 0, 1
"""Values of `PRAGMA user_version`: the mark."""
OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""The rights of everyone but the owner."""
_HEADER = 100
_MARK = slice(60, 64)
"""Where the header of a database has its `user_version`, as a big-endian number."""


def log_path(path: Path) -> Path:
    """Return where the write-ahead log of a database is."""
    return path.with_name(path.name + "-wal")


def check_log(path: Path) -> None:
    """Raise StateError when a database was in use and has no write-ahead log."""
    with path.open("rb") as file:
        header = file.read(_HEADER)
    if len(header) < _HEADER or log_path(path).exists():
        return
    if int.from_bytes(header[_MARK], "big") == IN_USE:
        raise StateError(
            f"{path} was in use when it was copied or when its agent ended, and its write-ahead "
            f"log {log_path(path).name} is missing, with the newest changes: put the log beside "
            "it, restore a copy that `driftline backup` made, or move the file away to start anew "
            "from the logs"
        )


def set_mark(connection: Connection, mark: int) -> None:
    """Set the mark in a write transaction."""
    connection.exec_driver_sql(f"PRAGMA user_version={mark}")


def close_unattended(store: Store, path: Path) -> None:
    """Remove the mark before a command closes the database, if no agent works on it.

    The last process that closes a database folds its log: the mark must not outlive that.
    """
    if not log_path(path).exists():
        return
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire()
    except (StateError, OSError):
        return
    try:
        with store.read() as connection:
            mark = connection.exec_driver_sql("PRAGMA user_version").scalar()
        if mark != CLOSED:
            with store.write() as connection:
                set_mark(connection, CLOSED)
    finally:
        lock.release()


def close_to_others(path: Path, warn: Callable[[str], None]) -> None:
    """Take the rights of others from the database and the files beside it, with a warning."""
    for file in (path, log_path(path), path.with_name(path.name + "-shm")):
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
            if mode & OTHERS:
                os.chmod(file, 0o600)
                warn(f"{file} had the mode {mode:04o}, so others could use it: it has 0600 now")
        except FileNotFoundError:
            continue
        except OSError as error:
            warn(f"{file} can be used by others, and its mode can't be changed: {error.strerror}")
