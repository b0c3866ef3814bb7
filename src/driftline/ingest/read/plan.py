"""Decides what to read of each listed object, from its row in the ledger. Pure.

Does not rely on the order or the filters of a listing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from driftline.state.ledger import ATTEMPTS
from driftline.types.model import LogObject
from driftline.types.records import GONE, QUARANTINED, WAITING, LedgerEntry

SEAL_AFTER = timedelta(minutes=2)
"""A growing object unchanged for this long is read to its end, also when its last record is cut."""
READ_FROM_START = -1
"""The stored offset of an object that may grow and held nothing whole yet.

It is read from the start, also when it does not change any more.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One object to read, from byte `start` on."""

    object: LogObject
    start: int
    is_complete: bool
    """Whether the object is read to its end, also when its last record is cut."""
    may_be_unfinished: bool = False
    """Whether the last record, if it can't be read, may still be written: then it waits."""
    cutoff: int | None = None
    """See `ReadOutcome.cutoff`."""
    mark: str = ""
    """See `LedgerEntry.mark`; the mark of the bytes that should stand before `start`."""

    @property
    def at(self) -> datetime:
        """The time of the object's records, as far as its path or its last change tells."""
        return self.object.partition or self.object.modified


def whole_object(obj: LogObject, now: datetime) -> Work:
    """The reading of all that an object holds at `now`."""
    return Work(object=obj, start=0, is_complete=True, may_be_unfinished=not _is_settled(obj, now))


def decide(
    obj: LogObject,
    entry: LedgerEntry | None,
    spec_digest: str,
    now: datetime,
    *,
    seal: bool = False,
    cutoff: int | None = None,
    retry: bool = False,
) -> Work | None:
    """What to read of one listed object, given its row in the ledger; None for nothing.

    `seal` reads every object to its end. `cutoff` (microseconds) is the start of the first window
    that needs the newest spec. `retry` tries again an object that was given up because its source
    failed, not because of its content.
    """
    is_settled = _is_settled(obj, now)
    work = _decide(obj, entry, spec_digest, seal or is_settled, cutoff=cutoff, retry=retry)
    return None if work is None else replace(work, may_be_unfinished=not is_settled)


def _is_settled(obj: LogObject, now: datetime) -> bool:
    return not obj.grows or now - obj.modified >= SEAL_AFTER


def _decide(
    obj: LogObject,
    entry: LedgerEntry | None,
    spec_digest: str,
    is_complete: bool,
    *,
    cutoff: int | None,
    retry: bool,
) -> Work | None:
    if entry is None or entry.state in (WAITING, GONE):
        return Work(object=obj, start=0, is_complete=is_complete)
    # Settled windows were counted by an older spec: only later windows are read anew.
    since = None if entry.spec_digest in ("", spec_digest) else cutoff
    if entry.version != obj.version:
        has_grown = (
            obj.grows and entry.lineage == obj.lineage and 0 < entry.offset <= entry.size < obj.size
        )
        # Counts of an older spec can't be added to: then the beginning is read again, too.
        start = entry.offset if has_grown and entry.spec_digest == spec_digest else 0
        return Work(object=obj, start=start, is_complete=is_complete, cutoff=since, mark=entry.mark)
    if entry.state == QUARANTINED and entry.attempts >= ATTEMPTS:
        continues = (
            entry.offset > 0 and entry.lineage == obj.lineage and entry.spec_digest == spec_digest
        )
        start = entry.offset if continues else 0
        return (
            Work(object=obj, start=start, is_complete=is_complete, cutoff=since, mark=entry.mark)
            if retry
            else None
        )
    has_counts = entry.spec_digest != ""
    if entry.state == QUARANTINED and (not has_counts or entry.spec_digest == spec_digest):
        return None
    if entry.spec_digest != spec_digest:
        return Work(object=obj, start=0, is_complete=is_complete, cutoff=since)
    if obj.grows and is_complete and entry.offset != 0 and entry.offset < entry.size:
        return Work(
            object=obj, start=max(entry.offset, 0), is_complete=is_complete, mark=entry.mark
        )
    return None
