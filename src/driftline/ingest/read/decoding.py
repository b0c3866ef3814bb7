"""The context that a format decodes one object with, and the state of that decoding.

Counts rejected records. Does not decide how many are too many: that is a rule's task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from driftline.ingest.read.unfinished_record import TailStream
from driftline.types.errors import Unreadable
from driftline.types.loss_reasons import LossReasons
from driftline.types.model import Field

SAMPLES = 20
"""Rejected records of an object that are stored to show; all of them are counted."""
SAMPLE_BYTES = 200
REASON_CHARS = 300


def _no_reference(uri: str) -> BinaryIO:
    raise Unreadable("references can't be followed here")


@dataclass(slots=True, kw_only=True)
class Decoding:
    """The `DecodeContext` of one object."""

    uri: str
    fields: tuple[Field, ...] | None = None
    """Fields to decode; None for all columns."""
    start: int = 0
    """The place of the stream's first byte in the object, in bytes."""
    is_complete: bool = True
    """Whether the last record counts although no line end follows it."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Values that the object's path holds, by name."""
    open_reference: Callable[[str], BinaryIO] = _no_reference
    """Opens another object that a record refers to."""
    takes_profiles: bool = False
    """Whether the reader also counts profiles that were made elsewhere, in place of rows."""
    rejected: int = 0
    """Records that could not be read."""
    reasons: LossReasons = field(default_factory=LossReasons)
    """Why, for all of them."""
    samples: list[tuple[int, str, bytes]] = field(default_factory=list)
    """The first rejected records: ordinal in the stream, reason, first bytes."""
    offset: int | None = None
    """Whole records reach to this byte of the stream; None when the format can't tell.

    After each batch it covers exactly the batches yielded so far and the rejects between them.
    """
    resumable: bool = True
    """False when offsets mean nothing in the stored bytes, as in compressed ones."""

    stream: TailStream | None = None
    """The stream, where a last record that can't be read may still be written."""
    unfinished: tuple[int, str, bytes | str, str] | None = None
    """Such a last record: it is not counted as rejected."""

    def reject(
        self, position: int, reason: str, record: bytes | str = b"", example: str = ""
    ) -> None:
        """Count one record that can't be read; the first SAMPLES are stored."""
        if self.stream is not None:
            raw = record.encode("utf-8", "replace") if isinstance(record, str) else record
            if self.stream.ends_with(raw):
                # An earlier record may look the same: only the last one is at the end.
                last = (position, reason, record, example)
                earlier, self.unfinished = self.unfinished, last
                if earlier is None:
                    return
                position, reason, record, example = earlier
        self.rejected += 1
        self.reasons.add(reason[:REASON_CHARS], count=1, place=position + 1, example=example)
        if len(self.samples) < SAMPLES:
            raw = (
                record[:SAMPLE_BYTES].encode("utf-8", "replace")
                if isinstance(record, str)
                else bytes(record[:SAMPLE_BYTES])
            )
            shown = f'{reason} ("{example}")' if example else reason
            self.samples.append((position, shown[:REASON_CHARS], raw[:SAMPLE_BYTES]))

    def report_progress(self, offset: int) -> None:
        """Set how far whole records reach. Raises ValueError when it goes backwards."""
        if self.offset is not None and offset < self.offset:
            raise ValueError(
                f"{self.uri}: report_progress({offset}) after report_progress({self.offset})"
            )
        self.offset = offset
