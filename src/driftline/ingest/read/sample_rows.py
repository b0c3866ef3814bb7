"""Decodes a few rows of a source and describes them: columns, times, and rows that can't be used.

Does not profile, and writes nothing. Reads the newest objects of a short listing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import pyarrow as pa

from driftline.contracts.source import DiscoverContext
from driftline.ingest.read.decode_object import decode_records, discover_objects
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job
from driftline.ingest.read.peek import pair_samples
from driftline.ingest.read.plan import Work
from driftline.ingest.read.profile_rows import make_caster
from driftline.ingest.read.source_stream import open_reference
from driftline.kit.decoding.missing_header import looks_like_record
from driftline.kit.decoding.repeated_columns import repeated_columns
from driftline.kit.stores.short_uri import shorten_uri
from driftline.profiles.canonical_value import canonical_value
from driftline.types.errors import ObjectGone, Unreadable
from driftline.types.loss_reasons import LOSS_SHARE, LossReasons
from driftline.types.model import LogObject, Schema, Task
from driftline.types.times import from_micros

MAX_LISTED = 1000
"""Objects that are listed; the newest of them are read."""
MAX_OBJECTS = 3
MAX_ROWS = 1000
"""Rows of one object."""
NAMES_SHOWN = 10
NO_RECORD = "empty, or a header line only"
"""What an object holds in which no record is read, none is rejected and nothing is broken."""


@dataclass(slots=True, kw_only=True)
class RowSample:
    """Counts, columns and times of a few rows of a source."""

    objects: int = 0
    """Objects that were decoded."""
    rows: int = 0
    columns: list[str] = field(default_factory=list)
    """Names in the records, in order."""
    repeated: list[str] = field(default_factory=list)
    """Names that a file has more than once; the first column of each is read."""
    missing: list[str] = field(default_factory=list)
    """Paths of the schema's columns that no record has."""
    rejected: LossReasons = field(default_factory=LossReasons)
    held: LossReasons = field(default_factory=LossReasons)
    first_event: int | None = None
    last_event: int | None = None
    unreadable: str = ""
    """Why an object can't be decoded; empty where all can."""
    positive: str = ""
    """The positive class of a binary task, in canonical form; empty where it is not known."""
    classes: dict[str, set[str]] = field(default_factory=dict)
    """The values of the prediction and the label of a binary task, in canonical form."""

    @property
    def problem(self) -> str:
        """What is wrong with the rows and what to do, in one sentence; empty where nothing is."""
        if self.unreadable:
            return f"{self.unreadable}: check source.options.format"
        records = self.rows + self.rejected.total
        if self.rejected.total > LOSS_SHARE * max(records, 1):
            return (
                f"{self.rejected.total:,} of {records:,} records are rejected: "
                f"{self.rejected.describe('record')}: check source.options.format"
            )
        if self.missing and looks_like_record(self.columns):
            return (
                f"the first line of the file looks like a record ({_names(self.columns)}), "
                "not like names: set header: false and names in source.options.format"
            )
        if self.missing:
            return (
                f"the records have no column {_names(self.missing)}, they have "
                f"{_names(self.columns)}: correct schema"
            )
        if self.held.total > LOSS_SHARE * max(self.rows, 1):
            return (
                f"{self.held.total:,} of {self.rows:,} rows have no usable time: "
                f"{self.held.describe('row')}"
            )
        for name, values in self.classes.items():
            # More values may hold the positive one in a row that is not read here.
            if len(values) == 2 and self.positive and self.positive not in values:
                return (
                    f"the column {name} has the values {_names(sorted(values))}, but the positive "
                    f"class is {self.positive}: correct schema.prediction.positive, or write the "
                    "same values in the log, the labels and the reference"
                )
        return ""

    @property
    def sentence(self) -> str:
        """Rows, times and columns, for people."""
        if not self.objects:
            return "no object to decode yet"
        span = ""
        if self.first_event is not None and self.last_event is not None:
            first, last = from_micros(self.first_event), from_micros(self.last_event)
            span = f" from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
        objects = "1 object" if self.objects == 1 else f"{self.objects} objects"
        if not self.rows:
            return f"no record in {objects} yet: {NO_RECORD}"
        repeated = ""
        if self.repeated:
            repeated = f"; in the file more than once, the first is read: {_names(self.repeated)}"
        return (
            f"{self.rows:,} rows in {objects}{span}; {len(self.columns)} columns: "
            f"{_names(self.columns)}{repeated}"
        )


def sample_rows(job: Job, now: datetime, schema: Schema | None = None) -> RowSample:
    """Decode the start of the newest objects that `job` lists.

    `schema` names the prediction and the label whose values are collected, that of the job when
    None: records need not have them. Raises SourceError when the source fails.
    """
    context = DiscoverContext(now=now, skipped=lambda uri, reason: None)
    listed = sorted(
        islice(discover_objects(job, context), MAX_LISTED), key=lambda obj: (obj.modified, obj.uri)
    )
    roles = job.schema if schema is None else schema
    is_binary = roles.task is Task.BINARY
    sample = RowSample(positive=roles.positive if is_binary else "")
    fields = (roles.prediction, roles.label) if is_binary else ()
    paths = [part.path for part in fields if part is not None]
    batches: list[tuple[LogObject, pa.RecordBatch]] = []
    for obj in reversed(listed[-MAX_OBJECTS:]):
        try:
            _add_columns(job, obj, sample, paths)
            batches += [(obj, batch) for batch in _decode(job, obj, job.schema, sample)]
            sample.objects += 1
        except Unreadable as error:
            sample.unreadable = f"{shorten_uri(obj.uri)}: {error}"
        except ObjectGone:
            continue
    if batches:
        _add_rows(job, batches, sample)
    return sample


def _decode(
    job: Job, obj: LogObject, schema: Schema, sample: RowSample | None
) -> list[pa.RecordBatch]:
    """Return the first rows of an object; all columns where the schema has none."""
    decoding = Decoding(
        uri=obj.uri,
        fields=schema.fields or None,
        parts=obj.parts,
        open_reference=open_reference(job.source),
    )
    batches = decode_records(job, Work(object=obj, start=0, is_complete=True), decoding)
    first = [batch.slice(0, MAX_ROWS) for batch in islice(batches, 1)]
    if sample is not None:
        sample.rejected.merge(decoding.reasons, obj.uri)
    return first


def _add_columns(job: Job, obj: LogObject, sample: RowSample, paths: Sequence[str]) -> None:
    """Add the names of all columns of an object, and the values of those at `paths`."""
    for batch in pair_samples(_decode(job, obj, Schema(), None), job.transform):
        sample.columns += [name for name in batch.schema.names if name not in sample.columns]
        sample.repeated += [
            name for name in repeated_columns([batch]) if name not in sample.repeated
        ]
        for name in paths:
            if name in batch.schema.names:
                column = batch.column(batch.schema.names.index(name))
                forms = map(canonical_value, column.unique().to_pylist())
                values = sample.classes.setdefault(name, set())
                values.update(form for form in forms if form is not None)


def _add_rows(
    job: Job, batches: Sequence[tuple[LogObject, pa.RecordBatch]], sample: RowSample
) -> None:
    """Count rows, times and missing columns."""
    rows = pair_samples([batch for _, batch in batches], job.transform)
    filled: set[str] = set()
    for batch in rows:
        filled |= {
            name
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
            if column.null_count < len(batch)
        }
        sample.rows += len(batch)
        caster = make_caster(job, batches[0][0], 0)
        events = caster.cast(batch).batch.events
        sample.held.merge(caster.time_faults)
        if len(events):
            ends = (sample.first_event, sample.last_event, int(events.min()), int(events.max()))
            times = [end for end in ends if end is not None]
            sample.first_event, sample.last_event = min(times), max(times)
    if rows:
        sample.missing = [
            part.path
            for part in job.schema.fields
            if part.name not in filled and not _is_in(part.path, sample.columns)
        ]


def _is_in(path: str, columns: Sequence[str]) -> bool:
    return any(name == path or name.startswith(f"{path}.") for name in columns)


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"
