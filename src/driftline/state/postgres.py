"""The PostgreSQL store: one database for several agents; only the leader writes.

All writing goes through the session that holds the lock, so transactions are as serial as in
SQLite. Repeatable read keeps the view of a transaction constant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from driftline.state.leadership import (
    Leadership,
    find_leader,
    make_unreachable_error,
    take_leadership,
)
from driftline.state.migrate import check_version, migrate
from driftline.state.store import Leader, Store
from driftline.state.tables import objects
from driftline.types.errors import LeadershipLost, StateError

NETWORK = {
    "connect_timeout": 5,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8000,
}
"""Connection settings in seconds, the last one in milliseconds.

A server that vanishes is noticed within about eight seconds.
"""

# A URI may be longer than what an ordered index of PostgreSQL takes; that each is there once is up
# to the one writer.
sa.Index("objects_by_uri_hash", objects.c.uri, postgresql_using="hash").ddl_if(dialect="postgresql")


class Postgres(Store):
    """A database that is read through a pool and written through the leader's session."""

    is_shared = True

    def __init__(self, url: URL, leadership: Leadership | None) -> None:
        super().__init__(_engine(url, "READ ONLY", pool_pre_ping=True))
        self._url = url
        self._leadership = leadership
        # The engine must never replace the connection that holds the lock.
        options = (
            {}
            if leadership is None
            else {"poolclass": sa.StaticPool, "creator": lambda: leadership.session}
        )
        self._writer = _engine(url, "READ WRITE", **options)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """See `Store.write`.

        Raises LeadershipLost when this agent no longer leads, and Unreachable when the connection
        breaks.
        """
        if self._leadership is None:
            raise StateError("this state was opened for reading only")
        with self._writing:
            if self._leadership.is_lost:
                raise LeadershipLost
            try:
                with _translate_errors(), self._writer.connect() as connection, connection.begin():
                    yield connection
            finally:
                if self._leadership.session.closed:
                    self._leadership.lose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """See `Store.read`."""
        with _translate_errors(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def note(self) -> Iterator[Connection]:
        """See `Store.note`."""
        if self._leadership is not None:
            with self.write() as connection:
                yield connection
            return
        with _translate_errors(), self._writer.connect() as connection, connection.begin():
            yield connection

    def confirm(self) -> None:
        """See `Store.confirm`."""
        if self._leadership is not None:
            self._leadership.confirm()

    def leader(self) -> Leader | None:
        """See `Store.leader`."""
        with self.read() as connection:
            raw: Any = connection.connection.dbapi_connection
            return find_leader(raw)

    def close(self) -> None:
        """See `Store.close`."""
        super().close()
        if self._leadership is not None:
            with self._writing:
                self._leadership.leave()
                self._writer.dispose()


def open_database(url: URL, readonly: bool, on_lost: Callable[[], None]) -> Store:
    """See `open_store`."""
    url = url.set(drivername="postgresql+psycopg")
    place = url.render_as_string(hide_password=True)
    if readonly:
        store = Postgres(url, None)
        check_version(store, place)
        return store

    def connect(name: str) -> psycopg.Connection[Any]:
        args, settings = url.get_dialect()().create_connect_args(url)
        return psycopg.connect(
            *args, **{**NETWORK, **settings, "application_name": name}, autocommit=True
        )

    store = Postgres(url, take_leadership(connect, on_lost))
    try:
        migrate(store, place)
    except sa.exc.ProgrammingError as error:
        store.close()
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise _missing_right(url, error.orig) from None
        raise
    except BaseException:
        store.close()
        raise
    return store


def _missing_right(url: URL, error: psycopg.Error) -> StateError:
    """Return an error that names the right which the role lacks."""
    text = " ".join(str(error).split("\n")[0].split())
    role = url.username or "the role"
    return StateError(
        f"agent.state: {role} may not make the tables ({text}): as the owner of the database run "
        f'GRANT USAGE, CREATE ON SCHEMA public TO "{role}", with the name of the schema in use'
    )


def _engine(url: URL, mode: str, **options: Any) -> Engine:
    engine = sa.create_engine(url, connect_args=NETWORK, **options)

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        connection.autocommit = True  # psycopg would otherwise begin transactions by its own rules

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN ISOLATION LEVEL REPEATABLE READ {mode}")

    return engine


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise Unreachable when a connection can't be made, or breaks."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if not error.connection_invalidated and not isinstance(error, sa.exc.OperationalError):
            raise
        raise make_unreachable_error(error.orig or error) from None
