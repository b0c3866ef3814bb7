"""Stores records of models: a row for each change, and the newest row of each record counts.

Times are microseconds since the epoch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import records as table
from driftline.state.tables import windows


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """One change of a record."""

    model: str
    kind: str
    name: str
    """Empty for the model itself."""
    revision: int
    at: int
    way: str
    """How it was written: `config`, `cli`, `http`, `python` or `import`."""
    author: str
    reason: str
    happened: int | None
    body: Mapping[str, Any] | None
    """The fields; None where the record was deleted."""


_COLUMNS = [table.c[name] for name in RecordRow.__dataclass_fields__]


def load_records(
    connection: Connection,
    *,
    model: str | None = None,
    kind: str | None = None,
    name: str | None = None,
    since: int | None = None,
    until: int | None = None,
) -> list[RecordRow]:
    """Load the records that are there, by model, kind and name; events by when they happened.

    `since` and `until` choose events by when they happened.
    """
    c = table.c
    newest = (
        sa.select(c.model, c.kind, c.name, sa.func.max(c.revision).label("revision"))
        .where(*_conditions(model, kind, name))
        .group_by(c.model, c.kind, c.name)
        .subquery()
    )
    query = (
        sa.select(*_COLUMNS)
        .join(
            newest,
            sa.and_(*(c[key] == newest.c[key] for key in ("model", "kind", "name", "revision"))),
        )
        .where(c.body.is_not(None))
        .order_by(c.model, c.kind, c.happened, c.name)
    )
    if since is not None:
        query = query.where(c.happened >= since)
    if until is not None:
        query = query.where(c.happened < until)
    return list(_rows(connection, query))


def load_record_history(
    connection: Connection,
    *,
    model: str | None = None,
    kind: str | None = None,
    name: str | None = None,
    limit: int = 1000,
) -> list[RecordRow]:
    """Load changes of records, the newest first."""
    query = (
        sa.select(*_COLUMNS)
        .where(*_conditions(model, kind, name))
        .order_by(table.c.id.desc())
        .limit(limit)
    )
    return list(_rows(connection, query))


def newest_row(
    connection: Connection, model: str, kind: str, name: str, *, way: str | None = None
) -> RecordRow | None:
    """Load the newest change of one record, or the newest that was written by one `way`."""
    query = sa.select(*_COLUMNS).where(*_conditions(model, kind, name))
    if way is not None:
        query = query.where(table.c.way == way)
    query = query.order_by(table.c.revision.desc()).limit(1)
    return next(_rows(connection, query), None)


def load_monitored_versions(connection: Connection, model: str) -> list[str]:
    """Load the versions of a model that have windows."""
    c = windows.c
    query = sa.select(c.version).where(c.model == model, c.version != "").distinct()
    return sorted(connection.execute(query).scalars())


def add_row(connection: Connection, row: RecordRow) -> None:
    """Store a change."""
    values = {name: getattr(row, name) for name in RecordRow.__dataclass_fields__}
    values["body"] = None if row.body is None else json.dumps(row.body, ensure_ascii=False)
    connection.execute(sa.insert(table).values(values))


def _conditions(
    model: str | None, kind: str | None, name: str | None
) -> list[sa.ColumnElement[bool]]:
    chosen = {"model": model, "kind": kind, "name": name}
    return [table.c[key] == value for key, value in chosen.items() if value is not None]


def _rows(connection: Connection, query: sa.Select[Any]) -> Iterator[RecordRow]:
    for row in connection.execute(query).mappings():
        body = None if row["body"] is None else json.loads(row["body"])
        yield RecordRow(**{**row, "body": body})
