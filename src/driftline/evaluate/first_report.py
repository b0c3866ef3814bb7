"""Compares the first windows of a model version with the reference, for its first report.

Judges nothing: differences that are too small for an alarm are reported, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from driftline.alerting.first_report import ReferenceComparison, Sight
from driftline.contracts.loss import Loss
from driftline.evaluate.evidence.loss_rule import loss_from_reference, smallest_obvious_loss
from driftline.evaluate.evidence.unusual_rule import (
    difference_from_reference,
    make_observation,
    smallest_obvious,
)
from driftline.evaluate.judge_windows import Inputs, measure_window
from driftline.profiles.window import Window
from driftline.types.family import Family
from driftline.types.model import Schema, Verdict
from driftline.types.records import DueWindow, JudgedMeasurement
from driftline.types.times import from_micros

COMPARED_FAMILIES = (Family.DRIFT, Family.QUALITY, Family.PERFORMANCE)
"""Families whose checks compare rows with a reference; others look at traffic and at time."""


def needed_rows(inputs: Inputs) -> dict[str, int]:
    """Return the rows that checks of columns need in a window, by the name of the check.

    Losses of performance are judged by whole days and by labels that come later.
    """
    return {
        plan.name: plan.check.min_rows if plan.min_rows is None else plan.min_rows
        for plan in inputs.plans
        if plan.check.cause in (Family.DRIFT, Family.QUALITY) and plan.check.default_rules
    }


def compare_with_reference(due: DueWindow, window: Window, inputs: Inputs) -> ReferenceComparison:
    """Compare `window`, all rows of the span of `due` together, with the reference."""
    plans = [plan for plan in inputs.plans if plan.check.cause in COMPARED_FAMILIES]
    inputs = replace(
        inputs,
        plans=plans,
        window=lambda due: window,
        history=lambda key, check, name, labels, limit: (),
    )
    reference = inputs.reference(due)
    rows = measure_window(due, inputs).judged
    ranked = [(relative_difference(due, row, inputs.schema), row) for row in rows]
    differences = [(rank, row) for rank, row in ranked if rank > 0]
    differences.sort(key=lambda pair: -pair[0])
    columns = dict.fromkeys(
        row.measurement.labels["column"]
        for row in rows
        if "column" in row.measurement.labels and row.judgement is not None
    )
    return ReferenceComparison(
        has_reference=reference is not None and reference.rows > 0,
        span=(from_micros(due.key.start), from_micros(due.end)),
        rows=window.rows,
        columns=tuple(columns),
        differences=tuple(row for _, row in differences),
        undecided=tuple(
            row
            for row in rows
            if row.judgement is not None
            and row.verdict == Verdict.UNSURE
            and (row.measurement.value is None or row.past_rule is None)
        ),
    )


def relative_difference(due: DueWindow, row: JudgedMeasurement, schema: Schema) -> float:
    """How large a difference is, as a share of one that is obvious; 0 where there is none.

    One that a bound reports has the size 1.
    """
    if row.past_rule is None:
        return 1.0 if row.verdict == Verdict.CHANGED else 0.0
    if row.measurement.value is None:
        return 0.0
    if isinstance(row.past_rule, Loss):
        return loss_from_reference(row)
    return difference_from_reference(row, make_observation(due.key, row, row.past_rule, schema))


def find_sight(rows: Iterable[JudgedMeasurement], block_windows: int) -> list[Sight]:
    """The smallest differences that windows like this one show, one entry for each measurement.

    `rows` are the judged measurements of one window; `block_windows` is the number of windows that
    are compared with the reference together: those of a day where windows are shorter.
    """
    by_measurement: dict[tuple[str, str], list[JudgedMeasurement]] = {}
    for row in rows:
        if row.past_rule is not None and row.past_rule.obvious is not None:
            key = row.check, row.measurement.name
            by_measurement.setdefault(key, []).append(row)
    sights = []
    for group in by_measurement.values():
        at_once = _median(_smallest_at_once(row, block_windows) for row in group)
        in_time = _median(_smallest_seen(row) for row in group)
        if at_once is not None or in_time is not None:
            sights.append(Sight(row=group[0], at_once=at_once, in_time=in_time))
    return sights


def _smallest_at_once(row: JudgedMeasurement, windows: int) -> float | None:
    """The smallest difference from the reference that so many windows prove."""
    if isinstance(row.past_rule, Loss):
        return smallest_obvious_loss(row, windows)
    return smallest_obvious(row, windows)


def _smallest_seen(row: JudgedMeasurement) -> float | None:
    """The smallest difference from what is usual that would be found; None until it is known."""
    detail = row.measurement.detail
    smallest, usual = detail.get("smallest_seen"), detail.get("usual")
    if not isinstance(smallest, (int, float)) or not isinstance(usual, (int, float)):
        return None
    return abs(smallest - usual)


def _median(values: Iterable[object]) -> float | None:
    numbers: Sequence[float] = [value for value in values if isinstance(value, (int, float))]
    return median(numbers) if numbers else None
