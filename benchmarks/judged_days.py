"""Judges simulated windows, of a day unless said otherwise, with the default checks on columns.

Checks, rules, evidence engine, alerts and incidents are the agent's own; only source and state are
left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
import pyarrow as pa
from driftline_plugins.checks.correlation import Correlation
from driftline_plugins.checks.drift import Drift
from driftline_plugins.checks.missing import Missing
from driftline_plugins.checks.range import OutsideRange
from driftline_plugins.checks.service_health import ServiceCollector
from numpy.typing import NDArray
from streams import START, TICK

from driftline import Schema, Window
from driftline.alerting.incident import Change
from driftline.alerting.step import AlertingState, step
from driftline.evaluate.check_plan import CheckPlan
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.unusual_rule import PastJudge
from driftline.evaluate.judge_windows import Inputs, judge_windows
from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.rowhash import hash_positions
from driftline.profiles.spec import ProfileSpec
from driftline.types.records import DueWindow, WindowKey
from driftline.types.times import as_micros

DAY = timedelta(days=1)
JUDGED = tuple(Drift.default_rules)
"""The distances that only show how a column moved are left out: no rule of theirs can alarm."""
PLANS = [
    CheckPlan(name=check.type, check=check)
    for check in (Drift(metrics=JUDGED), Correlation(), Missing(), OutsideRange())
]
"""The default checks that look at columns."""
COLLECTORS = {**BUILT_IN, ServiceCollector.name: ServiceCollector}
LABEL_COLLECTORS = frozenset({"scores", "prediction_errors", "labels"})
"""The collectors that take labels: their checks run again when only labels have come."""


def profile_reference(spec: ProfileSpec, batch: pa.RecordBatch) -> Window:
    """The summary of rows without times."""
    return _profile(spec, batch, np.array([], np.int64)).window(version="reference")


def profile_day(spec: ProfileSpec, batch: pa.RecordBatch, day: int, segment: str = "") -> Window:
    """The summary of the rows of a day, or of those of a segment."""
    start, end = START + day * DAY, START + (day + 1) * DAY
    events = np.array([as_micros(start), as_micros(end - TICK)], np.int64)
    return _profile(spec, batch, events).window(start=start, end=end, segment=segment)


def _profile(spec: ProfileSpec, batch: pa.RecordBatch, events: NDArray[np.int64]) -> Profile:
    profile = Profile(spec, COLLECTORS)
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    hashes = hash_positions(1, 0, batch.num_rows)
    profile.update(Batch(rows=batch.num_rows, columns=columns, events=events, hashes=hashes))
    return profile


class DayJudge:
    """Judges the windows of one model in order, and keeps its alerts and incidents."""

    def __init__(
        self,
        schema: Schema,
        reference: Window,
        plans: Sequence[CheckPlan] = PLANS,
        length: timedelta = DAY,
        segments: Mapping[str, Window] | None = None,
    ) -> None:
        """Take the references of the model and of its segments, by name."""
        self._length = length
        self._policy = AlarmPolicy(length // TICK)
        self._past_judge = PastJudge(self._policy.make_trail(), self._policy, schema)
        self._schema, self._plans = schema, plans
        self._references = {"": reference, **(segments or {})}
        self._state = AlertingState()

    def judge(
        self,
        number: int,
        window: Window,
        segments: Mapping[str, Window] | None = None,
        *,
        groups: Mapping[str, Window] | None = None,
        labels_only: bool = False,
    ) -> tuple[Change, ...]:
        """Judge the window of this number, from 0 on, and those of its segments.

        `groups` are segments that are compared, and not judged by themselves. With `labels_only`
        the window was judged before, and more labels have come. Returns the changes of incidents.
        """
        start = as_micros(START + number * self._length)
        judged = {"": window, **(segments or {})}
        windows = {**judged, **(groups or {})}
        group = [
            DueWindow(
                key=WindowKey("model", start, "", name),
                end=start + self._policy.length,
                rows=part.rows,
                revision=int(labels_only),
                labels_only=labels_only,
            )
            for name, part in judged.items()
        ]
        inputs = Inputs(
            schema=self._schema,
            plans=self._plans,
            window=lambda due: windows[due.key.segment],
            reference=lambda due: self._references[due.key.segment],
            label_collectors=LABEL_COLLECTORS,
            history=lambda *_: (),
            collect=lambda plan, ctx: list(plan.check.evaluate(ctx)),
            past_judge=self._past_judge,
        )
        _, facts = judge_windows(group, inputs)
        outcome = step(self._state, facts, START + (number + 1) * self._length)
        self._state = outcome.state
        return tuple(outcome.changes)
