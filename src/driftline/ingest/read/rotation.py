"""Files that were given another name, as rotated logs are: the ledger follows them, so that nothing
counts twice.

Refuses to take a name or an inode for proof: the content that was read must still stand there, and
the old name must be left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from driftline.contracts.source import Source
from driftline.ingest.read.read_object import mark_before
from driftline.state import ledger
from driftline.state.store import Store
from driftline.types.errors import DriftlineError, ObjectChanged, ObjectGone
from driftline.types.model import LogObject
from driftline.types.records import LedgerEntry


def follow_renames(
    store: Store, model: str, source: Source, page: Sequence[LogObject]
) -> dict[str, LedgerEntry]:
    """The ledger's rows for a page of a listing, by URI, after those were renamed whose objects
    were.
    """
    uris = [obj.uri for obj in page]
    with store.read() as connection:
        known = ledger.entries(connection, model, uris)
        strangers = {obj.lineage: obj for obj in page if obj.lineage and obj.uri not in known}
        kin = ledger.of_lineages(connection, model, list(strangers))
    moved = {
        strangers[entry.lineage].uri: entry.id
        for entry in kin
        if _moved(source, entry, strangers[entry.lineage])
    }
    if moved:
        with store.write() as connection:
            for uri, entry_id in moved.items():
                ledger.rename(connection, entry_id, uri)
            known = ledger.entries(connection, model, uris)
    return known


def _moved(source: Source, entry: LedgerEntry, obj: LogObject) -> bool:
    """Whether `obj` is what `entry` was read from, and no longer under that name."""
    try:
        if not _same(source, entry, obj):
            return False
        with source.open(replace(obj, uri=entry.uri)) as stored:
            stored.read(1)
    except (ObjectGone, ObjectChanged):
        return True
    except (DriftlineError, NotImplementedError):
        pass
    return False  # it bears both names, or nobody can tell


def _same(source: Source, entry: LedgerEntry, obj: LogObject) -> bool:
    if entry.version == obj.version:
        return True
    # It may have grown since. The inode of a deleted file is given to the next one: what it holds
    # is the proof.
    if not (obj.grows and entry.mark and 0 < entry.offset <= obj.size):
        return False
    try:
        return mark_before(source, obj, entry.offset) == entry.mark
    except (ObjectGone, ObjectChanged):
        return False
