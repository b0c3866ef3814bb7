"""A word left by another process than the agent: one short transaction, which the agent finds at its next look.

Refuses to make or migrate a database, to lead, and to stay: an agent at work goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.errors import StateError
from driftline.state.migrate import newer, version
from driftline.state.migrations import HEAD
from driftline.state.store import open_store


@contextmanager
def visit(url: str, base: Path) -> Iterator[Connection]:
    """A transaction on the state at `url`. Raises StateError where there is none, or where its agent is of another version."""
    store = open_store(url, base=base, readonly=True)
    try:
        current = version(store, url)
        if current is None or current != HEAD:
            if current is not None and current > HEAD:
                raise newer("agent.state", current)
            raise StateError("the state is older than this driftline: start its agent first")
        with _writing(store.engine) as connection:
            yield connection
    finally:
        store.close()


@contextmanager
def _writing(engine: sa.Engine) -> Iterator[Connection]:
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(driftline_write=True) as connection, connection.begin():
            yield connection
        return
    # The pool that reads is for reading only; this session is neither the leader's nor does it take its lock.
    with sa.create_engine(engine.url, poolclass=sa.NullPool).begin() as connection:
        yield connection
