"""The SQLite store: one file, one agent, one writer.

Does not open a file on a network file system, a damaged file, or one that another agent has open.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from driftline.state import migrations
from driftline.state.lock import FileLock
from driftline.state.migrate import check_version, migrate
from driftline.state.sqlite_files import (
    CLOSED,
    IN_USE,
    check_log,
    close_to_others,
    close_unattended,
    log_path,
    set_mark,
)
from driftline.state.store import Store
from driftline.types.errors import NoState, StateError, Unreachable

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs"}
)


class SharedFile(Store):
    """A database in a file, beside an agent that may be at work."""

    def __init__(self, path: Path) -> None:
        super().__init__(_engine(f"sqlite:///{path}", sa.QueuePool))
        self._path, self._is_open = path, True

    def close(self) -> None:
        """See `Store.close`."""
        if self._is_open:
            self._is_open = False
            with suppress(sa.exc.DBAPIError):
                close_unattended(self, self._path)
        super().close()


class SqliteFile(Store):
    """A database in a file, locked by this process."""

    def __init__(self, path: Path, lock: FileLock, on_lost: Callable[[], None]) -> None:
        """`on_lost` is called once, when the open file can't be trusted any more."""
        super().__init__(_engine(f"sqlite:///{path}", sa.QueuePool))
        self._path, self._identity, self._on_lost = path, _identity(path), on_lost
        self._lock: FileLock | None = lock
        self._end = ""
        """Why the open file can't be used any more; empty while it can."""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """See `Store.write`. Raises Unreachable when the file can't be used."""
        if not self._end and _identity(self._path) != self._identity:
            self._give_up("the file was removed or replaced while the agent ran")
        with self._translate_errors(), super().write() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """See `Store.read`. Raises Unreachable when the file can't be used."""
        with self._translate_errors(), super().read() as connection:
            yield connection

    def mark_use(self) -> None:
        """Mark the file as in use. Raises Unreachable when it takes no write."""
        with self.write() as connection:
            set_mark(connection, IN_USE)
        with self._translate_errors():
            self.checkpoint()

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        if self._end:
            raise Unreachable(self._end)
        try:
            yield
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            from driftline.state.sqlite_faults import find_fault

            fault = find_fault(error)
            if fault is None:
                raise
            if fault.is_final:
                self._give_up(fault.sentence)
            raise Unreachable(f"{self._path}: {fault.sentence}") from error

    def _give_up(self, reason: str) -> None:
        is_first, self._end = not self._end, f"{self._path}: {reason}"
        if is_first:
            self._on_lost()

    def checkpoint(self) -> None:
        """Write the write-ahead log into the file, without waiting for readers."""
        with self._writing, self.engine.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            raw.execute("PRAGMA busy_timeout=500")
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            raw.execute("PRAGMA busy_timeout=30000")

    def close(self) -> None:
        """Write the write-ahead log into the file and release the lock. Safe to call twice."""
        if self._lock is not None and not self._end:
            with suppress(Unreachable), self._translate_errors():
                with self.write() as connection:
                    set_mark(connection, CLOSED)
                self.checkpoint()
        super().close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def open_file(
    url: URL,
    base: Path,
    *,
    readonly: bool,
    reopen: bool,
    on_lost: Callable[[], None],
    warn: Callable[[str], None],
) -> Store:
    """See `open_store`."""
    if not url.database or url.database == ":memory:":
        store = Store(_engine("sqlite://", sa.StaticPool))
        migrate(store, "sqlite://")
        return store
    path = Path(url.database)
    path = path if path.is_absolute() else base / path
    _check_file_system(path.parent)
    fresh = not path.exists()
    if readonly:
        if fresh:
            raise NoState(f"{path}: there is no state yet: start `driftline run` first")
        store = SharedFile(path)
        check_version(store, str(path))
        return store
    if reopen and fresh:
        raise Unreachable(
            f"{path}: the file is gone: put it back, or start the agent again to begin anew"
        )
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
        if fresh:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        else:
            close_to_others(path, warn)
            if not reopen:  # this process itself may have folded the log
                check_log(path)
            if not path.stat().st_size and not log_path(path).exists():
                warn(f"{path} is empty: the agent starts anew")
    except StateError:
        lock.release()
        raise
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}: choose another place in agent.state") from None
    unclean = log_path(path).exists()
    sqlite_file = SqliteFile(path, lock, on_lost)
    try:
        if unclean:
            _check_integrity(sqlite_file, path)

        def copy() -> None:
            with sqlite_file.write() as connection:
                set_mark(connection, CLOSED)
            sqlite_file.checkpoint()
            shutil.copy2(path, path.with_name(f"{path.name}.before-{migrations.HEAD}"))

        migrate(sqlite_file, str(path), copy)
        sqlite_file.mark_use()
    except BaseException:
        sqlite_file.engine.dispose()
        lock.release()
        raise
    return sqlite_file


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one at the same place; None when there is none."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _engine(url: str, pool: type[sa.Pool]) -> Engine:
    engine = sa.create_engine(
        url, poolclass=pool, connect_args={"check_same_thread": False, "timeout": 30}
    )

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        connection.isolation_level = (
            None  # pysqlite would otherwise begin transactions by its own rules
        )
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=30000",
            "cache_size=-16000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("driftline_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _check_integrity(store: Store, path: Path) -> None:
    try:
        with store.read() as connection:
            answer = connection.exec_driver_sql("PRAGMA quick_check").scalar()
    except (sa.exc.DatabaseError, sqlite3.DatabaseError) as error:
        answer = str(error.__cause__ or error)
    if answer != "ok":
        raise StateError(
            f"{path} is damaged ({answer}): restore a copy, "
            "or move it away to start anew from the logs"
        )


def _check_file_system(folder: Path) -> None:
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    target = str(folder.resolve())
    best = ("", "")
    for line in mounts:
        point, kind = line.split(" ")[1:3]
        is_inside = target == point or target.startswith(point.rstrip("/") + "/")
        if is_inside and len(point) >= len(best[0]):
            best = (point, kind)
    if best[1] in NETWORK_FILE_SYSTEMS:
        raise StateError(
            f"{folder} is on a network file system ({best[1]}): "
            "SQLite needs a local disk; or use PostgreSQL"
        )
