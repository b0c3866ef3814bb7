"""Profiles as records: a format yields them in place of rows that were profiled elsewhere.

A batch is marked by the metadata of its schema. Its rows are profiles, one for each window, model
version and segment, all of one grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

MARK = b"driftline.profiles"
"""Key in the metadata of the batch; its value is the header."""
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileHeader:
    """What all profiles of a file have in common."""

    schema: str
    """The schema of the model, as JSON."""
    spec: bytes
    """The spec: grids, categories and collectors."""
    length: int = 0
    """Length of a window in microseconds; 0 where the profiles have no times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRecord:
    """The profile of one window, model version and segment."""

    start: int
    """Start of the window, in microseconds since the epoch; 0 without times."""
    version: str
    segment: str
    rows: int
    profile: bytes


def encode_profiles(header: ProfileHeader, records: Sequence[ProfileRecord]) -> bytes:
    """Return header and records as MessagePack; equal content gives equal bytes."""
    return msgspec.msgpack.encode(
        (
            VERSION,
            (header.schema, header.spec, header.length),
            [(row.start, row.version, row.segment, row.rows, row.profile) for row in records],
        )
    )


def decode_profiles(content: bytes) -> tuple[ProfileHeader, list[ProfileRecord]]:
    """Return what `encode_profiles` was given. Raises ValueError for other content."""
    try:
        version, header, rows = msgspec.msgpack.decode(
            content, type=tuple[int, tuple[str, bytes, int], list[tuple[int, str, str, int, bytes]]]
        )
    except msgspec.DecodeError as error:
        raise ValueError(f"no profiles: {error}") from None
    if version != VERSION:
        raise ValueError(f"profiles of version {version}: this driftline reads {VERSION}")
    schema, spec, length = header
    return ProfileHeader(schema=schema, spec=spec, length=length), [
        ProfileRecord(start=start, version=name, segment=segment, rows=count, profile=profile)
        for start, name, segment, count, profile in rows
    ]


def profile_batch(header: ProfileHeader, records: Sequence[ProfileRecord]) -> pa.RecordBatch:
    """Return a batch of profiles for a format to yield."""
    import pyarrow as pa

    types = {
        "start": pa.int64(),
        "version": pa.string(),
        "segment": pa.string(),
        "rows": pa.int64(),
        "profile": pa.binary(),
    }
    arrays = [
        pa.array([getattr(record, name) for record in records], type_)
        for name, type_ in types.items()
    ]
    schema = pa.schema(list(types.items()), metadata={MARK: encode_profiles(header, ())})
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def is_profile_batch(batch: pa.RecordBatch) -> bool:
    """Return whether a batch holds profiles in place of rows."""
    return MARK in (batch.schema.metadata or {})


def profile_header(batch: pa.RecordBatch) -> ProfileHeader | None:
    """Return the header of a batch of profiles; None for a batch of rows."""
    content = (batch.schema.metadata or {}).get(MARK)
    return None if content is None else decode_profiles(content)[0]


def profile_records(batch: pa.RecordBatch) -> Iterator[ProfileRecord]:
    """Yield the profiles of a batch."""
    for row in batch.to_pylist():
        yield ProfileRecord(**row)
