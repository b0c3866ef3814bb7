"""Profiling windows once more: the objects that were counted, found where they are now, piece by
piece as they were read.

Refuses to write, and to pass over an object that is gone: what lacks rows must not look like other
numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from driftline.contracts.source import DiscoverContext
from driftline.ingest.read.plan import Work
from driftline.ingest.read.read_object import Job, discover_objects, mark_before, read_object
from driftline.profiles.profile import Profile
from driftline.state.provenance import Behind, Piece
from driftline.state.waiting import HALVES
from driftline.types.errors import ObjectGone, SourceError
from driftline.types.model import LogObject
from driftline.types.records import GONE, QUARANTINED, WAITING, ReadOutcome, WindowKey

NAMED = 3
"""Objects that are gone, of which an error names so many."""


@dataclass(frozen=True, slots=True)
class LocatedObject:
    """An object that was counted, and what lies in its place now."""

    contribution: Behind
    object: LogObject
    """As listed now; of one that grew since, what was counted of it."""
    is_replaced: bool
    """Whether it is another version now, and not the one that was counted with more behind it."""


@dataclass(frozen=True, slots=True)
class RecountedObject:
    """What reading an object again came to."""

    located: LocatedObject
    rows: int
    """Of the windows asked for, as `Behind.rows`."""
    error: str = ""
    """Why it could not be read to its end."""


def locate_objects(job: Job, behind: Sequence[Behind], now: datetime) -> list[LocatedObject]:
    """Look the objects up where they are now, in one listing that ends when all were seen.

    Raises ObjectGone for those that are not there, and SourceError when the store can't be listed.
    """
    wanted = {each.object.uri: each for each in behind}
    found: dict[str, LocatedObject] = {}
    # Places by time and queues of new objects are for what is new: only a whole listing names what
    # is old.
    for obj in discover_objects(job, DiscoverContext(now=now)) if wanted else ():
        if obj.uri in wanted and obj.uri not in found:
            found[obj.uri] = _there(job, wanted[obj.uri], obj)
            if len(found) == len(wanted):
                break
    if gone := [uri for uri in wanted if uri not in found]:
        more = f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
        raise ObjectGone(f"what was counted is not there any more: {', '.join(gone[:NAMED])}{more}")
    return [found[uri] for uri in wanted]


def _there(job: Job, behind: Behind, obj: LogObject) -> LocatedObject:
    before = behind.object
    goes_on = obj.version == before.version
    if (
        not goes_on
        and obj.grows
        and obj.lineage == before.lineage
        and obj.size > before.size
        and behind.offset > 0
    ):
        goes_on = mark_before(job.source, obj, behind.offset) == behind.mark
    if goes_on:
        # Rows without a time count by the change of their file: by the one that was seen.
        return LocatedObject(
            behind, replace(obj, modified=before.modified, size=behind.end or obj.size), False
        )
    return LocatedObject(behind, obj, True)


def recount_windows(
    job: Job,
    there: Sequence[LocatedObject],
    keys: Sequence[WindowKey],
    progress: Callable[[int, int], None] = lambda done, rows: None,
) -> tuple[dict[WindowKey, Profile], list[RecountedObject]]:
    """Fresh profiles of the windows `keys`, and what became of each object. `progress` hears of
    objects done and rows so far.

    Raises SourceError, with the object's name, when one can't be reached, vanished, changed while
    it was read, or holds requests and responses apart.
    """
    profiles = {key: Profile(job.spec, job.collectors) for key in keys}
    found, rows = list[RecountedObject](), 0
    for done, each in enumerate(there, 1):
        counted, error = 0, ""
        # Of another version the pieces mean nothing: it is read as a whole.
        whole = [
            Piece(
                0,
                each.object.size,
                {key: 0 for piece in each.contribution.pieces for key in piece.rows},
            )
        ]
        for piece in whole if each.is_replaced else each.contribution.pieces:
            outcome = _outcome(job, each, piece)
            error = outcome.error or error
            for share in outcome.shares:
                key = WindowKey(keys[0].model, share.start, share.version, share.segment)
                # What the piece did not count then, such as rows that came after the window was
                # settled, it doesn't now.
                if key in piece.rows:
                    profiles[key].merge(Profile.from_bytes(share.profile, job.spec, job.collectors))
                    counted += 0 if key.segment else share.rows
        rows += counted
        found.append(RecountedObject(each, counted, error))
        progress(done, rows)
    return profiles, found


def _outcome(job: Job, there: LocatedObject, piece: Piece) -> ReadOutcome:
    obj = (
        there.object
        if there.is_replaced or not piece.end
        else replace(there.object, size=piece.end)
    )
    outcome = read_object(job, Work(obj, piece.start, sealed=True))
    if outcome.state in (GONE, WAITING):
        raise SourceError(f"{obj.uri}: {outcome.error or 'gone since it was listed'}")
    if any(stub.role in HALVES for stub in outcome.stubs):
        raise SourceError(
            f"{obj.uri} holds requests and responses apart: which of them made a row is kept, but not which objects held its "
            "other half, so that its numbers can't be computed again"
        )
    if outcome.state != QUARANTINED:
        outcome.error = ""
    return outcome
