"""Replays measured windows, in order, through the agent's rules, evidence engine and alerting.

A window is judged at its end plus the lateness of the model. Facts of series that are `ok` and
belong to no alert change nothing in alerting, so they are left out.

Does not read the clock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from driftline.alerting.fact import Fact, key_of
from driftline.alerting.incident import Change
from driftline.alerting.lifespans import Lifespans
from driftline.alerting.step import AlertingState, step
from driftline.backtest.measure_history import ENGINE_ROWS, MeasuredSeries, MeasuredWindows
from driftline.evaluate.check_plan import CheckPlan
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.engine import WindowEvidence, add_window
from driftline.evaluate.evidence.loss_rule import LossJudge
from driftline.evaluate.evidence.observation import Panel, StreamNumbers
from driftline.evaluate.evidence.outcome import stream_outcomes
from driftline.evaluate.evidence.unusual_rule import (
    BOUND,
    apply_outcome,
    lasting_size,
    make_observation,
)
from driftline.evaluate.judge_windows import (
    add_upstream,
    check_failure_fact,
    facts_of,
    find_new_versions,
    schema_changes,
)
from driftline.types.model import Schema, Verdict
from driftline.types.records import JudgedMeasurement, WindowKey
from driftline.types.times import from_micros

PROGRESS_WINDOWS = 50
"""Windows between two progress reports."""


@dataclass(frozen=True)
class ReplayedChange:
    """One change of an incident in the replay."""

    start: int
    """Start of the window that caused it, microseconds."""
    change: Change


@dataclass(frozen=True)
class SeriesLayout:
    """All that stays the same while windows have the same series.

    J series are judged; the watched ones are those that the evidence engine judges.
    """

    model: str
    schema: Schema
    windows: MeasuredWindows
    """The first windows with these series."""

    @property
    def series(self) -> Sequence[MeasuredSeries]:
        """All series that a rule judges, length J."""
        return self.windows.series

    @cached_property
    def watched_places(self) -> NDArray[np.int64]:
        """Indices of the watched series."""
        return np.array(
            [index for index, series in enumerate(self.series) if series.rule is not None], np.int64
        )

    @cached_property
    def loss_places(self) -> list[int]:
        """Indices of the series that the rule `loss` judges, and of others in their families.

        They share a part of the budget.
        """
        causes = {series.cause for series in self.series if series.loss is not None}
        return [
            index
            for index, series in enumerate(self.series)
            if series.loss is not None or (series.rule is not None and series.cause in causes)
        ]

    @cached_property
    def panel(self) -> Panel:
        """The panel of the watched series."""
        start = self.windows.group[0].key.start
        observations = []
        for index in self.watched_places.tolist():
            row, series = self.windows.row(index), self.series[index]
            assert series.rule is not None
            key = WindowKey(self.model, start, series.version, series.segment)
            observations.append(make_observation(key, row, series.rule, self.schema))
        return Panel.of(observations)

    @cached_property
    def lasting_sizes(self) -> NDArray[np.float64]:
        """`lasting_size` of the rule of each watched series."""
        rules = [self.series[index].rule for index in self.watched_places.tolist()]
        return np.array([lasting_size(rule) if rule is not None else np.inf for rule in rules])

    @cached_property
    def alert_keys(self) -> list[str]:
        """The key of the alert of each series, length J."""
        return [
            key_of(
                model=self.model,
                version=series.version,
                segment=series.segment,
                cause=series.cause,
                check=series.check,
                measurement=series.name,
                labels=series.labels,
            )
            for series in self.series
        ]


@dataclass(kw_only=True)
class Replay:
    """One pass over the windows of a model."""

    model: str
    schema: Schema
    plans: Mapping[str, CheckPlan]
    """By name of the check."""
    policy: AlarmPolicy
    lateness: timedelta
    lifespans: Lifespans
    reference: str = ""
    """Name of the reference, for people."""
    state: AlertingState = field(default_factory=AlertingState)

    def run(
        self,
        windows: Sequence[MeasuredWindows],
        progress: Callable[[int, int], None] = lambda count, total: None,
    ) -> Iterator[ReplayedChange]:
        """Judge the windows in order, and yield every change of an incident."""
        trail = self.policy.make_trail()
        losses = LossJudge(self.policy, trail.capacity)
        layouts: dict[int, SeriesLayout] = {}
        versions_between = _VersionIndex(windows)
        for count, window in enumerate(windows, 1):
            start, end = window.group[0].key.start, from_micros(window.group[0].end)
            layout = layouts.setdefault(
                id(window.series), SeriesLayout(self.model, self.schema, window)
            )
            evidence = None
            if len(layout.watched_places):
                numbers = StreamNumbers(*window.numbers[ENGINE_ROWS][:, layout.watched_places])
                evidence = add_window(trail, start, layout.panel, numbers, self.policy)
            loss_rows = _judge_losses(losses, window, layout)
            facts = list(self._facts(window, layout, evidence, loss_rows))
            if facts:
                facts = add_upstream(
                    facts,
                    find_new_versions(window.group, versions_between),
                    schema_changes(self.plans.values()),
                )
                result = step(self.state, facts, end + self.lateness, self.lifespans)
                self.state = result.state
                for change in result.changes:
                    yield ReplayedChange(start, change)
            if count % PROGRESS_WINDOWS == 0 or count == len(windows):
                progress(count, len(windows))

    def _facts(
        self,
        window: MeasuredWindows,
        layout: SeriesLayout,
        evidence: WindowEvidence | None,
        loss_rows: Mapping[int, JudgedMeasurement],
    ) -> Iterator[Fact]:
        """The facts that alerting needs: series that are not `ok`, or that have an alert."""
        alerts = self.state.alerts
        alerting = (
            {index for index, key in enumerate(layout.alert_keys) if key in alerts}
            if alerts
            else set()
        )
        plain_places = {
            index
            for index in alerting | window.judgements.keys()
            if layout.series[index].rule is None and index not in loss_rows
        }
        rows = {index: window.row(index) for index in plain_places}
        rows |= {
            index: row
            for index, row in loss_rows.items()
            if index in alerting or row.verdict == Verdict.CHANGED
        }
        if evidence is not None:
            rows |= self._watched_rows(window, layout, evidence, alerting)
        due_windows = {(due.key.version, due.key.segment): due for due in window.group}
        for index, row in sorted(rows.items()):
            series = layout.series[index]
            due = due_windows[(series.version, series.segment)]
            yield from facts_of(due, self.plans[series.check], [row], self.reference)
        for check, error in window.check_errors.items():
            fact = check_failure_fact(window.group[0], check, error)
            if error or fact.key in alerts:
                yield fact

    def _watched_rows(
        self,
        window: MeasuredWindows,
        layout: SeriesLayout,
        evidence: WindowEvidence,
        alerting: Collection[int],
    ) -> Mapping[int, JudgedMeasurement]:
        """Watched series that may be not `ok`, or that have an alert, with their verdicts."""
        is_needed = _may_alarm(window, layout, evidence, self.policy)
        is_needed |= np.isin(layout.watched_places, list(alerting))
        places = np.flatnonzero(is_needed).tolist()
        if not places:
            return {}
        rows = {}
        outcomes = stream_outcomes(evidence, layout.panel, self.policy, places)
        for place, outcome in zip(places, outcomes, strict=True):
            index = int(layout.watched_places[place])
            rule = layout.series[index].rule
            assert rule is not None
            rows[index] = apply_outcome(window.row(index), rule, outcome, trace=b"")
        return rows


def _judge_losses(
    losses: LossJudge, window: MeasuredWindows, layout: SeriesLayout
) -> Mapping[int, JudgedMeasurement]:
    """The series that the rule `loss` judges, with their verdicts."""
    start, rows = window.group[0].key.start, []
    for index in layout.loss_places:
        series = layout.series[index]
        key = WindowKey(layout.model, start, series.version, series.segment)
        rows.append((key, window.row(index)))
    judged_rows = zip(layout.loss_places, losses.judge(start, rows), strict=True)
    return {index: row for index, row in judged_rows if layout.series[index].loss is not None}


class _VersionIndex:
    """Finds the versions that had rows in a span of time; see `find_new_versions`."""

    def __init__(self, windows: Sequence[MeasuredWindows]) -> None:
        self._starts = [window.group[0].key.start for window in windows]
        self._versions = [
            {due.key.version for due in window.group if due.rows} for window in windows
        ]

    def __call__(self, begin: int, end: int) -> set[str]:
        first, after = (bisect_left(self._starts, at) for at in (begin, end))
        return set().union(*self._versions[first:after])


def _may_alarm(
    window: MeasuredWindows, layout: SeriesLayout, evidence: WindowEvidence, policy: AlarmPolicy
) -> NDArray[np.bool_]:
    """Which of the watched series may have another verdict than `ok` or `unsure`.

    Those with a change that is on, those that are lastingly far from the reference, and those that
    have no baseline and stand out in this window.
    """
    baseline = evidence.baseline
    is_learning = baseline.windows < policy.min_windows
    error = baseline.size_sd * baseline.inflation / np.sqrt(np.maximum(baseline.windows, 1))
    lower_bound = np.abs(baseline.size_mean - np.nan_to_num(evidence.neutral)) - BOUND * error
    is_lasting = ~is_learning & (lower_bound > layout.lasting_sizes)
    stands_out = np.array(
        [index in window.judgements for index in layout.watched_places.tolist()], bool
    )
    has_change = np.isfinite(evidence.traces["since"])
    may_alarm: NDArray[np.bool_] = has_change | is_lasting | (is_learning & stands_out)
    return may_alarm
