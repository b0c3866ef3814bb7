"""Recognises the format of log objects by their first records, and the layout by their names.

The result is a guess, for a configuration that a person reads.
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

HEAD_BYTES = 1 << 18
MAGIC_BYTES = 16
"""Bytes at the beginning of a file by which its format is recognised at most."""
FOLDERS = {1: ["variant"], 2: ["endpoint", "variant"], 3: ["endpoint", "deployment", "collection"]}
"""Names of the folders before the time, by their number, as SageMaker and Azure ML make them."""
JOB_TIME = LAYOUTS["vertex_batch"].partition("{model}-")[2]
"""The layout below a prefix that ends within the names of the folders of jobs."""
MIN_SHARE = 0.9
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
    """Return the name of the format of some objects; empty when it is not known.

    The names in the records decide, else the first bytes. Raises SourceError.
    """
    plain = ""
    for obj in objects:
        try:
            with source.open(obj) as stream:
                head = stream.read(MAGIC_BYTES)
            if name := _by_magic(registry, head):
                plain = name
                continue
            with source.open(obj) as stream:
                names = _first_names(_read_head(open_decompressed(stream)))
        except NotImplementedError:
            return ""  # a table: its source decodes by itself
        except DriftlineError as error:
            if isinstance(error, SourceError):
                raise
            continue
        if names is not None:
            plain = plain or _json_format(registry)
            name = recognise_names(registry, names)
            if name:
                return name
    return plain if plain in registry.names("format") else ""


def _by_magic(registry: Registry, head: bytes) -> str:
    """Return the format whose files begin like `head`, or an empty text."""
    formats = ((name, registry.get("format", name).magic) for name in registry.names("format"))
    return next((name for name, magic in formats if magic and head.startswith(magic)), "")


def _json_format(registry: Registry) -> str:
    """Return the format of JSON records of any shape, or an empty text."""
    names = registry.names("format")
    return next((name for name in names if registry.get("format", name).any_json), "")


def recognise_names(registry: Registry, names: Iterable[str]) -> str:
    """Return the format whose marks are all among `names`, that with the most of several.

    `names` are those of the fields of a record. Empty when no format has such marks.
    """
    record_names, best = set(names), (0, "")
    for name in registry.names("format"):
        kind = registry.get("format", name)
        if not issubclass(kind, Format):
            continue
        sizes = [len(mark) for mark in kind.marks if mark <= record_names]
        if sizes:
            best = max(best, (max(sizes), name))
    return best[1]


def read_head(source: Source, obj: LogObject) -> bytes:
    """Return the beginning of an object, unpacked; empty for a table or an unreadable object."""
    try:
        with source.open(obj) as stream:
            return _read_head(open_decompressed(stream))
    except (NotImplementedError, DriftlineError):
        return b""


def _read_head(stream: BinaryIO) -> bytes:
    head = b""
    while len(head) < HEAD_BYTES and (more := stream.read(HEAD_BYTES - len(head))):
        head += more
    return head


def _first_names(head: bytes) -> set[str] | None:
    """Return the names of the fields in the first JSON record; None for other content.

    The record is the first line, the first item of a list, or the whole document.
    """
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] not in b"{[" or not start:
        return None
    for text in (start.split(b"\n", 1)[0], start):
        try:
            record: Any = msgspec.json.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(record, list):
            # A list of other values, too, is no log: such is the manifest of a transform job.
            is_log = record and all(isinstance(item, dict) for item in record)
            record = record[0] if is_log else None
        return set(record) if isinstance(record, dict) else None
    # The record is longer than the head, or there is no newline between records: take the names
    # near the beginning.
    return set(re.findall(r'"([^"\\]{1,60})"\s*:', start[:4096].decode("utf-8", "replace"))) or None


def recognise_layout(keys: Sequence[str], service_folders: Sequence[str] = ()) -> str | None:
    """Return the layout of most of `keys`: a name of `LAYOUTS`, or a pattern.

    `keys` are names of objects without the prefix, `service_folders` the names that their format
    gives to the last folders before the time. None where they don't contain the time.
    """
    shapes: dict[str, list[list[str]]] = {}
    for key in keys:
        folders = key.lstrip("/").split("/")[:-1]
        shape = _shape(folders)
        if shape is not None:
            shapes.setdefault(shape, []).append(folders)
    if not shapes:
        return None
    shape, matches = max(shapes.items(), key=lambda item: len(item[1]))
    if len(matches) < MIN_SHARE * len(keys):
        return None
    before = shape.count("{}/")
    names = _folder_names(before, service_folders)
    for place in range(before):
        shape = shape.replace("{}", f"{{{names[place]}}}", 1)
    names_by_pattern = {pattern: name for name, pattern in LAYOUTS.items()}
    return names_by_pattern.get(Layout(shape).pattern, shape)


def _folder_names(count: int, service_folders: Sequence[str]) -> Sequence[str]:
    """Return the names of `count` folders before the time."""
    if not service_folders:
        return FOLDERS.get(count) or [f"folder{place + 1}" for place in range(count)]
    others = [f"folder{place + 1}" for place in range(count - len(service_folders))]
    return [*others, *service_folders[max(0, len(service_folders) - count) :]]


def _shape(folders: Sequence[str]) -> str | None:
    """Return the pattern of some folders, with `{}` for those before the time."""
    for place, folder in enumerate(folders):
        time_folders, before = folders[place:], "{}/" * place
        if (
            _YEAR.fullmatch(folder)
            and len(time_folders) > 2
            and all(map(_TWO.fullmatch, time_folders[1:3]))
        ):
            hour = time_folders[3] if len(time_folders) > 3 else ""
            hourly = _TWO.fullmatch(hour) and int(hour) < 24
            return f"{before}%Y/%m/%d/" + ("%H/" if hourly else "")
        hive = [pattern.fullmatch(name) for pattern, name in zip(_HIVE, time_folders, strict=False)]
        if len(hive) > 2 and all(hive[:3]):
            names = (match[1] for match in hive if match)
            parts = zip(names, ("%Y", "%m", "%d", "%H"), strict=False)
            return before + "".join(f"{name}={directive}/" for name, directive in parts)
        day = _DAY.fullmatch(folder)
        if day is not None:
            next_folder = time_folders[1] if len(time_folders) > 1 else ""
            hour_name = re.fullmatch(r"([A-Za-z_]+=)\d\d", next_folder)
            return f"{before}{day[1]}%Y-%m-%d/" + (f"{hour_name[1]}%H/" if hour_name else "")
        if Layout("vertex_batch").place(f"{folder}/") is not None:
            return before + LAYOUTS["vertex_batch"]
        if not place and Layout(JOB_TIME).place(f"{folder}/") is not None:
            return JOB_TIME
    return None
