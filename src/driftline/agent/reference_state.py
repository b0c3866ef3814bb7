"""The ground a model stands on: schema, spec and reference. Made once, kept, and made anew when its
settings change.

Refuses to change what windows are compared with behind anyone's back: only other settings make
another reference.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy.engine import Connection

from driftline.contracts.format import Format
from driftline.contracts.source import DiscoverContext, Source
from driftline.evaluate.check_plan import CheckPlan
from driftline.ingest.columns.infer import infer_schema
from driftline.ingest.read.decode_object import discover_objects
from driftline.ingest.read.job import Job
from driftline.ingest.read.peek import peek
from driftline.ingest.read.profile_rows import latest_event_time
from driftline.ingest.reference.build import GRID_ROWS, list_reference_objects, make_reference
from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.spec import ALWAYS_COLLECTED, ProfileSpec
from driftline.profiles.window import Window
from driftline.state import models
from driftline.state.schemas import schema_from_json, schema_to_json
from driftline.state.store import Store
from driftline.state.tables import micros
from driftline.types.errors import SourceError
from driftline.types.model import LogObject, Schema

if TYPE_CHECKING:
    pass

LISTED = 1000
"""Objects among which some are looked at to infer a schema."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the reference is made of: exactly one of source, span and trailing."""

    source: Source | None = None
    formats: Mapping[str, Format] = field(default_factory=dict)
    span: tuple[datetime, datetime] | None = None
    trailing: timedelta | None = None


@dataclass(frozen=True)
class Ground:
    """What windows of a model are profiled by and compared with."""

    schema: Schema
    spec: ProfileSpec
    reference_id: int
    name: str
    """For people."""
    trailing: timedelta | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    """By segment; empty for trailing references."""
    doubts: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    """The names of the inputs in the reference, in order, for formats whose records lack them."""

    def reference(self, segment: str) -> Window | None:
        """The reference of a segment; None when it is trailing, or the segment was not in it."""
        return self._windows.get(segment)

    @cached_property
    def _windows(self) -> Mapping[str, Window]:
        return {
            segment: profile.window(version=self.name, segment=segment)
            for segment, profile in self.profiles.items()
        }


def collected(plans: Iterable[CheckPlan]) -> tuple[str, ...]:
    """The collectors of a model with these checks, by name."""
    needed = {name for plan in plans for name in plan.check.collectors}
    return (*ALWAYS_COLLECTED, *sorted(needed - set(ALWAYS_COLLECTED)))


def ground_digest(
    origin: Origin,
    declared: Schema | None,
    collectors: tuple[str, ...],
    options: Mapping[str, tuple[str, ...]] | None = None,
) -> str:
    """Names the settings that a reference depends on."""
    source = origin.source
    told: tuple[object, ...] = (
        None if source is None else (source.type, source.model_dump(mode="json")),
        None if origin.span is None else [at.isoformat() for at in origin.span],
        None if origin.trailing is None else origin.trailing.total_seconds(),
        None if declared is None else schema_to_json(declared),
        sorted(collectors),
    )
    if options:
        told += (sorted(options.items()),)
    return sha256(msgspec.json.encode(told)).hexdigest()[:16]


def load_ground(
    store: Store, model: str, origin: Origin, digest: str, kinds: Collectors
) -> Ground | None:
    """The stored ground, if it was made by these settings."""
    with store.read() as connection:
        known = models.known(connection, model)
        reference = models.current_reference(connection, model)
    if known is None or reference is None or known.config_digest != digest or known.spec is None:
        return None
    spec = ProfileSpec.from_bytes(known.spec)
    profiles: dict[str, Profile] = {}
    if reference.profile is not None:
        parts: dict[str, bytes] = msgspec.msgpack.decode(reference.profile)
        profiles = {
            segment: Profile.from_bytes(content, spec, kinds) for segment, content in parts.items()
        }
    if reference.accepted:
        # What people accepted holds until the configuration asks for another reference.
        told = json.loads(reference.accepted)
        origin = Origin(
            span=(datetime.fromisoformat(told["from"]), datetime.fromisoformat(told["to"]))
        )
    return Ground(
        schema_from_json(known.schema_json),
        spec,
        reference.id,
        _name(origin, reference.number, reference.rows),
        origin.trailing,
        profiles,
        columns=tuple(msgspec.json.decode(known.columns_json)),
    )


def make_ground(
    store: Store,
    model: str,
    job: Job,
    origin: Origin,
    declared: Schema | None,
    collectors: tuple[str, ...],
    digest: str,
    now: datetime,
    options: Mapping[str, tuple[str, ...]] | None = None,
    accepted: Mapping[str, object] | None = None,
    also: Callable[[Connection], None] = lambda connection: None,
) -> Ground:
    """Read what the reference is made of, and make it the model's own. Raises SourceError when that
    can't be read.

    `accepted` says who made it so, where that is not the configuration; `also` is called in the
    same transaction.
    """
    if origin.span is not None and origin.span[1] > now:
        raise SourceError(
            f"the reference window ends at {origin.span[1]:%Y-%m-%d %H:%M}, which is still to come"
        )
    reader = (
        job if origin.source is None else replace(job, source=origin.source, formats=origin.formats)
    )
    objects = list_reference_objects(reader, now)
    columns = () if origin.source is None else _inputs(reader, objects, job, declared)
    job = replace(job, formats=named(job.formats, columns))
    schema, doubts = declared, list[str]()
    if schema is None or not schema.features or schema.unmeasured:
        looked_at = peek(reader, objects) + (
            [] if origin.source is None else peek(job, _some(job, now))
        )
        inferred = infer_schema(looked_at, declared)
        schema, doubts = inferred.schema, inferred.doubts
        if schema.unmeasured:
            raise SourceError(
                f"no vector of {schema.unmeasured[0]} is in the first records: set its dimension in the schema"
            )
    reader = replace(reader, schema=schema, latest=latest_event_time(now))
    span = None if origin.span is None else (micros(origin.span[0]), micros(origin.span[1]))
    made = make_reference(
        reader,
        objects,
        collectors,
        span,
        GRID_ROWS if origin.trailing is not None else None,
        options,
    )
    frozen = None
    if origin.trailing is None:
        parts = {"": made.profile, **made.segments}
        frozen = msgspec.msgpack.encode(
            {segment: profile.to_bytes() for segment, profile in parts.items()}
        )
    with store.write() as connection:
        models.adopt(
            connection,
            model,
            spec=made.spec.to_bytes(),
            spec_digest=made.spec.digest,
            schema_json=schema_to_json(schema),
            columns_json=msgspec.json.encode(columns).decode(),
            config_digest=digest,
            origin=made.origin,
            digest=made.digest,
            rows=made.profile.rows,
            profile=frozen,
            accepted="" if accepted is None else _accepted(origin, accepted),
        )
        also(connection)
    ground = load_ground(store, model, origin, digest, job.collectors)
    assert ground is not None
    return replace(ground, doubts=tuple(doubts))


def named(formats: Mapping[str, Format], columns: tuple[str, ...]) -> Mapping[str, Format]:
    """The formats of a log that know the names of its inputs."""
    return (
        {suffix: form.with_columns(columns) for suffix, form in formats.items()}
        if columns
        else formats
    )


def _inputs(
    reader: Job, objects: list[LogObject], job: Job, declared: Schema | None
) -> tuple[str, ...]:
    """The columns of the reference that go into the model, in order; none where it is a log of the
    same format.
    """
    batches = peek(replace(reader, transform=None), objects[:1])
    if not batches or {form.type for form in job.formats.values()} & {
        form.type for form in reader.formats.values()
    }:
        return ()
    schema = declared or infer_schema(batches).schema
    parts = (
        schema.timestamp, schema.id, schema.joins, schema.version, schema.prediction, schema.score, schema.label,
    )  # fmt: skip
    roles = {part.path for part in parts if part is not None}
    names = tuple(name for name in batches[0].schema.names if name not in roles)
    watched = {part.path for part in schema.features.values()}
    return names if watched.intersection(names) or not watched else ()


def _name(origin: Origin, number: int, rows: int) -> str:
    if origin.trailing is not None:
        return f"the {origin.trailing.days} days before"
    if origin.span is not None:
        return f"{origin.span[0]:%Y-%m-%d %H:%M} to {origin.span[1]:%Y-%m-%d %H:%M} ({rows:,} rows)"
    return f"reference {number} ({rows:,} rows)"


def _accepted(origin: Origin, accepted: Mapping[str, object]) -> str:
    assert origin.span is not None
    span = {"from": origin.span[0].isoformat(), "to": origin.span[1].isoformat()}
    return json.dumps({**accepted, **span}, ensure_ascii=False, sort_keys=True)


def _some(job: Job, now: datetime) -> list[LogObject]:
    return list(islice(discover_objects(job, DiscoverContext(now=now)), LISTED))
