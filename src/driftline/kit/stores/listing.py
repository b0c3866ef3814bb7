"""What a store lists, as log objects: what is no data left out, what its place says added, closed
partitions not asked for.

Refuses to trust hints: a store that ignores where a listing should begin gives more, and it is left
out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from driftline.contracts.source import DiscoverContext
from driftline.kit.stores.layout import Layout
from driftline.types.errors import Unreadable
from driftline.types.model import LogObject

NO_DATA = ("_SUCCESS", ".crc", ".tmp", "_temporary/", "_$folder$")

Keyed = Iterable[tuple[str, LogObject]]
"""Objects with their keys."""


def list_store(
    ctx: DiscoverContext,
    pattern: str | None,
    prefix: str,
    folders: Callable[[str], Iterable[str]],
    objects: Callable[[str, str], Keyed],
    *,
    begins: bool = True,
) -> Iterator[LogObject]:
    """The objects under `prefix`; where a layout has the `pattern` and `ctx.since` is set, those in
    open partitions.

    `folders(prefix)` gives the names of the folders right below, each with its `/`;
    `objects(prefix, after)` all objects below whose keys come after `after`, or simply all.
    `begins` says that the store itself can begin at `after`.
    """
    found: Keyed
    folder = _folder(prefix, pattern)
    if pattern is None or ctx.since is None:
        found = objects(folder, "")
    else:
        found = Layout(pattern).listed(folder, ctx.since, ctx.now, folders, objects, begins=begins)
    return in_place(ctx, pattern, prefix, found)


def in_place(
    ctx: DiscoverContext, pattern: str | None, prefix: str, found: Keyed
) -> Iterator[LogObject]:
    """The objects of `found` that lie under `prefix`, are data, and are not in a place that was
    closed at `ctx.since`.
    """
    layout = None if pattern is None else Layout(pattern)
    folder = _folder(prefix, pattern)
    for key, obj in found:
        if not key.startswith(folder) or (key.endswith("/") and not obj.size):
            continue
        if (
            key.endswith(NO_DATA)
            or "/_temporary/" in f"/{key}"
            or key.rpartition("/")[2].startswith(".")
        ):
            ctx.skipped(obj.uri, "a marker, a checksum or a temporary file")
            continue
        place = None if layout is None else layout.place(key.removeprefix(folder))
        if layout is None or place is None:
            yield obj
        elif ctx.since is None or layout.is_open(place, ctx.since):
            yield replace(obj, partition=place.start, parts=place.parts)


def key_of(uri: str, root: str, prefix: str) -> str:
    """The key that a reference means: an address that begins with `root`, or a path beside the
    records. Raises Unreadable.
    """
    if uri.startswith(root):
        return uri.removeprefix(root)
    if "://" in uri:
        raise Unreadable(f"{uri}: lies outside of {root}, which is all that is read here")
    return prefix[: prefix.rfind("/") + 1] + uri


def _folder(prefix: str, pattern: str | None) -> str:
    """A layout begins at a folder; without one a prefix may end anywhere."""
    return prefix if pattern is None or not prefix or prefix.endswith("/") else f"{prefix}/"
