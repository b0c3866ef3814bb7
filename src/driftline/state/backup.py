"""Copies a SQLite state into one file, also while an agent works on it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from driftline.state.factory import open_store
from driftline.state.sqlite_files import CLOSED
from driftline.types.errors import StateError


def back_up(url: str, base: Path, target: Path) -> int:
    """Copy the state at `url` into the new file `target`, and return its size in bytes.

    The copy has everything that was committed when it began, is checked, and needs no other file.
    `url` and `base` are as for `open_store`. Raises StateError when the state can't be copied, and
    when `target` exists.
    """
    if not make_url(url).drivername.startswith("sqlite"):
        raise StateError(
            "agent.state is a PostgreSQL database: copy it with pg_dump, see docs/backup.md"
        )
    if target.exists():
        raise StateError(f"{target} exists: give the copy another name, or move the old one away")
    part = target.with_name(f"{target.name}.part")
    store = open_store(url, base=base, readonly=True)
    try:
        os.close(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        with store.engine.connect() as connection, closing(sqlite3.connect(part)) as copy:
            raw: Any = connection.connection.dbapi_connection
            raw.backup(copy)
            # The copy is of one file: it has no log, and no agent has it open.
            copy.execute("PRAGMA journal_mode=DELETE")
            copy.execute(f"PRAGMA user_version={CLOSED}")
            answer = copy.execute("PRAGMA quick_check").fetchone()[0]
            if answer != "ok":
                raise StateError(f"the state is damaged ({answer}): it can't be copied")
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(target)
    except (sa.exc.DBAPIError, sqlite3.Error, OSError) as error:
        raise StateError(f"the state can't be copied to {target}: {error}") from None
    finally:
        store.close()
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return target.stat().st_size
