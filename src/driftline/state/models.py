"""What the agent knows of a model as a whole: since when it is watched, its spec, its references.

Refuses to change a reference: a new one gets a new number.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state import tables, waiting
from driftline.state.tables import configurations, models, objects, references, shares, windows
from driftline.types.model import Schema


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One row of `models`."""

    name: str
    watched_since: int
    """Microseconds: windows before it that hold nothing are no silence."""
    last_event: int | None
    spec: bytes | None
    spec_digest: str
    schema_json: str
    columns_json: str
    """The names of the inputs in the reference, in order."""
    reference_id: int | None
    config_digest: str
    judged_until: int | None
    """Up to here every span without rows has got its empty window."""
    listed_at: int | None
    """When the last pass began that dealt with all it listed (microseconds)."""
    whole_at: int | None
    """When the last such pass began that listed everything."""
    whole_digest: str
    """Of what that pass depended on: source and spec."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One frozen reference."""

    id: int
    number: int
    origin: str
    rows: int
    spec_digest: str
    acceptance: str
    """Who made it so and why, as JSON; empty when the configuration did."""
    profile: bytes | None
    """None for trailing references: their profile is made for each window."""


_KNOWN = [models.c[name] for name in ModelRow.__dataclass_fields__]
_REFERENCE = [
    references.c["accepted" if name == "acceptance" else name]
    for name in Reference.__dataclass_fields__
]


def load_model(connection: Connection, model: str) -> ModelRow | None:
    """The row of a model, if there is one."""
    row = connection.execute(sa.select(*_KNOWN).where(models.c.name == model)).one_or_none()
    return None if row is None else ModelRow(*row)


def note_configuration(
    connection: Connection, digest: str, model: str, content: str, plugins: str, now: int
) -> None:
    """Keep what windows are judged by from now on, so that a number can be explained when the file
    has long changed.
    """
    have = sa.select(configurations.c.digest).where(configurations.c.digest == digest)
    if connection.execute(have).one_or_none() is None:
        row = {
            "digest": digest,
            "model": model,
            "content": content,
            "plugins": plugins,
            "first_used": now,
        }
        connection.execute(configurations.insert().values(**row))


def add_model(connection: Connection, model: str, now: int) -> None:
    """Note that a model is watched from now on, unless it is already."""
    if load_model(connection, model) is None:
        connection.execute(models.insert().values(name=model, watched_since=now))


def set_judged_until(connection: Connection, model: str, until: int) -> None:
    """Note up to where silence was looked for, so that no later look begins at the beginning."""
    connection.execute(models.update().where(models.c.name == model).values(judged_until=until))


def set_listed_at(connection: Connection, model: str, at: int, whole_digest: str | None) -> None:
    """Note that all that was listed at `at` was dealt with; with a digest, that it was all there
    is.
    """
    values: dict[str, object] = {"listed_at": at}
    if whole_digest is not None:
        values |= {"whole_at": at, "whole_digest": whole_digest}
    connection.execute(models.update().where(models.c.name == model).values(**values))


def load_current_reference(connection: Connection, model: str) -> Reference | None:
    """The reference that new windows are compared with."""
    query = (
        sa.select(*_REFERENCE)
        .join(models, models.c.reference_id == references.c.id)
        .where(models.c.name == model)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Reference(*row)


def list_references(connection: Connection, model: str) -> list[dict[str, Any]]:
    """All references of a model, the newest first, as plain values."""
    current = sa.select(models.c.reference_id).where(models.c.name == model).scalar_subquery()
    c = references.c
    query = sa.select(
        c.number, c.rows, c.digest, c.origin, c.accepted, (c.id == current).label("current")
    ).where(c.model == model)
    return [
        {
            "model": model, "number": r.number, "rows": r.rows, "digest": r.digest, "current": bool(r.current),
            "origin": json.loads(r.origin), "accepted": json.loads(r.accepted) if r.accepted else None,
        }
        for r in connection.execute(query.order_by(c.number.desc()))
    ]  # fmt: skip


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
    acceptance: str = "",
) -> None:
    """Make a new reference the model's own, and what was profiled by another spec ready to be read
    again.

    Windows judged so far are settled as they are: their rows were counted on the old grid.
    """
    number = connection.execute(
        sa.select(sa.func.coalesce(sa.func.max(references.c.number), 0) + 1).where(
            references.c.model == model
        )
    ).scalar_one()
    made = connection.execute(
        references.insert().values(
            model=model,
            number=number,
            origin=origin,
            digest=digest,
            rows=rows,
            spec_digest=spec_digest,
            profile=profile,
            accepted=acceptance,
        )
    )
    before = load_model(connection, model)
    changed = before is not None and before.spec_digest not in ("", spec_digest)
    connection.execute(
        models.update()
        .where(models.c.name == model)
        .values(
            spec=spec,
            spec_digest=spec_digest,
            schema_json=schema_json,
            columns_json=columns_json,
            config_digest=config_digest,
            reference_id=made.inserted_primary_key[0],  # type: ignore[index]
        )
    )
    if changed:
        _start_anew(connection, model, spec_digest)


def find_cutoff(connection: Connection, model: str) -> int | None:
    """Start of the first window (microseconds) that is not settled; None when there is none."""
    query = sa.select(sa.func.min(windows.c.start)).where(
        windows.c.model == model, windows.c.settled == 0
    )
    return connection.execute(query).scalar()


def load_waits_from(connection: Connection, model: str) -> int | None:
    """Predictions of windows that start before it (microseconds) wait no longer for labels; None
    while all do.
    """
    return connection.execute(sa.select(models.c.waits_from).where(models.c.name == model)).scalar()


def set_waits_from(connection: Connection, model: str, start: int) -> None:
    """Note that predictions of earlier windows wait no longer: it never goes back."""
    later = sa.or_(models.c.waits_from.is_(None), models.c.waits_from < start)
    connection.execute(
        models.update().where(models.c.name == model, later).values(waits_from=start)
    )


def _start_anew(connection: Connection, model: str, spec_digest: str) -> None:
    mine = windows.c.model == model
    connection.execute(
        windows.update().where(mine, windows.c.revision > 0).values(settled=1, dirty=0)
    )
    # As everywhere, what counts in a settled window has no profile of its own any more: it is never
    # taken out again.
    c = windows.c
    settled = sa.exists().where(
        c.model == shares.c.model,
        c.start == shares.c.start,
        c.version == shares.c.version,
        c.segment == shares.c.segment,
        c.settled == 1,
    )
    connection.execute(
        shares.update()
        .where(shares.c.model == model, shares.c.profile.is_not(None), settled)
        .values(profile=None)
    )
    waiting.drop_settled(connection, model)
    first = find_cutoff(connection, model)
    live = sa.exists().where(
        shares.c.object_id == objects.c.id,
        shares.c.profile.is_not(None),
        shares.c.start >= (first if first is not None else 2**62),
    )
    # Their columns were chosen by the old schema, though responses alone have no share.
    rows = tables.waiting.c
    waits = sa.exists().where(
        rows.object_id == objects.c.id, rows.role.in_(waiting.HALVES), rows.removed == 0
    )
    connection.execute(
        objects.update()
        .where(objects.c.model == model, ~live, ~waits)
        .values(spec_digest=spec_digest)
    )


def schema_to_json(schema: Schema) -> str:
    """Encode an inferred schema; `schema_from_json` returns an equal one."""
    return msgspec.json.encode(schema, order="deterministic").decode()


def schema_from_json(text: str) -> Schema:
    """Decode what `schema_to_json` wrote."""
    return msgspec.json.decode(text, type=Schema)
