"""Reads the rows of one window again, for a check that needs all of them.

Raises an error when an object is no longer the version that was counted: then the check's verdict
is `error`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from driftline.ingest.columns.canonical import Caster, split_by_segment, split_by_window
from driftline.ingest.pairs.pairing import paired_rows
from driftline.ingest.read.decode_object import decode_records
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job
from driftline.ingest.read.plan import Work
from driftline.ingest.read.profile_rows import EARLIEST_EVENT_TIME, watched_segments
from driftline.ingest.read.source_stream import open_reference
from driftline.kit.decoding.split_records import side_of
from driftline.profiles.counting import name_hash
from driftline.state.store import Store
from driftline.types.errors import SourceError
from driftline.types.model import LogObject
from driftline.types.times import from_micros

if TYPE_CHECKING:
    from driftline.types.records import WindowKey


def read_window_rows(
    job: Job, store: Store, key: WindowKey, objects: Sequence[LogObject]
) -> Iterator[pa.RecordBatch]:
    """The rows of the window `key` in canonical columns, from the objects that contributed to it.

    Rows that were logged in halves are read from the stored halves. Raises SourceError and
    Unreadable as reading does, and SourceError when the halves are not stored any more.
    """
    has_halves = False
    for obj in objects:
        decoding = Decoding(
            uri=obj.uri,
            fields=job.schema.fields,
            parts=obj.parts,
            open_reference=open_reference(job.source),
        )
        caster = Caster(
            schema=job.schema,
            default_time=obj.modified,
            latest=job.latest,
            earliest=EARLIEST_EVENT_TIME,
            object_hash=name_hash(obj.uri),
        )
        for batch in decode_records(job, Work(object=obj, start=0, is_complete=True), decoding):
            if side_of(batch) is not None:
                has_halves = True
                break
            yield from _rows_of_window(job, key, caster, batch)
    if not has_halves:
        return
    caster = Caster(
        schema=job.schema,
        default_time=from_micros(key.start),
        latest=job.latest,
        object_hash=name_hash(key.model),
        window=(key.start, key.start + job.length),
    )
    has_pairs = False
    for batch in paired_rows(store, key.model, job, key.start):
        has_pairs = True
        yield from _rows_of_window(job, key, caster, batch)
    if not has_pairs:
        raise SourceError("its requests and responses are no longer kept")


def _rows_of_window(
    job: Job, key: WindowKey, caster: Caster, batch: pa.RecordBatch
) -> Iterator[pa.RecordBatch]:
    segment_names = watched_segments(job.spec, job.schema)
    for start, version, rows in split_by_window(caster.cast(batch), job.length):
        if (start, version) != (key.start, key.version):
            continue
        for segment, part in (
            split_by_segment(rows, job.schema.segments, segment_names)
            if key.segment
            else [("", rows)]
        ):
            if segment == key.segment:
                yield pa.RecordBatch.from_pydict(part.columns)
