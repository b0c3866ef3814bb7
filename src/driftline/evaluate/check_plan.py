"""One check on one window: it measures, its rules judge.

Refuses to let a check's trouble be anything but an `error` verdict of that check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from driftline.contracts.check import Check, CheckContext
from driftline.contracts.classic_rules import PValue
from driftline.contracts.rule import Range, Rule, above, below
from driftline.types.errors import DriftlineError
from driftline.types.model import Measurement, Severity, Verdict
from driftline.types.records import JudgedMeasurement

Collect = Callable[["CheckPlan", CheckContext], Sequence[Measurement]]
"""Runs a check within its time and looks its answer over. Raises DriftlineError."""


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """A check as one model uses it."""

    name: str
    """Its name in the configuration."""
    check: Check
    rules: tuple[Rule, ...] = ()
    """What the configuration says; the check's own rules when empty."""
    needed: int = 1
    """Changed windows in a row before it fires."""
    keep: int = 0
    """Further quiet windows before it is resolved."""
    min_rows: int | None = None
    warn_only: frozenset[str] = frozenset()
    """Columns in which what is judged by its past is at most a warning."""

    def severity(self, row: JudgedMeasurement) -> Severity | None:
        """How much a judged row matters to people."""
        if not row.severity:
            return None
        held = row.watched is not None and row.measurement.labels.get("column") in self.warn_only
        return (
            Severity.WARNING
            if held and row.severity == Severity.CRITICAL
            else Severity(row.severity)
        )

    @property
    def main_measurement(self) -> str:
        """The measurement that a rule without a name judges."""
        return self.check.main or self.check.type

    @property
    def rules_by_measurement(self) -> Mapping[str, Rule]:
        """The rules in force. `unusual` without a measurement judges all that the check itself
        would judge so.
        """
        known = self.check.default_rules
        if not self.rules:
            return known
        found: dict[str, Rule] = {}
        for rule in self.rules:
            if rule.unusual is None or rule.measurement is not None:
                names = [rule.measurement or self.main_measurement]
            else:
                names = [name for name, own in known.items() if own.unusual is not None] or [
                    self.main_measurement
                ]
            found |= {name: _filled(rule, known.get(name)) for name in names}
        return found


def _filled(rule: Rule, own: Rule | None) -> Rule:
    """`unusual` with the check's own settings where the configuration has none."""
    if rule.unusual is None or own is None or own.unusual is None:
        return rule
    return rule.model_copy(update={"unusual": own.unusual.over(rule.unusual)})


def collector_requests(plans: Sequence[CheckPlan]) -> Mapping[str, tuple[str, ...]]:
    """What all checks tell their collectors, each text once, in an order that depends on nothing
    else.
    """
    found: dict[str, set[str]] = {}
    for plan in plans:
        for collector, texts in plan.check.wants().items():
            found.setdefault(collector, set()).update(texts)
    return {collector: tuple(sorted(texts)) for collector, texts in sorted(found.items()) if texts}


def run_check(plan: CheckPlan, ctx: CheckContext, collect: Collect) -> list[JudgedMeasurement]:
    """The measurements of one check on one window with their verdicts; one `error` row when it
    could not run.
    """
    if not ctx.current.rows and not plan.check.on_empty:
        return []
    try:
        found = collect(plan, ctx)
    except DriftlineError as error:
        broken = Measurement(
            None, name=plan.main_measurement, reason=" ".join(str(error).split())[:500]
        )
        return [
            JudgedMeasurement(
                plan.name, broken, Verdict.ERROR, reason=broken.reason, cause=plan.check.cause
            )
        ]
    rules = plan.rules_by_measurement
    judged = [_judge(plan, measurement, rules, ctx) for measurement in found]
    for name, rule in rules.items():
        if rule.p_value is not None:
            _judge_together(judged, name, rule.p_value)
    return judged


def _judge_together(judged: list[JudgedMeasurement], name: str, rule: PValue) -> None:
    """Those p-values of one name that rest on rows enough share one level."""
    places = [
        place
        for place, row in enumerate(judged)
        if row.measurement.name == name and row.verdict in (Verdict.OK, Verdict.CHANGED)
    ]
    for place, said in zip(
        places, rule.judge([judged[place].measurement.p_value for place in places]), strict=True
    ):
        judged[place] = replace(
            judged[place], verdict=said.verdict, severity=said.severity or "", reason=said.reason
        )


def _judge(
    plan: CheckPlan, measurement: Measurement, rules: Mapping[str, Rule], ctx: CheckContext
) -> JudgedMeasurement:
    if not measurement.name:
        measurement = replace(measurement, name=plan.main_measurement)
    rows = ctx.current.rows if measurement.rows is None else measurement.rows
    rule = rules.get(measurement.name) or rule_of_own_bounds(measurement)
    if rule is None:
        return JudgedMeasurement(plan.name, measurement, rows=rows, cause=plan.check.cause)
    asked = plan.check.min_rows if plan.min_rows is None else plan.min_rows

    def past(count: int) -> list[float]:
        return [
            earlier.value for earlier in ctx.history(measurement.name, measurement.labels, count)
        ]

    said = rule.judge(measurement, rows, asked, past)
    if (
        said.verdict is Verdict.CHANGED
        and (smallest := rule.smallest_seen(measurement, rows)) is not None
    ):
        measurement = replace(measurement, detail={**measurement.detail, "smallest_seen": smallest})
    watched = rule.unusual if measurement.value is not None and rows >= asked else None
    return JudgedMeasurement(
        plan.name, measurement, said.verdict, said.severity or "", said.reason, rows, plan.check.cause, said.within,
        watched=watched, blind=said.verdict is Verdict.UNSURE and _lacks_data(rule, measurement, rows < asked),
    )  # fmt: skip


def _lacks_data(rule: Rule, measurement: Measurement, few: bool) -> bool:
    """Whether more rows would settle it: not a past that is still to come, nor a number that can't
    be had at all.
    """
    return few or (measurement.value is not None and rule.unusual is None and rule.chart is None)


def rule_of_own_bounds(measurement: Measurement) -> Rule | None:
    """The rule of a measurement that has bounds of its own; None for all others."""
    least, most = measurement.least, measurement.most
    if least is not None and most is not None:
        return Rule(outside=Range(low=least, high=most))
    return (
        above(warning=most)
        if most is not None
        else below(warning=least)
        if least is not None
        else None
    )
