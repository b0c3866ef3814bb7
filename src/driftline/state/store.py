"""A store: one database, and the one kind of transaction."""

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

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing = threading.RLock()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One step: everything in it is committed together, or nothing is."""
        with (
            self._writing,
            self.engine.connect().execution_options(driftline_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    def note(self) -> AbstractContextManager[Connection]:
        """A small transaction for what people ask of the agent: whoever may open the state may
        leave it a row.
        """
        return self.write()

    def confirm(self) -> None:
        """Raises LeadershipLost when another agent may be at work on this state by now."""

    def leader(self) -> Leader | None:
        """Who works on a state that several agents may share; None when nobody does, or when it
        can't be shared.
        """
        return None

    def close(self) -> None:
        """Let go of everything. Safe twice."""
        self.engine.dispose()
