"""Opens the store that a URL names: a SQLite file, or a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from driftline.state import sqlite
from driftline.state.store import Store
from driftline.types.errors import StateError


def open_store(
    url: str,
    *,
    base: Path | None = None,
    readonly: bool = False,
    reopen: bool = False,
    on_lost: Callable[[], None] = lambda: None,
    warn: Callable[[str], None] = lambda text: None,
) -> Store:
    """Open the database at `url`; create and migrate it as needed.

    A relative SQLite path starts at `base`. With `readonly` nothing is created, migrated or locked,
    so that the state of a running agent can be read. With `reopen`, the state is one that this
    process had open: a file must exist, and take a write. `on_lost` is called once,
    perhaps from another thread, when this process may not write any more; the store can't be used
    then. `warn` gets a sentence about what was odd.

    Raises AnotherAgentLeads when another agent works on a PostgreSQL database, Unreachable when the
    database can't be reached, and StateError, with the remedy, when it is locked, newer, damaged or
    on a network file system.
    """
    address = _parse_url(url)
    if address.get_backend_name() == "sqlite":
        return sqlite.open_file(
            address,
            base or Path.cwd(),
            readonly=readonly,
            reopen=reopen,
            on_lost=on_lost,
            warn=warn,
        )
    try:
        from driftline.state import postgres
    except ModuleNotFoundError as error:
        raise StateError(
            f"agent.state: {error.name} is not installed: pip install 'driftline[postgres]'"
        ) from None
    return postgres.open_database(address, readonly, on_lost)


def _parse_url(url: str) -> URL:
    try:
        address: URL | None = make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        address = None
    if address is None or address.drivername.partition("+")[0] not in (
        "sqlite",
        "postgresql",
        "postgres",
    ):
        raise StateError(
            "agent.state is no database URL: write it as sqlite:///driftline.db or postgresql://..."
        ) from None
    return address
