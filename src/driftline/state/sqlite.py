"""The SQLite store: one file, one agent, one writer.

Does not open a file on a network file system, a damaged file, or one that another agent has open.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from driftline.state import migrations
from driftline.state.lock import FileLock
from driftline.state.migrate import check_version, migrate
from driftline.state.store import Store
from driftline.types.errors import NoState, StateError

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs"}
)


class SqliteFile(Store):
    """A database in a file, locked by this process."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        super().__init__(_engine(f"sqlite:///{path}", sa.QueuePool))
        self._lock: FileLock | None = lock

    def checkpoint(self) -> None:
        """Write the write-ahead log into the file, without waiting for readers."""
        with self._writing, self.engine.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            raw.execute("PRAGMA busy_timeout=500")
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            raw.execute("PRAGMA busy_timeout=30000")

    def close(self) -> None:
        """Write the write-ahead log into the file and release the lock. Safe to call twice."""
        if self._lock is not None:
            self.checkpoint()
        super().close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def open_file(url: URL, base: Path, readonly: bool) -> Store:
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
        store = Store(_engine(f"sqlite:///{path}", sa.QueuePool))
        check_version(store, str(path))
        return store
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(path.with_name(path.name + ".lock"))
        lock.acquire()
        if fresh:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}: choose another place in agent.state") from None
    try:
        unclean = path.with_name(path.name + "-wal").exists()
        sqlite_file = SqliteFile(path, lock)
        if unclean:
            _check_integrity(sqlite_file, path)

        def copy() -> None:
            sqlite_file.checkpoint()
            shutil.copy2(path, path.with_name(f"{path.name}.before-{migrations.HEAD}"))

        migrate(sqlite_file, str(path), copy)
    except BaseException:
        lock.release()
        raise
    return sqlite_file


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
