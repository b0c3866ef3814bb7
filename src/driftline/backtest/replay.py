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
from driftline.backtest.measure_history import LEAST_SD, LEVEL, SIZE, MeasuredWindows, Series
from driftline.evaluate.check_plan import CheckPlan
from driftline.evaluate.evidence.engine import (
    AlarmPolicy,
    Panel,
    StreamNumbers,
    WindowEvidence,
    add_window,
)
from driftline.evaluate.evidence.outcome import stream_outcomes
from driftline.evaluate.evidence.unusual_rule import BOUND, apply_outcome, lasting_size, observe
from driftline.evaluate.judge_windows import (
    add_upstream,
    check_failure_fact,
    facts_of,
    find_new_versions,
    schema_changes,
)
from driftline.state.tables import moment
from driftline.types.model import Schema, Verdict
from driftline.types.records import WindowKey


@dataclass(frozen=True)
class ReplayedChange:
    """One change of an incident, and when it would have been told."""

    start: int
    """Of the window that brought it about, microseconds."""
    change: Change


@dataclass(frozen=True)
class SeriesLayout:
    """What stays the same while windows have the same series."""

    model: str
    schema: Schema
    measured: MeasuredWindows

    @property
    def series(self) -> Sequence[Series]:
        """All that a rule judges."""
        return self.measured.series

    @cached_property
    def watched_places(self) -> NDArray[np.int64]:
        """The places of the series that their past judges."""
        return np.array(
            [place for place, one in enumerate(self.series) if one.rule is not None], np.int64
        )

    @cached_property
    def panel(self) -> Panel:
        """Of the watched ones."""
        start = self.measured.group[0].key.start
        numbers = []
        for place in self.watched_places.tolist():
            row, one = self.measured.row(place), self.series[place]
            assert one.rule is not None
            numbers.append(
                observe(
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
        rules = [self.series[place].rule for place in self.watched_places.tolist()]
        return np.array([lasting_size(rule) if rule is not None else np.inf for rule in rules])

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
    policy: AlarmPolicy
    lateness: timedelta
    life: Life
    reference: str = ""
    state: AlertingState = field(default_factory=AlertingState)

    def run(
        self,
        windows: Sequence[MeasuredWindows],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Iterator[ReplayedChange]:
        """What would have been told, in order."""
        trail, layouts, versions = (
            self.policy.make_trail(),
            dict[int, SeriesLayout](),
            _Versions(windows),
        )
        for count, window in enumerate(windows, 1):
            layout = layouts.setdefault(
                id(window.series), SeriesLayout(self.model, self.schema, window)
            )
            weighed = None
            if len(layout.watched_places):
                level, size, least_sd = window.numbers[[LEVEL, SIZE, LEAST_SD]][
                    :, layout.watched_places
                ]
                start = window.group[0].key.start
                weighed = add_window(
                    trail, start, layout.panel, StreamNumbers(level, size, least_sd), self.policy
                )
            facts = list(self._facts(window, layout, weighed))
            if facts:
                facts = add_upstream(
                    facts,
                    find_new_versions(window.group, versions),
                    schema_changes(self.plans.values()),
                )
                moved = step(
                    self.state, facts, moment(window.group[0].end) + self.lateness, self.life
                )
                self.state = moved.state
                for change in moved.changes:
                    yield ReplayedChange(window.group[0].key.start, change)
            if count % 50 == 0 or count == len(windows):
                progress(count, len(windows))

    def _facts(
        self, window: MeasuredWindows, layout: SeriesLayout, weighed: WindowEvidence | None
    ) -> Iterator[Fact]:
        alerts = self.state.alerts
        known = (
            {place for place, key in enumerate(layout.keys) if key in alerts} if alerts else set()
        )
        places = known | {place for place in window.judgements if layout.series[place].rule is None}
        found = {place: window.row(place) for place in places if layout.series[place].rule is None}
        if weighed is not None:
            stirring = _stirring(window, layout, weighed, self.policy)
            stirring |= np.isin(layout.watched_places, list(known))
            at = np.flatnonzero(stirring).tolist()
            before = window.group[0].key.start - self.policy.length
            for index, outcome in zip(
                at,
                stream_outcomes(weighed, layout.panel, self.policy, at) if at else (),
                strict=True,
            ):
                place = int(layout.watched_places[index])
                rule = layout.series[place].rule
                assert rule is not None
                found[place] = apply_outcome(
                    window.row(place), rule, outcome, trace=b"", previous_start=before
                )
        dues = {(due.key.version, due.key.segment): due for due in window.group}
        for place, row in sorted(found.items()):
            one = layout.series[place]
            yield from facts_of(
                dues[(one.version, one.segment)], self.plans[one.check], [row], self.reference
            )
        for check, why in window.check_errors.items():
            fact = check_failure_fact(window.group[0], check, why)
            if why or fact.key in alerts:
                yield fact


class _Versions:
    """The versions that had rows, by span of time."""

    def __init__(self, windows: Sequence[MeasuredWindows]) -> None:
        self._starts = [window.group[0].key.start for window in windows]
        self._versions = [
            {due.key.version for due in window.group if due.rows} for window in windows
        ]

    def __call__(self, begin: int, end: int) -> set[str]:
        first, after = (bisect_left(self._starts, at) for at in (begin, end))
        return set().union(*self._versions[first:after])


def _stirring(
    window: MeasuredWindows, layout: SeriesLayout, weighed: WindowEvidence, policy: AlarmPolicy
) -> NDArray[np.bool_]:
    """Which of the watched may be anything but fine: a change that is on, a lasting one, or without
    a past what stands out.
    """
    base = weighed.baseline
    learning = base.windows < policy.min_windows
    error = base.size_sd * base.inflation / np.sqrt(np.maximum(base.windows, 1))
    lasting = ~learning & (np.abs(base.size_mean) - BOUND * error > layout.least_lasting)
    alone = np.array(
        [place in window.judgements for place in layout.watched_places.tolist()], np.bool_
    )
    found: NDArray[np.bool_] = np.isfinite(weighed.traces["since"]) | lasting | (learning & alone)
    return found
