"""The database, and the one kind of transaction.

Refuses a second agent at work, a database of a newer version, and writing outside `write()`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url

from driftline.errors import StateError


@dataclass(frozen=True, slots=True)
class Leader:
    """The agent that works on a state which several may share."""

    name: str
    """Host and process, such as `monitor-1:4711`."""
    since: datetime
    """When it began to lead, UTC."""


class Store:
    """One database. Reads see a snapshot; writes are serialised and commit as a whole."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
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

    def note(self) -> AbstractContextManager[Connection]:
        """A small transaction for what people ask of the agent: whoever may open the state may leave it a row."""
        return self.write()

    def confirm(self) -> None:
        """Raises Deposed when another agent may be at work on this state by now."""

    def leader(self) -> Leader | None:
        """Who works on a state that several agents may share; None when nobody does, or when it can't be shared."""
        return None

    def close(self) -> None:
        """Let go of everything. Safe twice."""
        self.engine.dispose()


def open_store(
    url: str, *, base: Path | None = None, readonly: bool = False, on_lost: Callable[[], None] = lambda: None
) -> Store:
    """Open the database at `url`, made and migrated as needed; a relative SQLite path starts at `base`.

    With `readonly` nothing is made, migrated or locked, so that a running agent's state can be looked at. `on_lost` is called
    once, from another thread, when this process has lost the right to write; the store is of no use then.

    Raises Led when another agent works on a PostgreSQL database, Unreachable when that can't be reached, and StateError, with
    what to do, when it is locked, newer, damaged or on a network file system.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        from driftline.state import sqlite

        return sqlite.open_file(parsed, base or Path.cwd(), readonly)
    try:
        from driftline.state import postgres
    except ModuleNotFoundError as error:
        raise StateError(f"agent.state: {error.name} is not installed: pip install 'driftline[postgres]'") from None
    return postgres.open_database(parsed, readonly, on_lost)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername.partition("+")[0] not in ("sqlite", "postgresql", "postgres"):
        raise StateError("agent.state is no database URL: write it as sqlite:///driftline.db or postgresql://...") from None
    return parsed
