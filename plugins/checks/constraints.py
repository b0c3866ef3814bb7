"""Judges columns by constraints, each with a threshold of its own.

SageMaker Model Monitor calls such a list `constraints.json`. Does not read files: constraints stand
in the configuration, and `driftline reference import` writes them there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field, StringConstraints

from driftline import (
    AlertFact,
    CategoricalColumn,
    Check,
    CheckContext,
    Column,
    Measurement,
    NumericColumn,
    hookimpl,
    stats,
)
from driftline.kit.checks import Settings, Wording, canonical_value, phrasing

Share = Annotated[float, Field(ge=0, le=1)]
Detail = dict[str, str | float | int | None]
RowCounts = tuple[int, int, int]
"""Rows that surely keep a constraint, rows that may keep it, and all rows that it covers."""
WHOLE = re.compile(r"[+-]?[0-9]+")
NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
FEWEST = 5
"""A category with fewer expected rows is put together with other small ones for chi-square."""
OPEN = "some rows lie between edges of the grid, where they can't be told apart"


class Drift(Settings):
    """How far a column may move from the reference."""

    threshold: Annotated[float, Field(ge=0)] = 0.1
    """The largest allowed distance of a numeric column."""
    method: Literal["robust", "simple"] = "robust"
    """How distances are measured.

    `simple` is the largest difference of the two distribution functions, or of the shares of a
    category. `robust` subtracts what chance adds to it, 1.8 times the root of (n+m)/(nm).
    """
    categorical_threshold: Annotated[float, Field(ge=0)] | None = None
    """The largest allowed distance of a categorical column.

    With `chi_squared` and `robust` it is the smallest allowed p-value. When absent, `threshold`
    holds.
    """
    categorical_method: Literal["linfinity", "chi_squared"] = "linfinity"
    """How categories are compared: by the largest change of a share, or by Pearson's chi-square."""


class Feature(Settings):
    """The constraints of one column; an absent one is not checked."""

    type: Literal["integral", "fractional", "string"] | None = None
    """The type of the values: whole numbers, any numbers, or text that is not a number."""
    completeness: Share | None = None
    """The smallest share of rows with a value."""
    non_negative: bool = False
    """Whether no value may be below 0."""
    domain: tuple[Annotated[str, StringConstraints(strict=True)], ...] | None = None
    """The categories that may occur."""
    data_type_share: Share | None = None
    """The smallest share of values of that type; when absent, the setting of the check holds."""
    domain_share: Share | None = None
    """The smallest share of values in the domain; when absent, the setting of the check holds."""
    drift: Drift | Literal[False] | None = None
    """How far the column may move; `false` turns the comparison off.

    When absent, the setting of the check holds.
    """


def _constraint_sentence(alert: AlertFact) -> str:
    """Return the number beside its own constraint, with enough digits to tell them apart."""
    constraint = alert.detail.get("asked")
    if not isinstance(constraint, str) or alert.value is None:
        return ""
    percent = phrasing.is_share(alert)
    now = f"{100 * alert.value:.6g}%" if percent else phrasing.number(alert.value)
    suffix = f" (was {100 * alert.was:.6g}%)" if percent and alert.was is not None else ""
    noun = phrasing.clean(alert.measurement.replace("_", " "), 60)
    return f"{noun} {now}{suffix}, {phrasing.clean(constraint, 40)} asked"


class Constraints(Check):
    """Checks each column against its constraints: type, completeness, sign, domain, distribution.

    Each constraint gives one measurement, which is judged against that constraint: `changed` when
    the data prove that it is broken, `unsure` when there are too few rows to tell. A constraint of
    100% is broken by one row, and kept when no row breaks it. baseline_drift with `robust` is
    `changed` whenever the distance is above its threshold, and `ok` once its interval lies below
    it. Whole numbers count as fractional too. A column without any value counts as missing, because
    a summary of rows does not tell absent columns from empty ones. extra_columns is the number of
    features that have values but no constraint.

    | input | answer |
    | --- | --- |
    | column absent, or without values | missing_column 1, completeness 0; the others no value |
    | no reference, or no values in its column | no baseline_drift, with the reason |
    | column of another kind than the reference's | no baseline_drift, with the reason |
    | whole numbers or signs between two grid edges | an interval from none of these rows to all |
    | numeric column with a domain; categorical column with a sign | no value, with the reason |
    | fewer than two categories to compare | no baseline_drift by chi-square, with the reason |
    """

    type = "constraints"
    cause = "quality"
    main = "completeness"
    min_rows = 30
    wordings: ClassVar = {
        measurement: Wording(sentence=_constraint_sentence)
        for measurement in (
            "completeness",
            "data_type",
            "non_negative",
            "domain",
            "baseline_drift",
        )
    }

    features: dict[str, Feature] = Field(default_factory=dict)
    """The constraints of each column, by its name."""
    data_type_share: Share = 1.0
    """The smallest share of a column's values that have its type."""
    domain_share: Share = 1.0
    """The smallest share of a column's values that are in its domain."""
    drift: Drift | None = None
    """How far columns may move from the reference; when absent they are not compared."""
    extra_columns: bool = True
    """Whether features without constraints are reported."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the measurements of each column, then the extra columns."""
        for name, feature in self.features.items():
            reference = ctx.reference.columns.get(name) if ctx.reference else None
            pair = _Pair(
                {"column": name}, ctx.current.columns.get(name), reference, ctx.current.rows
            )
            yield from self._of(feature, pair, show_names=name not in ctx.schema.redact)
        if self.extra_columns:
            columns = (
                (name, ctx.current.columns.get(name))
                for name in ctx.schema.features
                if name not in self.features
            )
            extra = [name for name, column in columns if column is not None and _present(column)]
            names = ", ".join(name[:80] for name in extra[:5])
            yield Measurement(
                len(extra),
                name="extra_columns",
                detail={"columns": names} if extra else {},
                most=0,
            )

    def _of(self, feature: Feature, pair: _Pair, *, show_names: bool) -> Iterator[Measurement]:
        column = pair.now
        yield Measurement(
            0 if column and _present(column) else 1,
            pair.labels,
            name="missing_column",
            rows=pair.rows,
            most=0,
        )
        if feature.completeness is not None:
            yield _share(
                "completeness",
                pair,
                count=_complete,
                threshold=feature.completeness,
                detail={},
                absent=(0, 0, pair.rows),
            )
        if feature.type is not None:
            threshold = (
                self.data_type_share if feature.data_type_share is None else feature.data_type_share
            )
            count = {"integral": _whole, "fractional": _number, "string": _text}[feature.type]
            yield _share("data_type", pair, count, threshold, {"type": feature.type})
        if feature.non_negative:
            yield _share("non_negative", pair, _not_below_zero, 1.0, {})
        if feature.domain is not None:
            threshold = self.domain_share if feature.domain_share is None else feature.domain_share
            domain = frozenset(
                category for value in feature.domain if (category := canonical_value(value))
            )
            detail: Detail = {}
            if isinstance(column, CategoricalColumn) and show_names:
                detail["outside"] = (
                    ", ".join([value[:80] for value in column.counts if value not in domain][:5])
                    or None
                )
            yield _share(
                "domain",
                pair,
                lambda current_column: _within(current_column, domain),
                threshold,
                detail,
            )
        drift = self.drift if feature.drift is None else feature.drift
        if drift:
            yield _drift_measurement(drift, pair)


class _Pair(NamedTuple):
    """A column of the window, with the same column of the reference."""

    labels: Mapping[str, str]
    now: Column | None
    ref: Column | None
    rows: int
    """Rows of the window."""


def _share(
    name: str,
    pair: _Pair,
    count: Callable[[Column], RowCounts | str],
    threshold: float,
    detail: Detail,
    absent: RowCounts = (0, 0, 0),
) -> Measurement:
    """Return the share of rows that keep a constraint.

    `absent` is the count for a window without the column.
    """
    detail = {"asked": f"at least {100 * threshold:.6g}%", **detail}
    cur_counts = absent if pair.now is None else count(pair.now)
    before = "" if pair.ref is None else count(pair.ref)
    ref_share = (
        None
        if isinstance(before, str) or not before[2]
        else (before[0] + before[1] / 2) / before[2]
    )
    if isinstance(cur_counts, str) or not cur_counts[2]:
        no_value_reason = cur_counts if isinstance(cur_counts, str) else "no values in the window"
        return Measurement(
            None,
            pair.labels,
            name=name,
            rows=0,
            reason=no_value_reason,
            was=ref_share,
            detail=detail,
            least=threshold,
        )
    sure, maybe, total = cur_counts
    value, interval = (sure + maybe / 2) / total, (1.0, 1.0)
    if sure < total:
        low, high = stats.wilson(sure, total), stats.wilson(sure + maybe, total)
        interval = (low[0] if low else 0.0, high[1] if high else 1.0)
    detail["broken"] = total - sure - maybe
    reason = OPEN if maybe else ""
    return Measurement(
        value,
        pair.labels,
        name=name,
        rows=total,
        interval=interval,
        reason=reason,
        was=ref_share,
        unit="share",
        detail=detail,
        least=threshold,
    )


def _present(column: Column) -> int:
    """Return the rows with a value of any type."""
    return column.rows - column.missing + column.invalid


def _complete(column: Column) -> RowCounts:
    return _present(column), 0, column.rows


def _number(column: Column) -> RowCounts:
    if isinstance(column, NumericColumn):
        numbers = column.count + column.infinities
        return numbers, 0, numbers + column.invalid
    numbers = sum(rows for name, rows in column.counts.items() if NUMBER.fullmatch(name))
    return numbers, column.other, column.count + column.invalid


def _text(column: Column) -> RowCounts:
    if isinstance(column, NumericColumn):
        return column.invalid, 0, column.count + column.infinities + column.invalid
    # True and false are counted as 1 and 0, so these two categories may stand for words.
    words = sum(rows for name, rows in column.counts.items() if not NUMBER.fullmatch(name))
    either = sum(column.counts.get(name, 0) for name in ("0", "1"))
    return words, either + column.other, column.count + column.invalid


def _whole(column: Column) -> RowCounts:
    if isinstance(column, CategoricalColumn):
        whole = sum(rows for name, rows in column.counts.items() if WHOLE.fullmatch(name))
        return whole, column.other, column.count + column.invalid
    total = column.count + column.infinities + column.invalid
    if column.minimum is None or column.maximum is None:
        return 0, 0, total
    edges = column.edges
    sure = int(column.counts[1::2][edges == np.floor(edges)].sum())
    # Values between two edges may be whole only if a whole number lies between the edges.
    after = np.floor(np.concatenate(([np.nextafter(column.minimum, -np.inf)], edges))) + 1
    before = np.concatenate((edges, [np.nextafter(column.maximum, np.inf)]))
    return sure, int(column.counts[0::2][after < before].sum()), total


def _not_below_zero(column: Column) -> RowCounts | str:
    if not isinstance(column, NumericColumn):
        return "not a numeric column"
    total = column.count + column.infinities
    if column.minimum is None or column.minimum >= 0:
        return column.count, column.infinities, total
    place = int(np.searchsorted(column.edges, 0.0))
    exact = place < len(column.edges) and column.edges[place] == 0
    certain, cell = int(column.counts[: 2 * place].sum()), int(column.counts[2 * place])
    # The smallest value is below 0, so at least one row is.
    below = certain + cell if exact else max(certain, 1)
    if column.maximum is not None and column.maximum < 0:
        below = column.count
    maybe = 0 if exact else max(0, certain + cell - below)
    return column.count - below - maybe, maybe + column.infinities, total


def _within(column: Column, domain: frozenset[str]) -> RowCounts | str:
    if not isinstance(column, CategoricalColumn):
        return "a numeric column has no domain: make it categorical in the schema"
    inside = sum(rows for name, rows in column.counts.items() if name in domain)
    return inside, column.other, column.count


def _values(column: Column | None) -> int:
    return (
        0
        if column is None
        else int(column.counts.sum())
        if isinstance(column, NumericColumn)
        else column.count
    )


def _drift_measurement(drift: Drift, pair: _Pair) -> Measurement:
    cur_column, ref_column, robust = pair.now, pair.ref, drift.method == "robust"
    if not _values(ref_column):
        reason = (
            "the reference has no values in this column"
            if ref_column
            else "no reference, or one without this column"
        )
    elif not _values(cur_column):
        reason = "no values in the window"
    elif isinstance(cur_column, NumericColumn) and isinstance(ref_column, NumericColumn):
        if np.array_equal(cur_column.edges, ref_column.edges):
            return _distance(
                stats.ks_shift(ref_column.side, cur_column.side),
                drift.threshold,
                robust,
                pair,
                "KS",
            )
        reason = "counted on another grid than the reference"
    elif isinstance(cur_column, CategoricalColumn) and isinstance(ref_column, CategoricalColumn):
        threshold = (
            drift.threshold if drift.categorical_threshold is None else drift.categorical_threshold
        )
        if drift.categorical_method == "chi_squared":
            return _chi_squared(cur_column, ref_column, threshold, robust, pair)
        if not cur_column.other and not ref_column.other:
            names = list(dict.fromkeys([*ref_column.counts, *cur_column.counts]))
            ref, cur = (
                [side.counts.get(category, 0) for category in names]
                for side in (ref_column, cur_column)
            )
            return _distance(
                stats.linf_shift(ref, cur), threshold, robust, pair, "largest share change"
            )
        reason = "more categories than are kept"
    else:
        cur_kind, ref_kind = (side.kind if side else None for side in (cur_column, ref_column))
        reason = f"{cur_kind} here, {ref_kind} in the reference"
    return Measurement(
        None,
        pair.labels,
        name="baseline_drift",
        rows=_values(cur_column),
        reason=reason,
        most=drift.threshold,
    )


def _distance(
    shift: stats.Shift, threshold: float, robust: bool, pair: _Pair, distance_name: str
) -> Measurement:
    value, interval = shift.value or 0.0, shift.interval or (0.0, 1.0)
    n, m = _values(pair.ref), _values(pair.now)
    detail: Detail = {"asked": f"at most {threshold:g}", "distance": distance_name, "raw": value}
    if robust:
        # The value is already reduced by what chance adds, so it is a lower end itself.
        value = stats.ks_robust(value, n, m) or 0.0
        interval = (value, max(value, interval[1]))
    return Measurement(
        value,
        pair.labels,
        name="baseline_drift",
        rows=m,
        interval=interval,
        detail=detail,
        most=threshold,
    )


def _chi_squared(
    cur: CategoricalColumn, ref: CategoricalColumn, threshold: float, robust: bool, pair: _Pair
) -> Measurement:
    """Test the fit of the categories to the shares of the reference (Pearson's chi-square).

    Categories that the reference lacks are left out. Small ones are put together.
    """
    from scipy.special import chdtrc

    cur_rows, ref_rows = (
        sum(cur.counts.get(name, 0) for name in ref.counts),
        sum(ref.counts.values()),
    )
    cells, small = [], (0.0, 0.0)
    for name, count in ref.counts.items():
        cur_count, expected_count = float(cur.counts.get(name, 0)), count / ref_rows * cur_rows
        if expected_count >= FEWEST:
            cells.append((cur_count, expected_count))
        else:
            small = (small[0] + cur_count, small[1] + expected_count)
    if small[1] > 0:
        cells.append(small)
    if len(cells) < 2:
        reason = "fewer than two categories to compare"
        return Measurement(
            None,
            pair.labels,
            name="baseline_drift",
            rows=cur_rows,
            reason=reason,
            most=threshold,
        )
    statistic = float(sum((o - e) ** 2 / e for o, e in cells))
    p_value = float(chdtrc(len(cells) - 1, statistic))
    statistic_name, direction = (
        ("p-value of chi-square", "least") if robust else ("chi-square", "most")
    )
    detail: Detail = {
        "asked": f"at {direction} {threshold:g}",
        "distance": statistic_name,
        "statistic": statistic,
        "cells": len(cells),
    }
    value, least, most = (p_value, threshold, None) if robust else (statistic, None, threshold)
    return Measurement(
        value,
        pair.labels,
        name="baseline_drift",
        rows=cur_rows,
        p_value=p_value,
        detail=detail,
        least=least,
        most=most,
    )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The constraints check."""
    return [Constraints]
