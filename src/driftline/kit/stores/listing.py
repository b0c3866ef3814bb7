"""Turns what a store lists into log objects.

Leaves out objects that are no data, adds what the layout reads from a key, and does not list closed
partitions. A store may ignore the start of a listing: what it lists too much is left out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from driftline.contracts.source import DiscoverContext
from driftline.kit.stores.layout import Layout
from driftline.types.errors import Unreadable
from driftline.types.model import LogObject

NO_DATA = ("_SUCCESS", ".crc", ".tmp", "_temporary/", "_$folder$")

KeyedObjects = Iterable[tuple[str, LogObject]]
"""Objects with their keys."""


def list_store(
    ctx: DiscoverContext,
    pattern: str | None,
    prefix: str,
    folders: Callable[[str], Iterable[str]],
    objects: Callable[[str, str], KeyedObjects],
    *,
    can_start_after: bool = True,
) -> Iterator[LogObject]:
    """List the objects under `prefix`; with a layout and `ctx.since`, those in open partitions.

    `pattern` is the layout. `folders(prefix)` returns the folders directly below, each with its
    `/`. `objects(prefix, after)` returns the objects below whose keys come after `after`, or all.
    `can_start_after` says whether the store can start a listing at `after`.
    """
    folder = _folder(prefix, pattern)
    if pattern is None or ctx.since is None:
        entries = objects(folder, "")
        if pattern is None:
            entries = _one_or_all(entries, prefix)
    else:
        entries = Layout(pattern).list_open(
            folder, ctx.since, ctx.now, folders, objects, can_start_after=can_start_after
        )
    return select_objects(ctx, pattern, prefix, entries)


def _one_or_all(entries: KeyedObjects, prefix: str) -> KeyedObjects:
    """Yield only the object whose key is the prefix, if it is there; else all objects.

    Keys come in order, so it is the first one: `train.csv` comes before `train.csv.bak`.
    """
    for key, obj in entries:
        yield key, obj
        if key == prefix and not key.endswith("/"):
            return


def select_objects(
    ctx: DiscoverContext, pattern: str | None, prefix: str, entries: KeyedObjects
) -> Iterator[LogObject]:
    """Return the objects that are data, lie under `prefix`, and are in no closed partition.

    Reports the others that lie under `prefix` to `ctx.skipped`.
    """
    layout = None if pattern is None else Layout(pattern)
    folder = _folder(prefix, pattern)
    for key, obj in entries:
        if not key.startswith(folder) or (key.endswith("/") and not obj.size):
            continue
        is_hidden = key.rpartition("/")[2].startswith(".")
        if key.endswith(NO_DATA) or "/_temporary/" in f"/{key}" or is_hidden:
            ctx.skipped(obj.uri, "a marker, a checksum or a temporary file")
            continue
        place = None if layout is None else layout.place(key.removeprefix(folder))
        if layout is None or place is None:
            yield obj
        elif ctx.since is None or layout.is_open(place, ctx.since):
            yield replace(obj, partition=place.start, parts=place.parts)


def resolve_key(uri: str, root: str, prefix: str) -> str:
    """Return the key of a reference: an address that starts with `root`, or a path in the folder.

    The folder is that of `prefix`, where the records are. Raises Unreadable for another address.
    """
    if uri.startswith(root):
        return uri.removeprefix(root)
    if "://" in uri:
        raise Unreadable(f"{uri}: lies outside of {root}, which is all that is read here")
    return prefix[: prefix.rfind("/") + 1] + uri


def _folder(prefix: str, pattern: str | None) -> str:
    """Return `prefix`, with a `/` at its end where there is a layout: it starts at a folder."""
    return prefix if pattern is None or not prefix or prefix.endswith("/") else f"{prefix}/"
