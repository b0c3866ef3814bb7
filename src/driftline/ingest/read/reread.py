"""Reading the rows of one window again, for a check that must see them all.

Refuses to guess: an object that is no longer the version that was counted raises, and the check is
an `error`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from driftline.ingest.columns.canonical import Caster, hash_uri, split_by_segment, split_by_window
from driftline.ingest.pairs import pairing
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.plan import Work
from driftline.ingest.read.read_object import (
    EARLIEST_EVENT_TIME,
    Job,
    decode_records,
    watched_segments,
)
from driftline.kit.decoding.split_records import side_of
from driftline.state.store import Store
from driftline.state.tables import moment
from driftline.types.errors import SourceError
from driftline.types.model import LogObject

if TYPE_CHECKING:
    from driftline.types.records import WindowKey


def read_window_rows(
    job: Job, store: Store, key: WindowKey, objects: Sequence[LogObject]
) -> Iterator[pa.RecordBatch]:
    """The rows of the window `key` in canonical columns, from the objects that contributed to it.

    What was logged in halves is taken from where these are kept. Raises SourceError and Unreadable
    as reading does, and SourceError when the halves are not kept any more.
    """
    halves = False
    for obj in objects:
        decoding = Decoding(obj.uri, job.schema.fields, True, obj.parts, job.source.refer)
        caster = Caster(
            job.schema, obj.modified, job.latest, hash_uri(obj.uri), earliest=EARLIEST_EVENT_TIME
        )
        for batch in decode_records(job, Work(obj, 0, True), decoding):
            if side_of(batch) is not None:
                halves = True
                break
            yield from _chosen(job, key, caster, batch)
    found = False
    for batch in pairing.paired_rows(store, key.model, job, key.start) if halves else ():
        found = True
        within = (key.start, key.start + job.length)
        caster = Caster(
            job.schema, moment(key.start), job.latest, hash_uri(key.model), window=within
        )
        yield from _chosen(job, key, caster, batch)
    if halves and not found:
        raise SourceError("its requests and responses are no longer kept")


def _chosen(
    job: Job, key: WindowKey, caster: Caster, batch: pa.RecordBatch
) -> Iterator[pa.RecordBatch]:
    known = watched_segments(job.spec, job.schema)
    for start, version, part in split_by_window(caster.cast(batch), job.length):
        if (start, version) != (key.start, key.version):
            continue
        for segment, rows in (
            [("", part)] if not key.segment else split_by_segment(part, job.schema.segments, known)
        ):
            if segment == key.segment:
                yield pa.RecordBatch.from_pydict(rows.columns)
