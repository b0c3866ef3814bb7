"""Decodes profiles that `driftline.profile` or a Spark job saved where the rows are.

Yields profiles, not rows. The agent counts them for their windows when they were made on the grid
of its reference.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from driftline import DecodeContext, Format, Unreadable, hookimpl
from driftline.kit.decoding.profile_records import decode_profiles, profile_batch

if TYPE_CHECKING:
    import pyarrow as pa


class DriftlineProfile(Format):
    """A file of profiles: MAGIC, and MessagePack packed by zlib."""

    type = "driftline_profile"
    magic = b"DRIFTLINE-PROFILE\n"
    suffixes: ClassVar[tuple[str, ...]] = (".dlprofile",)
    compressed: ClassVar[bool] = True

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return one batch with all profiles of the file."""
        content = stream.read()
        if not content.startswith(self.magic):
            raise Unreadable("no file of profiles: it does not begin with DRIFTLINE-PROFILE")
        try:
            header, records = decode_profiles(zlib.decompress(content[len(self.magic) :]))
        except (zlib.error, ValueError) as error:
            raise Unreadable(f"a damaged file of profiles: {error}") from None
        if records:
            yield profile_batch(header, records)


@hookimpl
def register_formats() -> list[type[Format]]:
    """Register the format."""
    return [DriftlineProfile]
