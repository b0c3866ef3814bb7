"""Profiles the rows of one object: one profile per window, model version and segment.

Does not write to the database: the profiles go into the outcome as bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from driftline.ingest.labels.decode_labels import LabelBuffer
from driftline.ingest.labels.waiting_predictions import PredictionBuffer
from driftline.ingest.read.job import Job
from driftline.ingest.read.ready_profiles import match_profiles
from driftline.kit.decoding.profile_records import is_profile_batch
from driftline.profiles.batch import Batch
from driftline.profiles.profile import Profile
from driftline.profiles.spec import SEGMENTS, CategorySpec, ProfileSpec
from driftline.types.model import ALL, LogObject, Schema
from driftline.types.records import ReadOutcome, Share, Stub
from driftline.types.times import as_micros

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.ingest.columns.canonical import Caster

LIVE_PROFILES = 64
"""Profiles of one object that stay unpacked.

The others wait as bytes, so that memory does not grow with the number of windows.
"""
NAMED_VERSIONS, OTHER_VERSIONS = 100, "(others)"
"""Model versions of one object that are profiled by name.

A column of ids, taken for versions by mistake, must not fill the database.
"""
EARLIEST_EVENT_TIME = 946_684_800_000_000
"""2000-01-01 in microseconds. Rows with earlier times, such as 0 for none, are held back."""

SegmentKey = tuple[int, str, str]
"""Start of a window (microseconds), model version, segment."""


class _WindowProfiles:
    """The profiles of one object, by window, version and segment."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._live: OrderedDict[SegmentKey, Profile] = OrderedDict()
        self._packed: dict[SegmentKey, tuple[bytes, int]] = {}
        """Bytes and rows."""
        self._versions: set[str] = set()
        self._predictions = (
            PredictionBuffer(job.schema, watched_segments(job.spec, job.schema), job.spec.digest)
            if job.schema.joins is not None
            else None
        )

    def update(self, key: SegmentKey, batch: Batch) -> None:
        start, version, segment = key
        if self._predictions is not None and segment == ALL:
            self._predictions.add(start, version, batch)
        profile = self._live.get(key)
        if profile is None:
            packed = self._packed.pop(key, None)
            spec, collectors = self._job.spec, self._job.collectors
            profile = (
                Profile(spec, collectors)
                if packed is None
                else Profile.from_bytes(packed[0], spec, collectors)
            )
            self._live[key] = profile
        self._live.move_to_end(key)
        profile.update(batch)
        if len(self._live) > LIVE_PROFILES:
            oldest, profile = self._live.popitem(last=False)
            self._packed[oldest] = profile.to_bytes(), profile.rows

    def merge(self, key: SegmentKey, other: Profile) -> None:
        """Add a profile that was made elsewhere."""
        profile = self._live.get(key)
        if profile is None:
            profile = self._live[key] = Profile(self._job.spec, self._job.collectors)
        profile.merge(other)

    def limit_version(self, version: str) -> str:
        """The version itself, or OTHER_VERSIONS once there are too many."""
        if version in self._versions or len(self._versions) < NAMED_VERSIONS:
            self._versions.add(version)
            return version
        return OTHER_VERSIONS

    def shares(self) -> list[Share]:
        packed = self._packed | {
            key: (profile.to_bytes(), profile.rows) for key, profile in self._live.items()
        }
        return [
            Share(start=start, version=version, segment=segment, rows=rows, profile=content)
            for (start, version, segment), (content, rows) in sorted(packed.items())
        ]

    def stubs(self) -> list[Stub]:
        """The predictions that wait for their labels."""
        return [] if self._predictions is None else list(self._predictions.stubs())


def profile_rows(
    job: Job, batches: Iterable[pa.RecordBatch], outcome: ReadOutcome, window: int | None = None
) -> None:
    """Add the profiles of whole rows to `outcome`, with its counts, first and last event.

    Predictions whose labels come later are added as stubs; when the job reads labels, the labels
    are. With `window`, all rows count in the window that starts there (microseconds). When
    `batches` raises, the outcome holds the rows before the error.
    """
    from driftline.ingest.columns.canonical import CastBatch, split_by_segment, split_by_window

    caster, profiles = make_caster(job, outcome.object, outcome.piece), _WindowProfiles(job)
    if window is not None:
        caster.window = (window, window + job.length)
    segment_names = watched_segments(job.spec, job.schema)
    labels = LabelBuffer(job.schema) if job.labels else None
    try:
        for batch in batches:
            if is_profile_batch(batch):
                for key, profile in match_profiles(batch, job, outcome):
                    profiles.merge((key[0], profiles.limit_version(key[1]), key[2]), profile)
                continue
            outcome.rows += len(batch)
            cast: CastBatch = caster.cast(batch)
            outcome.held += cast.rows_held_back
            if labels is not None:
                outcome.held += labels.add(cast.batch)
                continue
            for start, version, rows in split_by_window(cast, job.length):
                version = profiles.limit_version(version)
                profiles.update((start, version, ALL), rows)
                for segment, part in split_by_segment(rows, job.schema.segments, segment_names):
                    profiles.update((start, version, segment), part)
                outcome.add_event_times(rows.events)
    finally:
        outcome.held_reasons.merge(caster.time_faults)
        outcome.shares = profiles.shares()
        outcome.stubs = profiles.stubs() if labels is None else list(labels.stubs())


def make_caster(job: Job, obj: LogObject, piece: int) -> Caster:
    """A caster for one piece of an object; `piece` is the byte offset at which it begins."""
    from driftline.ingest.columns.canonical import Caster
    from driftline.profiles.counting import name_hash

    return Caster(
        schema=job.schema,
        default_time=obj.modified,
        latest=job.latest,
        earliest=EARLIEST_EVENT_TIME,
        time_setting="labels.time" if job.labels else "schema.timestamp",
        object_hash=name_hash(f"{obj.uri}@{piece}"),
        with_hashes=any(job.collectors[name].needs_hashes for name in job.spec.collectors),
    )


def watched_segments(spec: ProfileSpec, schema: Schema) -> dict[str, frozenset[str]]:
    """The categories that get profiles of their own, by segment column."""
    columns = {name: spec.columns.get(name) for name in schema.segments}
    return {
        name: frozenset(column.known[:SEGMENTS])
        for name, column in columns.items()
        if isinstance(column, CategorySpec)
    }


def latest_event_time(now: datetime, days: float = 1.0) -> int:
    """The latest credible event time, in microseconds: `days` after `now`."""
    return as_micros(now + timedelta(days=days))
