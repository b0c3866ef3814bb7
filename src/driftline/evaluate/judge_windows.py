"""All checks on all versions and segments of one span of time: judged rows, and the facts that
alerting is told.

Refuses the store and the clock: windows, references and history are handed in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from itertools import groupby

from driftline.alerting.fact import SERVICE, Fact, key_of, trouble
from driftline.contracts.check import CheckContext, Earlier
from driftline.evaluate.blindness import blindness_fact
from driftline.evaluate.check_plan import CheckPlan, Collect, run_check
from driftline.evaluate.evidence.unusual_rule import PastJudge
from driftline.profiles.window import Window
from driftline.state.tables import moment
from driftline.types.model import Schema, Verdict
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey

NEW_FOR = 24
"""Windows for which a version of the model counts as new."""
WindowOf = Callable[[DueWindow], Window]
ReferenceOf = Callable[[DueWindow], Window | None]
HistoryOf = Callable[[WindowKey, str, str, Mapping[str, str], int], Sequence[Earlier]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What judging a model's windows needs."""

    schema: Schema
    plans: Sequence[CheckPlan]
    window: WindowOf
    reference: ReferenceOf
    history: HistoryOf
    collect: Collect
    reference_name: str = ""
    """For people: what windows are compared with."""
    past_judge: PastJudge | None = None
    """What windows before were like; without it every window is judged alone."""
    new_versions: frozenset[str] = frozenset()
    """Versions that are new, where there were others before."""
    label_collectors: frozenset[str] = frozenset()
    """Collectors that take labels that come later: checks that need one of them run again when only
    labels came.
    """

    def checks_of(self, due: DueWindow) -> Sequence[CheckPlan]:
        """The checks that run on a window."""
        return [
            plan
            for plan in self.plans
            if not due.labels_only or plan.check.collectors & self.label_collectors
        ]


@dataclass(frozen=True, slots=True)
class JudgedWindow:
    """What one window came to."""

    due: DueWindow
    window: Window
    judged: list[JudgedMeasurement]


def judge_windows(
    group: Sequence[DueWindow], inputs: Inputs
) -> tuple[list[JudgedWindow], list[Fact]]:
    """Judge every window of one span of time, in a stable order."""
    measured = [measure_window(due, inputs) for due in group]
    found = judge_by_past(measured, inputs.past_judge)
    facts: list[Fact] = []
    ran: dict[str, str] = {}
    told: dict[str, list[JudgedMeasurement]] = {}
    for item in found:
        plans = {plan.name: plan for plan in inputs.checks_of(item.due)}
        for name, rows in groupby(item.judged, key=lambda row: row.check):
            judged = list(rows)
            told.setdefault(name, []).extend(
                judged if _whole(plans[name], item.due, inputs) else ()
            )
            if not item.due.quiet:
                facts += facts_of(item.due, plans[name], judged, inputs.reference_name)
            broken = next((row.reason for row in judged if row.verdict == Verdict.ERROR), "")
            ran[name] = ran.get(name) or broken
    facts = add_upstream(facts, inputs.new_versions, schema_changes(inputs.plans))
    facts += [check_failure_fact(group[0], check, broken) for check, broken in ran.items()]
    return found, facts + [
        fact
        for check, rows in told.items()
        if (fact := blindness_fact(group[0], check, rows)) is not None
    ]


def _whole(plan: CheckPlan, due: DueWindow, inputs: Inputs) -> bool:
    """Whether a check has all that it waits for: one that needs labels is judged again once they
    came.
    """
    return due.labels_only or not plan.check.collectors & inputs.label_collectors


def measure_window(due: DueWindow, inputs: Inputs) -> JudgedWindow:
    """All checks on one window; what is judged by its past is not judged yet."""
    window, reference = inputs.window(due), inputs.reference(due)
    rows: list[JudgedMeasurement] = []
    for plan in inputs.checks_of(due):
        rows += run_check(plan, _context(due, plan, window, reference, inputs), inputs.collect)
    return JudgedWindow(due, window, rows)


def judge_by_past(measured: Sequence[JudgedWindow], past: PastJudge | None) -> list[JudgedWindow]:
    """The windows of one span of time, which share one budget for false pages."""
    if past is None or not measured:
        return list(measured)
    rows = [(item.due.key, row) for item in measured for row in item.judged]
    judged = iter(past.judge(measured[0].due.key.start, rows))
    return [replace(item, judged=[next(judged) for _ in item.judged]) for item in measured]


def find_new_versions(
    group: Sequence[DueWindow], seen: Callable[[int, int], Set[str]]
) -> frozenset[str]:
    """Versions of a window that had no rows in windows a while ago, though others had.

    `seen(begin, end)` gives the versions that had rows in windows that start in [begin, end),
    microseconds.
    """
    start, span = group[0].key.start, NEW_FOR * (group[0].end - group[0].key.start)
    here = {due.key.version for due in group} - {""}
    before = seen(start - 2 * span, start - span) if here else set()
    return frozenset(here - before) if before - {""} else frozenset()


def schema_changes(plans: Iterable[CheckPlan]) -> frozenset[tuple[str, str]]:
    """Check and measurement of each finding that says that a column is another one now."""
    return frozenset(
        (plan.name, measurement) for plan in plans for measurement in plan.check.schema_changes
    )


def add_upstream(
    facts: Sequence[Fact],
    new_versions: frozenset[str],
    schema_findings: frozenset[tuple[str, str]],
) -> list[Fact]:
    """Facts of one span of time; the changed ones say what is known to have changed before them.

    `schema_findings` are pairs of check and measurement, see `schema_changes`.
    """
    return [_with_upstream(fact, facts, new_versions, schema_findings) for fact in facts]


def _with_upstream(
    fact: Fact,
    facts: Sequence[Fact],
    new_versions: frozenset[str],
    schema_findings: frozenset[tuple[str, str]],
) -> Fact:
    if fact.verdict is not Verdict.CHANGED or fact.cause == SERVICE:
        return fact
    if fact.version in new_versions:
        return replace(fact, upstream=f"version {fact.version} is new")
    column = dict(fact.labels).get("column")
    altered = column is not None and any(
        other.verdict is Verdict.CHANGED
        and (other.check, other.measurement) in schema_findings
        and dict(other.labels).get("column") == column
        for other in facts
    )
    return replace(fact, upstream=f"the schema of {column} changed") if altered else fact


def check_failure_fact(due: DueWindow, check: str, broken: str) -> Fact:
    """Whether a check could run: its failure is an incident of its own, and ends when it runs
    again.
    """
    span = moment(due.key.start), moment(due.end)
    return trouble(due.key.model, check, "error", broken, span, revision=due.revision + 1)


def _context(
    due: DueWindow, plan: CheckPlan, window: Window, reference: Window | None, inputs: Inputs
) -> CheckContext:
    def history(
        name: str, labels: Mapping[str, str] | None = None, limit: int = 100
    ) -> Sequence[Earlier]:
        return inputs.history(due.key, plan.name, name, labels or {}, limit)

    key = due.key
    seed = sha256(
        f"{key.model}\n{plan.name}\n{key.start}\n{key.version}\n{key.segment}".encode()
    ).digest()[:8]
    return CheckContext(window, reference, inputs.schema, history, int.from_bytes(seed, "big"))


@lru_cache(maxsize=20_000)
def _pairs(labels: str) -> tuple[tuple[str, str], ...]:
    """Names and values of `labels_json`, which sorts them."""
    return tuple(json.loads(labels).items())


def facts_of(
    due: DueWindow, plan: CheckPlan, judged: Sequence[JudgedMeasurement], reference_name: str
) -> Iterator[Fact]:
    """What alerting is told of the rows of one check on one window."""
    key = due.key
    for row in judged:
        if not row.verdict or row.verdict == Verdict.ERROR:
            continue
        m = row.measurement
        yield Fact(
            model=key.model,
            version=key.version,
            segment=key.segment,
            check=plan.name,
            measurement=m.name,
            labels=tuple(sorted(m.labels.items())),
            cause=plan.check.cause,
            start=moment(key.start),
            end=moment(due.end),
            verdict=Verdict.OK if row.within else Verdict(row.verdict),
            severity=plan.severity(row),
            value=m.value,
            was=m.was,
            interval=m.interval,
            unit=m.unit,
            rows=row.rows,
            reason=row.reason,
            detail=m.detail,
            reference=reference_name,
            needed=plan.needed,
            keep=plan.keep,
            revision=due.revision + 1,
            since=None if row.since is None else moment(row.since),
            decision=m.decision or "",
            alike=frozenset(
                key_of(key.model, version, segment, plan.check.cause, check, name, _pairs(labels))
                for version, segment, check, name, labels in row.alike
            ),
        )
