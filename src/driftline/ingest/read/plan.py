"""What to read of what was listed: a pure decision for each object.

Refuses to trust the listing's order or filters; the ledger decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from driftline.state.ledger import ATTEMPTS
from driftline.types.model import LogObject
from driftline.types.records import GONE, QUARANTINED, WAITING, LedgerEntry

SEAL_AFTER = timedelta(minutes=2)
"""A growing object that has not changed for so long is taken to its end, whole record or not."""
READ_FROM_START = -1
"""The offset of an object that may grow and held nothing whole yet: it is read from the start, also
when it only rests.
"""


@dataclass(frozen=True, slots=True)
class Work:
    """One object to read, from `start` on."""

    object: LogObject
    start: int
    sealed: bool
    cutoff: int | None = None
    """See `Outcome.cutoff`."""
    mark: str = ""
    """See `Entry.mark`; of what should stand before `start`."""

    @property
    def at(self) -> datetime:
        """The time of the object's records, as far as it can be told from outside."""
        return self.object.partition or self.object.modified


def decide(
    obj: LogObject,
    entry: LedgerEntry | None,
    spec_digest: str,
    now: datetime,
    *,
    seal: bool = False,
    cutoff: int | None = None,
    again: bool = False,
) -> Work | None:
    """What to do about one listed object, given its row in the ledger; None when there is nothing
    to do.

    `seal` takes every object to its end. `cutoff` (microseconds) is where windows begin that need
    the newest spec. `again` tries once more what was given up because its source failed, not
    because of what is in it.
    """
    sealed = seal or not obj.grows or now - obj.modified >= SEAL_AFTER
    if entry is None or entry.state in (WAITING, GONE):
        return Work(obj, 0, sealed)
    # What stands in settled windows was counted by an older spec: only what comes after them is
    # read anew.
    since = None if entry.spec_digest in ("", spec_digest) else cutoff
    if entry.version != obj.version:
        grown = (
            obj.grows and entry.lineage == obj.lineage and 0 < entry.offset <= entry.size < obj.size
        )
        # What an older spec counted of it can't be added to: then its beginning is read again, too.
        return Work(
            obj,
            entry.offset if grown and entry.spec_digest == spec_digest else 0,
            sealed,
            since,
            mark=entry.mark,
        )
    if entry.state == QUARANTINED and entry.attempts >= ATTEMPTS:
        goes_on = (
            entry.offset > 0 and entry.lineage == obj.lineage and entry.spec_digest == spec_digest
        )
        return (
            Work(obj, entry.offset if goes_on else 0, sealed, since, mark=entry.mark)
            if again
            else None
        )
    counted = entry.spec_digest != ""
    if entry.state == QUARANTINED and (not counted or entry.spec_digest == spec_digest):
        return None
    if entry.spec_digest != spec_digest:
        return Work(obj, 0, sealed, since)
    if obj.grows and sealed and entry.offset != 0 and entry.offset < entry.size:
        return Work(obj, max(entry.offset, 0), sealed, mark=entry.mark)
    return None
