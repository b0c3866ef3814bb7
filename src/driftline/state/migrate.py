"""Reads the version of a database and migrates it to the newest one.

Does not open a database of a newer version, and does not migrate backwards.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from driftline.state import migrations
from driftline.types.errors import NoState, StateError

if TYPE_CHECKING:
    from driftline.state.store import Store


def migrate(store: Store, place: str, copy: Callable[[], None] = lambda: None) -> None:
    """Create the tables, or migrate them to the newest version, in one transaction.

    `copy` is called before a migration.
    """
    current = read_version(store, place)
    if current == migrations.HEAD:
        return
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    if current is not None:
        if current not in {script.revision for script in scripts.walk_revisions()}:
            raise newer_version_error(place, current)
        copy()
    with store.write() as connection:
        context = MigrationContext.configure(
            connection, opts={"fn": lambda revision, _: scripts._upgrade_revs("head", revision)}
        )
        with Operations.context(context):
            context.run_migrations()


def read_version(store: Store, place: str) -> str | None:
    """Read the version of a database; None when it is empty."""
    try:
        with store.read() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except sa.exc.DatabaseError as error:
        raise StateError(f"{place}: {error.__cause__ or error}") from None


def check_version(store: Store, place: str) -> None:
    """Raise StateError unless the database has exactly this version; for readers."""
    current = read_version(store, place)
    if current is None:
        raise NoState(f"{place}: there is no state yet: start `driftline run` first")
    if current < migrations.HEAD:
        remedy = "the first `driftline run` of this version brings it up to date"
        raise StateError(
            f"{place}: the database has version {current}, "
            f"this driftline needs {migrations.HEAD}: {remedy}"
        )
    if current > migrations.HEAD:
        raise newer_version_error(place, current)


def newer_version_error(place: str, current: str) -> StateError:
    """The error for a database of a newer version."""
    remedy = "install a newer driftline"
    return StateError(
        f"{place}: the database has version {current}, "
        f"this driftline knows up to {migrations.HEAD}: {remedy}"
    )
