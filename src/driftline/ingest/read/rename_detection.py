"""Follows files that were renamed, as log rotation does, so that no row counts twice.

A name or an inode alone is no proof: the content that was read must still stand in the new file,
and the old name must be gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from driftline.contracts.source import Source
from driftline.ingest.read.content_mark import mark_before
from driftline.ingest.read.source_stream import open_object
from driftline.state import ledger
from driftline.state.store import Store
from driftline.types.errors import DriftlineError, ObjectChanged, ObjectGone
from driftline.types.model import LogObject
from driftline.types.records import LedgerEntry


def follow_renames(
    store: Store, model: str, source: Source, page: Sequence[LogObject]
) -> dict[str, LedgerEntry]:
    """Rename entries of renamed objects; returns the entries of a page of a listing, by URI."""
    uris = [obj.uri for obj in page]
    with store.read() as connection:
        entries = ledger.load_entries(connection, model, uris)
        new_objects = {obj.lineage: obj for obj in page if obj.lineage and obj.uri not in entries}
        candidates = ledger.find_entries_by_lineage(connection, model, list(new_objects))
    renames = {
        new_objects[entry.lineage].uri: entry.id
        for entry in candidates
        if _is_renamed(source, entry, new_objects[entry.lineage])
    }
    if renames:
        with store.write() as connection:
            for uri, entry_id in renames.items():
                ledger.set_entry_uri(connection, entry_id, uri)
            entries = ledger.load_entries(connection, model, uris)
    return entries


def _is_renamed(source: Source, entry: LedgerEntry, obj: LogObject) -> bool:
    """Whether `obj` is what `entry` was read from, and no longer there under the old name."""
    try:
        if not _has_same_content(source, entry, obj):
            return False
        with open_object(source, replace(obj, uri=entry.uri)) as stream:
            stream.read(1)
    except (ObjectGone, ObjectChanged):
        return True
    except (DriftlineError, NotImplementedError):
        pass
    return False  # both names exist, or nothing shows which


def _has_same_content(source: Source, entry: LedgerEntry, obj: LogObject) -> bool:
    if entry.version == obj.version:
        return True
    # It may have grown since. The inode of a deleted file is used again for the next one: only the
    # content is proof.
    end = entry.offset if entry.offset > 0 else entry.size  # some are read as a whole
    if not (entry.mark and 0 < end <= obj.size):
        return False
    try:
        return mark_before(source, obj, end) == entry.mark
    except (ObjectGone, ObjectChanged):
        return False
