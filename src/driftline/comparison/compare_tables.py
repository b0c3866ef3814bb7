"""Compares two tables: the same profiles, checks, rules and sentences as the agent's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from driftline.alerting.describe import LONGEST_REASON, describe_difference, rank_key
from driftline.comparison.bars import make_bars
from driftline.comparison.records import Bar, ColumnComparison, Finding
from driftline.comparison.result import Comparison
from driftline.comparison.schema import ColumnRoles, ComparedColumns, find_compared_columns
from driftline.comparison.tables import OpenTable
from driftline.evaluate.check_plan import CheckPlan, collector_requests
from driftline.evaluate.first_report import COMPARED_FAMILIES, relative_difference
from driftline.evaluate.judge_windows import Inputs, measure_window
from driftline.extensions.phrasebook import Line, Phrasebook
from driftline.ingest.reference.build import (
    NewReference,
    ObjectProfiles,
    make_reference,
    profile_objects,
)
from driftline.profiles.spec import ALWAYS_COLLECTED, ProfileSpec
from driftline.profiles.window import Window
from driftline.types.errors import ComparisonError
from driftline.types.model import Schema, Verdict
from driftline.types.notification import AlertFact
from driftline.types.phrasing import clean, interval
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey

if TYPE_CHECKING:
    from driftline.extensions.guard import Guard
    from driftline.extensions.registry import Registry

VERDICT_ORDER = (Verdict.CHANGED, Verdict.UNSURE, Verdict.ERROR, Verdict.OK)
"""The most important first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Differ:
    """Words and sizes of judged measurements."""

    schema: Schema
    phrasebook: Phrasebook
    now: datetime

    def finding(self, due: DueWindow, row: JudgedMeasurement) -> tuple[Finding, AlertFact]:
        """Return a measurement with its verdict, and the alert that words it."""
        assert row.judgement is not None
        size = relative_difference(due, row, self.schema)
        alert = describe_difference(row, self.now)
        labels = dict(alert.labels) | ({"segment": due.key.segment} if due.key.segment else {})
        changes: dict[str, object] = {"labels": labels}
        if row.judgement.verdict is Verdict.CHANGED and row.judgement.severity is not None:
            changes |= {
                "state": "firing",
                "severity": row.judgement.severity,
                "reason": clean(row.judgement.reason, LONGEST_REASON),
                "bound": row.judgement.bound,
            }
        alert = alert.model_copy(update=changes)
        m = row.measurement
        finding = Finding(
            check=row.check,
            measurement=m.name,
            labels=labels,
            verdict=str(row.judgement.verdict),
            severity=str(row.severity),
            value=m.value,
            was=m.was,
            interval=m.interval,
            unit=m.unit,
            rows=row.rows,
            size=size,
            reason=clean(row.judgement.reason, LONGEST_REASON),
            text=self.phrasebook.figure(alert),
        )
        return finding, alert

    def record(
        self,
        name: str,
        kind: str,
        pairs: Sequence[tuple[Finding, AlertFact]],
        bars: Sequence[tuple[str, float, float]] = (),
    ) -> ColumnComparison:
        """Return the record of the measurements about one subject."""
        pairs = sorted(pairs, key=lambda pair: (_place(pair[0]), rank_key(pair[1]), -pair[0].size))
        # A number that can't exist, such as the spread of a constant, decides nothing by itself.
        measured = [pair for pair in pairs if pair[0].value is not None] or pairs
        verdict = measured[0][0].verdict if measured else str(Verdict.OK)
        shown = [alert for finding, alert in measured if finding.verdict == Verdict.CHANGED]
        if not shown:
            shown = [alert for finding, alert in measured if finding.size > 0]
        parts = [part for line in self.phrasebook.lines(shown) for part in _parts(name, line)]
        # A number with its interval says all that the number alone does.
        parts = [
            part
            for part in parts
            if not any(other.startswith(f"{part} [") for other in parts if other != part)
        ]
        if not parts and verdict in (Verdict.UNSURE, Verdict.ERROR):
            reasons = dict.fromkeys(
                finding.reason for finding, _ in measured if finding.verdict == verdict
            )
            parts = [reason for reason in reasons if reason]
        text = " · ".join(parts)
        if len(shown) == 1 and "95%" not in text and (sure := interval(shown[0])):
            text += f" [{sure}]"
        return ColumnComparison(
            name=name,
            kind=kind,
            verdict=str(verdict),
            size=max((finding.size for finding, _ in pairs), default=0.0),
            text=text,
            findings=tuple(finding for finding, _ in pairs),
            bars=tuple(Bar(name=bar[0], reference=bar[1], current=bar[2]) for bar in bars),
        )


def compare_tables(
    reference: OpenTable,
    current: OpenTable,
    roles: ColumnRoles,
    *,
    registry: Registry,
    guard: Guard,
    now: datetime,
) -> Comparison:
    """Compare two opened tables.

    Raises ComparisonError when they can't be compared, and SourceError when one can't be read.
    """
    columns = find_compared_columns(reference, current, roles)
    plans = _plans(registry, columns.schema)
    first, second = _profile(reference, current, columns.schema, plans, registry, now)
    windows = {"": (first.profile.window(), second.profile.window())}
    for segment in first.segments.keys() | second.segments.keys():
        sides = (first.segments.get(segment), second.segments.get(segment))
        before, after = (
            Window(rows=0, columns={}, segment=segment)
            if side is None
            else side.window(segment=segment)
            for side in sides
        )
        windows[segment] = before, after
    differ = _Differ(schema=columns.schema, phrasebook=Phrasebook(registry.checks()), now=now)
    rows = {
        segment: _measure(segment, windows, columns.schema, plans, guard)
        for segment in sorted(windows)
    }
    whole, whole_due = rows.pop(""), _due("", second.profile.rows)
    model, by_column = _split(differ, whole_due, whole)
    records = [
        differ.record(
            name,
            str(columns.schema.profile_columns.get(name, "")),
            by_column.get(name, ()),
            make_bars(windows[""][0].columns.get(name), windows[""][1].columns.get(name)),
        )
        for name in dict.fromkeys((*columns.schema.profile_columns, *by_column))
        if name in by_column
    ]
    segments = [
        record
        for segment, segment_rows in rows.items()
        for record in _segment_records(differ, segment, windows[segment][1].rows, segment_rows)
    ]
    return Comparison(
        reference=reference.name,
        current=current.name,
        reference_rows=first.profile.rows,
        current_rows=second.profile.rows,
        columns=tuple(sorted(records, key=_record_key)),
        model=tuple(
            sorted(
                (
                    differ.record(name, "", pairs)
                    for name, pairs in model.items()
                    if name not in _without_numbers(model)
                ),
                key=_record_key,
            )
        ),
        segments=tuple(sorted(segments, key=_record_key)),
        added=columns.added,
        removed=columns.removed,
        left_out=columns.left_out,
        notes=tuple(_notes(columns, first, second, current.name)),
    )


def _plans(registry: Registry, schema: Schema) -> list[CheckPlan]:
    """Return the default checks that compare rows, and those that compare segments."""
    parts = {part.kind.value for part in schema.features.values() if part.kind is not None}
    has_outputs = schema.prediction is not None or schema.score is not None
    parts |= {"label"} if schema.label is not None and has_outputs else set()
    checks = [
        type_() for type_ in registry.default_checks(parts) if type_.cause in COMPARED_FAMILIES
    ]
    if schema.segments and has_outputs:
        by_segment = (type_.for_segments(schema.segments) for type_ in registry.checks())
        checks += [check for check in by_segment if check is not None]
    return [CheckPlan(name=check.type, check=check) for check in checks]


def _profile(
    reference: OpenTable,
    current: OpenTable,
    schema: Schema,
    plans: Sequence[CheckPlan],
    registry: Registry,
    now: datetime,
) -> tuple[NewReference, ObjectProfiles]:
    """Profile both tables on the grid of the reference."""
    names = {name for plan in plans for name in plan.check.collectors}
    collectors = registry.collectors()
    job = reference.job(schema, ProfileSpec(columns={}), now, collectors)
    first = make_reference(
        job,
        reference.objects,
        now,
        (*ALWAYS_COLLECTED, *sorted(names - set(ALWAYS_COLLECTED))),
        options=collector_requests(plans),
    )
    job = current.job(schema, first.spec, now, collectors)
    second = profile_objects(job, current.objects, now)
    if not second.profile.rows:
        raise ComparisonError(f"{current.name}: no row can be read: {second.losses.describe()}")
    return first, second


def _due(segment: str, rows: int) -> DueWindow:
    key = WindowKey(model="comparison", start=0, version="", segment=segment)
    return DueWindow(key=key, end=0, rows=rows, revision=0)


def _measure(
    segment: str,
    windows: Mapping[str, tuple[Window, Window]],
    schema: Schema,
    plans: Sequence[CheckPlan],
    guard: Guard,
) -> list[JudgedMeasurement]:
    """Run all checks on one segment, each judged by itself."""
    nothing = Window(rows=0, columns={}), Window(rows=0, columns={})
    inputs = Inputs(
        schema=schema,
        plans=plans,
        window=lambda due: windows.get(due.key.segment, nothing)[1],
        reference=lambda due: windows.get(due.key.segment, nothing)[0],
        history=lambda key, check, name, labels, limit: (),
        collect=lambda plan, ctx: guard.collect_inline(plan.name, plan.check.evaluate, ctx),
    )
    due = _due(segment, windows[segment][1].rows)
    return [row for row in measure_window(due, inputs).judged if row.judgement is not None]


Pairs = list[tuple[Finding, AlertFact]]


def _split(
    differ: _Differ, due: DueWindow, rows: Iterable[JudgedMeasurement]
) -> tuple[dict[str, Pairs], dict[str, Pairs]]:
    """Return the measurements about all rows, by name, and those about columns, by column."""
    model: dict[str, Pairs] = {}
    by_column: dict[str, Pairs] = {}
    for row in rows:
        pair = differ.finding(due, row)
        column = row.measurement.labels.get("column")
        if column is None:
            model.setdefault(differ.phrasebook.noun(pair[1]), []).append(pair)
        else:
            by_column.setdefault(column, []).append(pair)
    return model, by_column


def _segment_records(
    differ: _Differ, segment: str, rows: int, judged: Iterable[JudgedMeasurement]
) -> list[ColumnComparison]:
    """Return what changed within one segment."""
    model, by_column = _split(differ, _due(segment, rows), judged)
    records = []
    for name, pairs in {**by_column, **model}.items():
        changed = [pair for pair in pairs if pair[0].verdict == Verdict.CHANGED]
        if changed:
            records.append(differ.record(f"{name} ({segment})", "", changed))
    return records


def _parts(name: str, line: Line) -> Iterable[str]:
    """Yield the parts of a line; those of one category, group or second column name it."""
    subject = line.subject.removeprefix(name).removesuffix(f" of {name}").strip()
    rest = "" if line.subject == name else subject
    for place, part in enumerate(line.parts):
        text = part.removeprefix(f"{name} ")
        yield f"{rest}: {text}" if rest and place == 0 else text


def _without_numbers(model: dict[str, Pairs]) -> set[str]:
    """Return the metrics without a number whose check has another one, such as a missing score."""
    checks = {
        finding.check
        for pairs in model.values()
        for finding, _ in pairs
        if finding.value is not None
    }
    return {
        name
        for name, pairs in model.items()
        if all(finding.value is None and finding.check in checks for finding, _ in pairs)
    }


def _place(finding: Finding) -> int:
    return VERDICT_ORDER.index(Verdict(finding.verdict))


def _record_key(record: ColumnComparison) -> tuple[int, int, float, str]:
    """A sort key: changed first, then by severity and by size."""
    severities = ("critical", "warning", "info", "")
    severity = min((severities.index(f.severity) for f in record.findings), default=3)
    return VERDICT_ORDER.index(Verdict(record.verdict)), severity, -record.size, record.name


def _notes(
    columns: ComparedColumns, first: NewReference, second: ObjectProfiles, current: str
) -> Iterable[str]:
    yield from columns.doubts
    if lost := second.losses.describe():
        yield f"{current}: {lost}"
