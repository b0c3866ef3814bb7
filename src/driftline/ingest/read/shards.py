"""Objects that are parts of one whole, such as `prediction.results-00002-of-00004`: read when all
of them are there.

Refuses to wait for ever: after a day what is there is read. What was read once is never held back
again.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from datetime import datetime, timedelta

from driftline.ingest.read.plan import Work

PATIENCE = timedelta(days=1)
"""After the last change of the parts that are there, the others are given up."""
_PART = re.compile(r"-(\d{5})-of-(\d{5})(?=(?:\.\w+)*$)")


class Shards:
    """The parts of one listing."""

    def __init__(self) -> None:
        self._there: dict[tuple[str, str, int], set[int]] = {}

    def add(self, uri: str) -> None:
        """Note one listed object."""
        found = _part(uri)
        if found is not None:
            whole, number = found
            self._there.setdefault(whole, set()).add(number)

    def waiting_parts(
        self, wanted: Iterable[Work], read: Container[str], now: datetime
    ) -> Iterator[tuple[str, str]]:
        """(URI, reason) of those `wanted` objects that wait for other parts; those whose URI is in
        `read` were read before.
        """
        waiting: dict[tuple[str, str, int], list[Work]] = {}
        for work in wanted:
            found = _part(work.object.uri)
            if (
                found is not None
                and work.object.uri not in read
                and len(self._there[found[0]]) < found[0][2]
            ):
                waiting.setdefault(found[0], []).append(work)
        for whole, works in waiting.items():
            if now - max(work.object.modified for work in works) < PATIENCE:
                reason = (
                    f"waits for the other parts: {len(self._there[whole])} of {whole[2]} are there"
                )
                yield from ((work.object.uri, reason) for work in works)


def _part(uri: str) -> tuple[tuple[str, str, int], int] | None:
    """((what stands before, what stands behind, how many parts), which one); None for what is no
    part.
    """
    found = _PART.search(uri)
    return (
        None
        if found is None
        else ((uri[: found.start()], uri[found.end() :], int(found[2])), int(found[1]))
    )
