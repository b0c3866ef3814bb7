"""Reads the first records of some objects, with all their columns, to see what a log holds.

Reads a few objects only. Where requests and responses are logged apart, it looks for both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import pyarrow as pa

from driftline.ingest.pairs.match_pairs import drop_pair_column, pair_batches
from driftline.ingest.read.decode_object import decode_records
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job, Transform
from driftline.ingest.read.plan import Work
from driftline.ingest.read.source_stream import open_reference
from driftline.kit.decoding.split_records import side_of
from driftline.types.errors import Unreadable
from driftline.types.model import LogObject

OBJECTS = 3
"""Objects that are read."""
OTHER_FOLDERS = 20
"""Further folders in which the other half of the records is looked for."""


def peek(job: Job, objects: Sequence[LogObject]) -> list[pa.RecordBatch]:
    """The first batch of some objects, as `pair_samples`; unreadable objects are skipped.

    Raises SourceError when the store fails.
    """
    samples: list[pa.RecordBatch] = []
    sides: set[str | None] = set()
    for number, obj in enumerate(_spread(objects)):
        if number >= OBJECTS and len(sides - {None}) != 1:
            break
        decoding = Decoding(
            uri=obj.uri,
            parts=obj.parts,
            open_reference=open_reference(job.source),
            takes_profiles=True,
        )
        batches = decode_records(job, Work(object=obj, start=0, is_complete=True), decoding)
        try:
            first = list(islice(batches, 1 if number < OBJECTS else 2))
        except Unreadable:
            continue
        samples += first
        sides |= {side_of(batch) for batch in first}
    return pair_samples(samples, job.transform)


def pair_samples(
    batches: Sequence[pa.RecordBatch], transform: Transform | None = None
) -> list[pa.RecordBatch]:
    """Whole records, halves that pair as rows, then each half alone, so that no column is lost."""
    halves = [drop_pair_column(batch) for batch in batches if side_of(batch) is not None]
    pairs = pair_batches(((None, batch) for batch in batches), transform)
    return [batch for _, batch in pairs] + halves


def _spread(objects: Sequence[LogObject]) -> Iterator[LogObject]:
    """The first objects, then one of each further folder; digits in a folder's name don't count."""
    yield from objects[:OBJECTS]
    folders = {_folder(obj.uri) for obj in objects[:OBJECTS]}
    extra = 0
    for obj in objects[OBJECTS:]:
        if extra < OTHER_FOLDERS and _folder(obj.uri) not in folders:
            folders.add(_folder(obj.uri))
            extra += 1
            yield obj


def _folder(uri: str) -> str:
    return re.sub(r"\d+", "0", uri.rpartition("/")[0])
