"""The schema, profile spec and reference of a model: built once, stored, and loaded from then on.

They are built again only when the settings change that they depend on, or when a person accepts a
change as normal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice

import msgspec
from sqlalchemy.engine import Connection

from driftline.agent.model_settings import ModelSettings, Origin, with_input_columns
from driftline.contracts.source import DiscoverContext
from driftline.ingest.read.decode_object import discover_objects
from driftline.ingest.read.job import Job
from driftline.ingest.read.profile_rows import latest_event_time
from driftline.ingest.reference.losses import ReferenceLosses, losses_from_origin
from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.spec import ProfileSpec
from driftline.profiles.window import Window
from driftline.state import models
from driftline.state.models import Reference
from driftline.state.store import Store
from driftline.types.errors import SourceError
from driftline.types.model import LogObject, Schema
from driftline.types.phrasing import count
from driftline.types.schema_json import schema_from_json, schema_to_json
from driftline.types.times import as_micros

MAX_LISTED = 1000
"""Objects among which some are read to infer a schema."""


@dataclass(frozen=True, kw_only=True)
class ReferenceState:
    """What the windows of a model are profiled by and compared with."""

    schema: Schema
    spec: ProfileSpec
    reference_id: int
    name: str
    """For people."""
    trailing: timedelta | None = None
    """How long before a window its reference begins; None for a fixed reference."""
    profiles: Mapping[str, bytes] = field(default_factory=dict)
    """Packed, by segment; empty for trailing references."""
    span_profiles: Sequence[bytes] = ()
    """Of its weeks or months, packed, oldest first; empty where its rows have no times."""
    collectors: Collectors = field(default_factory=dict)
    """All that are registered: they unpack the profiles when a window is judged."""
    warnings: tuple[str, ...] = ()
    """Doubts about the inferred schema, only right after it was inferred."""
    losses: ReferenceLosses = field(default_factory=ReferenceLosses)
    """What the source of the reference has and the reference has not."""
    input_columns: tuple[str, ...] = ()
    """Names of the inputs in the reference, in order, for formats whose records lack them."""

    def window(self, segment: str) -> Window | None:
        """Return the reference of a segment; None if it is trailing or lacks the segment."""
        if segment not in self._windows and segment in self.profiles:
            profile = self._unpack(self.profiles[segment])
            self._windows[segment] = profile.window(version=self.name, segment=segment)
        return self._windows.get(segment)

    @cached_property
    def spans(self) -> tuple[Window, ...]:
        """The weeks or months of the reference, oldest first; empty without times."""
        return tuple(
            self._unpack(content).window(version=self.name) for content in self.span_profiles
        )

    @cached_property
    def _windows(self) -> dict[str, Window]:
        return {}

    def _unpack(self, content: bytes) -> Profile:
        return Profile.from_bytes(content, self.spec, self.collectors)


def load_reference(
    store: Store, settings: ModelSettings, collectors: Collectors
) -> ReferenceState | None:
    """Return the stored reference, None if there is none or it was built by other settings."""
    with store.read() as connection:
        model = models.load_model(connection, settings.name)
        reference = models.load_current_reference(connection, settings.name)
    if model is None or reference is None or model.spec is None:
        return None
    if model.config_digest != settings.reference_digest:
        return None
    return _make_state(
        replace(
            reference,
            spec=model.spec,
            schema_json=model.schema_json,
            columns_json=model.columns_json,
        ),
        settings,
        collectors,
    )


def load_earlier_reference(
    store: Store, settings: ModelSettings, collectors: Collectors, reference_id: int
) -> ReferenceState | None:
    """Return a reference that windows were compared with, also where another one has replaced it.

    The result is None when what its rows were counted with is not stored.
    """
    with store.read() as connection:
        reference = models.load_reference_by_id(connection, reference_id)
    if reference is None or reference.spec is None:
        return None
    if reference.profile is None and settings.origin.trailing is None:
        return None
    return _make_state(reference, settings, collectors)


def _make_state(
    reference: Reference, settings: ModelSettings, collectors: Collectors
) -> ReferenceState:
    profiles: dict[str, bytes] = {}
    if reference.profile is not None:
        profiles = msgspec.msgpack.decode(reference.profile)
    span_profiles: list[bytes] = []
    if reference.spans is not None:
        span_profiles = msgspec.msgpack.decode(reference.spans)
    origin = settings.origin
    if reference.acceptance:
        # An accepted reference stays until the configuration asks for another one.
        note = json.loads(reference.acceptance)
        origin = Origin(
            span=(datetime.fromisoformat(note["from"]), datetime.fromisoformat(note["to"]))
        )
    assert reference.spec is not None
    return ReferenceState(
        schema=schema_from_json(reference.schema_json),
        spec=ProfileSpec.from_bytes(reference.spec),
        reference_id=reference.id,
        name=_name(origin, reference.number, reference.rows),
        trailing=origin.trailing if reference.profile is None else None,
        profiles=profiles,
        span_profiles=span_profiles,
        losses=losses_from_origin(reference.origin, reference.rows),
        collectors=collectors,
        input_columns=tuple(msgspec.json.decode(reference.columns_json)),
    )


def build_reference(
    store: Store,
    settings: ModelSettings,
    job: Job,
    now: datetime,
    *,
    origin: Origin | None = None,
    schema: Schema | None = None,
    acceptance: Mapping[str, object] | None = None,
    in_transaction: Callable[[Connection], None] = lambda connection: None,
) -> ReferenceState:
    """Read what the reference is made of and store it as the reference of the model.

    `job` is how the model's own records are read. `origin` and `schema` are those of the settings
    unless given. `acceptance` says who made it the reference, where that is not the configuration.
    `in_transaction` is called in the transaction that stores it. Raises SourceError when the
    origin can't be read.
    """
    # These load pyarrow, which most starts don't need: the reference is there.
    from driftline.ingest.columns.infer import infer_schema
    from driftline.ingest.read.peek import peek
    from driftline.ingest.reference.build import (
        GRID_ROWS,
        list_reference_objects,
        make_grid,
    )
    from driftline.ingest.reference.from_profiles import profiled_schema

    origin, schema = origin or settings.origin, schema or settings.schema
    if origin.span is not None and origin.span[1] > now:
        raise SourceError(
            f"the reference window ends at {origin.span[1]:%Y-%m-%d %H:%M}, which is still to come"
        )
    has_source = origin.source is not None
    reference_job = job
    if origin.source is not None:
        reference_job = replace(job, source=origin.source, formats=origin.formats)
    objects = list_reference_objects(reference_job, now)
    columns = _input_columns(reference_job, objects, job, schema) if has_source else ()
    job = replace(job, formats=with_input_columns(job.formats, columns))
    warnings: list[str] = []
    if schema is None or not schema.features or schema.embeddings_without_dimension:
        batches = peek(reference_job, objects)
        if has_source:
            batches = batches + peek(job, _first_objects(job, now))
        if (ready := profiled_schema(batches)) is not None:
            schema = ready
        else:
            inference = infer_schema(batches, schema, settings.named_columns)
            schema, warnings = inference.schema, inference.doubts
        if schema.embeddings_without_dimension:
            raise SourceError(
                f"no vector of {schema.embeddings_without_dimension[0]} is in the first records: "
                "set its dimension in the schema"
            )
    reference_job = replace(reference_job, schema=schema, latest=latest_event_time(now))
    reference = make_grid(
        reference_job,
        objects,
        now,
        settings.collectors,
        span=None
        if origin.span is None
        else (as_micros(origin.span[0]), as_micros(origin.span[1])),
        limit=GRID_ROWS if origin.trailing is not None else None,
        options=settings.collector_options,
    ).count()
    frozen_profiles = frozen_spans = None
    if origin.trailing is None:
        if reference.spans:
            frozen_spans = msgspec.msgpack.encode(
                [profile.to_bytes() for profile in reference.spans]
            )
        profiles = {"": reference.profile, **reference.segments}
        frozen_profiles = msgspec.msgpack.encode(
            {segment: profile.to_bytes() for segment, profile in profiles.items()}
        )
    with store.write() as connection:
        models.adopt_reference(
            connection,
            settings.name,
            spec=reference.spec.to_bytes(),
            spec_digest=reference.spec.digest,
            schema_json=schema_to_json(schema),
            columns_json=msgspec.json.encode(columns).decode(),
            config_digest=settings.reference_digest,
            origin=reference.origin,
            digest=reference.digest,
            rows=reference.profile.rows,
            profile=frozen_profiles,
            spans=frozen_spans,
            acceptance="" if acceptance is None else _acceptance_json(origin, acceptance),
        )
        in_transaction(connection)
    reference_state = load_reference(store, settings, job.collectors)
    assert reference_state is not None
    return replace(reference_state, warnings=tuple(warnings))


def _input_columns(
    reference_job: Job, objects: list[LogObject], job: Job, schema: Schema | None
) -> tuple[str, ...]:
    """Return the columns of the reference that go into the model, in order.

    There are none where the reference is a log of the same format.
    """
    from driftline.ingest.columns.infer import infer_schema
    from driftline.ingest.read.decode_object import choose_format
    from driftline.ingest.read.peek import peek
    from driftline.kit.decoding.profile_records import is_profile_batch

    batches = peek(replace(reference_job, transform=None), objects[:1])
    # Its format is that of its name: the default formats hold one for each suffix.
    own_type = choose_format(reference_job.formats, objects[0].uri).type if batches else ""
    own_formats = {form.type for form in job.formats.values()}
    if not batches or is_profile_batch(batches[0]) or own_type in own_formats:
        return ()
    schema = schema or infer_schema(batches).schema
    fields = (
        schema.timestamp,
        schema.id,
        schema.joins,
        schema.version,
        schema.prediction,
        schema.score,
        schema.label,
        *schema.task_columns.parts,
        *schema.service.parts,
    )
    roles = {part.path for part in fields if part is not None}
    names = tuple(name for name in batches[0].schema.names if name not in roles)
    features = {part.path for part in schema.features.values()}
    return names if features.intersection(names) or not features else ()


def _name(origin: Origin, number: int, rows: int) -> str:
    if origin.trailing is not None:
        return f"the {origin.trailing.days} days before"
    if origin.span is not None:
        first, last = (f"{moment:%Y-%m-%d %H:%M}" for moment in origin.span)
        return f"{first} to {last} ({count(rows, 'row')})"
    return f"reference {number} ({count(rows, 'row')})"


def _acceptance_json(origin: Origin, acceptance: Mapping[str, object]) -> str:
    assert origin.span is not None
    span = {"from": origin.span[0].isoformat(), "to": origin.span[1].isoformat()}
    return json.dumps({**acceptance, **span}, ensure_ascii=False, sort_keys=True)


def _first_objects(job: Job, now: datetime) -> list[LogObject]:
    return list(islice(discover_objects(job, DiscoverContext(now=now)), MAX_LISTED))
