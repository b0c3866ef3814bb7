"""The version of a database, and bringing it up to date.

Refuses a database of a newer version, and to go back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from driftline.state import migrations
from driftline.types.errors import StateError

if TYPE_CHECKING:
    from driftline.state.store import Store


def migrate(store: Store, place: str, copy: Callable[[], None] = lambda: None) -> None:
    """Make the tables, or change them to the newest version, in one transaction; `copy` is called
    before a change.
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
    """The version of a database; None when there is nothing in it."""
    try:
        with store.read() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except sa.exc.DatabaseError as error:
        raise StateError(f"{place}: {error.__cause__ or error}") from None


def check_version(store: Store, place: str) -> None:
    """For those who only look: raises StateError unless the database is of this very version."""
    current = read_version(store, place)
    if current is None:
        raise StateError(f"{place}: there is no state yet: start `driftline run` first")
    if current < migrations.HEAD:
        mend = "the first `driftline run` of this version brings it up to date"
        raise StateError(
            f"{place}: the database has version {current}, this driftline needs {migrations.HEAD}: {mend}"
        )
    if current > migrations.HEAD:
        raise newer_version_error(place, current)


def newer_version_error(place: str, current: str) -> StateError:
    """Says that a database can't be used by this version."""
    mend = "install a newer driftline"
    return StateError(
        f"{place}: the database has version {current}, this driftline knows up to {migrations.HEAD}: {mend}"
    )
