"""Measures plain statistics of columns as series: mean, median, quantiles, spread, sum and shares.

Does not compare with the reference: `drift` does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from driftline import (
    AlertFact,
    Check,
    CheckContext,
    Column,
    Measurement,
    NumericColumn,
    Window,
    hookimpl,
    stats,
    unusual,
)
from driftline.kit.checks import ColumnName, Wording, canonical_value, phrasing, plain_words

Statistic = Literal[
    "mean_value",
    "median_value",
    "sd_value",
    "min_value",
    "max_value",
    "sum_value",
    "distinct_count",
]
WIDE_CELL = 0.005
"""Share of rows between two edges above which the grid says too little about a quantile there."""


NOUNS = {
    "mean_value": "mean",
    "median_value": "median",
    "sd_value": "standard deviation",
    "min_value": "smallest value",
    "max_value": "largest value",
    "sum_value": "sum",
    "distinct_count": "distinct values",
    "quantile_value": "quantile",
    "category_share": "share",
}
"""What people call each number."""


def _sentence(alert: AlertFact) -> str:
    """Return the statistic now, and what it was in the reference."""
    quantile, category = (alert.labels.get(name) for name in ("quantile", "category"))
    if not isinstance(alert.value, (int, float)):
        return ""
    if category is not None:
        return phrasing.share_of_rows(f"‘{phrasing.clean(category, 60)}’", alert.value, alert.was)
    noun = f"quantile {quantile}" if quantile else NOUNS[alert.measurement]
    was = f"{phrasing.number(alert.was)} → " if isinstance(alert.was, (int, float)) else ""
    return f"{noun} {was}{phrasing.number(alert.value)}"


def _headline(alert: AlertFact) -> str:
    """Return how the statistic moved, as a sentence."""
    if alert.was is None or alert.value is None or "category" in alert.labels:
        return ""
    quantile = alert.labels.get("quantile")
    noun = f"quantile {quantile}" if quantile else NOUNS[alert.measurement]
    before, after = phrasing.number(alert.was), phrasing.number(alert.value)
    rises = alert.value > alert.was
    verb = "are" if noun == NOUNS["distinct_count"] else "is"
    move = plain_words.describe_move(f"the {noun}", before, after, rises=rises)
    return f"the {noun} {verb} {after}" if before == after else move


class Statistics(Check):
    """Measures plain statistics of columns, window by window.

    Each is judged by its own past: it is changed where the series is unlike what it was. Give a
    statistic a bound of its own with a rule, such as `measurement: median_value` with `above: 500`.
    A quantile has the label `quantile`, the share of a category the label `category`. Median and
    quantiles lie on the grid of the reference. Where the values of a window lie far from that grid,
    they are those of a random sample of its rows, with a wider interval. The label is left out
    unless it is named.

    | input | answer |
    | --- | --- |
    | no rows; a column without values | no value, with the reason |
    | one value | mean, sum and quantiles without interval; no sd_value, with the reason |
    | a column that is absent from the window | no value, with the reason |
    | a category that does not occur | share 0 |
    | a categorical column | distinct_count, and the shares of the named categories |
    | a numeric column with named categories | the share of rows with exactly that value |
    """

    type = "statistics"
    cause = "quality"
    main = "mean_value"
    collectors: ClassVar = frozenset({"numeric", "sample"})
    default_rules: ClassVar = {
        "mean_value": unusual(info=0.0, neutral=None),
        "sum_value": unusual(info=0.0, neutral=None, additive=False),
        "median_value": unusual(info=0.0, neutral=None, additive=False),
        "quantile_value": unusual(info=0.0, neutral=None, additive=False),
        "sd_value": unusual(scale="log", info=0.1, neutral=None, additive=False),
        "distinct_count": unusual(scale="log", info=0.2, neutral=None, additive=False),
        "category_share": unusual(scale="odds", info=0.2, warning=1.0, obvious=0.1, neutral=None),
    }
    min_rows = 30
    wordings: ClassVar = {
        name: Wording(noun=noun, sentence=_sentence, headline=_headline)
        for name, noun in NOUNS.items()
    }

    columns: tuple[ColumnName, ...] = ()
    """The columns to measure; when empty, all except the label."""
    statistics: tuple[Statistic, ...] = (
        "mean_value",
        "median_value",
        "sd_value",
        "min_value",
        "max_value",
        "sum_value",
        "distinct_count",
    )
    """The statistics to measure."""
    quantiles: tuple[float, ...] = ()
    """Further quantiles to measure, each above 0 and below 1: 0.95 is the 95th percentile."""
    categories: dict[ColumnName, tuple[str, ...]] = Field(default_factory=dict)
    """Values whose share of rows is measured, by column: `plan: [free, trial]`."""

    @field_validator("quantiles")
    @classmethod
    def _between_ends(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < q < 1 for q in quantiles):
            raise ValueError("a quantile should be above 0 and below 1")
        return tuple(dict.fromkeys(quantiles))

    @field_validator("categories", mode="before")
    @classmethod
    def _canonical(cls, categories: object) -> object:
        if not isinstance(categories, dict):
            return categories
        return {
            column: tuple(dict.fromkeys(canonical_value(value) for value in values))
            if isinstance(values, (list, tuple))
            else values
            for column, values in categories.items()
        }

    @model_validator(mode="after")
    def _measures(self) -> Statistics:
        if not (self.statistics or self.quantiles or any(self.categories.values())):
            raise ValueError("nothing to measure: give statistics, quantiles or categories")
        return self

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the statistics of each column, then its quantiles and shares."""
        label = ctx.schema.label.name if ctx.schema.label else None
        references = dict(ctx.reference.columns) if ctx.reference else {}
        names = self.columns or [
            name for name in dict(ctx.current.columns) | references if name != label
        ]
        for name in dict.fromkeys([*names, *self.categories]):
            column, reference = ctx.current.columns.get(name), references.get(name)
            if column is None:
                yield Measurement(
                    None,
                    {"column": name},
                    name=self.statistics[0] if self.statistics else "mean_value",
                    reason="the window has no such column",
                )
                continue
            if name in names:
                yield from self._statistics(ctx, name)
            for category in self.categories.get(name, ()):
                yield _share(name, category, column, reference)

    def _statistics(self, ctx: CheckContext, name: str) -> Iterator[Measurement]:
        labels, column = {"column": name}, ctx.current.columns[name]
        reference = ctx.reference.columns.get(name) if ctx.reference else None
        sample, ref_sample = _sample(ctx.current, name), _sample(ctx.reference, name)
        for statistic in dict.fromkeys(self.statistics):
            has_kind = isinstance(column, NumericColumn) != (statistic == "distinct_count")
            if not has_kind and name not in self.columns:
                continue
            value, interval, reason = _statistic(column, statistic, sample)
            yield Measurement(
                value,
                labels,
                name=statistic,
                rows=column.count,
                interval=interval,
                reason=reason,
                was=None if reference is None else _statistic(reference, statistic, ref_sample)[0],
            )
        if not isinstance(column, NumericColumn):
            return
        for q in self.quantiles:
            value, interval, reason = _quantile(column, q, sample)
            yield Measurement(
                value,
                labels | {"quantile": str(q)},
                name="quantile_value",
                rows=column.count,
                interval=interval,
                reason=reason,
                was=None if reference is None else _quantile(reference, q, ref_sample)[0],
            )


def _sample(window: Window | None, name: str) -> Sequence[object]:
    """Return the sampled values of a column; empty without a sample."""
    values: Sequence[object] = window.summaries.get("sample", {}).get(name, ()) if window else ()
    return values


Value = tuple[float | None, tuple[float, float] | None, str]


def _statistic(column: Column, statistic: Statistic, sample: Sequence[object]) -> Value:
    """Return the value, its interval, and the reason where there is no value."""
    if not column.count:
        return None, None, "no rows" if not column.rows else "the column has no values"
    if not isinstance(column, NumericColumn):
        if statistic != "distinct_count":
            return None, None, "the column is categorical"
        return float(column.distinct), None, ""
    n, mean, sd = column.count, column.mean, column.sd
    if statistic == "median_value":
        return _quantile(column, 0.5, sample)
    if statistic in ("min_value", "max_value"):
        return column.minimum if statistic == "min_value" else column.maximum, None, ""
    if statistic == "distinct_count":
        return None, None, "distinct values of a numeric column are not counted"
    if statistic == "sd_value":
        if sd is None:
            return None, None, "one value"
        error = math.sqrt(1 / (2 * (n - 1)))
        return sd, (sd * math.exp(-stats.Z95 * error), sd * math.exp(stats.Z95 * error)), ""
    assert mean is not None
    factor = n if statistic == "sum_value" else 1
    half = stats.Z95 * sd / math.sqrt(n) * factor if sd is not None else None
    value = mean * factor
    return value, None if half is None else (value - half, value + half), ""


def _quantile(column: Column, q: float, sample: Sequence[object]) -> Value:
    """Return the quantile and an interval that the ranks of its rows give."""
    if not isinstance(column, NumericColumn) or not column.count:
        return None, None, "the column has no values"
    cumulative = np.cumsum(column.counts)
    cell = int(np.searchsorted(cumulative, q * column.count - 1e-9))
    is_open = cell % 2 == 0
    if is_open and column.counts[cell] > max(1, WIDE_CELL * column.count):
        values = [float(value) for value in sample if isinstance(value, (int, float))]
        estimate = stats.quantile_estimate(values, q)
        if estimate.value is None:
            return None, None, "the values lie beyond the grid of the reference"
        return estimate.value, estimate.interval, ""
    value = column.quantile(q)
    if column.count < 2 or value is None:
        return value, None, ""
    half = stats.Z95 * math.sqrt(q * (1 - q) / column.count)
    low, high = (column.quantile(min(1.0, max(0.0, end))) for end in (q - half, q + half))
    if low is None or high is None:
        return value, None, ""
    return value, (min(low, value), max(high, value)), ""


def _share(name: str, category: str, column: Column, reference: Column | None) -> Measurement:
    """Return the share of rows of one value among those with a value."""
    hits = _rows_with(column, category)
    was = None if reference is None or not reference.count else _rows_with(reference, category)
    return Measurement(
        None if hits is None or not column.count else hits / column.count,
        {"column": name, "category": category},
        name="category_share",
        rows=column.count,
        interval=None if hits is None else stats.wilson(hits, column.count),
        reason="the value is no edge of the grid" if hits is None else "no values",
        was=None if was is None or reference is None else was / reference.count,
        unit="share",
    )


def _rows_with(column: Column, category: str) -> int | None:
    """Return the rows that hold the value; None where a numeric column can't tell."""
    if not isinstance(column, NumericColumn):
        return int(column.counts.get(category, 0))
    try:
        edge = column.edge_of(float(category))
    except ValueError:
        return 0
    return None if edge is None else int(column.counts[2 * edge + 1])


@hookimpl
def register_checks() -> list[type[Check]]:
    """The statistics check."""
    return [Statistics]
