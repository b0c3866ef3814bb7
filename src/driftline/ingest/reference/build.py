"""Making a reference: first the grid, from what the rows hold; then the profile, on that grid.

Refuses to keep all rows: beyond a bound the grid is made of a uniform sample, and the rows are read
again to be counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from driftline.contracts.source import DiscoverContext
from driftline.ingest.columns.canonical import Caster, hash_uri, split_by_segment, take_rows
from driftline.ingest.pairs.match_pairs import pair_batches
from driftline.ingest.read.decode_object import decode_records, discover_objects
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job
from driftline.ingest.read.plan import Work
from driftline.ingest.read.profile_rows import watched_segments
from driftline.profiles.batch import Batch
from driftline.profiles.categories import count_categories
from driftline.profiles.counting import BoundedCounter
from driftline.profiles.numeric import LARGEST
from driftline.profiles.profile import Profile
from driftline.profiles.spec import ProfileSpec, make_spec
from driftline.types.errors import SourceError, Unreadable
from driftline.types.model import Kind, LogObject

GRID_ROWS = 131_072
"""Rows whose values a grid is made of; of more rows, a uniform sample of so many."""


@dataclass(frozen=True, slots=True)
class NewReference:
    """A new reference."""

    spec: ProfileSpec
    profile: Profile
    segments: dict[str, Profile]
    """The same for each segment, by its name."""
    origin: str
    """JSON: the objects with their versions and rows."""
    digest: str
    """Of the objects and versions it was made from."""


@dataclass(slots=True)
class _Gathered:
    """What the first reading keeps: all rows, or a sample by the smallest hashes."""

    numeric: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    hashes: list[NDArray[np.uint64]] = field(default_factory=list)
    categories: dict[str, BoundedCounter] = field(default_factory=dict)
    rows: int = 0
    batches: list[Batch] | None = field(default_factory=list)
    """Every batch, as long as they are few enough to be counted without reading again."""


def fingerprint(objects: Iterable[LogObject]) -> str:
    """Names a set of objects with their versions."""
    lines = sorted(f"{obj.uri}\n{obj.version}" for obj in objects)
    return sha256("\n\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def list_reference_objects(job: Job, now: datetime) -> list[LogObject]:
    """The objects of a reference, in the order of their names. Raises SourceError when there is
    none.
    """
    found = sorted(discover_objects(job, DiscoverContext(now=now)), key=lambda obj: obj.uri)
    if not found:
        raise SourceError("there is no object: check the path or prefix of the reference")
    return found


def make_reference(
    job: Job,
    objects: list[LogObject],
    collectors: tuple[str, ...],
    span: tuple[int, int] | None = None,
    limit: int | None = None,
    options: Mapping[str, tuple[str, ...]] | None = None,
) -> NewReference:
    """Read `objects` and make spec and profile of their rows.

    `span` (microseconds, half-open) keeps only rows of that event time. With `limit`, reading stops
    after so many rows and the profile counts those alone. Raises SourceError when nothing can be
    read.
    """
    rows_of: dict[str, int] = {}
    gathered = _Gathered()
    for obj, batch in _batches(job, objects, span, limit):
        rows_of[obj.uri] = rows_of.get(obj.uri, 0) + batch.rows
        _gather(gathered, batch, job)
        if limit is not None and gathered.rows >= limit:
            break
    if not gathered.rows:
        raise SourceError(
            "the reference has no row that can be read" + (" in its span" if span else "")
        )
    if gathered.batches is None:
        _thin(gathered)
    spec = make_spec(
        job.schema,
        {name: _finite(np.concatenate(parts)) for name, parts in gathered.numeric.items()},
        {name: counter.counts() for name, counter in gathered.categories.items()},
        collectors,
        options=options,
    )
    profile = Profile(spec, job.collectors)
    parts: dict[str, Profile] = {}
    known = watched_segments(spec, job.schema)
    again: Iterator[Batch] = (
        iter(gathered.batches)
        if gathered.batches is not None
        else (batch for _, batch in _batches(job, objects, span, limit))
    )
    for batch in again:
        profile.update(batch)
        for segment, rows in split_by_segment(batch, job.schema.segments, known):
            parts.setdefault(segment, Profile(spec, job.collectors)).update(rows)
        if limit is not None and profile.rows >= limit:
            break
    origin = [
        {"uri": obj.uri, "version": obj.version, "rows": rows_of[obj.uri]}
        for obj in objects
        if obj.uri in rows_of
    ]
    return NewReference(spec, profile, parts, json.dumps(origin[:1000]), fingerprint(objects))


def _batches(
    job: Job, objects: list[LogObject], span: tuple[int, int] | None, limit: int | None
) -> Iterator[tuple[LogObject, Batch]]:
    # A training file need not have times: without a span its rows count whatever they say.
    schema = job.schema if span is not None else replace(job.schema, timestamp=None)
    casters: dict[str, Caster] = {}
    for obj, records_ in pair_batches(_records(job, objects), job.transform, limit):
        caster = casters.get(obj.uri)
        if caster is None:
            caster = casters[obj.uri] = Caster(
                schema=schema,
                default_time=obj.modified,
                latest=job.latest,
                object_hash=hash_uri(obj.uri),
                with_hashes=True,
            )
        batch = caster.cast(records_).batch
        if span is not None:
            batch = take_rows(
                batch, np.flatnonzero((batch.events >= span[0]) & (batch.events < span[1]))
            )
        if batch.rows:
            yield obj, batch


def _records(job: Job, objects: list[LogObject]) -> Iterator[tuple[LogObject, pa.RecordBatch]]:
    for obj in objects:
        decoding = Decoding(
            uri=obj.uri,
            fields=job.schema.fields,
            sealed=True,
            parts=obj.parts,
            refer=job.source.refer,
        )
        try:
            for batch in decode_records(job, Work(obj, 0, True), decoding):
                yield obj, batch
        except Unreadable:
            continue


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.abs(values) <= LARGEST]


def _gather(gathered: _Gathered, batch: Batch, job: Job) -> None:
    gathered.rows += batch.rows
    if gathered.batches is not None:
        gathered.batches.append(batch)
        if gathered.rows > GRID_ROWS:
            gathered.batches = None
    assert batch.hashes is not None
    gathered.hashes.append(batch.hashes)
    for name, kind in job.schema.profiled.items():
        array = batch.columns.get(name)
        if kind is Kind.NUMERIC:
            values = (
                np.full(batch.rows, np.nan)
                if array is None
                else array.to_numpy(zero_copy_only=False)
            )
            gathered.numeric.setdefault(name, []).append(values)
        elif kind is Kind.CATEGORICAL and array is not None:
            gathered.categories.setdefault(name, BoundedCounter()).add(count_categories(array))
    if gathered.rows > GRID_ROWS and sum(map(len, gathered.hashes)) > 2 * GRID_ROWS:
        _thin(gathered)


def _thin(gathered: _Gathered) -> None:
    hashes = np.concatenate(gathered.hashes)
    kept = (
        np.argpartition(hashes, GRID_ROWS)[:GRID_ROWS]
        if len(hashes) > GRID_ROWS
        else np.arange(len(hashes))
    )
    gathered.hashes = [hashes[kept]]
    gathered.numeric = {
        name: [np.concatenate(parts)[kept]] for name, parts in gathered.numeric.items()
    }
