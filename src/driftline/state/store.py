"""Defines the base class of the stores: one database and its transactions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection, Engine


@dataclass(frozen=True, slots=True)
class Leader:
    """The agent that works on a state which several may share."""

    name: str
    """Host and process, such as `monitor-1:4711`."""
    since: datetime
    """When it began to lead, UTC."""


class Store:
    """One database. Reads see a snapshot; writes are serialised and commit as a whole."""

    is_shared = False
    """Whether several agents may use the state; then one leads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing = threading.RLock()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction: everything in it is committed together, or nothing is."""
        with (
            self._writing,
            self.engine.connect().execution_options(driftline_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction with a consistent view."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    def note(self) -> AbstractContextManager[Connection]:
        """A small write that any process may do, for the acts that people ask for."""
        return self.write()

    def confirm(self) -> None:
        """Raise LeadershipLost when another agent may lead by now."""

    def leader(self) -> Leader | None:
        """The agent that leads; None when none does, or when the state can't be shared."""
        return None

    def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self.engine.dispose()
