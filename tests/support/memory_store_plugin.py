"""The shelf as a source."""

from __future__ import annotations

import io

from memory_store import SHELVES

from driftline import LogObject, ObjectChanged, ObjectGone, Source, hookimpl


class Shelved(Source):
    """Lists and opens what is on a shelf."""

    type = "shelf"

    shelf: str
    """The name of the shelf."""

    def discover(self, ctx):
        """Every object that is listed, the newest first: order must not matter."""
        for key, item in reversed(SHELVES[self.shelf].items.items()):
            if item.listed:
                size = len(item.content)
                yield LogObject(
                    uri=f"shelf://{key}",
                    version=str(item.version),
                    size=size,
                    modified=item.modified,
                    grows=True,
                    lineage=str(item.lineage),
                )

    def open(self, obj, start=0):
        """The bytes up to the size that was listed."""
        item = SHELVES[self.shelf].items.get(obj.uri.removeprefix("shelf://"))
        if item is None:
            raise ObjectGone("gone")
        if str(item.lineage) != obj.lineage:
            raise ObjectChanged("replaced")
        return io.BytesIO(item.content[start : obj.size])


@hookimpl
def register_sources():
    """The shelf."""
    return [Shelved]
