"""Recognises streams of JSON objects without a line end between them, as Firehose writes them.

Elsewhere a line of several objects is damaged, such as by two writers: it is no row.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from driftline.contracts.format import DecodeContext
from driftline.kit.decoding import json_values
from driftline.kit.decoding.streams import peek

HEAD = 1 << 16
BOM = b"\xef\xbb\xbf"


def peek_glued(stream: BinaryIO, ctx: DecodeContext) -> tuple[BinaryIO, bool]:
    """Return the stream, still whole, and whether its objects stand without line ends.

    The start of an object decides. So a format reports no progress within such an object: its rest
    alone would look like damaged lines.
    """
    if ctx.start:
        return stream, False
    head, stream = peek(stream, HEAD)
    return stream, starts_glued(head)


def starts_glued(head: bytes) -> bool:
    """Return whether the first line has several objects, or an object longer than `head`."""
    start = head.removeprefix(BOM).lstrip(b" \t\r")
    if not start.startswith(b"{"):
        return False
    line, newline, _ = start.partition(b"\n")
    try:
        text = line.decode("utf-8", "replace")
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return not newline
    return text[end:].lstrip().startswith("{")


def parse_line(line: bytes) -> list[Any]:
    """Return the only document of a line, or nothing of a blank one.

    Raises ValueError with a reason for people.
    """
    documents = list(json_values.parse_documents(line))
    if len(documents) > 1:
        raise ValueError("several JSON documents on one line")
    return documents
