"""The profile of a table: what `driftline.profile` returns, and what its files hold."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from driftline.comparison.profile_report import profile_html, profile_text
from driftline.ingest.reference.from_profiles import header_schema
from driftline.kit.decoding.profile_records import (
    ProfileHeader,
    ProfileRecord,
    encode_profiles,
)
from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.spec import ProfileSpec
from driftline.profiles.window import Column, Window
from driftline.types.errors import ComparisonError
from driftline.types.model import ALL, Schema
from driftline.types.schema_json import schema_to_json

MAGIC = b"DRIFTLINE-PROFILE\n"
"""The first bytes of a file; the format plugin reads what follows."""
PartKey = tuple[int, str, str]
"""Start of a window in microseconds (0 without times), model version, segment."""


@dataclass(frozen=True, kw_only=True)
class TableProfile:
    """The profile of the rows of a table, on the grid of the first table or of a reference.

    Profiles of one grid can be added. In a notebook it shows its columns.
    """

    schema: Schema
    spec: ProfileSpec
    collectors: Collectors
    length: int = 0
    """Length of its windows in microseconds; 0 without times."""
    parts: Mapping[PartKey, Profile]
    profile_again: Callable[[TableProfile], TableProfile] | None = None
    """Profiles the same rows on the grid of another profile, while the rows are at hand."""

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(part.rows for (_, _, segment), part in self.parts.items() if segment == ALL)

    @property
    def columns(self) -> Mapping[str, Column]:
        """The summary of each column, by name: counts, mean, variance, quantiles, categories."""
        return self.window().columns

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments with rows, such as `plan=gold`."""
        return tuple(sorted({segment for _, _, segment in self.parts if segment != ALL}))

    def total(self, segment: str = ALL) -> Profile:
        """Return the profile of all windows and versions of one segment."""
        total = Profile(self.spec, self.collectors)
        for key in sorted(self.parts):
            if key[2] == segment:
                total.merge(self.parts[key])
        return total

    def window(self, segment: str = ALL) -> Window:
        """Return what checks read of all rows, or of one segment."""
        return self.total(segment).window(segment=segment)

    def __add__(self, other: TableProfile) -> TableProfile:
        """Return the profile of the rows of both, on the grid of this one.

        Where the other one is on another grid, its rows are profiled again. Raises ComparisonError
        when they are not at hand, as in a profile from a file.
        """
        if not isinstance(other, TableProfile):
            return NotImplemented
        other = other.on_grid_of(self)
        parts = dict[PartKey, Profile]()
        for key in sorted({*self.parts, *other.parts}):
            parts[key] = Profile(self.spec, self.collectors)
            for side in (self.parts, other.parts):
                if key in side:
                    parts[key].merge(side[key])
        again = _both_again(self.profile_again, other.profile_again)
        return TableProfile(
            schema=self.schema,
            spec=self.spec,
            collectors=self.collectors,
            length=self.length,
            parts=parts,
            profile_again=again,
        )

    def on_grid_of(self, other: TableProfile) -> TableProfile:
        """Return the profile of the same rows on the grid of `other`.

        Raises ComparisonError when that takes the rows, and they are not at hand.
        """
        if self.is_like(other):
            return self
        if self.profile_again is None:
            raise ComparisonError(
                f"the profiles are on different grids ({self.spec.digest} and "
                f"{other.spec.digest}): make one with the other as its reference: "
                "driftline.profile(rows, reference)"
            )
        return self.profile_again(other)

    def is_like(self, other: TableProfile) -> bool:
        """Return whether both are on one grid, with the same segments and windows."""
        own_parts, other_parts = (
            (item.spec.digest, item.schema.segments, item.length) for item in (self, other)
        )
        return own_parts == other_parts

    def to_records(self) -> tuple[ProfileHeader, list[ProfileRecord]]:
        """Return what a format yields of it."""
        header = ProfileHeader(
            schema=schema_to_json(self.schema), spec=self.spec.to_bytes(), length=self.length
        )
        return header, [
            ProfileRecord(
                start=key[0],
                version=key[1],
                segment=key[2],
                rows=self.parts[key].rows,
                profile=self.parts[key].to_bytes(),
            )
            for key in sorted(self.parts)
        ]

    def to_bytes(self) -> bytes:
        """Return the content of its file; equal profiles give equal bytes."""
        return MAGIC + zlib.compress(encode_profiles(*self.to_records()), 6)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, or an address such as `s3://BUCKET/NAME` that pyarrow can write.

        Name it `*.dlprofile`, and the agent knows its format. A file is there as a whole or not at
        all.
        """
        if "://" in str(path):
            from pyarrow.fs import FileSystem

            store, place = FileSystem.from_uri(str(path))
            with store.open_output_stream(place) as stream:
                stream.write(self.to_bytes())
            return
        target = Path(path)
        part = target.with_name(f".{target.name}.part")
        part.write_bytes(self.to_bytes())
        os.replace(part, target)

    def __str__(self) -> str:
        """Return one line for each column."""
        return profile_text(self.rows, self.columns)

    def __repr__(self) -> str:
        """Return its size in one line."""
        return f"<profile of {self.rows:,} rows and {len(self.spec.columns):,} columns>"

    def _repr_html_(self) -> str:
        """Return its columns as a table, for notebooks."""
        return profile_html(self.rows, self.columns)


def profile_of_records(
    header: ProfileHeader, records: list[ProfileRecord], collectors: Collectors
) -> TableProfile:
    """Return the profile of what a format yielded.

    Raises ComparisonError for damaged content, and for collectors that are not installed.
    """
    try:
        spec, schema = ProfileSpec.from_bytes(header.spec), header_schema(header)
        lacking = [name for name in spec.collectors if name not in collectors]
        parts = dict[PartKey, Profile]()
        for record in () if lacking else records:
            profile = Profile.from_bytes(record.profile, spec, collectors)
            key = record.start, record.version, record.segment
            if key in parts:
                parts[key].merge(profile)
            else:
                parts[key] = profile
    except Exception as error:  # Damaged bytes fail in many ways, in zlib, MessagePack and numpy.
        raise ComparisonError(f"a damaged profile: {' '.join(str(error).split())}") from None
    if lacking:
        raise ComparisonError(
            f"the profile was made with the collector {lacking[0]!r} of a plugin that is not "
            "loaded: name it in plugins"
        )
    return TableProfile(
        schema=schema, spec=spec, collectors=collectors, length=header.length, parts=parts
    )


def _both_again(
    first: Callable[[TableProfile], TableProfile] | None,
    second: Callable[[TableProfile], TableProfile] | None,
) -> Callable[[TableProfile], TableProfile] | None:
    if first is None or second is None:
        return None

    def again(grid: TableProfile) -> Any:
        return first(grid) + second(grid)

    return again
