"""The rows before each of many windows, updated from one window to the next.

A span of 28 days has 672 hourly windows. To merge them anew for each window takes longer than to
judge it. The windows of a change are left out, so that a drift does not become the reference; older
ones take their place.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.spec import ProfileSpec
from driftline.state import windows
from driftline.state.tables import incidents
from driftline.types.family import Family
from driftline.types.times import END_OF_TIME

MOST_SPANS = 4
"""How many spans back rows are looked for."""
Spans = tuple[tuple[int, int], ...]


@dataclass(slots=True, kw_only=True)
class _Queue:
    """The profiles of the windows in a span, in two stacks: each is merged twice in its life.

    Profiles can't be subtracted, so the front keeps sums from each window to the end of the front.
    """

    changes: Spans
    """Begin and end of the changes whose windows are left out."""
    until: int
    """End of the newest window that was looked at, in microseconds."""
    back_sum: Profile
    """The sum of `back`."""
    front: list[tuple[int, Profile]] = field(default_factory=list)
    """Start of a window, and the sum of it and all later ones of the front; oldest last."""
    back: list[tuple[int, Profile]] = field(default_factory=list)
    """Start and profile of the windows after those, oldest first."""


@dataclass(frozen=True, kw_only=True)
class TrailingProfiles:
    """The rows of all versions in a span of time before a window.

    It is made for windows that are judged one after the other: rows that come later are not seen.
    """

    model: str
    span: int
    """Length in microseconds."""
    spec: ProfileSpec
    collectors: Collectors
    _queues: dict[str, _Queue] = field(default_factory=dict)
    """By segment."""
    _only_rows: set[tuple[str, Spans]] = field(default_factory=set)
    """Segments and changes without any rows beside those of the changes."""

    def load(self, connection: Connection, segment: str, until: int) -> Profile:
        """Load the rows of a segment in the span that ends at `until` (microseconds)."""
        changes = self._list_changes(connection, until)
        if (segment, changes) in self._only_rows:
            changes = ()
        since = self._begin(changes, until)
        result = self._load(connection, segment, since, until, changes)
        if changes and not result.rows:
            # A change from the first rows on: there is nothing else to compare with.
            self._only_rows.add((segment, changes))
            result = self._load(connection, segment, until - self.span, until, ())
        return result

    def _list_changes(self, connection: Connection, until: int) -> Spans:
        """Begin and end of the drifts before `until`, as far as they were found."""
        c = incidents.c
        rows = connection.execute(
            sa.select(c.since, c.resolved_at)
            .where(
                c.model == self.model,
                c.cause == Family.DRIFT.value,
                c.since < until,
                sa.or_(c.resolved_at.is_(None), c.resolved_at > until - MOST_SPANS * self.span),
            )
            .order_by(c.since, c.id)
        )
        return tuple((int(row.since), int(row.resolved_at or END_OF_TIME)) for row in rows)

    def _begin(self, changes: Spans, until: int) -> int:
        """The time from which rows without the changes fill one span."""
        since, oldest = until, until - MOST_SPANS * self.span
        left = self.span
        for begin, end in reversed(_join(changes)):
            usual = since - min(end, since)
            if usual >= left:
                break
            left, since = left - usual, min(begin, since)
        return max(since - left, oldest)

    def _load(
        self, connection: Connection, segment: str, since: int, until: int, changes: Spans
    ) -> Profile:
        queue = self._queues.get(segment)
        if queue is None or until < queue.until or queue.changes != changes:
            queue = self._queues[segment] = _Queue(
                changes=changes, until=since, back_sum=self._empty_profile()
            )
        for start, profile in windows.load_window_profiles(
            connection,
            self.model,
            segment,
            since=since,
            ended_after=queue.until,
            until=until,
            spec=self.spec,
            collectors=self.collectors,
        ):
            if any(begin <= start < end for begin, end in changes):
                continue
            queue.back.append((start, profile))
            queue.back_sum.merge(profile)
        queue.until = until
        self._drop_before(queue, since)
        result = windows.load_day_profiles(
            connection,
            self.model,
            segment,
            since,
            until,
            self.spec,
            self.collectors,
            without=changes,
        )
        if queue.front:
            result.merge(queue.front[-1][1])
        result.merge(queue.back_sum)
        return result

    def _drop_before(self, queue: _Queue, since: int) -> None:
        while queue.front and queue.front[-1][0] < since:
            queue.front.pop()
        if queue.front or not queue.back or queue.back[0][0] >= since:
            return
        total = self._empty_profile()
        for start, profile in reversed(queue.back):
            if start < since:
                break
            profile.merge(total)
            total = profile
            queue.front.append((start, profile))
        queue.back.clear()
        queue.back_sum = self._empty_profile()

    def _empty_profile(self) -> Profile:
        return Profile(self.spec, self.collectors)


def _join(spans: Spans) -> list[tuple[int, int]]:
    """Spans without overlaps, oldest first; they come by their begin."""
    joined: list[tuple[int, int]] = []
    for begin, end in spans:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined
