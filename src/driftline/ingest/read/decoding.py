"""What one decoding of one object brought to light beside its rows: rejected records and how far
whole records reach.

Refuses to judge: how many rejects are too many is a rule's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from driftline.types.errors import Unreadable
from driftline.types.model import Field

SAMPLES = 20
"""Rejected records kept per object to show; all of them are counted."""
SAMPLE_BYTES = 200
REASON_CHARS = 300


def _no_reference(uri: str) -> BinaryIO:
    raise Unreadable("references can't be followed here")


@dataclass(slots=True)
class Decoding:
    """The `DecodeContext` of one object."""

    uri: str
    fields: tuple[Field, ...] | None = None
    sealed: bool = True
    parts: Mapping[str, str] = field(default_factory=dict)
    """What the object's place says of its records."""
    refer: Callable[[str], BinaryIO] = _no_reference
    """Opens another object that a record refers to."""
    rejected: int = 0
    """Records that could not be read."""
    samples: list[tuple[int, str, bytes]] = field(default_factory=list)
    """The first rejects: ordinal in the stream, why, first bytes."""
    offset: int | None = None
    """Whole records reach to this byte of the stream; None when the format can't tell.

    After each batch it covers exactly the batches given so far and the rejects between them.
    """
    resumable: bool = True
    """False when offsets mean nothing in the stored bytes, as in compressed ones."""

    def reject(self, position: int, reason: str, record: bytes | str = b"") -> None:
        """Count one record that can't be read, and keep it as a sample while there are few."""
        self.rejected += 1
        if len(self.samples) < SAMPLES:
            raw = (
                record[:SAMPLE_BYTES].encode("utf-8", "replace")
                if isinstance(record, str)
                else bytes(record[:SAMPLE_BYTES])
            )
            self.samples.append((position, reason[:REASON_CHARS], raw[:SAMPLE_BYTES]))

    def consumed(self, offset: int) -> None:
        """Note how far whole records reach. Raises ValueError when it goes backwards."""
        if self.offset is not None and offset < self.offset:
            raise ValueError(f"{self.uri}: consumed({offset}) after consumed({self.offset})")
        self.offset = offset
