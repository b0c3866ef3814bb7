"""Recognises packed copies of files that were read before, so that no row counts twice.

Log rotation renames a file and packs it later; both stand beside each other for a while. A name is
no proof: the bytes that were read must stand in the packed file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from driftline.contracts.source import Source
from driftline.ingest.read.compression import BLOCK, PlainStream, open_decompressed
from driftline.ingest.read.content_mark import MARK_BYTES, mark_before, mark_of
from driftline.ingest.read.decode_object import PACKED_SUFFIXES, is_packed
from driftline.ingest.read.plan import SEAL_AFTER
from driftline.ingest.read.source_stream import open_object
from driftline.state import ledger
from driftline.state.store import Store
from driftline.types.errors import DriftlineError, ObjectChanged, ObjectGone, Unreadable
from driftline.types.model import LogObject
from driftline.types.records import LedgerEntry

CANDIDATES = 50
"""Files of one log that a packed file is compared with, the newest ones."""


@dataclass(slots=True)
class PackedFiles:
    """The packed files of a page of a listing that hold rows of other files."""

    renames: dict[str, LedgerEntry] = field(default_factory=dict)
    """The entry that each packed file continues, by its URI."""
    reads_again: set[str] = field(default_factory=set)
    """Those of them that hold more than was read."""
    skips: dict[str, str] = field(default_factory=dict)
    """Why a packed file is left out for now, by its URI."""


def follow_packed_files(
    store: Store,
    model: str,
    source: Source,
    page: Sequence[LogObject],
    entries: Mapping[str, LedgerEntry],
    listed: Mapping[str, LogObject],
    now: datetime,
) -> tuple[dict[str, LedgerEntry], dict[str, str]]:
    """Move the entries of packed files to their new names.

    `page` is a page of the listing, `entries` what the ledger of `model` has of it, by URI, and
    `listed` the unpacked objects of the listing so far, by URI. `now` tells which files may still
    be written. Returns the entries of the page by URI, and the packed files to leave out with the
    reasons. A file that can't be read stays in the page: reading it reports the error.
    """
    packed = [obj for obj in page if obj.uri not in entries and _unpacked_uri(obj.uri)]
    if not packed:
        return dict(entries), {}
    with store.read() as connection:
        known = {
            folder: ledger.find_marked_entries(connection, model, folder)
            for folder in {_folder(obj.uri) for obj in packed}
        }
    files = PackedFiles()
    for obj in packed:
        original = listed.get(_unpacked_uri(obj.uri))
        if original is not None and _is_packed_copy(source, original, obj, now):
            files.skips[obj.uri] = f"a packed copy of {_name(original.uri)}"
            continue
        family = _family(obj.uri)
        taken = {entry.id for entry in files.renames.values()}
        candidates = [
            entry
            for entry in known[_folder(obj.uri)]
            if entry.id not in taken and not is_packed(entry.uri) and _family(entry.uri) == family
        ]
        _compare(source, obj, candidates[:CANDIDATES], now, files)
    if not files.renames:
        return dict(entries), files.skips
    with store.write() as connection:
        for obj in packed:
            if obj.uri in files.renames:
                ledger.move_entry(
                    connection,
                    files.renames[obj.uri].id,
                    obj,
                    is_read=obj.uri not in files.reads_again,
                )
        entries = ledger.load_entries(connection, model, [obj.uri for obj in page])
    return dict(entries), files.skips


def _compare(
    source: Source,
    obj: LogObject,
    candidates: Sequence[LedgerEntry],
    now: datetime,
    files: PackedFiles,
) -> None:
    """Note which of the candidates `obj` is, if any."""
    if not candidates:
        return
    try:
        marks, size = _marks_within(source, obj, {entry.read_end for entry in candidates})
    except (DriftlineError, NotImplementedError):
        return  # reading it says why
    if size is None and now - obj.modified < SEAL_AFTER:
        files.skips[obj.uri] = "is still being packed"
        return
    same = [entry for entry in candidates if marks.get(entry.read_end) == entry.mark]
    if not same:
        return
    entry = max(same, key=lambda entry: entry.read_end)
    if _is_there(source, entry, now):
        # Two logs may start with the same records: a copy has the same end.
        if size == entry.read_end:
            files.skips[obj.uri] = f"a packed copy of {_name(entry.uri)}"
        return
    files.renames[obj.uri] = entry
    if size != entry.read_end:
        files.reads_again.add(obj.uri)


def _marks_within(
    source: Source, obj: LogObject, offsets: Iterable[int]
) -> tuple[dict[int, str], int | None]:
    """The marks before some offsets of the unpacked bytes, and the number of these bytes.

    The number is None where the packed bytes are cut or damaged.
    """
    ahead = sorted(offsets)
    marks: dict[int, str] = {}
    tail, end = b"", 0  # the last bytes so far, and the offset of their end
    with open_object(source, obj) as stream:
        plain = open_decompressed(stream)
        while (data := _read(plain)) != b"":
            if data is None:
                return marks, None
            tail += data
            end += len(data)
            while ahead and ahead[0] <= end:
                last = len(tail) - (end - ahead[0])
                marks[ahead.pop(0)] = mark_of(tail[max(last - MARK_BYTES, 0) : last])
            tail = tail[-MARK_BYTES:]
    return marks, end


def _is_packed_copy(source: Source, original: LogObject, packed: LogObject, now: datetime) -> bool:
    """Whether a packed object has all bytes of another one, or those that are written so far.

    A whole packed object that has only the first bytes is another log with the same first records.
    """
    try:
        with open_object(source, original) as plain, open_object(source, packed) as stream:
            unpacked = open_decompressed(stream)
            while data := _read(unpacked):
                if plain.read(len(data)) != data:
                    return False
            if data is None:
                return now - packed.modified < SEAL_AFTER
            return plain.read(1) == b""
    except (DriftlineError, NotImplementedError):
        return False  # nothing shows it; reading it says why


def _read(stream: PlainStream) -> bytes | None:
    """The next bytes; empty at the end, None at a cut or damaged place."""
    try:
        return stream.read(BLOCK)
    except Unreadable:
        return None


def _is_there(source: Source, entry: LedgerEntry, now: datetime) -> bool:
    """Whether the content of an entry still stands under its old name."""
    old = LogObject(
        uri=entry.uri,
        version=entry.version,
        size=entry.size,
        modified=now,
        grows=True,
        lineage=entry.lineage,
    )
    try:
        return mark_before(source, old, entry.read_end) == entry.mark
    except (ObjectGone, ObjectChanged):
        return False
    except (DriftlineError, NotImplementedError):
        return True  # nothing shows that it is gone


def _unpacked_uri(uri: str) -> str:
    """The URI before packing; empty where the name is that of no packed file."""
    suffix = next((suffix for suffix in PACKED_SUFFIXES if uri.lower().endswith(suffix)), "")
    return uri[: -len(suffix)] if suffix else ""


def _folder(uri: str) -> str:
    return uri.rpartition("/")[0] + "/"


def _name(uri: str) -> str:
    return uri.rpartition("/")[2]


def _family(uri: str) -> str:
    """The name without the numbers and dates by which rotation tells files apart."""
    return re.sub(r"[-._]?\d[\dT:_-]*", "", _name(_unpacked_uri(uri) or uri))
