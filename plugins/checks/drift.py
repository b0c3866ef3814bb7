"""Drift: how far the values of each column have moved from the reference.

Refuses to judge missing values, which are the `missing` check's, and to compare a window on bins of its own: the bins are
the reference's, always.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np

from driftline import (
    CategoricalColumn,
    Check,
    CheckContext,
    Column,
    Measurement,
    NumericColumn,
    above,
    hookimpl,
    stats,
    unusual,
)

Metric = Literal["mean_shift", "psi", "ks", "js", "wasserstein", "linf", "chi_square", "new_categories"]
Detail = dict[str, str | float | int | None]
Found = Iterator[tuple[Metric, stats.Shift, Detail]]

NUMERIC: tuple[Metric, ...] = ("mean_shift", "psi", "js", "ks", "wasserstein")
CATEGORICAL: tuple[Metric, ...] = ("psi", "js", "linf", "chi_square", "new_categories")
UNITS = {"mean_shift": "sd", "wasserstein": "sd", "linf": "share", "new_categories": "share"}
CATEGORIES, RARE, ROWS_A_CELL = 50, 0.001, 5


class Drift(Check):
    """Distances between the window and the reference, column by column; prediction and score too, the label not.

    mean_shift is the mean less the reference's, in standard deviations of the reference, with its sign.
    psi and js are less what chance adds to them, with 95% intervals by their noncentral chi-square law; `raw` in the detail is
    the plain number that other tools show. js is the distance (the root of the divergence) in base 2. ks and wasserstein have
    conservative intervals; wasserstein is in robust standard deviations of the reference (IQR/1.349, else sd, else 1).
    Numeric psi and js stand on 10 quantile bins of the reference, where a value with a tenth of the rows has a bin of its own;
    categorical ones on the reference's top 50 categories of at least 0.1%, all others being one. chi_square is the statistic.

    | input | answer |
    | --- | --- |
    | no reference, or one without values in the column | no value, with the reason |
    | column absent, all null or not finite in the window | no value, with the reason |
    | column of another kind, or counted on another grid | no value, with the reason |
    | identical data | 0, with the interval 0 to 0 for mean_shift, psi and js |
    | constant reference | mean_shift without value, with the reason; the same constant: 0 for the others |
    | constant, another constant | psi near its largest, js and ks 1 |
    | one category on both sides | chi_square without value |
    | fewer than 5 rows a category | psi and js without value |
    | a reference with more categories than are kept | new_categories without value |
    """

    type = "drift"
    cause = "drift"
    main = "psi"
    default_rules: ClassVar = {
        "mean_shift": unusual(info=0.1, warning=0.25, obvious=2.0, lasting=True),
        "psi": unusual(side="above", scale="cube_root", info=0.02, warning=0.1, obvious=1.0, lasting=True),
        "new_categories": above(warning=0.01),
    }
    min_rows = 100

    columns: tuple[str, ...] = ()
    """Columns to look at; all but the label when empty."""
    metrics: tuple[Metric, ...] = ("mean_shift", "psi", "js", "ks", "wasserstein", "linf", "chi_square", "new_categories")
    """What to measure; each column gets those that suit its kind."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Every metric of every column."""
        label = ctx.schema.label.name if ctx.schema.label else None
        references = dict(ctx.reference.columns) if ctx.reference else {}
        known = [name for name in dict(ctx.current.columns) | references if name != label]
        for name in self.columns or known:
            reference, current, shown = references.get(name), ctx.current.columns.get(name), name not in ctx.schema.redact
            reason = "no reference yet" if ctx.reference is None or not ctx.reference.rows else _obstacle(reference, current)
            if reason:
                suited = CATEGORICAL if isinstance(reference or current, CategoricalColumn) else NUMERIC
                found: Found = ((metric, stats.Shift(None), {"reason": reason}) for metric in suited)
            elif isinstance(reference, NumericColumn) and isinstance(current, NumericColumn):
                found = _numeric(reference, current, shown=shown)
            elif isinstance(reference, CategoricalColumn) and isinstance(current, CategoricalColumn):
                found = _categorical(reference, current, shown=shown)
            for metric, shift, detail in found:
                if metric in self.metrics:
                    why = str(detail.pop("reason", "")) or ("" if shift.value is not None else "nothing to compare")
                    rows = _values(current) if current else 0
                    yield Measurement(
                        shift.value, {"column": name}, metric, rows, shift.interval, shift.p_value, why,
                        unit=UNITS.get(metric, "") if shift.value is not None else "", detail=detail,
                    )  # fmt: skip


def _obstacle(reference: Column | None, current: Column | None) -> str:
    if reference is None or not _values(reference):
        return "the reference has no such column" if reference is None else "the reference has no values in this column"
    if current is None or current.kind != reference.kind:
        return f"{current.kind} here, {reference.kind} in the reference" if current else "the window has no such column"
    if not _values(current):
        return "no values in the window"
    if isinstance(reference, NumericColumn) and isinstance(current, NumericColumn):
        same = reference.edges is current.edges or np.array_equal(reference.edges, current.edges)
        return "counted on another grid than the reference" if not same else "" if len(reference.edges) else "no grid yet"
    return ""


def _values(column: Column) -> int:
    return column.side.rows if isinstance(column, NumericColumn) else column.count


def _numeric(reference: NumericColumn, current: NumericColumn, *, shown: bool) -> Found:
    was, now = reference.side, current.side
    detail: Detail = {"mean_was": reference.mean, "mean": current.mean} if shown else {}
    moved = stats.mean_shift(was, now)
    why: Detail = {} if reference.variance else {"reason": "the reference does not vary, so it has no unit for a shift"}
    yield "mean_shift", moved, detail | why
    detail["shift_sd"] = moved.value
    cells = stats.grouped(now.counts, was.cuts)
    yield from _binned(stats.psi_shift(was.bins, cells), stats.js_shift(was.bins, cells), detail)
    yield "ks", stats.ks_shift(was, now), dict(detail)
    yield "wasserstein", stats.wasserstein_shift(was, now), detail


def _binned(psi: stats.Shift, js: stats.Shift, detail: Detail) -> Found:
    yield "psi", psi, {**detail, "raw": psi.raw, "cells": psi.cells}
    yield "js", js, {**detail, "raw": js.raw, "cells": js.cells}


def _categorical(reference: CategoricalColumn, current: CategoricalColumn, *, shown: bool) -> Found:
    n, m = reference.count, current.count
    kept = [name for name, count in list(reference.counts.items())[:CATEGORIES] if count >= RARE * n]
    ref, cur = ([side.counts.get(name, 0) for name in kept] for side in (reference, current))
    ref, cur, names = [*ref, n - sum(ref)], [*cur, m - sum(cur)], [*kept, "all others"]
    largest = stats.linf_shift(ref, cur)
    detail: Detail = {"share_was": ref[largest.cells] / n, "share": cur[largest.cells] / m}
    if shown:
        detail["category"] = names[largest.cells][:80]
    if m < ROWS_A_CELL * len(kept):
        few: Detail = {"reason": f"needs {ROWS_A_CELL * len(kept)} rows, {ROWS_A_CELL} for each category"}
        yield from _binned(stats.Shift(None), stats.Shift(None), few)
    else:
        yield from _binned(stats.psi_shift(ref, cur), stats.js_shift(ref, cur), detail)
    yield "linf", largest, dict(detail)
    test = stats.chi_square(ref, cur)
    if test is None:
        yield "chi_square", stats.Shift(None), {"reason": "only one category"}
    else:
        facts = {**detail, "df": test.df, "cramers_v": stats.cramers_v_of(test, bias_corrected=True)}
        if test.expected < 1:
            facts["reason"] = "fewer than 1 row expected in a category: the p-value is rough"
        yield "chi_square", stats.Shift(test.statistic, None, test.p_value), facts
    yield _news(reference, current, shown=shown)


def _news(reference: CategoricalColumn, current: CategoricalColumn, *, shown: bool) -> tuple[Metric, stats.Shift, Detail]:
    if reference.other:
        return "new_categories", stats.Shift(None), {"reason": "the reference has more categories than are kept"}
    news = [name for name in current.counts if name not in reference.counts]
    rows = sum(current.counts[name] for name in news)
    # What a reference knows is counted by name, so rows beyond the bound are of categories that it does not know.
    rows += current.other
    once = sum(count == 1 for count in reference.counts.values())
    detail: Detail = {"new": len(news)}
    if shown and news:
        detail["categories"] = ", ".join(name[:80] for name in news[:5])
    return "new_categories", stats.news_shift(rows, current.count, reference.count, once), detail


@hookimpl
def register_checks() -> list[type[Check]]:
    """The drift check."""
    return [Drift]
