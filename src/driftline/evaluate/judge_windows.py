"""Judges all windows of one span of time: every check on every version and segment.

The result is judged measurements for the store, and facts for alerting.

Does not read the store or the clock: windows, references and history are passed in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from itertools import groupby

from driftline.alerting.fact import Fact, key_of, monitoring_fact
from driftline.contracts.check import CheckContext, PastValue
from driftline.evaluate.blindness import blindness_fact
from driftline.evaluate.check_plan import CheckPlan, Collect, run_check
from driftline.evaluate.evidence.unusual_rule import PastJudge
from driftline.evaluate.reference_range import (
    ReferenceRange,
    SeriesKey,
    add_ranges,
    find_ranges,
)
from driftline.profiles.window import Window
from driftline.types.family import Family
from driftline.types.incident import Upstream, UpstreamKind
from driftline.types.model import Schema, Verdict
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.notification import LIKELY_CAUSE_DETAIL
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey
from driftline.types.times import from_micros

NEW_VERSION_WINDOWS = 24
"""Windows for which a version of the model counts as new."""
WindowOf = Callable[[DueWindow], Window]
ReferenceOf = Callable[[DueWindow], Window | None]
EarlierOf = Callable[[DueWindow, int], Sequence[Window]]
HistoryOf = Callable[[WindowKey, str, str, Mapping[str, str], int], Sequence[PastValue]]


def no_windows(due: DueWindow, count: int) -> Sequence[Window]:
    """The windows before one that has none."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that judging the windows of a model needs."""

    schema: Schema
    plans: Sequence[CheckPlan]
    window: WindowOf
    reference: ReferenceOf
    history: HistoryOf
    collect: Collect
    earlier: EarlierOf = no_windows
    """The windows with rows among so many spans before one, oldest first."""
    reference_spans: Sequence[Window] = ()
    """The weeks or months of the reference; empty where its rows have no times."""
    reference_ranges: Mapping[SeriesKey, ReferenceRange] = field(default_factory=dict)
    """The range that the weeks or months of the reference have; empty without times."""
    reference_name: str = ""
    """Name of the reference, for people."""
    past_judge: PastJudge | None = None
    """Judges by earlier windows; without it every window is judged alone."""
    new_versions: frozenset[str] = frozenset()
    """Model versions that are new in a model that had other versions before."""
    label_collectors: frozenset[str] = frozenset()
    """Names of the collectors that take labels which come after their predictions.

    A check that needs one of them runs again when only labels have come.
    """

    def checks_of(self, due: DueWindow) -> Sequence[CheckPlan]:
        """The checks that run on this window."""
        return [
            plan
            for plan in self.plans
            if not due.labels_only or plan.check.collectors & self.label_collectors
        ]


@dataclass(frozen=True, slots=True)
class JudgedWindow:
    """One window with its judged measurements."""

    due: DueWindow
    window: Window
    judged: list[JudgedMeasurement]


def judge_windows(
    group: Sequence[DueWindow], inputs: Inputs
) -> tuple[list[JudgedWindow], list[Fact]]:
    """Judge every window of `group`: the windows of all versions and segments with one start.

    Returns the judged windows, in the order of `group`, and the facts for alerting.
    """
    # A check may compare segments, whose windows are judged beside it.
    inputs = replace(inputs, window=_load_once(inputs.window))
    windows = judge_by_past([measure_window(due, inputs) for due in group], inputs.past_judge)
    facts: list[Fact] = []
    errors: dict[str, str] = {}
    complete_rows: dict[str, list[JudgedMeasurement]] = {}
    for window in windows:
        plans = {plan.name: plan for plan in inputs.checks_of(window.due)}
        for check, check_rows in groupby(window.judged, key=lambda row: row.check):
            rows = list(check_rows)
            is_complete = not _awaits_labels(plans[check], window.due, inputs)
            complete_rows.setdefault(check, []).extend(rows if is_complete else ())
            if not window.due.quiet:
                facts += facts_of(window.due, plans[check], rows, inputs.reference_name)
            judgements = (row.judgement for row in rows if row.judgement is not None)
            error = next((each.reason for each in judgements if each.verdict is Verdict.ERROR), "")
            errors[check] = errors.get(check) or error
    for plan in inputs.checks_of(group[0]):
        missing = plan.missing_columns(inputs.schema)
        if missing and not errors.get(plan.name):
            errors[plan.name] = missing
    facts = add_upstream(facts, inputs.new_versions, schema_changes(inputs.plans))
    rows_by_window = {
        (window.due.key.version, window.due.key.segment): window.judged for window in windows
    }
    facts = add_causes(facts, rows_by_window, cause_checks(inputs.plans))
    facts += [check_failure_fact(group[0], check, error) for check, error in errors.items()]
    blindness_facts = [
        blindness_fact(group[0], check, rows) for check, rows in complete_rows.items()
    ]
    return windows, facts + [fact for fact in blindness_facts if fact is not None]


def _load_once(load: WindowOf) -> WindowOf:
    """Return `load`, which then loads each window once."""
    windows: dict[WindowKey, Window] = {}

    def load_window(due: DueWindow) -> Window:
        if due.key not in windows:
            windows[due.key] = load(due)
        return windows[due.key]

    return load_window


def _awaits_labels(plan: CheckPlan, due: DueWindow, inputs: Inputs) -> bool:
    """Whether a check will be judged again once the labels of the window have come."""
    return not due.labels_only and bool(plan.check.collectors & inputs.label_collectors)


def measure_window(due: DueWindow, inputs: Inputs) -> JudgedWindow:
    """Run all checks on one window, and judge it by itself, without earlier windows."""
    window, reference = inputs.window(due), inputs.reference(due)
    rows: list[JudgedMeasurement] = []
    for plan in inputs.checks_of(due):
        rows += run_check(plan, _context(due, plan, window, reference, inputs), inputs.collect)
    if due.key.segment == "":
        add_ranges(rows, inputs.reference_ranges)
    return JudgedWindow(due, window, rows)


def measure_spans(due: DueWindow, inputs: Inputs) -> dict[SeriesKey, ReferenceRange]:
    """Compare the weeks or months of the reference with the whole of it: the range of each series.

    `due` is any window of the model.
    """
    due = replace(due, key=replace(due.key, segment=""))
    inputs = replace(
        inputs,
        history=lambda key, check, name, labels, limit: (),
        earlier=no_windows,
        reference_ranges={},
    )
    return find_ranges(_measure_span(due, span, inputs) for span in inputs.reference_spans)


def _measure_span(due: DueWindow, span: Window, inputs: Inputs) -> list[JudgedMeasurement]:
    return measure_window(due, replace(inputs, window=lambda due: span)).judged


def judge_by_past(
    windows: Sequence[JudgedWindow], past_judge: PastJudge | None
) -> list[JudgedWindow]:
    """Judge the windows of one span of time by earlier ones; they share one alarm budget."""
    if past_judge is None or not windows:
        return list(windows)
    rows = [(window.due.key, row) for window in windows for row in window.judged]
    judged_rows = iter(past_judge.judge(windows[0].due.key.start, rows))
    return [
        replace(window, judged=[next(judged_rows) for _ in window.judged]) for window in windows
    ]


def find_new_versions(
    group: Sequence[DueWindow], versions_between: Callable[[int, int], Set[str]]
) -> frozenset[str]:
    """The versions of a group that had no rows 24 to 48 windows earlier, while others had some.

    `versions_between(begin, end)` returns the versions with rows in windows that start in
    [begin, end), in microseconds.
    """
    start, span = group[0].key.start, NEW_VERSION_WINDOWS * (group[0].end - group[0].key.start)
    versions = {due.key.version for due in group} - {""}
    earlier = versions_between(start - 2 * span, start - span) if versions else set()
    return frozenset(versions - earlier) if earlier - {""} else frozenset()


def schema_changes(plans: Iterable[CheckPlan]) -> frozenset[tuple[str, str]]:
    """Check and measurement of each finding that reports another schema of a column."""
    return frozenset(
        (plan.name, measurement) for plan in plans for measurement in plan.check.schema_changes
    )


def cause_checks(plans: Iterable[CheckPlan]) -> Mapping[str, frozenset[str]]:
    """The families that each check explains, by name of the check."""
    return {plan.name: plan.check.explains for plan in plans if plan.check.explains}


def add_causes(
    facts: Sequence[Fact],
    rows: Mapping[tuple[str, str], Sequence[JudgedMeasurement]],
    families: Mapping[str, frozenset[str]],
) -> list[Fact]:
    """The facts of one span of time; changed ones have the likely cause, where a check knows one.

    `rows` has the judged measurements by version and segment, `families` what each check explains.
    """
    if not families:
        return list(facts)
    causes: dict[tuple[str, str, str], str] = {}
    for (version, segment), judged in rows.items():
        for row in judged:
            if row.check not in families:
                continue
            text = row.measurement.detail.get(LIKELY_CAUSE_DETAIL)
            if isinstance(text, str) and text:
                for family in families[row.check]:
                    causes.setdefault((version, segment, family), text)
    return [
        replace(fact, judged=_with_cause(fact.judged, text))
        if fact.verdict is Verdict.CHANGED
        and (text := causes.get((fact.version, fact.segment, fact.judged.cause)))
        else fact
        for fact in facts
    ]


def _with_cause(row: JudgedMeasurement, text: str) -> JudgedMeasurement:
    return replace(row, measurement=row.measurement.with_detail({LIKELY_CAUSE_DETAIL: text}))


def add_upstream(
    facts: Sequence[Fact],
    new_versions: frozenset[str],
    schema_findings: frozenset[tuple[str, str]],
) -> list[Fact]:
    """The facts of one span of time; changed ones name the change upstream, where one is known.

    `schema_findings` are pairs of check and measurement, see `schema_changes`.
    """
    return [_with_upstream(fact, facts, new_versions, schema_findings) for fact in facts]


def _with_upstream(
    fact: Fact,
    facts: Sequence[Fact],
    new_versions: frozenset[str],
    schema_findings: frozenset[tuple[str, str]],
) -> Fact:
    if fact.verdict is not Verdict.CHANGED or fact.cause == Family.SERVICE:
        return fact
    if fact.version in new_versions:
        return replace(fact, upstream=Upstream(UpstreamKind.NEW_VERSION, fact.version))
    column = dict(fact.labels).get("column")
    has_schema_change = column is not None and any(
        candidate.verdict is Verdict.CHANGED
        and (candidate.check, candidate.measurement) in schema_findings
        and dict(candidate.labels).get("column") == column
        for candidate in facts
    )
    if column is None or not has_schema_change:
        return fact
    return replace(fact, upstream=Upstream(UpstreamKind.SCHEMA, column))


def check_failure_fact(due: DueWindow, check: str, error: str) -> Fact:
    """A fact that says whether a check could run; `error` is empty where it could.

    The failure of a check is an incident of its own, which ends when the check runs again.
    """
    span = from_micros(due.key.start), from_micros(due.end)
    return monitoring_fact(
        due.key.model, check, MonitoringKind.CHECK_FAILED, error, span, revision=due.revision + 1
    )


def _context(
    due: DueWindow, plan: CheckPlan, window: Window, reference: Window | None, inputs: Inputs
) -> CheckContext:
    def history(
        name: str, labels: Mapping[str, str] | None = None, limit: int = 100
    ) -> Sequence[PastValue]:
        return inputs.history(due.key, plan.name, name, labels or {}, limit)

    def segment_windows(name: str) -> tuple[Window, Window | None]:
        part = replace(due, key=replace(due.key, segment=name))
        return inputs.window(part), inputs.reference(part)

    def version_window(version: str) -> Window:
        return inputs.window(replace(due, key=replace(due.key, version=version)))

    key = due.key
    seed = sha256(
        f"{key.model}\n{plan.name}\n{key.start}\n{key.version}\n{key.segment}".encode()
    ).digest()[:8]
    return CheckContext(
        current=window,
        reference=reference,
        schema=inputs.schema,
        reference_spans=inputs.reference_spans if key.segment == "" else (),
        history=history,
        segment=segment_windows,
        of_version=version_window,
        earlier=lambda count: inputs.earlier(due, count),
        seed=int.from_bytes(seed, "big"),
    )


@lru_cache(maxsize=20_000)
def _label_pairs(labels: str) -> tuple[tuple[str, str], ...]:
    """Names and values of labels from JSON with sorted keys."""
    return tuple(json.loads(labels).items())


def facts_of(
    due: DueWindow, plan: CheckPlan, rows: Sequence[JudgedMeasurement], reference_name: str
) -> Iterator[Fact]:
    """One fact for each judged measurement of one check in one window."""
    key = due.key
    for row in rows:
        if row.judgement is None or row.judgement.verdict is Verdict.ERROR:
            continue
        severity = plan.severity(row)
        if severity is not row.judgement.severity:
            row = replace(row, judgement=replace(row.judgement, severity=severity))
        yield Fact(
            model=key.model,
            version=key.version,
            segment=key.segment,
            start=from_micros(key.start),
            end=from_micros(due.end),
            judged=row,
            reference=reference_name,
            for_windows=plan.persistence.changed,
            among_windows=plan.persistence.among,
            keep_firing_windows=plan.keep,
            revision=due.revision + 1,
            since=None if row.since is None else from_micros(row.since),
            alike=frozenset(
                key_of(
                    model=key.model,
                    version=version,
                    segment=segment,
                    cause=plan.check.cause,
                    check=check,
                    measurement=name,
                    labels=_label_pairs(labels),
                )
                for version, segment, check, name, labels in row.correlated_series
            ),
        )
