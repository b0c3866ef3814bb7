"""Stores the row of each model: its spec, schema, references and progress.

A reference never changes: a new one gets a new number.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state import tables, waiting
from driftline.state.tables import configurations, models, objects, references, shares, windows
from driftline.types.times import END_OF_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One row of `models`."""

    name: str
    watched_since: int
    """Microseconds; empty windows before it are not missing data."""
    last_event: int | None
    spec: bytes | None
    spec_digest: str
    schema_json: str
    columns_json: str
    """The names of the inputs in the reference, in order."""
    reference_id: int | None
    config_digest: str
    judged_until: int | None
    """Up to this time (microseconds) spans without rows have their empty windows."""
    listed_at: int | None
    """Start of the last pass that read everything it listed (microseconds)."""
    whole_at: int | None
    """Start of the last such pass with a complete listing (microseconds)."""
    whole_digest: str
    """Digest of the source and spec of that pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One frozen reference."""

    id: int
    number: int
    origin: str
    rows: int
    spec_digest: str
    acceptance: str
    """Author and reason of an accepted change, as JSON; empty for other references."""
    profile: bytes | None
    """None for a trailing reference: its profile is computed for each window."""
    spans: bytes | None
    """Profiles of its weeks or months; None where its rows have no times."""
    spec: bytes | None
    """What windows are counted with; None for an earlier reference of an old state."""
    schema_json: str
    columns_json: str
    """The names of the inputs in the reference, in order."""


_MODEL_COLUMNS = [models.c[name] for name in ModelRow.__dataclass_fields__]
_REFERENCE_COLUMNS = [
    references.c.accepted.label(name) if name == "acceptance" else references.c[name]
    for name in Reference.__dataclass_fields__
]


def load_model(connection: Connection, model: str) -> ModelRow | None:
    """Load the row of a model; None when there is none."""
    row = connection.execute(sa.select(*_MODEL_COLUMNS).where(models.c.name == model)).one_or_none()
    return None if row is None else ModelRow(**row._mapping)


def store_configuration(
    connection: Connection, digest: str, model: str, content: str, plugins: str, now: int
) -> None:
    """Store a configuration, so that numbers can be explained after the file has changed."""
    query = sa.select(configurations.c.digest).where(configurations.c.digest == digest)
    if connection.execute(query).one_or_none() is None:
        row = {
            "digest": digest,
            "model": model,
            "content": content,
            "plugins": plugins,
            "first_used": now,
        }
        connection.execute(configurations.insert().values(**row))


def add_model(connection: Connection, model: str, now: int) -> None:
    """Add the row of a model, unless there is one."""
    if load_model(connection, model) is None:
        connection.execute(models.insert().values(name=model, watched_since=now))


def find_log_end(connection: Connection, model: str, start: int, end: int) -> int | None:
    """Find the newest event of a log of the past that ends in the window [start, end).

    None where rows come later, or where the model has been watched since less than two such windows
    after its end: rows that stop then may be an outage that is still on. Microseconds.
    """
    c = models.c
    query = sa.select(c.last_event).where(
        c.name == model,
        c.last_event >= start,
        c.last_event < end,
        c.watched_since >= end + 2 * (end - start),
    )
    newest: int | None = connection.execute(query).scalar()
    return newest


def set_judged_until(connection: Connection, model: str, until: int) -> None:
    """Store up to where empty windows have been added (microseconds)."""
    connection.execute(models.update().where(models.c.name == model).values(judged_until=until))


def set_listed_at(connection: Connection, model: str, at: int, whole_digest: str | None) -> None:
    """Store that everything listed at `at` (microseconds) was read.

    `whole_digest` is given for a complete listing.
    """
    values: dict[str, object] = {"listed_at": at}
    if whole_digest is not None:
        values |= {"whole_at": at, "whole_digest": whole_digest}
    connection.execute(models.update().where(models.c.name == model).values(**values))


def load_current_reference(connection: Connection, model: str) -> Reference | None:
    """Load the reference that new windows are compared with."""
    query = (
        sa.select(*_REFERENCE_COLUMNS)
        .join(models, models.c.reference_id == references.c.id)
        .where(models.c.name == model)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Reference(**row._mapping)


def load_reference_by_id(connection: Connection, reference_id: int) -> Reference | None:
    """Load a reference, also one that another has replaced; None when there is none."""
    query = sa.select(*_REFERENCE_COLUMNS).where(references.c.id == reference_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else Reference(**row._mapping)


def load_references(connection: Connection, model: str) -> list[dict[str, Any]]:
    """List all references of a model, the newest first, as JSON values."""
    current = sa.select(models.c.reference_id).where(models.c.name == model).scalar_subquery()
    c = references.c
    is_current = (c.id == current).label("current")
    columns = (c.number, c.rows, c.digest, c.origin, c.accepted, is_current)
    query = sa.select(*columns).where(c.model == model)
    return [
        {
            "model": model,
            "number": r.number,
            "rows": r.rows,
            "digest": r.digest,
            "current": bool(r.current),
            "origin": json.loads(r.origin),
            "accepted": json.loads(r.accepted) if r.accepted else None,
        }
        for r in connection.execute(query.order_by(c.number.desc()))
    ]


def adopt_reference(
    connection: Connection,
    model: str,
    *,
    spec: bytes,
    spec_digest: str,
    schema_json: str,
    columns_json: str,
    config_digest: str,
    origin: str,
    digest: str,
    rows: int,
    profile: bytes | None,
    spans: bytes | None = None,
    acceptance: str = "",
) -> None:
    """Make a new reference the current one of a model.

    With a new spec, objects are read again, and judged windows are settled as they are: their rows
    were counted on the old grid.
    """
    number = connection.execute(
        sa.select(sa.func.coalesce(sa.func.max(references.c.number), 0) + 1).where(
            references.c.model == model
        )
    ).scalar_one()
    result = connection.execute(
        references.insert().values(
            model=model,
            number=number,
            origin=origin,
            digest=digest,
            rows=rows,
            spec_digest=spec_digest,
            profile=profile,
            spans=spans,
            accepted=acceptance,
            spec=spec,
            schema_json=schema_json,
            columns_json=columns_json,
        )
    )
    before = load_model(connection, model)
    has_new_spec = before is not None and before.spec_digest not in ("", spec_digest)
    connection.execute(
        models.update()
        .where(models.c.name == model)
        .values(
            spec=spec,
            spec_digest=spec_digest,
            schema_json=schema_json,
            columns_json=columns_json,
            config_digest=config_digest,
            reference_id=result.inserted_primary_key[0],  # type: ignore[index]
        )
    )
    if has_new_spec:
        _restart_with_spec(connection, model, spec_digest)


def find_cutoff(connection: Connection, model: str) -> int | None:
    """Find the start of the first unsettled window (microseconds); None when there is none."""
    query = sa.select(sa.func.min(windows.c.start)).where(
        windows.c.model == model, windows.c.settled == 0
    )
    return connection.execute(query).scalar()


def load_waits_from(connection: Connection, model: str) -> int | None:
    """Load the start (microseconds) of the first windows whose predictions wait for labels.

    The result is None while the predictions of all windows wait.
    """
    return connection.execute(sa.select(models.c.waits_from).where(models.c.name == model)).scalar()


def set_waits_from(connection: Connection, model: str, start: int) -> None:
    """Store that predictions of earlier windows no longer wait; the time never goes back."""
    later = sa.or_(models.c.waits_from.is_(None), models.c.waits_from < start)
    connection.execute(
        models.update().where(models.c.name == model, later).values(waits_from=start)
    )


def _restart_with_spec(connection: Connection, model: str, spec_digest: str) -> None:
    """Settle the judged windows; objects with unsettled or waiting rows are read again."""
    own_windows = windows.c.model == model
    connection.execute(
        windows.update().where(own_windows, windows.c.revision > 0).values(settled=1, dirty=0)
    )
    # Shares of settled windows have no profile any more, so that they are never taken out.
    c = windows.c
    in_settled_window = sa.exists().where(
        c.model == shares.c.model,
        c.start == shares.c.start,
        c.version == shares.c.version,
        c.segment == shares.c.segment,
        c.settled == 1,
    )
    connection.execute(
        shares.update()
        .where(shares.c.model == model, shares.c.profile.is_not(None), in_settled_window)
        .values(profile=None)
    )
    waiting.drop_settled(connection, model)
    first = find_cutoff(connection, model)
    has_open_share = sa.exists().where(
        shares.c.object_id == objects.c.id,
        shares.c.profile.is_not(None),
        shares.c.start >= (first if first is not None else END_OF_TIME),
    )
    # Waiting halves have columns of the old schema, though responses alone have no share.
    rows = tables.waiting.c
    has_waiting_rows = sa.exists().where(
        rows.object_id == objects.c.id, rows.role.in_(waiting.HALVES), rows.removed == 0
    )
    connection.execute(
        objects.update()
        .where(objects.c.model == model, ~has_open_share, ~has_waiting_rows)
        .values(spec_digest=spec_digest)
    )
