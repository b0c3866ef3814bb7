"""Builds a reference: first the grid from the values of the rows, then the profile on that grid.

Does not hold all rows in memory: beyond GRID_ROWS the grid is made from a uniform sample, and the
rows are read again to be counted, unless the caller has memory for them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from itertools import chain
from typing import TypedDict

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from driftline.contracts.source import DiscoverContext
from driftline.ingest.columns.canonical import Caster, split_by_segment, take_rows
from driftline.ingest.columns.timestamps import to_micros
from driftline.ingest.pairs.match_pairs import pair_batches
from driftline.ingest.read.decode_object import decode_records, discover_objects
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job
from driftline.ingest.read.plan import whole_object
from driftline.ingest.read.profile_rows import watched_segments
from driftline.ingest.read.sample_rows import NO_RECORD
from driftline.ingest.read.source_stream import open_reference
from driftline.ingest.reference.from_profiles import add_profiles, check_reference_profiles
from driftline.ingest.reference.losses import ReferenceLosses
from driftline.ingest.reference.naive_errors import NaiveErrors
from driftline.ingest.reference.spans import SpanProfiles, TimeRange
from driftline.kit.decoding.profile_records import is_profile_batch
from driftline.kit.decoding.split_records import side_of
from driftline.profiles.batch import Batch
from driftline.profiles.categories import count_categories
from driftline.profiles.counting import BoundedCounter, name_hash
from driftline.profiles.numeric import LARGEST
from driftline.profiles.profile import Profile
from driftline.profiles.spec import ProfileSpec, make_spec
from driftline.types.errors import SourceError, Unreadable
from driftline.types.model import Kind, LogObject

GRID_ROWS = 131_072
"""Rows that a grid is made from; of more rows, a uniform sample of this size."""
LONE_RESPONSE = (
    "a response without a request: check that the source lists the requests, too, or name the "
    "responses alone in the options of the format"
)


@dataclass(frozen=True, slots=True)
class TimedBatch:
    """Rows of the reference with their times."""

    object: LogObject
    batch: Batch
    times: NDArray[np.int64] | None
    """Microseconds, 0 where a row has none; None where the records have no time. Shape (rows,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReference:
    """A new reference."""

    spec: ProfileSpec
    profile: Profile
    segments: dict[str, Profile]
    """The profile of each segment, by its name."""
    spans: tuple[Profile, ...]
    """The profiles of its weeks or months, oldest first; empty where its rows have no times."""
    origin: str
    """JSON: the objects with their versions and rows; what they leave out with the first one."""
    digest: str
    """See `fingerprint`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectProfiles:
    """The profiles of some objects, all their rows together."""

    profile: Profile
    segments: dict[str, Profile]
    """The profile of each segment, by its name."""
    losses: ReferenceLosses
    """What could not be read."""


@dataclass(slots=True, kw_only=True)
class _GridData:
    """The values of the first reading: of all rows, or of a sample by the smallest hashes."""

    numeric: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    hashes: list[NDArray[np.uint64]] = field(default_factory=list)
    categories: dict[str, BoundedCounter] = field(default_factory=dict)
    rows: int = 0
    memory: int
    """Bytes of rows that may be held beyond GRID_ROWS."""
    batches: list[TimedBatch] | None = field(default_factory=list)
    """All batches, while they are few enough to be counted without reading again; else None."""
    held: int = 0
    """Bytes of `batches`."""
    times: TimeRange = field(default_factory=TimeRange)
    naive_errors: NaiveErrors


def fingerprint(objects: Iterable[LogObject]) -> str:
    """16 hex digits that stand for a set of objects with their versions."""
    lines = sorted(f"{obj.uri}\n{obj.version}" for obj in objects)
    return sha256("\n\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def list_reference_objects(job: Job, now: datetime) -> list[LogObject]:
    """The objects of a reference, by URI. Raises SourceError when there is none."""
    objects = sorted(discover_objects(job, DiscoverContext(now=now)), key=lambda obj: obj.uri)
    if not objects:
        raise SourceError("there is no object: check the path or prefix of the reference")
    return objects


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceGrid:
    """A reference whose grid is made, and whose rows are still to be counted on it."""

    spec: ProfileSpec
    count: Callable[[], NewReference]
    """Counts the rows, once: reads them again where there are too many to be held."""


def make_grid(
    job: Job,
    objects: list[LogObject],
    now: datetime,
    collectors: tuple[str, ...],
    span: tuple[int, int] | None = None,
    limit: int | None = None,
    options: Mapping[str, tuple[str, ...]] | None = None,
    *,
    memory: int = 0,
) -> ReferenceGrid:
    """Read `objects`, as they are at `now`, for the grid of a reference; `count` builds the rest.

    `span` (microseconds, half-open) selects rows by event time. With `limit`, reading stops after
    so many rows. `options` are those of `ProfileSpec`. Rows of up to `memory` bytes are held until
    they are counted, so that they are read once. Raises SourceError when no row can be read.
    """
    rows_by_uri: dict[str, int] = {}
    data = _GridData(naive_errors=NaiveErrors(job.schema), memory=memory)
    losses = ReferenceLosses()
    records, has_profiles = _look_ahead(_records(job, objects, now, losses))
    if has_profiles:
        total = add_profiles(records, job.collectors, span)
        check_reference_profiles(total, job.schema, collectors, options or {})
        losses.rows = total.profile.rows
        new = NewReference(
            spec=total.spec,
            profile=total.profile,
            segments=total.segments,
            spans=(),
            origin=_origin_json(objects, total.rows_by_uri, losses),
            digest=fingerprint(objects),
        )
        return ReferenceGrid(spec=new.spec, count=lambda: new)
    for timed in _batches(job, records, span, limit, losses):
        uri = timed.object.uri
        rows_by_uri[uri] = rows_by_uri.get(uri, 0) + timed.batch.rows
        _add_batch(data, timed, job)
        if limit is not None and data.rows >= limit:
            break
    if not data.rows:
        place = " in its span" if span else ""
        losses.reasons.merge(losses.unfinished)
        reasons = losses.describe()
        if not reasons and span is None:
            reasons = f"{_name_objects(objects)}: {NO_RECORD}"
        raise SourceError(
            f"the reference has no row that can be read{place}"
            + (f": {reasons}" if reasons else "")
        )
    losses.rows = data.rows
    if data.rows > GRID_ROWS:
        _reduce_to_sample(data)
    spec = make_spec(
        job.schema,
        {name: _finite(np.concatenate(parts)) for name, parts in data.numeric.items()},
        {name: counter.counts() for name, counter in data.categories.items()},
        collectors,
        options=options,
        naive_errors=data.naive_errors.by_series(),
    )
    held, times = data.batches, data.times

    def count() -> NewReference:
        batches = _read_again(job, objects, now, span, limit) if held is None else held
        return NewReference(
            spec=spec,
            **_count_rows(job, spec, batches, times, limit),
            origin=_origin_json(objects, rows_by_uri, losses),
            digest=fingerprint(objects),
        )

    return ReferenceGrid(spec=spec, count=count)


class _Counted(TypedDict):
    """The profiles of a reference; see `NewReference`."""

    profile: Profile
    segments: dict[str, Profile]
    spans: tuple[Profile, ...]


def _count_rows(
    job: Job,
    spec: ProfileSpec,
    batches: Iterable[TimedBatch],
    times: TimeRange,
    limit: int | None,
) -> _Counted:
    """Profile all rows of the reference, those of each segment, and those of each span."""
    profile = Profile(spec, job.collectors)
    segments: dict[str, Profile] = {}
    spans = SpanProfiles(spec, job.collectors, times)
    segment_names = watched_segments(spec, job.schema)
    for timed in batches:
        batch = timed.batch
        profile.update(batch)
        spans.update(batch, timed.times)
        for segment, rows in split_by_segment(batch, job.schema.segments, segment_names):
            segments.setdefault(segment, Profile(spec, job.collectors)).update(rows)
        if limit is not None and profile.rows >= limit:
            break
    return _Counted(profile=profile, segments=segments, spans=spans.profiles())


def profile_objects(job: Job, objects: list[LogObject], now: datetime) -> ObjectProfiles:
    """Profile all rows of `objects` on the grid of `job.spec`, whatever their times.

    Raises SourceError when the store fails.
    """
    spec, losses = job.spec, ReferenceLosses()
    profile, segments = Profile(spec, job.collectors), dict[str, Profile]()
    segment_names = watched_segments(spec, job.schema)
    records, has_profiles = _look_ahead(_records(job, objects, now, losses))
    if has_profiles:
        total = add_profiles(records, job.collectors)
        losses.rows = total.profile.rows
        return ObjectProfiles(profile=total.profile, segments=total.segments, losses=losses)
    for timed in _batches(job, records, None, None, losses):
        profile.update(timed.batch)
        for segment, rows in split_by_segment(timed.batch, job.schema.segments, segment_names):
            segments.setdefault(segment, Profile(spec, job.collectors)).update(rows)
    losses.reasons.merge(losses.unfinished)
    losses.rows = profile.rows
    return ObjectProfiles(profile=profile, segments=segments, losses=losses)


def _origin_json(
    objects: Sequence[LogObject], rows_by_uri: Mapping[str, int], losses: ReferenceLosses
) -> str:
    """Return the objects with their versions and rows, as JSON."""
    origin: list[dict[str, object]] = [
        {"uri": obj.uri, "version": obj.version, "rows": rows_by_uri[obj.uri]}
        for obj in objects
        if obj.uri in rows_by_uri
    ]
    if losses.describe():
        origin[0]["losses"] = losses.to_plain()
    return json.dumps(origin[:1000])


def _look_ahead(
    records: Iterator[tuple[LogObject, pa.RecordBatch]],
) -> tuple[Iterator[tuple[LogObject, pa.RecordBatch]], bool]:
    """Return the same records, and whether the first of them are profiles."""
    first = next(records, None)
    if first is None:
        return iter(()), False
    return chain((first,), records), is_profile_batch(first[1])


def _read_again(
    job: Job,
    objects: list[LogObject],
    now: datetime,
    span: tuple[int, int] | None,
    limit: int | None,
) -> Iterator[TimedBatch]:
    """Yield the rows of the second reading, whose losses are counted already."""
    losses = ReferenceLosses()
    return _batches(job, _records(job, objects, now, losses), span, limit, losses)


def _batches(
    job: Job,
    decoded: Iterator[tuple[LogObject, pa.RecordBatch]],
    span: tuple[int, int] | None,
    limit: int | None,
    losses: ReferenceLosses,
) -> Iterator[TimedBatch]:
    """Yield the rows of the reference; what is left out is counted in `losses`."""
    # A training file need not have times: without a span all its rows count.
    schema = job.schema if span is not None else replace(job.schema, timestamp=None)
    casters: dict[str, Caster] = {}
    for obj, records in pair_batches(decoded, job.transform, limit):
        caster = casters.get(obj.uri)
        if caster is None:
            caster = casters[obj.uri] = Caster(
                schema=schema,
                default_time=obj.modified,
                latest=job.latest,
                object_hash=name_hash(obj.uri),
                with_hashes=True,
            )
        cast = caster.cast(records)
        batch, times = cast.batch, None
        if span is not None:
            batch = take_rows(
                batch, np.flatnonzero((batch.events >= span[0]) & (batch.events < span[1]))
            )
            times = batch.events
        elif job.schema.timestamp is not None and job.schema.timestamp.name in records.schema.names:
            micros, is_usable = to_micros(
                records.column(job.schema.timestamp.name), job.schema.time_form
            )
            times = np.where(is_usable & (micros > 0) & (micros <= job.latest), micros, 0)
        if batch.rows:
            yield TimedBatch(obj, batch, times)
    for uri, caster in casters.items():
        losses.reasons.merge(caster.time_faults, uri)


def _records(
    job: Job, objects: list[LogObject], now: datetime, losses: ReferenceLosses
) -> Iterator[tuple[LogObject, pa.RecordBatch]]:
    sides = {"request": 0, "response": 0}
    for obj in objects:
        decoding = Decoding(
            uri=obj.uri,
            fields=job.schema.fields,
            is_complete=True,
            parts=obj.parts,
            open_reference=open_reference(job.source),
            takes_profiles=True,
        )
        try:
            for batch in decode_records(job, whole_object(obj, now), decoding):
                side = side_of(batch)
                if side is not None:
                    sides[side] += len(batch)
                yield obj, batch
        except Unreadable as error:
            losses.add_object(obj.uri, decoding, " ".join(str(error).split()))
        else:
            losses.add_object(obj.uri, decoding)
    lone = sides["response"] - sides["request"]
    if lone > 0:
        losses.reasons.add(LONE_RESPONSE, count=lone, place=1)


def _name_objects(objects: list[LogObject]) -> str:
    if len(objects) > 1:
        return f"{len(objects):,} objects"
    return objects[0].uri.rsplit("/", 1)[-1]


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.abs(values) <= LARGEST]


def _add_batch(data: _GridData, timed: TimedBatch, job: Job) -> None:
    batch = timed.batch
    data.rows += batch.rows
    data.times.add(timed.times)
    data.naive_errors.add(batch, timed.times)
    if data.batches is not None:
        data.batches.append(timed)
        data.held += sum(array.nbytes for array in batch.columns.values())
        if data.rows > GRID_ROWS and data.held > data.memory:
            data.batches = None
    assert batch.hashes is not None
    data.hashes.append(batch.hashes)
    for name, kind in job.schema.profile_columns.items():
        array = batch.columns.get(name)
        if kind is Kind.NUMERIC:
            values = (
                np.full(batch.rows, np.nan)
                if array is None
                else array.to_numpy(zero_copy_only=False)
            )
            data.numeric.setdefault(name, []).append(values)
        elif kind is Kind.CATEGORICAL and array is not None:
            data.categories.setdefault(name, BoundedCounter()).add(count_categories(array))
    if data.rows > GRID_ROWS and sum(map(len, data.hashes)) > 2 * GRID_ROWS:
        _reduce_to_sample(data)


def _reduce_to_sample(data: _GridData) -> None:
    hashes = np.concatenate(data.hashes)
    sample = (
        np.argpartition(hashes, GRID_ROWS)[:GRID_ROWS]
        if len(hashes) > GRID_ROWS
        else np.arange(len(hashes))
    )
    data.hashes = [hashes[sample]]
    data.numeric = {name: [np.concatenate(parts)[sample]] for name, parts in data.numeric.items()}
