"""Reads one object: from stored bytes to the profiles of the windows it touches.

Runs on any executor. Does not write to the database. A failure becomes an outcome, so that one
broken object does not stop the others.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from driftline.contracts.context import StartContext
from driftline.ingest.read.content_mark import is_continued, mark_before, mark_of_whole
from driftline.ingest.read.decode_object import decode_records, is_packed
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job
from driftline.ingest.read.plan import READ_FROM_START, Work
from driftline.ingest.read.prefetch import prefetch
from driftline.ingest.read.profile_rows import make_caster, profile_rows
from driftline.ingest.read.source_stream import open_reference
from driftline.types.errors import (
    DriftlineError,
    ObjectChanged,
    ObjectGone,
    SourceError,
    Unreadable,
)
from driftline.types.records import GONE, QUARANTINED, WAITING, ReadOutcome

if TYPE_CHECKING:
    from driftline.ingest.read.packed_job import PackedJob

PREFETCH_BYTES = 1 << 18
"""Size of an object from which a thread that decodes ahead saves more than it costs."""


def read_object(job: Job, work: Work) -> ReadOutcome:
    """Read one object, or its new end. Never raises: the outcome holds the error."""
    outcome = ReadOutcome(object=work.object, piece=work.start, cutoff=work.cutoff)
    try:
        if work.start and not is_continued(job.source, work):
            work, outcome.piece = replace(work, start=0), 0
        _read(job, work, outcome)
        if work.object.grows and outcome.offset > 0:
            outcome.mark = mark_before(job.source, work.object, outcome.offset)
        elif work.object.grows or (work.object.lineage and is_packed(work.object.uri)):
            # What is read as a whole may be renamed, too.
            outcome.mark = mark_before(job.source, work.object, work.object.size)
        elif work.object.lineage:
            outcome.mark = mark_of_whole(job.source, work.object)
    except ObjectGone:
        outcome.state = GONE
    except (ObjectChanged, SourceError, OSError) as error:
        outcome.state, outcome.error = WAITING, describe_failure(error)
    except Unreadable as error:
        outcome.state, outcome.error = QUARANTINED, describe_failure(error)
    except Exception as error:
        outcome.state = QUARANTINED
        outcome.error = f"{describe_failure(error)} ({_place_of(error)})"
        outcome.broken = True
    if outcome.state == QUARANTINED:
        # Decoding may have been ahead of the counting: when it grows, it is read from the start.
        outcome.offset = 0
    return outcome


def read_objects(job: Job, works: Sequence[Work]) -> list[ReadOutcome]:
    """Read several objects, in order."""
    return [read_object(job, work) for work in works]


def read_in_other_process(
    clock: Callable[[], datetime], packed: PackedJob, works: Sequence[Work]
) -> list[ReadOutcome]:
    """The same in another process: the source arrives without its connections and is started."""
    job = packed.unpack()
    log = _StandardLog(logging.getLogger("driftline"))
    job.source.start(
        StartContext(name=job.source.type, log=log, clock=clock, config_folder=job.base)
    )
    try:
        return read_objects(job, works)
    finally:
        job.source.stop()


class _StandardLog:
    """The logger of a process that has no other."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log

    def info(self, event: str, **facts: object) -> None:
        self._log.info("%s %s", event, facts)

    def warning(self, event: str, **facts: object) -> None:
        self._log.warning("%s %s", event, facts)


def _read(job: Job, work: Work, outcome: ReadOutcome) -> None:
    from driftline.ingest.pairs.pack_halves import HalfBuffer

    decoding = Decoding(
        uri=work.object.uri,
        fields=job.schema.fields,
        start=work.start,
        is_complete=work.is_complete,
        parts=work.object.parts,
        open_reference=open_reference(job.source),
        takes_profiles=True,
    )
    halves = HalfBuffer(make_caster(job, work.object, work.start), job.length, outcome)
    try:
        batches = decode_records(job, work, decoding)
        is_small = 0 < work.object.size - work.start < PREFETCH_BYTES
        profile_rows(job, halves.take_halves(batches if is_small else prefetch(batches)), outcome)
    finally:
        # Rows before a cut in the object count; the caller decides whether the outcome does.
        outcome.stubs = [*outcome.stubs, *halves.stubs()]
        outcome.rejected = decoding.rejected
        outcome.rejected_reasons = decoding.reasons
        outcome.samples = [
            (place, reason, _printable(sample)) for place, reason, sample in decoding.samples
        ] + [
            (held.place, reason, _printable(held.example.encode("utf-8", "replace")))
            for reason, held in outcome.held_reasons.most_frequent().items()
        ]
        outcome.offset = _resume_offset(work, decoding)


def _resume_offset(work: Work, decoding: Decoding) -> int:
    """The byte at which to go on when the object grows.

    0 when it must then be read as a whole, READ_FROM_START when it held nothing whole yet.
    """
    if not work.object.grows:
        return 0
    is_known = decoding.resumable and (decoding.offset is not None or work.start > 0)
    offset = work.start + (decoding.offset or 0) if is_known else 0
    if decoding.unfinished is not None and decoding.stream is not None:
        whole = min(offset, work.object.size - len(decoding.stream.tail))
        return whole if whole > 0 else READ_FROM_START
    if work.is_complete:
        return 0 if offset < work.object.size else offset
    return offset or READ_FROM_START


def _printable(sample: bytes) -> str:
    text = sample.decode("utf-8", "replace")
    return text.encode("unicode_escape", "replace").decode("ascii")[:200]


def describe_failure(error: BaseException) -> str:
    """The text of an error on one line, at most 500 characters of it."""
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, DriftlineError) and text else f"{type(error).__name__}: {text}"


def _place_of(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"
