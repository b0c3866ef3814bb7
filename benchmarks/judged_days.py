"""Judges simulated daily windows, by default with the default checks on columns.

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
Groups = Mapping[str, tuple[Window, Window]]
"""The window of a segment and its reference, by the segment's name."""


def profile_reference(spec: ProfileSpec, batch: pa.RecordBatch) -> Window:
    """The summary of rows without times."""
    return _profile(spec, batch, np.array([], np.int64)).window(version="reference")


def profile_day(spec: ProfileSpec, batch: pa.RecordBatch, day: int) -> Window:
    """The summary of the rows of a day."""
    start, end = START + day * DAY, START + (day + 1) * DAY
    events = np.array([as_micros(start), as_micros(end - TICK)], np.int64)
    return _profile(spec, batch, events).window(start=start, end=end)


def _profile(spec: ProfileSpec, batch: pa.RecordBatch, events: NDArray[np.int64]) -> Profile:
    profile = Profile(spec, COLLECTORS)
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    hashes = hash_positions(1, 0, batch.num_rows)
    profile.update(Batch(rows=batch.num_rows, columns=columns, events=events, hashes=hashes))
    return profile


class DayJudge:
    """Judges the days of one model in order, and keeps its alerts and incidents."""

    def __init__(
        self, schema: Schema, reference: Window, plans: Sequence[CheckPlan] = PLANS
    ) -> None:
        self._policy = AlarmPolicy(DAY // timedelta(microseconds=1))
        self._past_judge = PastJudge(self._policy.make_trail(), self._policy, schema)
        self._schema, self._reference, self._plans = schema, reference, plans
        self._state = AlertingState()

    def judge(
        self, day: int, window: Window, groups: Groups | None = None, *, labels_only: bool = False
    ) -> tuple[Change, ...]:
        """Judge the window of a day; return the changes of incidents.

        `groups` are the windows of segments, each with its reference. With `labels_only` the day
        was judged before, and more labels have come.
        """
        start = as_micros(START + day * DAY)
        key = WindowKey("model", start, "", "")
        due = DueWindow(
            key=key,
            end=start + self._policy.length,
            rows=window.rows,
            revision=int(labels_only),
            labels_only=labels_only,
        )
        parts = {"": (window, self._reference), **(groups or {})}
        inputs = Inputs(
            schema=self._schema,
            plans=self._plans,
            window=lambda due: parts[due.key.segment][0],
            reference=lambda due: parts[due.key.segment][1],
            label_collectors=LABEL_COLLECTORS,
            history=lambda *_: (),
            collect=lambda plan, ctx: list(plan.check.evaluate(ctx)),
            past_judge=self._past_judge,
        )
        _, facts = judge_windows([due], inputs)
        outcome = step(self._state, facts, START + (day + 1) * DAY)
        self._state = outcome.state
        return tuple(outcome.changes)
