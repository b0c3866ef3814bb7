"""A store in memory: objects that are put, grow, are replaced, vanish, and are listed late."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

SHELVES: dict[str, Shelf] = {}


@dataclass
class Item:
    content: bytes
    lineage: int
    modified: datetime
    version: int
    listed: bool = True
    """Whether listings show it yet."""


@dataclass
class Shelf:
    """One bucket."""

    items: dict[str, Item] = field(default_factory=dict)
    _serial: count = field(default_factory=count)

    def put(self, key: str, content: bytes, now: datetime, *, listed: bool = True) -> None:
        """A new object, or another one in its place."""
        self.items[key] = Item(content, next(self._serial), now, next(self._serial), listed)

    def append(self, key: str, content: bytes, now: datetime) -> None:
        """The same object, longer."""
        item = self.items[key]
        item.content += content
        item.modified, item.version = now, next(self._serial)
