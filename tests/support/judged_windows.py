"""Windows of rows, measured by one check and judged one after the other as the agent judges them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from driftline import Check, CheckContext, Schema, Verdict
from driftline.evaluate.check_plan import CheckPlan, run_check
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.unusual_rule import PastJudge
from driftline.profiles.window import Window
from driftline.testing.windows import window_of
from driftline.types.records import JudgedMeasurement, WindowKey

START = datetime(2025, 1, 1, tzinfo=UTC)
Columns = Mapping[str, Iterable[Any]]


def _lists(columns: Columns) -> dict[str, list[Any]]:
    return {
        name: values.tolist() if hasattr(values, "tolist") else list(values)
        for name, values in columns.items()
    }


@dataclass
class JudgedWindows:
    """The judgements of one check on windows of one length, against one reference."""

    check: Check
    length: timedelta
    schema: Schema
    reference: Window
    judged: list[list[JudgedMeasurement]] = field(default_factory=list)
    """The measurements of each window, in the order of time."""

    @classmethod
    def against(
        cls, check: Check, length: timedelta, schema: Schema, reference: Columns
    ) -> JudgedWindows:
        """No windows yet; the reference has these columns."""
        return cls(check, length, schema, window_of(_lists(reference), None, schema, check=check))

    def __post_init__(self) -> None:
        policy = AlarmPolicy(round(self.length.total_seconds() * 1e6))
        self._past = PastJudge(policy.make_trail(), policy, self.schema)
        self._plan = CheckPlan(name=self.check.type, check=self.check)

    def add(self, columns: Columns) -> None:
        """Measure and judge the next window."""
        start = START + len(self.judged) * self.length
        window = window_of(
            _lists(columns),
            self.reference,
            self.schema,
            start=start,
            end=start + self.length,
            check=self.check,
        )
        context = CheckContext(
            current=window,
            reference=self.reference,
            schema=self.schema,
            history=lambda name, labels=None, limit=100: [],
        )
        rows = run_check(self._plan, context, lambda plan, ctx: list(plan.check.evaluate(ctx)))
        micros = round(start.timestamp() * 1e6)
        keyed = [(WindowKey("m", micros, "", ""), row) for row in rows]
        self.judged.append(list(self._past.judge(micros, keyed)))

    def changed(self, name: str | None = None) -> list[bool]:
        """Whether a measurement of each window is changed; `name` restricts them to one kind."""
        return [
            any(
                row.verdict == Verdict.CHANGED and name in (None, row.measurement.name)
                for row in rows
            )
            for rows in self.judged
        ]

    @property
    def openings(self) -> int:
        """How often a window with a change came after one without."""
        on = self.changed()
        return sum(now and not before for before, now in zip([False, *on], on, strict=False))
