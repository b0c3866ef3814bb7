"""Follows files that were renamed or copied with the state, so that no row counts twice.

A name or an inode alone is no proof: the content that was read must still stand in the new file,
and the old name must be gone, or no old name be listed any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import takewhile

from sqlalchemy import Connection

from driftline.contracts.source import Source
from driftline.ingest.read.content_mark import mark_before, mark_of_whole
from driftline.ingest.read.decode_object import is_packed
from driftline.ingest.read.source_stream import open_object
from driftline.state import ledger
from driftline.state.store import Store
from driftline.types.errors import DriftlineError, ObjectChanged, ObjectGone
from driftline.types.model import LogObject
from driftline.types.records import LedgerEntry

ROOTS = 10
"""Old folders among which that of a copy is searched."""


def follow_renames(
    store: Store,
    model: str,
    source: Source,
    page: Sequence[LogObject],
    entries: dict[str, LedgerEntry],
) -> dict[str, LedgerEntry]:
    """Rename entries of renamed objects; returns the entries of a page of a listing, by URI.

    `entries` are those that the ledger has for the objects of the page.
    """
    new_objects = {obj.lineage: obj for obj in page if obj.lineage and obj.uri not in entries}
    with store.read() as connection:
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
            entries = ledger.load_entries(connection, model, [obj.uri for obj in page])
    return entries or _follow_copies(store, model, source, page)


def _follow_copies(
    store: Store, model: str, source: Source, page: Sequence[LogObject]
) -> dict[str, LedgerEntry]:
    """Move the entries of a folder that was copied together with the state, and return them.

    No listed object is known then, but all lie as known ones do in another folder, with the same
    content. The old folder may still be there: this state follows the copy.
    """
    files = [obj for obj in page if obj.lineage]
    if not files:
        return {}
    root = _common_folder([obj.uri for obj in files])
    with store.read() as connection:
        candidates: dict[str, LedgerEntry] = {}
        for old_root in _old_roots(connection, model, root, files):
            uris = {old_root + obj.uri.removeprefix(root): obj for obj in files}
            entries = ledger.load_entries(connection, model, uris)
            candidates |= {uris[uri].uri: entry for uri, entry in entries.items()}
    copies = [
        (candidates[obj.uri], obj)
        for obj in files
        if obj.uri in candidates and _is_copy(source, candidates[obj.uri], obj)
    ]
    if not copies:
        return {}
    with store.write() as connection:
        for entry, obj in copies:
            ledger.follow_copy(connection, entry, obj)
        return ledger.load_entries(connection, model, [obj.uri for _, obj in copies])


def _old_roots(
    connection: Connection, model: str, root: str, files: Sequence[LogObject]
) -> list[str]:
    """Return the folders in which a file lies as one of `files` does in `root`.

    Where nothing in `root` is known yet, more files than the first are tried: it may be new.
    """
    probes = [files[0]]
    if not ledger.has_entries_below(connection, model, root):
        probes += [files[len(files) // 2], files[-1]]
    for probe in probes:
        end = probe.uri.removeprefix(root)
        old_uris = ledger.find_uris_by_end(connection, model, f"/{end}", ROOTS)
        if old_uris:
            return list(dict.fromkeys(uri.removesuffix(end) for uri in old_uris))
    return []


def _common_folder(uris: Sequence[str]) -> str:
    """Return the folder that all URIs lie in, with its `/`."""
    folders = [uri.split("/")[:-1] for uri in uris]
    parts = takewhile(lambda names: len(set(names)) == 1, zip(*folders, strict=False))
    return "".join(f"{names[0]}/" for names in parts)


def _is_copy(source: Source, entry: LedgerEntry, obj: LogObject) -> bool:
    """Whether `obj` starts with the content that `entry` was read from."""
    try:
        if entry.mark:
            return _has_same_content(source, entry, obj)
        return entry.size == obj.size and _hash_content(
            source, replace(obj, uri=entry.uri, version=entry.version, lineage=entry.lineage)
        ) == _hash_content(source, obj)
    except (DriftlineError, OSError, NotImplementedError):
        return False  # nothing shows it


def _hash_content(source: Source, obj: LogObject) -> str:
    digest = sha256()
    with open_object(source, obj) as stream:
        while data := stream.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()


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
    end = entry.read_end
    if not (entry.mark and 0 < end <= obj.size):
        return False
    try:
        if not obj.grows and not is_packed(obj.uri):
            return end == obj.size and mark_of_whole(source, obj) == entry.mark
        return mark_before(source, obj, end) == entry.mark
    except (ObjectGone, ObjectChanged):
        return False
