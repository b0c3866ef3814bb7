"""Judging measured windows again, in order, through the same rules, evidence engine and alerting as
the agent's.

Refuses the clock: a window is judged at its end plus the lateness of the model, as if the agent had
been there. Rows that are fine and belong to no alert move nothing in alerting, and are not told it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from driftline.alerting.fact import Fact
from driftline.alerting.incident import Change
from driftline.alerting.lifespans import Life
from driftline.alerting.step import AlertingState, step
from driftline.backtest.measure import LEAST_SD, LEVEL, SIZE, Measured, Series
from driftline.evaluate.evidence.engine import Panel, Policy, Weighed, weigh
from driftline.evaluate.evidence.outcome import outcomes
from driftline.evaluate.evidence.unusual import CERTAIN, given, judged, lasting_least
from driftline.evaluate.group import ability, facts_of, new_versions, with_upstream
from driftline.evaluate.judging import CheckPlan
from driftline.state.tables import moment
from driftline.types.model import Schema, Verdict
from driftline.types.records import WindowKey


@dataclass(frozen=True)
class Told:
    """One change of an incident, and when it would have been told."""

    start: int
    """Of the window that brought it about, microseconds."""
    change: Change


@dataclass(frozen=True)
class Layout:
    """What stays the same while windows have the same series."""

    model: str
    schema: Schema
    measured: Measured

    @property
    def series(self) -> Sequence[Series]:
        """All that a rule judges."""
        return self.measured.series

    @cached_property
    def watched(self) -> NDArray[np.int64]:
        """The places of the series that their past judges."""
        return np.array(
            [place for place, one in enumerate(self.series) if one.rule is not None], np.int64
        )

    @cached_property
    def panel(self) -> Panel:
        """Of the watched ones."""
        start = self.measured.group[0].key.start
        numbers = []
        for place in self.watched.tolist():
            row, one = self.measured.row(place), self.series[place]
            assert one.rule is not None
            numbers.append(
                given(
                    WindowKey(self.model, start, one.version, one.segment),
                    row,
                    one.rule,
                    self.schema,
                )
            )
        return Panel.of(numbers)

    @cached_property
    def least_lasting(self) -> NDArray[np.float64]:
        """Mean sizes beyond which the watched ones are lastingly far from the reference; infinite
        where that is no change.
        """
        rules = [self.series[place].rule for place in self.watched.tolist()]
        return np.array([lasting_least(rule) if rule is not None else np.inf for rule in rules])

    @cached_property
    def keys(self) -> list[str]:
        """The alert of each series."""
        at = moment(0)
        return [
            Fact(
                model=self.model, version=one.version, segment=one.segment, check=one.check, measurement=one.name,
                labels=one.labels, cause=one.cause, start=at, end=at, verdict=Verdict.OK,
            ).key
            for one in self.series
        ]  # fmt: skip


@dataclass
class Replay:
    """One pass over the windows of a model."""

    model: str
    schema: Schema
    plans: Mapping[str, CheckPlan]
    policy: Policy
    lateness: timedelta
    life: Life
    reference: str = ""
    state: AlertingState = field(default_factory=AlertingState)

    def run(
        self,
        windows: Sequence[Measured],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Iterator[Told]:
        """What would have been told, in order."""
        trail, layouts, versions = self.policy.trail(), dict[int, Layout](), _Versions(windows)
        for count, window in enumerate(windows, 1):
            layout = layouts.setdefault(id(window.series), Layout(self.model, self.schema, window))
            weighed = None
            if len(layout.watched):
                level, size, least_sd = window.numbers[[LEVEL, SIZE, LEAST_SD]][:, layout.watched]
                start = window.group[0].key.start
                weighed = weigh(trail, start, layout.panel, level, size, least_sd, self.policy)
            facts = list(self._facts(window, layout, weighed))
            if facts:
                facts = with_upstream(facts, new_versions(window.group, versions))
                moved = step(
                    self.state, facts, moment(window.group[0].end) + self.lateness, self.life
                )
                self.state = moved.state
                for change in moved.changes:
                    yield Told(window.group[0].key.start, change)
            if count % 50 == 0 or count == len(windows):
                progress(count, len(windows))

    def _facts(self, window: Measured, layout: Layout, weighed: Weighed | None) -> Iterator[Fact]:
        alerts = self.state.alerts
        known = (
            {place for place, key in enumerate(layout.keys) if key in alerts} if alerts else set()
        )
        places = known | {place for place in window.said if layout.series[place].rule is None}
        found = {place: window.row(place) for place in places if layout.series[place].rule is None}
        if weighed is not None:
            stirring = _stirring(window, layout, weighed, self.policy)
            stirring |= np.isin(layout.watched, list(known))
            at = np.flatnonzero(stirring).tolist()
            before = window.group[0].key.start - self.policy.length
            for index, outcome in zip(
                at, outcomes(weighed, layout.panel, self.policy, at) if at else (), strict=True
            ):
                place = int(layout.watched[index])
                rule = layout.series[place].rule
                assert rule is not None
                found[place] = judged(window.row(place), rule, outcome, b"", before)
        dues = {(due.key.version, due.key.segment): due for due in window.group}
        for place, row in sorted(found.items()):
            one = layout.series[place]
            yield from facts_of(
                dues[(one.version, one.segment)], self.plans[one.check], [row], self.reference
            )
        for check, why in window.broken.items():
            fact = ability(window.group[0], check, why)
            if why or fact.key in alerts:
                yield fact


class _Versions:
    """The versions that had rows, by span of time."""

    def __init__(self, windows: Sequence[Measured]) -> None:
        self._starts = [window.group[0].key.start for window in windows]
        self._versions = [
            {due.key.version for due in window.group if due.rows} for window in windows
        ]

    def __call__(self, begin: int, end: int) -> set[str]:
        first, after = (bisect_left(self._starts, at) for at in (begin, end))
        return set().union(*self._versions[first:after])


def _stirring(
    window: Measured, layout: Layout, weighed: Weighed, policy: Policy
) -> NDArray[np.bool_]:
    """Which of the watched may be anything but fine: a change that is on, a lasting one, or without
    a past what stands out.
    """
    base = weighed.baseline
    learning = base.windows < policy.needed
    error = base.size_sd * base.inflation / np.sqrt(np.maximum(base.windows, 1))
    lasting = ~learning & (np.abs(base.size_mean) - CERTAIN * error > layout.least_lasting)
    alone = np.array([place in window.said for place in layout.watched.tolist()], np.bool_)
    found: NDArray[np.bool_] = np.isfinite(weighed.now["since"]) | lasting | (learning & alone)
    return found
