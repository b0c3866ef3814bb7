"""Turns JSON documents of many records into JSON lines: arrays, pretty-printed JSON, data frames.

Reads a document as a whole, up to a limit. A stream of JSON lines stays as it is.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import msgspec

from driftline.kit.decoding.csv_headers import unique_names
from driftline.kit.decoding.streams import PeekedStream, read_at_most

HEAD = 1 << 16
LIMIT = 256 << 20
"""The most bytes of a document of many records."""
BOM = b"\xef\xbb\xbf"


def open_records(stream: BinaryIO, is_complete: bool) -> tuple[BinaryIO, bool]:
    """Return a stream of JSON lines, and whether its bytes are those of `stream`.

    A stream whose first line is no whole record is read as a document: an array of objects,
    objects over several lines, or a data frame of pandas (orientation `split`, `columns`, `index`
    or `table`). It stays as it is where it is none of them. A document that is not whole gives no
    lines where the stream is not complete.
    """
    head = b""
    while len(head) < HEAD and b"\n" not in head.lstrip():
        part = stream.read(HEAD - len(head))
        if not part:
            break
        head += part
    if not _may_be_document(head):
        return PeekedStream(head, stream), True
    rest = read_at_most(stream, LIMIT)
    if rest is None:
        return PeekedStream(head, stream), True
    data = head + rest
    lines = _lines(data.removeprefix(BOM))
    if lines is not None:
        return io.BytesIO(lines), False
    if not is_complete and data.lstrip(BOM + b" \t\r\n")[:1] == b"[":
        return io.BytesIO(), False
    return cast(BinaryIO, io.BytesIO(data)), True


def _may_be_document(head: bytes) -> bool:
    start = head.removeprefix(BOM).lstrip()
    if start[:1] not in (b"[", b"{"):
        return False
    line, newline, _ = start.partition(b"\n")
    try:
        document = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Without a line end in the head the line may be a long record or a long document.
        return bool(newline) or start[:1] == b"[" or _starts_frame(start)
    return records_of(document) is not None


def _starts_frame(start: bytes) -> bool:
    """Return whether a long first line starts as a data frame does: its second value is nested."""
    compact = b"".join(start[:1000].split())
    return compact.startswith(
        (b'{"columns":[', b'{"schema":{', b'{"index":[', b'{"data":[[', b'{"0":{')
    ) or (b'":{"0":' in compact[:200])


def _lines(data: bytes) -> bytes | None:
    """Return the records of documents as JSON lines; None where the data is JSON lines already."""
    try:
        rows = msgspec.json.decode(data, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    else:
        # A line end inside a string is escaped, so each other one is only space.
        if all(bytes(row)[:1] == b"{" for row in rows):
            return b"".join(_one_line(bytes(row)) for row in rows)
        return None
    try:
        text = data.decode()
        documents = list(_documents(text))
    except (ValueError, RecursionError):
        return None
    if len(documents) == 1:
        records = records_of(json.loads(documents[0]))
        if records is not None:
            return b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    if all("\n" not in document for document in documents):
        return None
    return b"".join(_one_line(document.encode()) for document in documents)


def _one_line(document: bytes) -> bytes:
    return document.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"


def _documents(text: str) -> Iterator[str]:
    """Return the text of each document. Raises ValueError where something is no object."""
    decoder = json.JSONDecoder()
    at = 0
    while True:
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
        if at == len(text):
            return
        if text[at] != "{":
            raise ValueError("not an object")
        _, end = decoder.raw_decode(text, at)
        yield text[at:end]
        at = end


def records_of(document: Any) -> list[dict[str, Any]] | None:
    """Return the records of an array of objects or a data frame; None for any other document."""
    if isinstance(document, list):
        return document if all(isinstance(row, dict) for row in document) else None
    if not isinstance(document, dict):
        return None
    names, rows = document.get("columns"), document.get("data")
    if isinstance(rows, list) and document.keys() <= {"columns", "data", "index"}:
        if isinstance(names, list) and all(
            isinstance(row, list) and len(row) == len(names) for row in rows
        ):
            column_names = unique_names(list(map(str, names)))
            return [dict(zip(column_names, row, strict=True)) for row in rows]
    elif isinstance(rows, list) and document.keys() == {"schema", "data"}:
        return rows if all(isinstance(row, dict) for row in rows) else None
    inner = list(document.values())
    if not inner or not all(isinstance(value, dict) and value for value in inner):
        return None
    keys = inner[0].keys()
    if any(value.keys() != keys for value in inner):
        return None
    if all(key.isdecimal() for key in keys):
        return [{name: document[name][key] for name in document} for key in keys]
    if all(key.isdecimal() for key in document):
        return inner
    return None
