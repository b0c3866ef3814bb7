"""Measures drift by the definitions of another tool, to match the numbers of that tool.

Does not improve on that tool: there is no interval, no correction for chance, and no minimum number
of rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from driftline import (
    CategoricalColumn,
    Check,
    CheckContext,
    Column,
    Measurement,
    NumericColumn,
    Rule,
    hookimpl,
    stats,
)
from driftline.kit.checks import Sigma, Wording
from driftline.kit.checks.comparison import find_obstacle

Tool = Literal["sagemaker", "vertex", "azure", "evidently", "nannyml"]
Numbers = Callable[[NumericColumn, NumericColumn], float | None]
Counts = Callable[[list[float], list[float]], float | None]
"""A function of the rows of each category, of the reference and of the window."""
FEW_ROWS, FEW_VALUES, BY_VALUE = 1_000, 5, 20
SMALLEST = 0.001
"""The lower bound of a standard deviation that is divided by."""
EXACT = 10_000
"""Rows of a side up to which the p-value of Kolmogorov-Smirnov is exact."""


class ToolMetric(NamedTuple):
    """A metric of a tool, with the tool's default threshold."""

    numeric: Numbers | None
    categorical: Counts | None
    threshold: float | None
    below: bool = False
    """Whether it is a p-value, which means a change when it is below the threshold."""


def _by_value(metric: Counts) -> Numbers:
    """Return the metric on the distinct values, for a column that has few."""
    return lambda ref, cur: metric(*(side.tolist() for side in stats.by_value(ref.side, cur.side)))


def _on_bins(
    metric: Counts, edges: Callable[[stats.Side, stats.Side], np.ndarray], values: int = 0
) -> Numbers:
    """Return the metric on bins that both sides share.

    Where the reference has at most `values` distinct values, these take the place of bins.
    """

    def measure(ref: NumericColumn, cur: NumericColumn) -> float | None:
        if np.count_nonzero(ref.counts) <= values:
            return _by_value(metric)(ref, cur)
        shared = edges(ref.side, cur.side)
        return metric(*(stats.histogram(column.side, shared).tolist() for column in (ref, cur)))

    return measure


def _doane(metric: Counts) -> Numbers:
    """Return the metric on Doane's bins of the reference.

    Rows outside of them have a bin of their own.
    """

    def measure(ref: NumericColumn, cur: NumericColumn) -> float | None:
        edges = stats.doane_edges(ref.side)
        return metric(*(stats.with_leftover(column.side, edges).tolist() for column in (ref, cur)))

    return measure


def _wasserstein(ref: NumericColumn, cur: NumericColumn) -> float | None:
    return stats.grid_wasserstein(ref.side, cur.side)


def _per_sd(ddof: int) -> Numbers:
    def measure(ref: NumericColumn, cur: NumericColumn) -> float | None:
        distance, rows = _wasserstein(ref, cur), ref.side.rows
        variance = (ref.variance or 0.0) * ((rows - 1) / rows if not ddof else 1.0)
        return None if distance is None else distance / max(math.sqrt(variance), SMALLEST)

    return measure


def _ks(ref: NumericColumn, cur: NumericColumn) -> float | None:
    distance = stats.grid_ks(ref.side, cur.side)
    return distance[0] if distance else None


def _ks_robust(ref: NumericColumn, cur: NumericColumn) -> float | None:
    distance = _ks(ref, cur)
    return None if distance is None else stats.ks_robust(distance, ref.side.rows, cur.side.rows)


def _ks_p(ref: NumericColumn, cur: NumericColumn) -> float | None:
    distance, n, m = _ks(ref, cur), ref.side.rows, cur.side.rows
    if distance is None:
        return None
    return (
        stats.ks_p_paths(distance, n, m)
        if max(n, m) <= EXACT
        else stats.ks_p_asymptotic(distance, n, m)
    )


def _linf_robust(ref: list[float], cur: list[float]) -> float | None:
    return stats.ks_robust(stats.linf(ref, cur) or 0.0, int(sum(ref)), int(sum(cur)))


def _z_p(ref: list[float], cur: list[float]) -> float | None:
    if len(ref) > 2:
        return None
    test = stats.two_proportion_z(ref[0], sum(ref), cur[0], sum(cur))
    return test[1] if test else None


def _yates_p(ref: list[float], cur: list[float]) -> float | None:
    from scipy.special import chdtrc

    test = stats.yates_chi_square(ref, cur)
    return float(chdtrc(test[1], test[0])) if test else None


def _nats(ref: list[float], cur: list[float]) -> float | None:
    return stats.js_distance(ref, cur, "e")


def _own_histograms(ref_column: NumericColumn, cur_column: NumericColumn) -> float | None:
    """Return the divergence of two columns that each have a histogram of their own.

    Infinite values match nothing. When one side has NaN, the NaN of both sides match nothing
    either.
    """
    strays: list[tuple[int, int]] = [
        (ref_column.infinities, 0),
        (0, cur_column.infinities),
        (ref_column.nans, 0),
        (0, cur_column.nans),
    ]
    ref, cur = ([pair[place] for pair in strays] for place in (0, 1))
    return stats.aligned_divergence(ref_column.side, cur_column.side, strays=(ref, cur))


METRICS: Mapping[Tool, Mapping[str, ToolMetric]] = {
    "sagemaker": {
        "robust": ToolMetric(_ks_robust, _linf_robust, 0.1),
        "simple": ToolMetric(_ks, stats.linf, 0.1),
    },
    "vertex": {
        "jensen_shannon_divergence": ToolMetric(_own_histograms, stats.js_divergence, 0.3),
        "l_infinity": ToolMetric(None, stats.linf, 0.3),
    },
    "azure": {
        "normalized_wasserstein_distance": ToolMetric(_per_sd(1), None, 0.1),
        "jensen_shannon_distance": ToolMetric(
            _on_bins(stats.js_distance, stats.joint_edges), stats.js_distance, 0.1
        ),
        "population_stability_index": ToolMetric(
            _on_bins(stats.laplace_psi, stats.joint_edges), stats.laplace_psi, 0.1
        ),
        "two_sample_kolmogorov_smirnov_test": ToolMetric(_ks_p, None, 0.05, True),
        "pearsons_chi_squared_test": ToolMetric(None, stats.fit_p_value, 0.05, True),
    },
    "evidently": {
        "ks": ToolMetric(_ks_p, None, 0.05, True),
        "chisquare": ToolMetric(_by_value(stats.fit_p_value), stats.fit_p_value, 0.05, True),
        "z": ToolMetric(_by_value(_z_p), _z_p, 0.05, True),
        "wasserstein": ToolMetric(_per_sd(0), None, 0.1),
        "jensenshannon": ToolMetric(_on_bins(_nats, stats.sturges_edges, BY_VALUE), _nats, 0.1),
        "psi": ToolMetric(
            _on_bins(stats.filled_psi, stats.sturges_edges, BY_VALUE), stats.filled_psi, 0.1
        ),
        "kl_div": ToolMetric(
            _on_bins(stats.filled_kl, stats.sturges_edges, BY_VALUE), stats.filled_kl, 0.1
        ),
    },
    "nannyml": {
        "jensen_shannon": ToolMetric(_doane(stats.js_distance), stats.js_distance, None),
        "hellinger": ToolMetric(_doane(stats.hellinger), stats.hellinger, None),
        "kolmogorov_smirnov": ToolMetric(_ks, None, None),
        "wasserstein": ToolMetric(_wasserstein, None, None),
        "l_infinity": ToolMetric(None, stats.linf, None),
        "chi2": ToolMetric(None, _yates_p, 0.05, True),
    },
}


def _usual(tool: Tool, numeric: bool, rows: int, values: int) -> str:
    """Return the metric that the tool uses by default."""
    match tool:
        case "sagemaker":
            return "robust"
        case "vertex":
            return "jensen_shannon_divergence" if numeric else "l_infinity"
        case "azure":
            return "normalized_wasserstein_distance" if numeric else "jensen_shannon_distance"
        case "nannyml":
            return "jensen_shannon"
    if numeric and values > FEW_VALUES:
        return "ks" if rows <= FEW_ROWS else "wasserstein"
    return "jensenshannon" if rows > FEW_ROWS else "chisquare" if values > 2 else "z"


class OtherTool(Check):
    """Measures the distance of each column by the definition of another tool.

    The tools are SageMaker Model Monitor, Vertex AI, Azure ML, Evidently and NannyML. Measurements
    have the names of that tool, and its default thresholds as bounds. A rule replaces such a bound.
    A bound on a p-value is a lower bound. Without `metrics` each column has the metric that the
    tool chooses for it.

    NannyML's limits are the mean and three standard deviations of its first ten chunks. Here the
    rule `sigma` judges its default metric over your windows; give its other metrics the same rule.
    Numbers equal those of the tool when every value stands on the reference's grid, which is so for
    columns of up to 1,500 values. In other columns the values within a cell count as spread evenly,
    which changes a distance by less than the share of the cell.

    | input | answer |
    | --- | --- |
    | no reference, or one without values in the column | no value, with the reason |
    | column absent, or without values | no value, with the reason |
    | column of another kind, or counted on another grid | no value, with the reason |
    | a metric that is not for columns of this kind | nothing |
    | identical data; the same constant on both sides | 0, or a p-value of 1 |
    | more than two values for `z`, one category for `chi2` | no value, with the reason |
    | a category that the reference lacks | a p-value of 0 for a chi-square of fit |
    """

    type = "other_tool"
    cause = "drift"
    default_rules: ClassVar = {"jensen_shannon": Rule(sigma=Sigma(side="above"))}
    wordings: ClassVar = {
        "psi": Wording(noun="PSI"),
        "ks": Wording(noun="KS"),
        "jensen_shannon": Wording(noun="Jensen-Shannon"),
        "wasserstein": Wording(noun="Wasserstein"),
        "chi2": Wording(noun="chi-square"),
        "l_infinity": Wording(noun="largest share change"),
    }

    like: Tool
    """The tool to follow: `sagemaker`, `vertex`, `azure`, `evidently` or `nannyml`."""
    columns: tuple[str, ...] = ()
    """The columns to compare; when empty, all except the label."""
    metrics: tuple[str, ...] = ()
    """The tool's metrics to measure, by the names that the tool uses.

    When empty, each column has the metric that the tool uses by default.
    """
    thresholds: dict[str, float] = Field(default_factory=dict)
    """The threshold of a metric, by its name; the tool's default holds for the others."""

    @model_validator(mode="after")
    def _check_metrics(self) -> OtherTool:
        for name in (*self.metrics, *self.thresholds):
            if name not in METRICS[self.like]:
                raise ValueError(
                    f"{self.like} has no metric {name!r} here; "
                    f"it has {', '.join(METRICS[self.like])}"
                )
        return self

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield each metric of each column."""
        label = ctx.schema.label.name if ctx.schema.label else None
        references = ctx.reference.columns if ctx.reference else {}
        for name in dict.fromkeys(
            self.columns
            or [name for name in {**ctx.current.columns, **references} if name != label]
        ):
            ref, cur = references.get(name), ctx.current.columns.get(name)
            reason = (
                find_obstacle(ref, cur)
                if ref is not None
                else "no reference, or one without this column"
            )
            rows, values = (ref.count, _values(ref, cur)) if ref and cur and not reason else (0, 0)
            numeric = isinstance(ref or cur, NumericColumn)
            for metric in dict.fromkeys(
                self.metrics or (_usual(self.like, numeric, rows, values),)
            ):
                definition = METRICS[self.like][metric]
                if (definition.numeric if numeric else definition.categorical) is None:
                    continue
                value = (
                    None if reason or ref is None or cur is None else _measure(definition, ref, cur)
                )
                threshold = self.thresholds.get(metric, definition.threshold)
                yield Measurement(
                    value,
                    {"column": name},
                    name=metric,
                    rows=cur.count if cur else 0,
                    p_value=value if definition.below else None,
                    reason="" if value is not None else reason or "nothing to compare",
                    detail={"like": self.like},
                    least=threshold if definition.below else None,
                    most=None if definition.below else threshold,
                )


def _values(ref: Column, cur: Column) -> int:
    """Return the number of distinct values of both sides together."""
    if isinstance(ref, NumericColumn) and isinstance(cur, NumericColumn):
        return int(np.count_nonzero(ref.counts + cur.counts))
    return len(_categories(ref, cur)[0])


def _categories(ref_column: Column, cur_column: Column) -> tuple[list[float], list[float]]:
    """Return the rows by category; rows beyond the counted categories make one more category."""
    if not isinstance(ref_column, CategoricalColumn) or not isinstance(
        cur_column, CategoricalColumn
    ):
        return [], []
    names = sorted({**ref_column.counts, **cur_column.counts})
    ref, cur = (
        [float(side.counts.get(name, 0)) for name in names] for side in (ref_column, cur_column)
    )
    return (
        ([*ref, float(ref_column.other)], [*cur, float(cur_column.other)])
        if ref_column.other or cur_column.other
        else (ref, cur)
    )


def _measure(metric: ToolMetric, ref: Column, cur: Column) -> float | None:
    if isinstance(ref, NumericColumn) and isinstance(cur, NumericColumn):
        value = metric.numeric(ref, cur) if metric.numeric else None
    else:
        value = metric.categorical(*_categories(ref, cur)) if metric.categorical else None
    return value if value is None or math.isfinite(value) else None


@hookimpl
def register_checks() -> list[type[Check]]:
    """The check of other tools' definitions."""
    return [OtherTool]
