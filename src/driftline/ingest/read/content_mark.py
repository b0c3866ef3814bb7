"""Recognises content that was read before, by a hash of the bytes before an offset.

Does not trust names, sizes or inodes: only the bytes themselves show that an object goes on.
"""

from __future__ import annotations

from hashlib import sha256

from driftline.contracts.source import Source
from driftline.ingest.read.plan import Work
from driftline.ingest.read.source_stream import open_object
from driftline.types.model import LogObject

MARK_BYTES = 1024
"""Bytes before the offset that the mark covers."""
END_BYTES = 1 << 16
"""Bytes before the end that the mark of an object covers that is written once.

The end of a Parquet file is its schema, equal in all files of a writer: values must be in it, too.
"""


def mark_before(source: Source, obj: LogObject, offset: int) -> str:
    """The mark of the bytes right before `offset`: 16 hex digits, or "" for a table.

    Raises what `Source.open` raises.
    """
    try:
        return mark_of(_bytes_before(source, obj, offset))
    except NotImplementedError:
        return ""


def mark_of_whole(source: Source, obj: LogObject) -> str:
    """The mark of an object that is written once, from its end; "" for a table.

    Raises what `Source.open` raises.
    """
    try:
        return mark_of(_bytes_before(source, obj, obj.size, END_BYTES))
    except NotImplementedError:
        return ""


def is_continued(source: Source, work: Work) -> bool:
    """Whether reading can go on at `work.start`: a line ends there and its mark still matches.

    False when the last read took a torn line, or the file was written anew in the same place.
    """
    try:
        before = _bytes_before(source, work.object, work.start)
    except NotImplementedError:
        return True  # a table has no bytes
    return before.endswith(b"\n") and work.mark in ("", mark_of(before))


def _bytes_before(source: Source, obj: LogObject, offset: int, length: int = MARK_BYTES) -> bytes:
    first = max(offset - length, 0)
    with open_object(source, obj, first) as stream:
        data = b""
        while len(data) < offset - first and (more := stream.read(offset - first - len(data))):
            data += more
    return data


def mark_of(data: bytes) -> str:
    """The mark of some bytes."""
    return sha256(data).hexdigest()[:16]
