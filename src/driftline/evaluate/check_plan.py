"""Runs one check on one window: the check measures, its rules judge.

A check that fails gives an `error` verdict of that check; it does not affect other checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from driftline.contracts.check import Check, CheckContext
from driftline.contracts.classic_rules import PValue
from driftline.contracts.rule import Range, Rule, above, below
from driftline.profiles.window import Window
from driftline.types.errors import DriftlineError
from driftline.types.model import Judgement, Measurement, Schema, Severity, Verdict
from driftline.types.records import JudgedMeasurement
from driftline.types.scalars import Persistence
from driftline.types.times import DAY

YEAR = 365.25 * DAY
Collect = Callable[["CheckPlan", CheckContext], Sequence[Measurement]]
"""Runs a check with a time limit and validates its measurements. Raises DriftlineError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlan:
    """A check with the settings that one model has for it."""

    name: str
    """Its name in the configuration."""
    check: Check
    rules: tuple[Rule, ...] = ()
    """The rules of the configuration; when empty, the check's own rules hold."""
    persistence: Persistence = field(default_factory=Persistence)
    """The changed windows before an alert fires."""
    keep: int = 0
    """Further windows without a change before an alert is resolved."""
    min_rows: int | None = None
    """The fewest rows of a window that is judged; the check's own number when None."""
    warn_only: frozenset[str] = frozenset()
    """Columns where the rule `unusual` gives at most a warning."""
    named_columns: frozenset[str] = frozenset()
    """The columns that its options name."""
    false_pages_per_year: float = 1.0
    """False alarms that the model accepts while nothing changes, of all checks together."""

    def missing_columns(self, schema: Schema) -> str:
        """Say which columns that the options name the schema lacks; empty where it has all.

        A declared schema is compared with them when the configuration is read, an inferred one
        can't be.
        """
        names = sorted(self.named_columns - schema.profile_columns.keys())
        if not names:
            return ""
        text = ", ".join(f"'{name}'" for name in names)
        if len(names) == 1:
            return f"no column {text} in the inferred schema; declare it under schema"
        return f"no columns {text} in the inferred schema; declare them under schema"

    def severity(self, row: JudgedMeasurement) -> Severity | None:
        """The severity of a judged measurement for people; None where it has none."""
        if not row.severity:
            return None
        column = row.measurement.labels.get("column")
        if (
            row.severity == Severity.CRITICAL
            and row.past_rule is not None
            and column in self.warn_only
        ):
            return Severity.WARNING
        return Severity(row.severity)

    @property
    def main_measurement(self) -> str:
        """The measurement that a rule without a name judges."""
        return self.check.main or self.check.type

    @property
    def rules_by_measurement(self) -> Mapping[str, Rule]:
        """The rules in force, by name of the measurement.

        A configured `unusual` or `loss` without a measurement judges all measurements that the
        check itself judges by the same kind of rule.
        """
        defaults = self.check.default_rules
        if not self.rules:
            return defaults
        rules: dict[str, Rule] = {}
        for rule in self.rules:
            if rule.past_kind is None or rule.measurement is not None:
                names = [rule.measurement or self.main_measurement]
            else:
                names = [
                    name
                    for name, default in defaults.items()
                    if default.past_kind == rule.past_kind
                ] or [self.main_measurement]
            rules |= {name: _with_defaults(rule, defaults.get(name)) for name in names}
        return rules


def _with_defaults(rule: Rule, default: Rule | None) -> Rule:
    """The rule; what a rule by earlier windows leaves out is taken from the check's own rule."""
    if default is None:
        return rule
    if rule.unusual is not None and default.unusual is not None:
        return rule.model_copy(update={"unusual": default.unusual.override(rule.unusual)})
    if rule.loss is not None and default.loss is not None:
        return rule.model_copy(update={"loss": default.loss.override(rule.loss)})
    return rule


def collector_requests(plans: Sequence[CheckPlan]) -> Mapping[str, tuple[str, ...]]:
    """The texts that all checks pass to each collector: unique, in alphabetical order."""
    requests: dict[str, set[str]] = {}
    for plan in plans:
        for collector, texts in plan.check.collector_options().items():
            requests.setdefault(collector, set()).update(texts)
    return {
        collector: tuple(sorted(texts)) for collector, texts in sorted(requests.items()) if texts
    }


def run_check(plan: CheckPlan, ctx: CheckContext, collect: Collect) -> list[JudgedMeasurement]:
    """Run one check on one window and judge its measurements.

    Returns one row with the verdict `error` when the check could not run, and no row when the
    window is empty and the check does not judge empty windows.
    """
    if not ctx.current.rows and not plan.check.on_empty:
        return []
    try:
        measurements = collect(plan, ctx)
    except DriftlineError as error:
        failure = Measurement(
            None, name=plan.main_measurement, reason=" ".join(str(error).split())[:500]
        )
        judgement = Judgement(verdict=Verdict.ERROR, reason=failure.reason)
        return [
            JudgedMeasurement(
                check=plan.name, measurement=failure, judgement=judgement, cause=plan.check.cause
            )
        ]
    rules = plan.rules_by_measurement
    rows = [_judge(plan, measurement, rules, ctx) for measurement in measurements]
    for name, rule in rules.items():
        if rule.p_value is not None:
            _judge_together(rows, name, _level_rule(rule.p_value, plan, ctx))
    return rows


def _level_rule(rule: PValue, plan: CheckPlan, ctx: CheckContext) -> PValue:
    """The rule with the level that its share of the budget has for windows of this length."""
    start, end = ctx.current.start, ctx.current.end
    if start is None or end is None or end <= start:
        return rule
    return rule.with_budget(YEAR / (end - start), plan.false_pages_per_year)


def _judge_together(rows: list[JudgedMeasurement], name: str, rule: PValue) -> None:
    """Judge the p-values of one measurement together, so that they share one level.

    Rows that are unsure, for example for want of rows, are left out. Changes items of `rows`.
    """
    places = [
        place
        for place, row in enumerate(rows)
        if row.measurement.name == name and row.verdict in (Verdict.OK, Verdict.CHANGED)
    ]
    judgements = rule.judge([rows[place].measurement.p_value for place in places])
    for place, judgement in zip(places, judgements, strict=True):
        rows[place].judgement = judgement


def _judge(
    plan: CheckPlan, measurement: Measurement, rules: Mapping[str, Rule], ctx: CheckContext
) -> JudgedMeasurement:
    if not measurement.name:
        measurement = replace(measurement, name=plan.main_measurement)
    rows = ctx.current.rows if measurement.rows is None else measurement.rows
    rule = rules.get(measurement.name) or rule_of_own_bounds(measurement)
    if rule is None:
        return JudgedMeasurement(
            check=plan.name, measurement=measurement, rows=rows, cause=plan.check.cause
        )
    min_rows = plan.check.min_rows if plan.min_rows is None else plan.min_rows

    def earlier_values(count: int) -> list[float]:
        return [
            earlier.value for earlier in ctx.history(measurement.name, measurement.labels, count)
        ]

    judgement = rule.judge(measurement, rows, min_rows, earlier_values)
    if judgement.verdict is Verdict.CHANGED:
        smallest_seen = rule.smallest_detectable(measurement, rows)
        if smallest_seen is not None:
            measurement = measurement.with_detail({"smallest_seen": smallest_seen})
    has_enough_rows = rows >= min_rows
    # Losses are judged by whole days, so an hour of few rows counts with its day.
    counts = has_enough_rows or (rule.loss is not None and _is_shorter_than_a_day(ctx.current))
    return JudgedMeasurement(
        check=plan.name,
        measurement=measurement,
        judgement=judgement,
        rows=rows,
        cause=plan.check.cause,
        past_rule=rule.unusual or rule.loss if measurement.value is not None and counts else None,
        lacks_data=judgement.verdict is Verdict.UNSURE
        and _lacks_rows(rule, measurement, has_enough_rows),
        needed_rows=0 if has_enough_rows else min_rows,
    )


def _is_shorter_than_a_day(window: Window) -> bool:
    return window.start is not None and window.end is not None and window.end - window.start < DAY


def _lacks_rows(rule: Rule, measurement: Measurement, has_enough_rows: bool) -> bool:
    """Whether more rows would decide an unsure measurement.

    They do not where the rule waits for earlier windows, or where there is no value.
    """
    needs_history = rule.past_kind is not None or rule.chart is not None
    return not has_enough_rows or (measurement.value is not None and not needs_history)


def rule_of_own_bounds(measurement: Measurement) -> Rule | None:
    """The rule of a measurement that has bounds of its own; None for all others."""
    least, most = measurement.least, measurement.most
    if least is not None and most is not None:
        return Rule(outside=Range(low=least, high=most))
    if most is not None:
        return above(warning=most)
    return None if least is None else below(warning=least)
