"""Measures how far the values of each column have moved from the reference.

Does not judge missing values: the `missing` check does. The bins are always those of the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import ClassVar, Literal

from driftline import (
    AlertFact,
    CategoricalColumn,
    Check,
    CheckContext,
    Measurement,
    NumericColumn,
    above,
    hookimpl,
    stats,
    unusual,
)
from driftline.kit.checks import Wording, phrasing
from driftline.kit.checks.category_cells import OTHERS, Cells, count_cells
from driftline.kit.checks.comparison import count_values, find_obstacle
from driftline.kit.checks.identifiers import NO_IDENTIFIER, find_identifier

DriftMetric = Literal[
    "mean_shift",
    "spread",
    "psi",
    "js",
    "hellinger",
    "tvd",
    "ks",
    "wasserstein",
    "cramer_von_mises",
    "energy",
    "linf",
    "chi_square",
    "g_test",
    "category_share",
    "new_categories",
    "vanished_categories",
]
Detail = dict[str, str | float | int | None]
MetricResults = Iterator[tuple[DriftMetric, stats.Shift, Detail, str]]
"""A metric, its number, the facts that explain it, and a reason.

The reason says why there is no number, or what a reader must know about it.
"""

ON_BINS: Mapping[DriftMetric, Callable[..., stats.Shift]] = {
    "psi": stats.psi_shift,
    "js": stats.js_shift,
    "hellinger": stats.hellinger_shift,
    "tvd": stats.tvd_shift,
}
"""Functions of the counts by bin or category, of the reference and of the window."""
ON_GRID: Mapping[DriftMetric, Callable[[stats.Side, stats.Side], stats.Shift]] = {
    "cramer_von_mises": stats.cramer_von_mises_shift,
    "energy": stats.energy_shift,
}
ON_GRIDS: Mapping[DriftMetric, Callable[[stats.SideStack, stats.SideStack], list[stats.Shift]]] = {
    "ks": stats.ks_shifts,
    "wasserstein": stats.wasserstein_shifts,
}
"""Functions of all numeric columns at once."""
TESTS: Mapping[DriftMetric, Callable[..., stats.TableTest | None]] = {
    "chi_square": stats.chi_square,
    "g_test": stats.g_test,
}
NUMERIC: tuple[DriftMetric, ...] = ("mean_shift", "spread", *ON_BINS, *ON_GRIDS, *ON_GRID)
CATEGORICAL: tuple[DriftMetric, ...] = (
    "category_share",
    *ON_BINS,
    "linf",
    *TESTS,
    "new_categories",
    "vanished_categories",
)
UNITS: Mapping[DriftMetric, str] = {
    "mean_shift": "sd",
    "wasserstein": "sd",
    "energy": "√sd",
    "linf": "share",
    "tvd": "share",
    "new_categories": "share",
    "vanished_categories": "share",
}
ROWS_A_CELL, TWO_CATEGORIES = 5, 2
NO_UNIT = "the reference does not vary, so it has no unit for a shift"


def _categories(alert: AlertFact) -> str:
    categories = alert.detail.get("categories")
    return f": {phrasing.clean(categories, 60)}" if categories else ""


def _new_categories_sentence(alert: AlertFact) -> str:
    text = phrasing.share_of_rows("unseen values", alert.value)
    return text + _categories(alert) if text else ""


def _vanished_categories_sentence(alert: AlertFact) -> str:
    if not phrasing.is_share(alert) or not alert.value:
        return ""
    return f"gone: values that {phrasing.share(alert.value)} of rows had{_categories(alert)}"


def _past_new_categories(alert: AlertFact) -> str:
    if not phrasing.is_share(alert) or alert.value is None:
        return ""
    return f"it had unseen values in {phrasing.share(alert.value)} of rows"


def _past_vanished_categories(alert: AlertFact) -> str:
    if not phrasing.is_share(alert) or alert.value is None:
        return ""
    return f"values that {phrasing.share(alert.value)} of rows had were gone"


def _share_sentence(alert: AlertFact) -> str:
    if not phrasing.is_share(alert) or alert.was is None:
        return ""
    was, now = phrasing.share(alert.was), phrasing.share(alert.value or 0.0)
    if alert.state == "resolved":
        return f"{now} of rows now (usually {was})"
    return f"{was} → {now} of rows"


def _past_share_sentence(alert: AlertFact) -> str:
    if not phrasing.is_share(alert) or alert.was is None:
        return ""
    now, usual = phrasing.share(alert.value or 0.0), phrasing.share(alert.was)
    return f"it was in {now} of rows (usually {usual})"


class Drift(Check):
    """Measures distances between window and reference, column by column.

    Prediction and score take part, the label does not.

    mean_shift is the difference of the means, in standard deviations of the reference; it is
    positive when the mean of the window is larger. spread is the logarithm of the standard
    deviation over that of the reference. psi, js and hellinger are reduced by what chance adds to
    them, with 95% intervals by their noncentral chi-square law; `raw` in the detail is the plain
    number that other tools show. js is the distance (the root of the divergence) in base 2. ks,
    wasserstein, energy and tvd have conservative intervals. wasserstein is in robust standard
    deviations of the reference (IQR/1.349, else sd, else 1), energy in the root of these.

    For numeric columns psi, js, hellinger and tvd use 10 quantile bins of the reference; a value
    with a tenth of the rows has a bin of its own. For categorical columns these metrics, linf and
    the tests use the reference's top 50 categories of at least 0.1% each; all others count as one
    category. category_share is the share of rows of each of these, with Wilson's interval; of two
    categories it is that of the rarer one only, and redacted categories are numbered by their
    frequency in the reference. chi_square, g_test and cramer_von_mises are the test statistics.
    new_categories is the share of rows in categories that the reference lacks. vanished_categories
    is the reference's share in categories that the window lacks. Both are reduced by what chance
    explains.

    A column whose values are new all the time, such as an order number or a date, and a numeric
    column that only rises, are not compared. turnover is the share of rows with values that the
    reference lacks, of columns with many values; rise is the mean of a window that lies above the
    whole reference, in its standard deviations. Both are for information.

    | input | answer |
    | --- | --- |
    | no reference, or one without values in the column | no value, with the reason |
    | column absent, all null or not finite in the window | no value, with the reason |
    | column of another kind, or counted on another grid | no value, with the reason |
    | identical data | 0, with the interval 0 to 0 for mean_shift, spread, psi, js and hellinger |
    | constant reference | no mean_shift and no spread, with the reason |
    | the same constant on both sides | the same; 0 for the others |
    | constant or single row in the window | spread without value, with the reason |
    | constant, another constant | psi near its largest, js and ks 1 |
    | one category on both sides | chi_square and g_test without value |
    | fewer than 5 rows a category | psi, js, hellinger and tvd without value |
    | more categories in the reference than are kept | no new_categories; the others of those kept |
    """

    type = "drift"
    cause = "drift"
    main = "psi"
    default_rules: ClassVar = {
        "mean_shift": unusual(info=0.1, warning=0.25, critical=3.0, obvious=0.75, lasting=True),
        "psi": unusual(
            side="above",
            scale="cube_root",
            info=0.02,
            warning=0.1,
            critical=2.0,
            obvious=0.25,
            lasting=True,
        ),
        "spread": unusual(
            info=0.07, warning=0.13, critical=1.0, obvious=0.4, additive=False, weight=0.5
        ),
        "category_share": unusual(
            scale="odds", info=0.2, warning=0.4, critical=3.0, obvious=0.1, neutral=None
        ),
        "new_categories": above(warning=0.01),
    }
    min_rows = 100
    default_for: ClassVar = frozenset()
    default_place = 20
    wordings: ClassVar = {
        "psi": Wording(
            noun="PSI",
            meaning="Population stability index: how far the shares of the values moved in all. "
            "0 is no difference; from 0.25 on it counts as large.",
        ),
        "mean_shift": Wording(
            meaning="How far the mean moved, in standard deviations (sd) of the reference."
        ),
        "spread": Wording(
            meaning="How much wider or narrower the values lie: the logarithm of the standard "
            "deviation over that of the reference, so 0.4 is 1.5 times as wide."
        ),
        "js": Wording(
            noun="Jensen-Shannon",
            meaning="How far the shares of the values moved in all, from 0 for none to 1.",
        ),
        "ks": Wording(
            noun="KS",
            meaning="Kolmogorov-Smirnov distance: the largest difference of the shares of rows up "
            "to some value, from 0 to 1.",
        ),
        "wasserstein": Wording(
            noun="Wasserstein",
            meaning="How far the values would have to move on average to be as in the reference.",
        ),
        "chi_square": Wording(noun="chi-square"),
        "g_test": Wording(noun="G"),
        "tvd": Wording(noun="share of rows moved"),
        "cramer_von_mises": Wording(noun="Cramér-von Mises"),
        "linf": Wording(noun="largest share change"),
        "category_share": Wording(sentence=_share_sentence, past=_past_share_sentence),
        "new_categories": Wording(sentence=_new_categories_sentence, past=_past_new_categories),
        "vanished_categories": Wording(
            sentence=_vanished_categories_sentence, past=_past_vanished_categories
        ),
    }

    columns: tuple[str, ...] = ()
    """The columns to compare; when empty, all except the label."""
    metrics: tuple[DriftMetric, ...] = (
        "mean_shift",
        "spread",
        "psi",
        "js",
        "ks",
        "wasserstein",
        "linf",
        "chi_square",
        "category_share",
        "new_categories",
        "vanished_categories",
    )
    """The metrics to measure; each column gets those that suit its kind."""

    def restrict_to(self, names: frozenset[str]) -> Drift:
        """Return the check with only those of its metrics that are in `names`."""
        return self.model_copy(
            update={"metrics": tuple(metric for metric in self.metrics if metric in names)}
        )

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield every metric of every column."""
        label = ctx.schema.label.name if ctx.schema.label else None
        references = ctx.reference.columns if ctx.reference else {}
        numeric, categorical = (
            tuple(candidate for candidate in kind if candidate in self.metrics)
            for kind in (NUMERIC, CATEGORICAL)
        )
        all_names = [name for name in {**ctx.current.columns, **references} if name != label]
        names = list(dict.fromkeys(self.columns or all_names))
        obstacles = {name: _find_obstacle(ctx, name) for name in names}
        identifiers = {
            name: NO_IDENTIFIER if obstacles[name] else find_identifier(ctx, name) for name in names
        }
        reasons = {name: obstacles[name] or identifiers[name].reason for name in names}
        on_grids = _compare_grids(ctx, [name for name in names if not reasons[name]], numeric)
        for name in names:
            reference, current, show_names = (
                references.get(name),
                ctx.current.columns.get(name),
                name not in ctx.schema.redact,
            )
            measurement, reason = identifiers[name].measurement, reasons[name]
            if measurement is not None:
                yield measurement
            if reason:
                metrics = (
                    categorical if isinstance(reference or current, CategoricalColumn) else numeric
                )
                results: MetricResults = (
                    (metric, stats.Shift(None), {}, reason) for metric in metrics
                )
            elif isinstance(reference, NumericColumn) and isinstance(current, NumericColumn):
                results = _numeric(
                    reference, current, numeric, on_grids[name], show_names=show_names
                )
            elif isinstance(reference, CategoricalColumn) and isinstance(
                current, CategoricalColumn
            ):
                cells = count_cells(reference, current)
                if "category_share" in categorical:
                    yield from _shares(name, cells, show_names=show_names)
                others = tuple(metric for metric in categorical if metric != "category_share")
                results = _categorical(reference, current, cells, others, show_names=show_names)
            labels, rows = {"column": name}, count_values(current) if current else 0
            for metric, shift, detail, no_value_reason in results:
                if shift.value is None:
                    yield Measurement(
                        None,
                        labels,
                        name=metric,
                        rows=rows,
                        reason=no_value_reason or "nothing to compare",
                        detail=detail,
                    )
                else:
                    unit = UNITS.get(metric, "")
                    yield Measurement(
                        shift.value,
                        labels,
                        name=metric,
                        rows=rows,
                        interval=shift.interval,
                        p_value=shift.p_value,
                        reason=no_value_reason,
                        unit=unit,
                        detail=detail,
                    )


def _find_obstacle(ctx: CheckContext, name: str) -> str:
    if ctx.reference is None or not ctx.reference.rows:
        return "no reference yet"
    return find_obstacle(ctx.reference.columns.get(name), ctx.current.columns.get(name))


def _compare_grids(
    ctx: CheckContext, names: Iterable[str], metrics: Iterable[DriftMetric]
) -> Mapping[str, Mapping[DriftMetric, stats.Shift]]:
    """The metrics of ON_GRIDS by numeric column, of columns that can be compared."""
    references = ctx.reference.columns if ctx.reference else {}
    columns = {
        name: (reference.side, current.side)
        for name in names
        if isinstance(reference := references[name], NumericColumn)
        and isinstance(current := ctx.current.columns[name], NumericColumn)
    }
    if not columns:
        return {}
    ref, cur = (stats.SideStack.of(sides) for sides in zip(*columns.values(), strict=True))
    shifts = {metric: ON_GRIDS[metric](ref, cur) for metric in metrics if metric in ON_GRIDS}
    return {
        name: {metric: column[place] for metric, column in shifts.items()}
        for place, name in enumerate(columns)
    }


def _range_name(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "all values"
    if low is None:
        return f"values up to {phrasing.number(high)}"
    if high is None:
        return f"values above {phrasing.number(low)}"
    ends = (phrasing.number(low), phrasing.number(high))
    if ends[0] == ends[1]:
        ends = (f"{low:.6g}", f"{high:.6g}")
    return f"values from {ends[0]} to {ends[1]}"


def _moved_detail(ref: stats.Side, cur: stats.Side) -> Detail:
    """The values whose share changed most, in words, with the share before and now."""
    moved = stats.moved_values(ref, cur)
    if moved is None:
        return {}
    if moved.values:
        *most, last = (phrasing.number(value) for value in moved.values)
        name = f"values {', '.join(most)} and {last}" if most else last
    else:
        name = _range_name(moved.low, moved.high)
    return {
        "moved": name,
        "moved_values": len(moved.values),
        "share_was": moved.share_was,
        "share": moved.share,
    }


def _numeric(
    reference: NumericColumn,
    current: NumericColumn,
    metrics: Iterable[DriftMetric],
    on_grids: Mapping[DriftMetric, stats.Shift],
    *,
    show_names: bool,
) -> MetricResults:
    ref, cur = reference.side, current.side
    means: Detail = {"mean_was": reference.mean, "mean": current.mean} if show_names else {}
    mean_shift, bins = stats.mean_shift(ref, cur), stats.group_counts(cur.counts, ref.cuts)
    detail: Detail = {**means, "shift_sd": mean_shift.value}
    moved = _moved_detail(ref, cur) if show_names and ON_BINS.keys() & set(metrics) else {}
    for metric in metrics:
        if metric == "mean_shift":
            yield metric, mean_shift, detail, "" if reference.variance else NO_UNIT
        elif metric == "spread":
            sds: Detail = {"sd_was": reference.sd, "sd": current.sd} if show_names else {}
            yield (
                metric,
                stats.spread_shift(ref, cur),
                sds,
                NO_UNIT if not reference.variance else _flat(current),
            )
        elif metric in ON_BINS:
            shift = ON_BINS[metric](ref.bins, bins)
            yield metric, shift, {**detail, **moved, "raw": shift.raw, "cells": shift.cells}, ""
        else:
            shift = on_grids[metric] if metric in on_grids else ON_GRID[metric](ref, cur)
            yield metric, shift, {**detail, "raw": shift.raw}, ""


def _flat(column: NumericColumn) -> str:
    return "" if column.variance else "the window does not vary"


def _categorical(
    reference: CategoricalColumn,
    current: CategoricalColumn,
    cells: Cells,
    metrics: Iterable[DriftMetric],
    *,
    show_names: bool,
) -> MetricResults:
    n, m = reference.count, current.count
    names, ref, cur = cells
    needed_rows = ROWS_A_CELL * (len(names) - 1)
    largest = stats.linf_shift(ref, cur)
    detail: Detail = {"share_was": ref[largest.cells] / n, "share": cur[largest.cells] / m}
    if show_names:
        detail["category"] = names[largest.cells][:80]
    few = f"needs {needed_rows} rows, {ROWS_A_CELL} for each category" if m < needed_rows else ""
    for metric in metrics:
        if metric in ON_BINS:
            shift = stats.Shift(None) if few else ON_BINS[metric](ref, cur)
            yield (
                metric,
                shift,
                {} if few else {**detail, "raw": shift.raw, "cells": shift.cells},
                few,
            )
        elif metric == "linf":
            yield metric, largest, detail, ""
        elif metric == "new_categories":
            yield _new_categories(reference, current, show_names=show_names)
        elif metric == "vanished_categories":
            yield _vanished_categories(reference, current, show_names=show_names)
        elif (test := TESTS[metric](ref, cur)) is None:
            yield metric, stats.Shift(None), {}, "only one category"
        else:
            facts: Detail = {**detail, "df": test.df}
            if metric == "chi_square":
                facts["cramers_v"] = stats.cramers_v_of(test, bias_corrected=True)
            rough = (
                "fewer than 1 row expected in a category: the p-value is rough"
                if test.expected < 1
                else ""
            )
            yield metric, stats.Shift(test.statistic, None, test.p_value), facts, rough


def _shares(column: str, cells: Cells, *, show_names: bool) -> Iterator[Measurement]:
    """The share of each cell; of one or two categories the most frequent one is left out.

    Its share is what the others leave.
    """
    n, m = sum(cells.reference), sum(cells.current)
    first = 1 if len(cells.names) <= TWO_CATEGORIES + 1 else 0
    for place in range(first, len(cells.names)):
        name, hits = cells.names[place], cells.current[place]
        if not show_names and name != OTHERS:
            name = f"#{place + 1}"
        yield Measurement(
            hits / m,
            {"column": column, "category": name},
            name="category_share",
            rows=m,
            interval=stats.wilson(hits, m),
            was=cells.reference[place] / n,
            unit="share",
        )


def _new_categories(
    reference: CategoricalColumn, current: CategoricalColumn, *, show_names: bool
) -> tuple[DriftMetric, stats.Shift, Detail, str]:
    if reference.other:
        return (
            "new_categories",
            stats.Shift(None),
            {},
            "the reference has more categories than are kept",
        )
    new_names = [name for name in current.counts if name not in reference.counts]
    rows = sum(current.counts[name] for name in new_names)
    # Categories of the reference are always counted by name, so the rows beyond the bound belong
    # to new ones.
    rows += current.other
    once = list(reference.counts.values()).count(1)
    shift = stats.news_shift(rows, current.count, reference.count, once)
    detail: Detail = {
        "new": len(new_names),
        "raw": shift.raw,
        **_name_detail(new_names, show_names=show_names),
    }
    return "new_categories", shift, detail, ""


def _vanished_categories(
    reference: CategoricalColumn, current: CategoricalColumn, *, show_names: bool
) -> tuple[DriftMetric, stats.Shift, Detail, str]:
    ref_counts = list(reference.counts.values())
    cur_counts = [current.counts.get(name, 0) for name in reference.counts]
    vanished_names = [
        name for name, rows in zip(reference.counts, cur_counts, strict=True) if not rows
    ]
    shift = stats.gone_shift(ref_counts, cur_counts, reference.count, current.count)
    detail: Detail = {
        "gone": len(vanished_names),
        "raw": shift.raw,
        **_name_detail(vanished_names, show_names=show_names),
    }
    return "vanished_categories", shift, detail, ""


def _name_detail(names: list[str], *, show_names: bool) -> Detail:
    return (
        {"categories": ", ".join(name[:80] for name in names[:5])} if show_names and names else {}
    )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The drift check."""
    return [Drift]
