"""Which format and which layout some log objects have, told by looking at their first records and
at their names.

Refuses to be sure: what it finds is written into a configuration that a person reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from driftline.contracts.format import Format
from driftline.contracts.source import Source
from driftline.ingest.read.compression import open_decompressed
from driftline.kit.stores.layout import LAYOUTS, Layout
from driftline.types.errors import DriftlineError, SourceError
from driftline.types.model import LogObject

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry

HEAD = 1 << 18
MAGIC_BYTES = 16
"""Bytes at the beginning of a file by which formats are told apart at most."""
FOLDERS = {1: ["variant"], 2: ["endpoint", "variant"], 3: ["endpoint", "deployment", "collection"]}
"""What folders before the time are called, by their number: as SageMaker and Azure ML make them."""
FITTING = 0.9
"""Share of the names that must fit a layout."""
_YEAR, _TWO, _DAY = (
    re.compile(r"20\d\d"),
    re.compile(r"\d\d"),
    re.compile(r"((?:[A-Za-z_]+=)?)20\d\d-\d\d-\d\d"),
)
_HIVE = (
    re.compile(r"(year|y)=20\d\d"),
    re.compile(r"(month|m)=\d\d"),
    re.compile(r"(day|d)=\d\d"),
    re.compile(r"(hour|hr|h)=\d\d"),
)


def recognise_format(source: Source, objects: Sequence[LogObject], registry: Registry) -> str:
    """The format of the first object whose records are marked; else that of their first bytes;
    empty when neither tells.
    """
    plain = ""
    for obj in objects:
        try:
            with source.open(obj) as stored:
                head = stored.read(MAGIC_BYTES)
            if name := _by_magic(registry, head):
                plain = name
                continue
            with source.open(obj) as stored:
                record = _first_record(_beginning(open_decompressed(stored)))
        except NotImplementedError:
            return ""  # a table: its source knows what it holds
        except DriftlineError as error:
            if isinstance(error, SourceError):
                raise
            continue
        if record is not None:
            plain = plain or _json_format(registry)
            found = marked(registry, record)
            if found:
                return found
    return plain if plain in registry.names("format") else ""


def _by_magic(registry: Registry, head: bytes) -> str:
    """The format whose files begin like `head`; empty when there is none."""
    formats = ((name, registry.get("format", name).magic) for name in registry.names("format"))
    return next((name for name, magic in formats if magic and head.startswith(magic)), "")


def _json_format(registry: Registry) -> str:
    """The format of JSON records of any shape; empty when there is none."""
    names = registry.names("format")
    return next((name for name in names if registry.get("format", name).any_json), "")


def marked(registry: Registry, names: Iterable[str]) -> str:
    """The format whose marks are all among `names`; of several the one with the most. Empty when
    there is none.
    """
    have, best = set(names), (0, "")
    for name in registry.names("format"):
        kind = registry.get("format", name)
        sizes = (
            [len(mark) for mark in kind.marks if mark <= have] if issubclass(kind, Format) else []
        )
        best = max(best, (max(sizes), name)) if sizes else best
    return best[1]


def _beginning(stream: BinaryIO) -> bytes:
    head = b""
    while len(head) < HEAD and (more := stream.read(HEAD - len(head))):
        head += more
    return head


def _first_record(head: bytes) -> set[str] | None:
    """The names in the first record of JSON: of a line, of a list's first item, of a whole
    document; None for other content.
    """
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] not in b"{[" or not start:
        return None
    for text in (start.split(b"\n", 1)[0], start):
        try:
            found: Any = msgspec.json.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(found, list):
            found = found[0] if found else None
        return set(found) if isinstance(found, dict) else None
    # Records longer than what was looked at, or objects without newline between them: the names
    # near the beginning.
    return set(re.findall(r'"([^"\\]{1,60})"\s*:', start[:4096].decode("utf-8", "replace"))) or None


def recognise_layout(keys: Sequence[str]) -> str | None:
    """The layout of most of `keys` (less the prefix): a name of `LAYOUTS`, or a pattern; None where
    names tell no time.
    """
    shapes: dict[str, list[list[str]]] = {}
    for key in keys:
        folders = key.lstrip("/").split("/")[:-1]
        shape = _shape(folders)
        if shape is not None:
            shapes.setdefault(shape, []).append(folders)
    if not shapes:
        return None
    shape, matching = max(shapes.items(), key=lambda item: len(item[1]))
    if len(matching) < FITTING * len(keys):
        return None
    before = shape.count("{}/")
    names = FOLDERS.get(before, [f"folder{place + 1}" for place in range(before)])
    for place in range(before):
        shape = shape.replace("{}", f"{{{names[place]}}}", 1)
    named = {pattern: name for name, pattern in LAYOUTS.items()}
    return named.get(Layout(shape).pattern, shape)


def _shape(folders: Sequence[str]) -> str | None:
    """The pattern of some folders, with `{}` for those before the time."""
    for place, folder in enumerate(folders):
        rest, before = folders[place:], "{}/" * place
        if _YEAR.fullmatch(folder) and len(rest) > 2 and all(map(_TWO.fullmatch, rest[1:3])):
            hourly = len(rest) > 3 and _TWO.fullmatch(rest[3]) and int(rest[3]) < 24
            return f"{before}%Y/%m/%d/" + ("%H/" if hourly else "")
        hive = [pattern.fullmatch(name) for pattern, name in zip(_HIVE, rest, strict=False)]
        if len(hive) > 2 and all(hive[:3]):
            told = zip(
                (found[1] for found in hive if found), ("%Y", "%m", "%d", "%H"), strict=False
            )
            return before + "".join(f"{name}={directive}/" for name, directive in told)
        day = _DAY.fullmatch(folder)
        if day is not None:
            hour = re.fullmatch(r"([A-Za-z_]+=)\d\d", rest[1]) if len(rest) > 1 else None
            return f"{before}{day[1]}%Y-%m-%d/" + (f"{hour[1]}%H/" if hour else "")
        if Layout("vertex_batch").place(f"{folder}/") is not None:
            return before + LAYOUTS["vertex_batch"]
    return None
