"""Finds values outside the range of the reference, or outside limits of your own.

Does not check categories: the drift check reports new ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field, model_validator

from driftline import (
    AlertFact,
    Check,
    CheckContext,
    Measurement,
    NumericColumn,
    above,
    hookimpl,
    stats,
    unusual,
)
from driftline.kit.checks import ColumnName, Settings, Wording, phrasing
from driftline.kit.checks.identifiers import NO_IDENTIFIER, find_identifier

TIMES = 5
"""The factor on the rate that chance puts outside; only what exceeds the product counts."""


class Limits(Settings):
    """The range of a column; values equal to an end are inside, also when rounded to 32 bits."""

    low: float | None = None
    """The smallest allowed value; no limit when absent."""
    high: float | None = None
    """The largest allowed value; no limit when absent."""

    @model_validator(mode="after")
    def _a_range(self) -> Limits:
        if self.low is None and self.high is None:
            raise ValueError("give at least one of low and high")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low is above high")
        return self


def _outside_sentence(alert: AlertFact) -> str:
    ends = (alert.detail.get("low"), alert.detail.get("high"))
    low, high = (phrasing.number(end) if isinstance(end, (int, float)) else "any" for end in ends)
    is_single = ends[0] is not None and ends[0] == ends[1]
    text = f"other than {low}" if is_single else f"outside {low} to {high}"
    return phrasing.share_of_rows(text, alert.value)


def _outside_headline(alert: AlertFact) -> str:
    """Return the share of rows outside, with the usual one where the reference gives the limits."""
    text = _outside_sentence(alert)
    return f"{text} (usually 0%)" if text and alert.was == 0 else text


def _past_outside_sentence(alert: AlertFact) -> str:
    text = _outside_sentence(alert)
    return text and f"it was {text}"


class OutsideRange(Check):
    """Measures the share of values outside the limits of each numeric column.

    outside_rate is the share of finite and infinite values outside; the label is left out. By
    chance alone a share of 2/(M+1) lies outside [min, max] of M reference rows. outside_excess is
    outside_rate less five times that share, at least 0, so its exact interval shows evidence.
    Nothing is subtracted for limits that you set. Infinite values are outside, unless the limits
    are the reference's and it has infinite values itself.

    A column that only rises, such as a row number or a time, is not judged by the reference: rise,
    in its standard deviations, is for information.

    The ends of the reference are edges of the grid, so counts outside it are exact. Limits that you
    set may lie between two edges. The rows between these edges are then unknown: the interval
    covers everything from none of them to all of them, and the value takes half.

    | input | answer |
    | --- | --- |
    | no limits given, and no reference or no values in it | no value, with the reason |
    | column absent, or without values | no value, with the reason |
    | categorical column | nothing; no value, with the reason, when it is configured |
    | constant reference | every other value is outside |
    """

    type = "range"
    cause = "quality"
    main = "outside_rate"
    collectors: ClassVar = frozenset({"numeric"})
    default_rules: ClassVar = {
        "outside_rate": unusual(
            side="above", scale="odds", info=0.5, warning=1.0, obvious=0.1, neutral=None
        ),
        "outside_excess": above(critical=0.5),
    }
    min_rows = 30
    default_for: ClassVar = frozenset()
    default_place = 40
    wordings: ClassVar = {
        "outside_rate": Wording(
            sentence=_outside_sentence, headline=_outside_headline, past=_past_outside_sentence
        ),
        "outside_excess": Wording(
            sentence=_outside_sentence, past=_past_outside_sentence, hides_value=True
        ),
    }

    columns: tuple[str, ...] = ()
    """The columns to check; when empty, every numeric one except the label."""
    limits: dict[ColumnName, Limits] = Field(default_factory=dict)
    """The range of a column, by its name.

    Other columns have the smallest and largest value of the reference.
    """

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield two measurements for each column, and `rise` for one that only rises."""
        label = ctx.schema.label.name if ctx.schema.label else None
        numeric = [column.name for column in ctx.current.numeric() if column.name != label]
        for name in dict.fromkeys(self.columns or [*numeric, *self.limits]):
            labels = {"column": name}
            column = ctx.current.columns.get(name)
            reference = ctx.reference.columns.get(name) if ctx.reference else None
            limits, allowed = self.limits.get(name), 0.0
            if (
                limits is None
                and isinstance(reference, NumericColumn)
                and reference.minimum is not None
            ):
                limits = Limits(low=reference.minimum, high=reference.maximum)
                allowed = TIMES * 2 / (reference.count + 1)
            identifier = NO_IDENTIFIER if name in self.limits else find_identifier(ctx, name)
            if identifier.measurement is not None and identifier.measurement.name == "rise":
                yield identifier.measurement
            reason = identifier.reason if limits else "no reference yet"
            if not isinstance(column, NumericColumn):
                reason = "not a numeric column" if column else "the window has no such column"
            elif not column.count + column.infinities:
                reason = "no values in the window"
            if reason or limits is None or not isinstance(column, NumericColumn):
                yield Measurement(
                    None,
                    labels,
                    name="outside_rate",
                    reason=reason,
                )
                yield Measurement(
                    None,
                    labels,
                    name="outside_excess",
                    reason=reason,
                )
                continue
            infinities_are_normal = (
                name not in self.limits
                and isinstance(reference, NumericColumn)
                and reference.infinities > 0
            )
            show_values = name not in ctx.schema.redact
            yield from _outside(
                column,
                limits,
                allowed,
                labels,
                0 if infinities_are_normal else column.infinities,
                was=None if name in self.limits else 0.0,
                show_values=show_values,
            )


def _outside(
    column: NumericColumn,
    limits: Limits,
    allowed: float,
    labels: dict[str, str],
    infinite: int,
    *,
    was: float | None,
    show_values: bool,
) -> Iterator[Measurement]:
    rows = column.count + column.infinities
    below, above_ = _below(column, limits.low), _above(column, limits.high)
    # Without a grid the same rows may count as below and as above: they count once.
    least, most = (
        below[0] + above_[0] + infinite,
        min(below[1] + above_[1], column.count) + infinite,
    )
    rate = (least + most) / 2 / rows
    low, high = (
        (stats.clopper_pearson(least, rows) or (0.0, 1.0))[0],
        (stats.clopper_pearson(most, rows) or (0.0, 1.0))[1],
    )
    reason = (
        ""
        if least == most
        else "a limit lies between two edges of the grid: the rows between them may be in or out"
    )
    detail: dict[str, str | float | int | None] = {"infinite": infinite}
    if show_values:
        detail |= {
            "low": limits.low,
            "high": limits.high,
            "minimum": column.minimum,
            "maximum": column.maximum,
        }
    yield Measurement(
        rate,
        labels,
        name="outside_rate",
        rows=rows,
        interval=(low, high),
        reason=reason,
        was=was,
        unit="share",
        detail=detail,
    )
    value, ends = max(0.0, rate - allowed), (max(0.0, low - allowed), max(0.0, high - allowed))
    yield Measurement(
        value,
        labels,
        name="outside_excess",
        rows=rows,
        interval=ends,
        reason=reason,
        unit="share",
        detail=detail,
    )


def _below(column: NumericColumn, limit: float | None) -> tuple[int, int]:
    """Return the smallest and the largest possible number of rows below `limit`."""
    if limit is None or column.minimum is None or column.minimum >= limit:
        return 0, 0
    edge = column.edge_of(limit)
    if edge is not None:
        certain = int(column.counts[: 2 * edge + 1].sum())
        return certain, certain
    place = int(np.searchsorted(column.edges, limit))
    certain = int(column.counts[: 2 * place].sum())
    # The limit lies inside a cell. The smallest value is below it, so at least one row is.
    return max(certain, 1), certain + int(column.counts[2 * place])


def _above(column: NumericColumn, limit: float | None) -> tuple[int, int]:
    """Return the smallest and the largest possible number of rows above `limit`."""
    if limit is None or column.maximum is None or column.maximum <= limit:
        return 0, 0
    edge = column.edge_of(limit)
    if edge is not None:
        certain = int(column.counts[2 * edge + 2 :].sum())
        return certain, certain
    place = int(np.searchsorted(column.edges, limit))
    certain = int(column.counts[2 * place + 1 :].sum())
    return max(certain, 1), certain + int(column.counts[2 * place])


@hookimpl
def register_checks() -> list[type[Check]]:
    """The range check."""
    return [OutsideRange]
