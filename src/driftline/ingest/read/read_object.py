"""Reading one object: from stored bytes to the profiles of the windows it touches. Runs on any
executor.

Refuses to write anything, and to let one object's trouble touch another's: every failure is an
outcome.
"""

from __future__ import annotations

import logging
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from driftline.contracts.context import StartContext
from driftline.contracts.format import Format
from driftline.contracts.source import DiscoverContext, Source
from driftline.ingest.labels.decode_labels import LabelBuffer
from driftline.ingest.labels.waiting_predictions import PredictionBuffer
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.plan import READ_FROM_START, Work
from driftline.ingest.read.prefetch import prefetch
from driftline.kit.decoding.split_records import side_of
from driftline.profiles.batch import Batch
from driftline.profiles.profile import BUILT_IN, Collectors, Profile
from driftline.profiles.spec import CategorySpec, ProfileSpec
from driftline.state.tables import micros
from driftline.types.errors import (
    DriftlineError,
    ObjectChanged,
    ObjectGone,
    SourceError,
    Unreadable,
)
from driftline.types.model import ALL, LogObject, Schema
from driftline.types.records import GONE, QUARANTINED, WAITING, ReadOutcome, Share, Stub

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.ingest.columns.canonical import Caster

MARKED = 1024
"""Bytes by which content that was read is known again."""
LIVE = 64
"""Profiles of one object that stay unpacked; the others wait as bytes, so that memory doesn't grow
with the windows.
"""
SMALL = 1 << 18
"""Bytes of an object below which a thread that decodes ahead costs more than it brings."""
VERSIONS, OTHERS = 100, "(others)"
"""Model versions of one object that are watched one by one: a column of ids, taken for versions,
must not fill the state.
"""
EARLIEST_EVENT_TIME = 946_684_800_000_000
"""2000-01-01: times before it are mistakes, such as 0 for none, and those rows are held back."""
SEGMENTS = 100
"""Categories of a segment column that are watched one by one."""

Key = tuple[int, str, str]
Transform = Callable[["pa.RecordBatch"], "pa.RecordBatch"]


def _nothing() -> None:
    """What a job does for every batch where nobody waits for it."""


def _built_in() -> Collectors:
    return BUILT_IN


@dataclass(frozen=True)
class Job:
    """What all objects of one model have in common."""

    source: Source
    formats: Mapping[str, Format]
    """By suffix; the one under "" is used for every object."""
    schema: Schema
    spec: ProfileSpec
    length: int
    """Of windows, in microseconds."""
    latest: int
    """Event times beyond it (microseconds) are from the future."""
    collectors: Collectors = field(default_factory=_built_in)
    transform: Transform | None = None
    beat: Callable[[], None] = _nothing
    """Called for every batch, so that a hanging read can be told from a long one."""
    labels: bool = False
    """Whether the records are labels that came on their own, not predictions."""
    base: Path = Path()
    """The folder of the configuration, for a source that is started where this job is sent to."""


class _WindowProfiles:
    """The profiles of one object, by window, version and segment."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._live: OrderedDict[Key, Profile] = OrderedDict()
        self._packed: dict[Key, tuple[bytes, int]] = {}
        """Bytes and rows."""
        self._versions: set[str] = set()
        late = job.schema.joins is not None
        self._awaiting = (
            PredictionBuffer(job.schema, watched_segments(job.spec, job.schema), job.spec.digest)
            if late
            else None
        )

    def update(self, key: Key, batch: Batch) -> None:
        start, version, segment = key
        if self._awaiting is not None and segment == ALL:
            self._awaiting.add(start, version, batch)
        profile = self._live.get(key)
        if profile is None:
            packed, spec, kinds = self._packed.pop(key, None), self._job.spec, self._job.collectors
            profile = (
                Profile(spec, kinds)
                if packed is None
                else Profile.from_bytes(packed[0], spec, kinds)
            )
            self._live[key] = profile
        self._live.move_to_end(key)
        profile.update(batch)
        if len(self._live) > LIVE:
            old, profile = self._live.popitem(last=False)
            self._packed[old] = profile.to_bytes(), profile.rows

    def bounded(self, version: str) -> str:
        """The version's own name, or that of all others once there are too many."""
        if version in self._versions or len(self._versions) < VERSIONS:
            self._versions.add(version)
            return version
        return OTHERS

    def shares(self) -> list[Share]:
        done = self._packed | {
            key: (profile.to_bytes(), profile.rows) for key, profile in self._live.items()
        }
        return [Share(*key, rows, content) for key, (content, rows) in sorted(done.items())]

    def stubs(self) -> list[Stub]:
        """The predictions that wait for their labels."""
        return [] if self._awaiting is None else list(self._awaiting.stubs())


def read_object(job: Job, work: Work) -> ReadOutcome:
    """Read one object, or its new end. Never raises."""
    outcome = ReadOutcome(work.object, work.start, cutoff=work.cutoff)
    try:
        if work.start and not _continues(job.source, work):
            work, outcome.piece = replace(work, start=0), 0
        _read(job, work, outcome)
        if work.object.grows and outcome.offset > 0:
            outcome.mark = mark_before(job.source, work.object, outcome.offset)
    except ObjectGone:
        outcome.state = GONE
    except (ObjectChanged, SourceError, OSError) as error:
        outcome.state, outcome.error = WAITING, describe_failure(error)
    except Unreadable as error:
        outcome.state, outcome.error = QUARANTINED, describe_failure(error)
    except Exception as error:
        outcome.state, outcome.error = QUARANTINED, f"{describe_failure(error)} ({_where(error)})"
        outcome.broken = True
    if outcome.state == QUARANTINED:
        # decoding may have been ahead of what was counted: when it grows, it is read from the start
        outcome.offset = 0
    return outcome


def read_objects(job: Job, works: Sequence[Work]) -> list[ReadOutcome]:
    """Read several, in order."""
    return [read_object(job, work) for work in works]


def read_elsewhere(job: Job, works: Sequence[Work]) -> list[ReadOutcome]:
    """The same in another process, where the source came without its connections and is started
    first.
    """
    log = _Plain(logging.getLogger("driftline"))
    job.source.start(
        StartContext(name=job.source.type, log=log, clock=lambda: datetime.now(UTC), base=job.base)
    )
    try:
        return read_objects(job, works)
    finally:
        job.source.stop()


class _Plain:
    """The logger of a process that has no other."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log

    def info(self, event: str, **facts: object) -> None:
        self._log.info("%s %s", event, facts)

    def warning(self, event: str, **facts: object) -> None:
        self._log.warning("%s %s", event, facts)


def decode_records(job: Job, work: Work, decoding: Decoding) -> Iterator[pa.RecordBatch]:
    """The decoded records of one object, in the schema's names, after the user's own feature code;
    halves before it.
    """
    rows = job.source.batches(work.object, decoding)
    if rows is None:
        rows = _decoded(job, work, decoding)
    for batch in rows:
        job.beat()
        if decoding.parts:
            batch = add_path_columns(batch, decoding)
        yield batch if job.transform is None or side_of(batch) is not None else job.transform(batch)


def add_path_columns(batch: pa.RecordBatch, decoding: Decoding) -> pa.RecordBatch:
    """What the object's place says, as columns where the records have nothing of that name."""
    import pyarrow as pa

    told = decoding.parts
    wanted = (
        {f.name: told[f.path] for f in decoding.fields if f.path in told}
        if decoding.fields is not None
        else told
    )
    for name, value in wanted.items():
        place = batch.schema.get_field_index(name)
        if place < 0 or batch.column(place).null_count == len(batch):
            column = (
                pa.array([value])
                .dictionary_encode()
                .take(pa.nulls(len(batch), pa.int32()).fill_null(0))
            )
            field = pa.field(name, column.type)
            batch = (
                batch.append_column(field, column)
                if place < 0
                else batch.set_column(place, field, column)
            )
    return batch


def _decoded(job: Job, work: Work, decoding: Decoding) -> Iterator[pa.RecordBatch]:
    from driftline.ingest.read.compression import open_decompressed

    form = choose_format(job.formats, work.object.uri)
    with job.source.open(work.object, work.start) as stored:
        if form.compressed:
            yield from form.decode(stored, decoding)
            return
        plain = open_decompressed(stored)
        decoding.resumable = not plain.compressed
        yield from form.decode(plain, decoding)


def choose_format(formats: Mapping[str, Format], uri: str) -> Format:
    """The format for an object, by its suffix. Raises Unreadable when none fits."""
    if "" in formats:
        return formats[""]
    name = uri.rsplit("/", 1)[-1].lower()
    for packed in (".gz", ".bz2", ".zst", ".zstd"):
        name = name.removesuffix(packed)
    for suffix, form in formats.items():
        if name.endswith(suffix):
            return form
    raise Unreadable("no format is known by this file name: set source.options.format")


def discover_objects(job: Job, ctx: DiscoverContext) -> Iterator[LogObject]:
    """What the source lists, less what its format knows to be no data."""
    for obj in job.source.discover(ctx):
        try:
            reason = choose_format(job.formats, obj.uri).no_data(obj.uri)
        except Unreadable:
            reason = ""  # quarantined when it is read
        if reason:
            ctx.skipped(obj.uri, reason)
        else:
            yield obj


def _read(job: Job, work: Work, outcome: ReadOutcome) -> None:
    from driftline.ingest.pairs.pack_halves import HalfBuffer

    decoding = Decoding(
        work.object.uri, job.schema.fields, work.sealed, work.object.parts, job.source.refer
    )
    keeping = HalfBuffer(_caster(job, work.object, work.start), job.length, outcome)
    try:
        batches = decode_records(job, work, decoding)
        small = 0 < work.object.size - work.start < SMALL
        profile_rows(job, keeping.take_halves(batches if small else prefetch(batches)), outcome)
    finally:
        # What was decoded before a cut in the object counts; the caller decides whether the outcome
        # does.
        outcome.stubs = [*outcome.stubs, *keeping.stubs()]
        outcome.rejected = decoding.rejected
        outcome.samples = [
            (place, reason, _shown(sample)) for place, reason, sample in decoding.samples
        ]
        outcome.offset = _offset(work, decoding)


def profile_rows(
    job: Job, batches: Iterable[pa.RecordBatch], outcome: ReadOutcome, window: int | None = None
) -> None:
    """Add to `outcome` what whole rows of its object come to: shares, what waits for labels, rows
    held back, first and last event; where they are labels themselves, what waits for predictions.

    With `window` all rows count in the window that begins there (microseconds). What came before an
    error of `batches` is in the outcome when it is raised.
    """
    from driftline.ingest.columns.canonical import CastBatch, split_by_segment, split_by_window

    caster, book = _caster(job, outcome.object, outcome.piece), _WindowProfiles(job)
    if window is not None:
        caster.window = (window, window + job.length)
    known = watched_segments(job.spec, job.schema)
    given = LabelBuffer(job.schema) if job.labels else None
    try:
        for batch in batches:
            outcome.rows += len(batch)
            canonical: CastBatch = caster.cast(batch)
            outcome.held += canonical.rows_held_back
            if given is not None:
                outcome.held += given.add(canonical.batch)
                continue
            for start, version, part in split_by_window(canonical, job.length):
                version = book.bounded(version)
                book.update((start, version, ALL), part)
                for segment, rows in split_by_segment(part, job.schema.segments, known):
                    book.update((start, version, segment), rows)
                outcome.seen(part.events)
    finally:
        outcome.shares = book.shares()
        outcome.stubs = book.stubs() if given is None else list(given.stubs())


def _caster(job: Job, obj: LogObject, piece: int) -> Caster:
    from driftline.ingest.columns.canonical import Caster, hash_uri

    return Caster(
        schema=job.schema,
        default_time=obj.modified,
        latest=job.latest,
        earliest=EARLIEST_EVENT_TIME,
        object_hash=hash_uri(f"{obj.uri}@{piece}"),
        with_hashes=any(job.collectors[name].needs_hashes for name in job.spec.collectors),
    )


def _continues(source: Source, work: Work) -> bool:
    """Whether a line ended where reading is to go on, and what was read still stands before it.

    If not, its end was torn when it was taken, or the file was written anew in the same place.
    """
    try:
        before = _before(source, work.object, work.start)
    except NotImplementedError:
        return True  # a table: it has no bytes
    return before.endswith(b"\n") and work.mark in ("", _mark(before))


def mark_before(source: Source, obj: LogObject, offset: int) -> str:
    """Names the bytes of an object right before `offset`; empty for a table. Raises as
    `Source.open` does.
    """
    try:
        return _mark(_before(source, obj, offset))
    except NotImplementedError:
        return ""


def _before(source: Source, obj: LogObject, offset: int) -> bytes:
    first = max(offset - MARKED, 0)
    with source.open(obj, first) as stored:
        data = b""
        while len(data) < offset - first and (more := stored.read(offset - first - len(data))):
            data += more
    return data


def _mark(data: bytes) -> str:
    return sha256(data).hexdigest()[:16]


def _offset(work: Work, decoding: Decoding) -> int:
    """Where to go on when the object grows; 0 when it must then be read as a whole; or `AGAIN`."""
    if not work.object.grows:
        return 0
    known = decoding.resumable and (decoding.offset is not None or work.start > 0)
    reached = work.start + (decoding.offset or 0) if known else 0
    if work.sealed:
        return 0 if reached < work.object.size else reached
    return reached or READ_FROM_START


def watched_segments(spec: ProfileSpec, schema: Schema) -> dict[str, frozenset[str]]:
    """The categories that are watched one by one, by segment column."""
    columns = {name: spec.columns.get(name) for name in schema.segments}
    return {
        name: frozenset(c.known[:SEGMENTS])
        for name, c in columns.items()
        if isinstance(c, CategorySpec)
    }


def _shown(sample: bytes) -> str:
    return (
        sample.decode("utf-8", "replace").encode("unicode_escape", "replace").decode("ascii")[:200]
    )


def describe_failure(error: BaseException) -> str:
    """What an error says, on one line."""
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, DriftlineError) and text else f"{type(error).__name__}: {text}"


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"


def latest_event_time(now: datetime, days: float = 1.0) -> int:
    """The latest believable event time, in microseconds."""
    return micros(now + timedelta(days=days))
