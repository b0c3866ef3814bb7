"""The rows before each of many windows, updated from one window to the next.

A span of 28 days has 672 hourly windows. To merge them anew for each window takes longer than to
judge it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.spec import ProfileSpec
from driftline.state import windows
from driftline.types.record import record


@dataclass(slots=True)
class _Queue:
    """The profiles of the windows in a span, in two stacks: each is merged twice in its life.

    Profiles can't be subtracted, so the front keeps sums from each window to the end of the front.
    """

    until: int
    """End of the newest window that was looked at, in microseconds."""
    back_sum: Profile
    """The sum of `back`."""
    front: list[tuple[int, Profile]] = field(default_factory=list)
    """Start of a window, and the sum of it and all later ones of the front; oldest last."""
    back: list[tuple[int, Profile]] = field(default_factory=list)
    """Start and profile of the windows after those, oldest first."""


@record(slots=False)
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

    def load(self, connection: Connection, segment: str, until: int) -> Profile:
        """Load the rows of a segment in the span that ends at `until` (microseconds)."""
        since = until - self.span
        queue = self._queues.get(segment)
        if queue is None or until < queue.until:
            queue = self._queues[segment] = _Queue(since, self._empty_profile())
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
            queue.back.append((start, profile))
            queue.back_sum.merge(profile)
        queue.until = until
        self._drop_before(queue, since)
        result = windows.load_day_profiles(
            connection, self.model, segment, since, until, self.spec, self.collectors
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
