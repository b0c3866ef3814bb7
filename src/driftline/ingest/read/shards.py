"""Holds back shards such as `prediction.results-00002-of-00004` until all of them are listed.

Waits one day at most. A shard that was read once is never held back again.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from driftline.ingest.read.plan import Work

PATIENCE = timedelta(days=1)
"""How long after the last change of the listed shards the missing ones are awaited."""
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?=(?:\.\w+)*$)")


class _Set(NamedTuple):
    """The shards that belong together: the URI before and after the numbers, and their number."""

    prefix: str
    suffix: str
    size: int


class Shards:
    """The shards of one listing."""

    def __init__(self) -> None:
        self._numbers: dict[_Set, set[int]] = {}

    def add(self, uri: str) -> None:
        """Add one listed object; one that is no shard is ignored."""
        shard = _parse(uri)
        if shard is not None:
            set_, number = shard
            self._numbers.setdefault(set_, set()).add(number)

    def waiting_parts(
        self, works: Iterable[Work], read_uris: Container[str], now: datetime
    ) -> Iterator[tuple[str, str]]:
        """(URI, reason) of those works that wait for other shards; `read_uris` were read before."""
        incomplete: dict[_Set, list[Work]] = {}
        for work in works:
            shard = _parse(work.object.uri)
            if shard is None or work.object.uri in read_uris:
                continue
            if len(self._numbers[shard[0]]) < shard[0].size:
                incomplete.setdefault(shard[0], []).append(work)
        for set_, shards in incomplete.items():
            if now - max(work.object.modified for work in shards) < PATIENCE:
                listed_count = len(self._numbers[set_])
                reason = f"waits for the other parts: {listed_count} of {set_.size} are there"
                yield from ((work.object.uri, reason) for work in shards)


def _parse(uri: str) -> tuple[_Set, int] | None:
    """(set, number) of a shard; None for any other object."""
    match = _SHARD.search(uri)
    if match is None:
        return None
    return _Set(uri[: match.start()], uri[match.end() :], int(match[2])), int(match[1])
