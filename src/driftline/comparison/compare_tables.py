"""Compares two tables: the same profiles, checks, rules and sentences as the agent's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from pydantic import ValidationError

from driftline.comparison.bars import make_bars
from driftline.comparison.comparison_writer import ComparisonWriter, FindingPair, record_key
from driftline.comparison.records import ColumnComparison
from driftline.comparison.result import Comparison
from driftline.comparison.schema import ColumnRoles, ComparedColumns, find_compared_columns
from driftline.comparison.tables import OpenTable
from driftline.evaluate.check_plan import CheckPlan, collector_requests
from driftline.evaluate.first_report import COMPARED_FAMILIES
from driftline.evaluate.judge_windows import Inputs, measure_window
from driftline.extensions.phrasebook import Phrasebook
from driftline.ingest.reference.build import (
    ObjectProfiles,
    make_grid,
    profile_objects,
)
from driftline.ingest.reference.losses import losses_from_origin
from driftline.profiles.spec import ALWAYS_COLLECTED, ProfileSpec
from driftline.profiles.window import Window
from driftline.types.errors import ComparisonError
from driftline.types.model import Schema, Verdict
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey

if TYPE_CHECKING:
    from driftline.contracts.check import Check
    from driftline.extensions.guard import Guard
    from driftline.extensions.registry import Registry

HELD_BYTES = 1 << 28
"""Bytes of the reference's rows that are held between grid and count; more are read twice."""


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
    plans = comparing_plans(registry, columns.schema)
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
    writer = ComparisonWriter(
        schema=columns.schema, phrasebook=Phrasebook(registry.checks()), now=now
    )
    rows = {
        segment: _measure(segment, windows, columns.schema, plans, guard)
        for segment in sorted(windows)
    }
    whole, whole_due = rows.pop(""), _due("", second.profile.rows)
    model, by_column = _split(writer, whole_due, whole)
    records = [
        writer.write_record(
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
        for record in _segment_records(writer, segment, windows[segment][1].rows, segment_rows)
    ]
    metrics = [
        writer.write_record(name, "", pairs)
        for name, pairs in model.items()
        if name not in _without_numbers(model)
    ]
    pairs = [pair for group in (*model.values(), *by_column.values()) for pair in group]
    shown = (record for record in (*records, *metrics, *segments) if record.text)
    return Comparison(
        reference=reference.name,
        current=current.name,
        reference_rows=first.profile.rows,
        current_rows=second.profile.rows,
        columns=tuple(sorted(records, key=record_key)),
        model=tuple(sorted(metrics, key=record_key)),
        segments=tuple(sorted(segments, key=record_key)),
        added=columns.added,
        removed=columns.removed,
        left_out=columns.left_out,
        notes=tuple(_notes(columns, first, second, current.name)),
        terms=writer.terms(pairs, (f"{record.name} {record.text}" for record in shown)),
    )


def comparing_plans(registry: Registry, schema: Schema) -> list[CheckPlan]:
    """Return the default checks that compare rows, those that compare segments, and your own."""
    parts = {part.kind.value for part in schema.features.values() if part.kind is not None}
    has_outputs = schema.prediction is not None or schema.score is not None
    parts |= {"label"} if schema.label is not None and has_outputs else set()
    checks = [
        type_() for type_ in registry.default_checks(parts) if type_.cause in COMPARED_FAMILIES
    ]
    checks += own_checks(registry)
    if schema.segments and has_outputs:
        by_segment = (type_.for_segments(schema.segments) for type_ in registry.checks())
        checks += [check for check in by_segment if check is not None]
    return [CheckPlan(name=check.type, check=check) for check in checks]


def own_checks(registry: Registry) -> list[Check]:
    """Return the checks of files that no default runs; those that need options are left out.

    Who names a file wants its checks to run: a comparison has no configuration that names them.
    """
    checks = []
    for info in registry.loaded_infos:
        if info.kind == "check" and not info.distribution:
            type_ = registry.get("check", info.name)
            if type_.default_for is None:
                with suppress(ValidationError):
                    checks.append(type_())
    return checks


def _profile(
    reference: OpenTable,
    current: OpenTable,
    schema: Schema,
    plans: Sequence[CheckPlan],
    registry: Registry,
    now: datetime,
) -> tuple[ObjectProfiles, ObjectProfiles]:
    """Profile both tables on the grid of the reference, or on that of a profile among them."""
    collectors = registry.collectors()
    header = reference.profiled or current.profiled
    collectors = registry.collectors()
    count: Callable[[], ObjectProfiles]
    if header is None:
        grid = make_grid(
            reference.job(schema, ProfileSpec(columns={}), now, collectors),
            reference.objects,
            now,
            collector_names(plans),
            options=collector_requests(plans),
            memory=HELD_BYTES,
        )
        spec = grid.spec

        def count() -> ObjectProfiles:
            made = grid.count()
            return ObjectProfiles(
                profile=made.profile,
                segments=made.segments,
                losses=losses_from_origin(made.origin, made.profile.rows),
            )
    else:
        spec = ProfileSpec.from_bytes(header.spec)
        _check_collectors(spec, plans)
        job = reference.job(schema, spec, now, collectors)
        count = partial(profile_objects, job, reference.objects, now)
    with ThreadPoolExecutor(1) as pool:
        job = current.job(schema, spec, now, collectors)
        pending = pool.submit(profile_objects, job, current.objects, now)
        first = count()
        second = pending.result()
    for profile in (first.profile, second.profile):
        if profile.spec.digest != spec.digest:
            raise ComparisonError(
                f"the profiles are on different grids ({spec.digest} and {profile.spec.digest}): "
                "make the second one with the first as its reference: "
                "driftline.profile(rows, reference)"
            )
    if not second.profile.rows:
        raise ComparisonError(f"{current.name}: no row can be read: {second.losses.describe()}")
    return first, second


def collector_names(plans: Sequence[CheckPlan]) -> tuple[str, ...]:
    """Return the collectors that some checks read."""
    names = {name for plan in plans for name in plan.check.collectors}
    return (*ALWAYS_COLLECTED, *sorted(names - set(ALWAYS_COLLECTED)))


def _check_collectors(spec: ProfileSpec, plans: Sequence[CheckPlan]) -> None:
    """Raise ComparisonError when a profile lacks what the checks read."""
    asked = [
        name for name, texts in collector_requests(plans).items() if spec.options.get(name) != texts
    ]
    lacking = [name for name in collector_names(plans) if name not in spec.collectors]
    if lacking or asked:
        raise ComparisonError(
            f"the profile lacks what the checks collect ({', '.join((*lacking, *asked))}): make it "
            "with the same plugins and columns"
        )


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


def _split(
    writer: ComparisonWriter, due: DueWindow, rows: Iterable[JudgedMeasurement]
) -> tuple[dict[str, list[FindingPair]], dict[str, list[FindingPair]]]:
    """Return the measurements about all rows, by name, and those about columns, by column."""
    model: dict[str, list[FindingPair]] = {}
    by_column: dict[str, list[FindingPair]] = {}
    for row in rows:
        pair = writer.write_finding(due, row)
        column = row.measurement.labels.get("column")
        if column is None:
            model.setdefault(writer.phrasebook.noun(pair[1]), []).append(pair)
        else:
            by_column.setdefault(column, []).append(pair)
    return model, by_column


def _segment_records(
    writer: ComparisonWriter, segment: str, rows: int, judged: Iterable[JudgedMeasurement]
) -> list[ColumnComparison]:
    """Return what changed within one segment."""
    model, by_column = _split(writer, _due(segment, rows), judged)
    records = []
    for name, pairs in {**by_column, **model}.items():
        changed = [pair for pair in pairs if pair[0].verdict == Verdict.CHANGED]
        if changed:
            records.append(writer.write_record(f"{name} ({segment})", "", changed))
    return records


def _without_numbers(model: dict[str, list[FindingPair]]) -> set[str]:
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


def _notes(
    columns: ComparedColumns, first: ObjectProfiles, second: ObjectProfiles, current: str
) -> Iterable[str]:
    yield from columns.doubts
    if lost := second.losses.describe():
        yield f"{current}: {lost}"
