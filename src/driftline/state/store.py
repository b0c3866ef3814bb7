"""The database: opening, locking, migrating, and the one kind of transaction.

Refuses network file systems, a second agent, a database of a newer version, and writing outside `write()`.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url

from driftline.errors import StateError
from driftline.state.lock import FileLock

NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs"})


class Store:
    """One database. Reads see a snapshot; writes are serialised and commit as a whole."""

    def __init__(self, engine: Engine, lock: FileLock | None = None) -> None:
        self.engine = engine
        self._lock = lock
        self._writing = threading.RLock()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One step: everything in it is committed together, or nothing is."""
        with self._writing, self.engine.connect().execution_options(driftline_write=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    def fold(self) -> None:
        """Fold SQLite's write-ahead log into the file; whoever still reads is not waited for."""
        with self._writing, self.engine.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            raw.execute("PRAGMA busy_timeout=500")
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            raw.execute("PRAGMA busy_timeout=30000")

    def close(self) -> None:
        """Fold the write-ahead log in and let go of the lock. Safe twice."""
        if self._lock is not None:
            self.fold()
        self.engine.dispose()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def open_store(url: str, *, base: Path | None = None, readonly: bool = False) -> Store:
    """Open the database at `url`, made and migrated as needed; a relative SQLite path starts at `base`.

    With `readonly` nothing is made, migrated or locked, so that a running agent's state can be looked at.

    Raises StateError, with what to do, when it is locked, newer, damaged or on a network file system.
    """
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError:
        raise StateError("agent.state is no database URL: write it as sqlite:///driftline.db or postgresql://...") from None
    if parsed.get_backend_name() != "sqlite":
        try:
            store = Store(sa.create_engine(_psycopg(url), pool_pre_ping=True))
        except ModuleNotFoundError as error:
            raise StateError(f"agent.state: {error.name} is not installed: pip install 'driftline[postgres]'") from None
        if not readonly:
            _migrate(store, None)
        return store
    if not parsed.database or parsed.database == ":memory:":
        store = Store(_sqlite_engine("sqlite://", sa.StaticPool))
        _migrate(store, None)
        return store
    path = Path(parsed.database)
    path = path if path.is_absolute() else (base or Path.cwd()) / path
    _refuse_network(path.parent)
    fresh = not path.exists()
    if readonly:
        if fresh:
            raise StateError(f"{path}: there is no state yet: start `driftline run` first")
        return Store(_sqlite_engine(f"sqlite:///{path}", sa.QueuePool))
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
        store = Store(_sqlite_engine(f"sqlite:///{path}", sa.QueuePool), lock)
        if unclean:
            _check(store, path)
        _migrate(store, path)
    except BaseException:
        lock.release()
        raise
    return store


def _psycopg(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def _sqlite_engine(url: str, pool: type[sa.Pool]) -> Engine:
    engine = sa.create_engine(url, poolclass=pool, connect_args={"check_same_thread": False, "timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # pysqlite would otherwise begin transactions by its own rules
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000", "cache_size=-16000"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("driftline_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _check(store: Store, path: Path) -> None:
    try:
        with store.read() as connection:
            answer = connection.exec_driver_sql("PRAGMA quick_check").scalar()
    except (sa.exc.DatabaseError, sqlite3.DatabaseError) as error:
        answer = str(error.__cause__ or error)
    if answer != "ok":
        raise StateError(f"{path} is damaged ({answer}): restore a copy, or move it away to start anew from the logs")


def _migrate(store: Store, path: Path | None) -> None:
    from driftline.state import migrations

    current = _version(store, path)
    if current == migrations.HEAD:
        return
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        mend = "install a newer driftline"
        raise StateError(f"{path}: the database has version {current}, this driftline knows up to {migrations.HEAD}: {mend}")
    if path is not None and current is not None:
        store.fold()
        shutil.copy2(path, path.with_name(f"{path.name}.before-{migrations.HEAD}"))
    with store.write() as connection:
        context = MigrationContext.configure(
            connection, opts={"fn": lambda revision, _: scripts._upgrade_revs("head", revision)}
        )
        with Operations.context(context):
            context.run_migrations()


def _version(store: Store, path: Path | None) -> str | None:
    try:
        with store.read() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except sa.exc.DatabaseError as error:
        raise StateError(f"{path or store.engine.url}: {error.__cause__ or error}") from None


def _refuse_network(folder: Path) -> None:
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    target = str(folder.resolve())
    best = ("", "")
    for line in mounts:
        point, kind = line.split(" ")[1:3]
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best[0]):
            best = (point, kind)
    if best[1] in NETWORK_FILE_SYSTEMS:
        raise StateError(f"{folder} is on a network file system ({best[1]}): SQLite needs a local disk; or use PostgreSQL")
