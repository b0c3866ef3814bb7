"""Adds up profiles that were made where the rows are, for a reference or a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from driftline.kit.decoding.profile_records import (
    ProfileHeader,
    is_profile_batch,
    profile_header,
    profile_records,
)
from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.spec import ProfileSpec
from driftline.types.errors import SourceError
from driftline.types.model import ALL, Field, LogObject, Schema
from driftline.types.schema_json import schema_from_json


@dataclass(slots=True, kw_only=True)
class SummedProfiles:
    """The sum of the profiles of some files, all of one grid."""

    header: ProfileHeader
    spec: ProfileSpec
    profile: Profile
    segments: dict[str, Profile] = field(default_factory=dict)
    rows_by_uri: dict[str, int] = field(default_factory=dict)


def add_profiles(
    records: Iterable[tuple[LogObject, pa.RecordBatch]],
    collectors: Collectors,
    span: tuple[int, int] | None = None,
) -> SummedProfiles:
    """Add up all profiles, or those whose window begins within `span` (microseconds, half-open).

    Raises SourceError for files of rows among those of profiles, for other grids, and where nothing
    lies in the span.
    """
    total: SummedProfiles | None = None
    for obj, batch in records:
        header = profile_header(batch)
        if header is None:
            raise SourceError(f"{obj.uri} holds rows, and other files hold profiles")
        if total is None:
            spec = ProfileSpec.from_bytes(header.spec)
            _check_collectors(spec.collectors, collectors)
            total = SummedProfiles(header=header, spec=spec, profile=Profile(spec, collectors))
        if header.spec != total.header.spec:
            raise SourceError(
                f"{obj.uri} is on another grid than the other profiles: profile all of them with "
                "one reference"
            )
        for record in profile_records(batch):
            if span is not None and header.length and not span[0] <= record.start < span[1]:
                continue
            profile = Profile.from_bytes(record.profile, total.spec, collectors)
            if record.segment == ALL:
                total.profile.merge(profile)
                total.rows_by_uri[obj.uri] = total.rows_by_uri.get(obj.uri, 0) + record.rows
            else:
                part = total.segments.setdefault(record.segment, Profile(total.spec, collectors))
                part.merge(profile)
    if total is None or not total.profile.rows:
        place = " in its span" if span else ""
        raise SourceError(f"the profiles have no row{place}")
    return total


def check_reference_profiles(
    total: SummedProfiles,
    schema: Schema,
    collectors: Sequence[str],
    options: Mapping[str, tuple[str, ...]],
) -> None:
    """Raise SourceError when profiles lack what the checks of a model need."""
    columns = [name for name in schema.profile_columns if name not in total.spec.columns]
    if columns:
        raise SourceError(
            f"the profiles of the reference lack the column {columns[0]!r} of the schema"
        )
    lacking = [name for name in collectors if name not in total.spec.collectors]
    other_options = [
        name for name, texts in options.items() if total.spec.options.get(name) != texts
    ]
    if lacking or other_options:
        names = ", ".join(dict.fromkeys((*lacking, *other_options)))
        raise SourceError(
            f"the profiles of the reference lack what the checks collect ({names}): take the rows "
            "as the reference, or leave out the checks that need it"
        )


def profiled_schema(batches: Sequence[pa.RecordBatch]) -> Schema | None:
    """Return the schema of profiles among the first records of a log; None for rows."""
    header = next((profile_header(batch) for batch in batches if is_profile_batch(batch)), None)
    return None if header is None else header_schema(header)


def header_schema(header: ProfileHeader) -> Schema:
    """Return the schema of profiles, its features in the order of the spec.

    Raises ValueError or TypeError for damaged bytes.
    """
    schema = schema_from_json(header.schema)  # JSON has them by name.
    places = {name: place for place, name in enumerate(ProfileSpec.from_bytes(header.spec).columns)}

    def place(part: Field) -> int:
        return min((places.get(name, len(places)) for name in part.profile_columns), default=0)

    features = sorted(schema.features.items(), key=lambda item: place(item[1]))
    return replace(schema, features=dict(features))


def _check_collectors(names: Sequence[str], collectors: Collectors) -> None:
    for name in names:
        if name not in collectors:
            raise SourceError(
                f"the profiles were made with the collector {name!r} of a plugin that is not "
                "installed here"
            )
