"""The first records of some objects, with all their columns, to see what a log holds.

Refuses to read more than a few objects. Where requests and responses are logged apart it looks for
both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import pyarrow as pa

from driftline.ingest.pairs.match_pairs import drop_pair_column, pair_batches
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.plan import Work
from driftline.ingest.read.read_object import Job, decode_records
from driftline.kit.decoding.split_records import side_of
from driftline.types.errors import Unreadable
from driftline.types.model import LogObject

LOOKED_AT = 3
"""Objects that are read."""
ELSEWHERE = 20
"""Other folders that are looked into for the other half of what these hold."""


def peek(job: Job, objects: Sequence[LogObject]) -> list[pa.RecordBatch]:
    """The first batch of some objects, as `seen`, less what is unreadable. Raises SourceError when
    the store fails.
    """
    found: list[pa.RecordBatch] = []
    sides: set[str | None] = set()
    for number, obj in enumerate(_spread(objects)):
        if number >= LOOKED_AT and len(sides - {None}) != 1:
            break
        decoding = Decoding(obj.uri, None, True, obj.parts, job.source.refer)
        try:
            some = list(
                islice(
                    decode_records(job, Work(obj, 0, True), decoding),
                    1 if number < LOOKED_AT else 2,
                )
            )
        except Unreadable:
            continue
        found += some
        sides |= {side_of(batch) for batch in some}
    return pair_samples(found, job.transform)


def pair_samples(
    batches: Sequence[pa.RecordBatch],
    transform: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None,
) -> list[pa.RecordBatch]:
    """Halves that pair as rows, then each side by itself, so that no column is missed; whole
    records as they are.
    """
    halves = [drop_pair_column(batch) for batch in batches if side_of(batch) is not None]
    return [
        batch for _, batch in pair_batches(((None, batch) for batch in batches), transform)
    ] + halves


def _spread(objects: Sequence[LogObject]) -> Iterator[LogObject]:
    """The first objects, then one of each place that is called otherwise, not counting its
    numbers.
    """
    yield from objects[:LOOKED_AT]
    seen = {_place(obj.uri) for obj in objects[:LOOKED_AT]}
    fresh = 0
    for obj in objects[LOOKED_AT:]:
        if fresh < ELSEWHERE and _place(obj.uri) not in seen:
            seen.add(_place(obj.uri))
            fresh += 1
            yield obj


def _place(uri: str) -> str:
    return re.sub(r"\d+", "0", uri.rpartition("/")[0])
