"""Checks whether the database of the state can be used. Creates, migrates and locks nothing."""

from __future__ import annotations

import os
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from driftline.state.factory import open_store
from driftline.types.errors import NoState, StateError


def probe_state(url: str, base: Path) -> str:
    """Return a sentence: where the state is, and how many objects it knows.

    `url` is `agent.state` of the configuration; a relative path in it starts at `base`. Raises
    StateError for a database that can't be read, and where none exists and none can be created.
    """
    place = make_url(url).render_as_string(hide_password=True)
    try:
        store = open_store(url, base=base, readonly=True)
    except NoState:
        if place.startswith("sqlite"):
            _check_folder(base / (make_url(url).database or ""))
        return f"{place}: no state yet, `driftline run` makes it"
    try:
        with store.read() as connection:
            if connection.dialect.name == "sqlite":
                answer = connection.execute(sa.text("PRAGMA quick_check(1)")).scalar()
                if answer != "ok":
                    raise StateError(f"{place}: the database is damaged: restore a copy ({answer})")
            objects = connection.execute(sa.text("SELECT count(*) FROM objects")).scalar()
    except sa.exc.SQLAlchemyError as error:
        reason = " ".join(str(error.__cause__ or error).split())[:200]
        raise StateError(f"{place}: the database can't be read: {reason}") from None
    finally:
        store.close()
    return f"{place}: {objects or 0:,} objects are known"


def _check_folder(path: Path) -> None:
    """Raise StateError unless the file can be created, with its folders."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise StateError(
            f"{path}: can't be created, {folder} is not writable: correct agent.state or the rights"
        )
