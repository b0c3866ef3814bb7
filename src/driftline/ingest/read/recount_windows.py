"""Finds the objects that were counted in windows, and reads their pieces again.

Does not write to the database. Raises an error when an object is gone, because profiles without its
rows would only look like other numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from driftline.contracts.source import DiscoverContext
from driftline.ingest.read.content_mark import mark_before
from driftline.ingest.read.decode_object import discover_objects
from driftline.ingest.read.job import Job
from driftline.ingest.read.plan import Work
from driftline.ingest.read.read_object import read_object
from driftline.state.provenance import CountedObject, Piece
from driftline.types.errors import ObjectGone, SourceError
from driftline.types.model import LogObject
from driftline.types.records import GONE, QUARANTINED, WAITING, ReadOutcome

URIS_SHOWN = 3
"""Missing objects that an error names."""


@dataclass(frozen=True, slots=True)
class LocatedObject:
    """An object that was counted, and the object that is in its place now."""

    contribution: CountedObject
    object: LogObject
    """As listed now; of one that has grown since, the part that was counted."""
    is_replaced: bool
    """Whether it is another version now, which does not just continue the counted one."""


@dataclass(frozen=True, slots=True)
class RecountedObject:
    """The result of reading an object again."""

    located: LocatedObject
    rows: int
    """Its rows in the given windows, as `CountedObject.rows`; of labels all rows."""
    rows_then: int
    """The same, when it was counted."""
    error: str = ""
    """Why it could not be read to its end."""


def locate_objects(
    job: Job, contributions: Sequence[CountedObject], now: datetime
) -> list[LocatedObject]:
    """Find the objects where they are now, in one listing that ends when all are found.

    Raises ObjectGone when some are missing, and SourceError when the store can't be listed.
    """
    located, missing = locate_remaining_objects(job, contributions, now)
    if missing:
        more = f" and {len(missing) - URIS_SHOWN} more" if len(missing) > URIS_SHOWN else ""
        raise ObjectGone(
            f"what was counted is not there any more: {', '.join(missing[:URIS_SHOWN])}{more}"
        )
    return located


def locate_remaining_objects(
    job: Job, contributions: Sequence[CountedObject], now: datetime
) -> tuple[list[LocatedObject], list[str]]:
    """Find those objects that are still there, and the URIs of those that are not.

    Raises SourceError when the store can't be listed.
    """
    pending = {item.object.uri: item for item in contributions}
    located: dict[str, LocatedObject] = {}
    # Only a whole listing names old objects: listing by time or by queue shows new ones only.
    for obj in discover_objects(job, DiscoverContext(now=now)) if pending else ():
        if obj.uri in pending and obj.uri not in located:
            located[obj.uri] = _locate(job, pending[obj.uri], obj)
            if len(located) == len(pending):
                break
    missing = [uri for uri in pending if uri not in located]
    return [located[uri] for uri in pending if uri in located], missing


def _locate(job: Job, contribution: CountedObject, obj: LogObject) -> LocatedObject:
    counted_object = contribution.object
    continues = obj.version == counted_object.version
    if (
        not continues
        and obj.grows
        and obj.lineage == counted_object.lineage
        and obj.size > counted_object.size
        and contribution.offset > 0
    ):
        continues = mark_before(job.source, obj, contribution.offset) == contribution.mark
    if not continues:
        return LocatedObject(contribution, obj, is_replaced=True)
    # Rows without a time count at the last change of their file, as it was when it was counted.
    size = contribution.end or obj.size
    unchanged = replace(obj, modified=counted_object.modified, size=size)
    return LocatedObject(contribution, unchanged, is_replaced=False)


def pieces_now(located: LocatedObject) -> Sequence[Piece]:
    """The pieces to read; of an object that was replaced it is the whole."""
    pieces = located.contribution.pieces
    if not located.is_replaced:
        return pieces
    # The pieces mean nothing in another version.
    return [Piece(0, located.object.size, {key: 0 for piece in pieces for key in piece.rows})]


def read_piece(job: Job, located: LocatedObject, piece: Piece) -> ReadOutcome:
    """Read a piece, as far as it was counted.

    Raises SourceError, with the object's name, when it can't be reached, vanished or changed while
    it was read.
    """
    obj = located.object
    if not located.is_replaced and piece.end:
        obj = replace(obj, size=piece.end)
    outcome = read_object(job, Work(object=obj, start=piece.start, is_complete=True))
    if outcome.state in (GONE, WAITING):
        raise SourceError(f"{obj.uri}: {outcome.error or 'gone since it was listed'}")
    if outcome.state != QUARANTINED:
        outcome.error = ""
    return outcome
