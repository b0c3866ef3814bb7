"""What an error of SQLite says about the file: whether it may be used again, and the sentence."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import sqlalchemy as sa


class Fault(NamedTuple):
    """What an error says about the database."""

    sentence: str
    """What is wrong, and what to do."""
    is_final: bool
    """Whether the open file can't be trusted any more.

    After a write or a sync that failed, the system may have dropped what was to be written, and
    says so only once.
    """


_SENTENCES = {
    sqlite3.SQLITE_BUSY: "the database is locked by another process: end what holds it",
    sqlite3.SQLITE_LOCKED: "the database is locked by another process: end what holds it",
    sqlite3.SQLITE_FULL: "the disk is full: free some space",
    sqlite3.SQLITE_READONLY: "the file can't be written: correct its rights",
    sqlite3.SQLITE_CANTOPEN: "the file, or one beside it, can't be opened",
    sqlite3.SQLITE_PERM: "the file can't be opened: correct its rights",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
    sqlite3.SQLITE_PROTOCOL: "the lock of the file does not work",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_NOTADB: "the file is damaged",
}
_FINAL = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def find_fault(error: BaseException) -> Fault | None:
    """Return what `error` says about the file; None when it says nothing about it."""
    origin = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    code = getattr(origin, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & 0xFF
    sentence = _SENTENCES.get(primary)
    if sentence is None:
        return None
    name = getattr(origin, "sqlite_errorname", "")
    if primary in _FINAL:
        sentence = f"{sentence} ({origin}, {name})"
    return Fault(sentence, primary in _FINAL)
