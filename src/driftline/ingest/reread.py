"""Reading the rows of one window again, for a check that must see them all.

Refuses to guess: an object that is no longer the version that was counted raises, and the check is an `error`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from driftline.ingest.canonical import Caster, groups, object_hash, segments
from driftline.ingest.decoding import Decoding
from driftline.ingest.plan import Work
from driftline.ingest.task import EARLIEST, Job, known_segments, records
from driftline.model import LogObject

if TYPE_CHECKING:
    from driftline.state.windows import Key


def rows_of(job: Job, key: Key, objects: Sequence[LogObject]) -> Iterator[pa.RecordBatch]:
    """The rows of the window `key` in canonical columns, from the objects that contributed to it.

    Raises SourceError and Unreadable as reading does.
    """
    known = known_segments(job.spec, job.schema)
    for obj in objects:
        decoding = Decoding(obj.uri, job.schema.fields, True, obj.parts, job.source.refer)
        caster = Caster(job.schema, obj.modified, job.latest, object_hash(obj.uri), earliest=EARLIEST)
        for batch in records(job, Work(obj, 0, True), decoding):
            for start, version, part in groups(caster.cast(batch), job.length):
                if (start, version) != (key.start, key.version):
                    continue
                parts = [("", part)] if not key.segment else segments(part, job.schema.segments, known)
                for segment, rows in parts:
                    if segment == key.segment:
                        yield pa.RecordBatch.from_pydict(rows.columns)
