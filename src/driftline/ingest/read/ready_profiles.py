"""Profiles that were made where the rows are: which window each belongs to, and whether it fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from driftline.ingest.read.job import Job
from driftline.kit.decoding.profile_records import (
    ProfileHeader,
    profile_header,
    profile_records,
)
from driftline.profiles.profile import Profile
from driftline.profiles.spec import ProfileSpec
from driftline.types.errors import Unreadable
from driftline.types.model import ALL
from driftline.types.records import ReadOutcome
from driftline.types.schema_json import schema_from_json
from driftline.types.times import as_micros

if TYPE_CHECKING:
    import pyarrow as pa

MAKE_AGAIN = "profile the rows with the reference of the model: driftline.profile(rows, reference)"


def match_profiles(
    batch: pa.RecordBatch, job: Job, outcome: ReadOutcome
) -> Iterator[tuple[tuple[int, str, str], Profile]]:
    """Yield (window start, version, segment) and the profile, for each that the job can count.

    Counts their rows and times in `outcome`; those of the future are held back. Raises Unreadable
    when the profiles were made on another grid, or for windows that do not fit.
    """
    header = profile_header(batch)
    assert header is not None
    if job.labels:
        raise Unreadable("it holds profiles, and no labels")
    _check_spec(header, job)
    if header.length and job.length % header.length:
        raise Unreadable(
            f"its windows of {header.length / 3.6e9:g} h don't fit into those of the model, "
            f"{job.length / 3.6e9:g} h: {MAKE_AGAIN}"
        )
    for record in profile_records(batch):
        start = record.start if header.length else as_micros(outcome.object.modified)
        profile = read_profile(record.profile, job)
        if record.segment == ALL:
            outcome.rows += record.rows
        if start > job.latest:
            outcome.held += record.rows if record.segment == ALL else 0
            continue
        if header.length and profile.first is not None and profile.last is not None:
            outcome.add_span(profile.first, profile.last)
        else:
            outcome.add_span(start, start)
        yield (start // job.length * job.length, record.version, record.segment), profile


def read_profile(content: bytes, job: Job) -> Profile:
    """Return a profile of the job's spec. Raises Unreadable for damaged bytes."""
    try:
        return Profile.from_bytes(content, job.spec, job.collectors)
    except Exception as error:  # Damaged bytes fail in many ways, in zlib, MessagePack and numpy.
        raise Unreadable(f"a damaged profile: {' '.join(str(error).split())}") from None


def _check_spec(header: ProfileHeader, job: Job) -> None:
    """Raise Unreadable when the profiles were not made on the grid of the job."""
    try:
        spec, schema = ProfileSpec.from_bytes(header.spec), schema_from_json(header.schema)
    except Exception as error:  # As above.
        raise Unreadable(f"a damaged profile: {' '.join(str(error).split())}") from None
    if spec.digest != job.spec.digest:
        raise Unreadable(
            f"its grid {spec.digest} is not the model's {job.spec.digest}: {MAKE_AGAIN}"
        )
    if schema.segments != job.schema.segments:
        raise Unreadable(
            f"it has the segments {', '.join(schema.segments) or 'none'}, the model has "
            f"{', '.join(job.schema.segments) or 'none'}: {MAKE_AGAIN}"
        )
