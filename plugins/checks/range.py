"""Values outside the range that the reference, or the owner, knows.

Refuses categories: what is outside for them is a new category, which the drift check reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

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
from driftline.kit.checks import ColumnName, Wording, phrasing

TIMES = 5
"""How many times the rate that chance alone puts outside may be there."""


class Limits(BaseModel):
    """The range of a column; values equal to an end are inside."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    low: float | None = None
    """The smallest value that is fine; none when absent."""
    high: float | None = None
    """The largest value that is fine; none when absent."""

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
    return phrasing.share_of_rows(f"outside {low} to {high}", alert.value)


class OutsideRange(Check):
    """Share of finite or infinite values outside the limits of each numeric column; the label is
    left out.

    Outside [min, max] of M reference rows lies, by chance alone, a share of 2/(M+1). outside_excess
    is the rate less five times that (nothing, for limits that the owner gave), at least 0, so that
    its exact interval shows evidence. Infinite values are outside, unless the limits are the
    reference's and it has infinite values itself. The ends of the reference are edges of the grid,
    so counts outside it are exact. Limits given may lie between two edges: the rows between those
    two then may be in or out, the interval reaches from none to all of them, and the value takes
    half.

    | input | answer |
    | --- | --- |
    | no limits given, and no reference or no values in it | no value, with the reason |
    | column absent, or without values | no value, with the reason |
    | categorical column | nothing, or no value with the reason when it was asked for |
    | constant reference | every other value is outside |
    """

    type = "range"
    cause = "quality"
    main = "outside_rate"
    collectors: ClassVar = frozenset({"numeric"})
    default_rules: ClassVar = {
        "outside_rate": unusual(side="above", scale="logit", info=0.1, warning=0.2),
        "outside_excess": above(critical=0.5),
    }
    min_rows = 30
    default_for: ClassVar = frozenset()
    default_place = 40
    wordings: ClassVar = {
        "outside_rate": Wording(sentence=_outside_sentence),
        "outside_excess": Wording(sentence=_outside_sentence, hides_value=True),
    }

    columns: tuple[str, ...] = ()
    """Columns to look at; every numeric one but the label when empty."""
    limits: dict[ColumnName, Limits] = Field(default_factory=dict)
    """The range of a column, by its name; the reference's smallest and largest value for the
    others.
    """

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Two measurements for each column."""
        label = ctx.schema.label.name if ctx.schema.label else None
        numeric = [column.name for column in ctx.current.numeric() if column.name != label]
        for name in self.columns or dict.fromkeys([*numeric, *self.limits]):
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
            reason = "" if limits else "no reference yet"
            if not isinstance(column, NumericColumn):
                reason = "not a numeric column" if column else "the window has no such column"
            elif not column.count + column.infinities:
                reason = "no values in the window"
            if reason or limits is None or not isinstance(column, NumericColumn):
                yield Measurement(None, labels, "outside_rate", reason=reason)
                yield Measurement(None, labels, "outside_excess", reason=reason)
                continue
            configured = (
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
                0 if configured else column.infinities,
                show_values=show_values,
            )


def _outside(
    column: NumericColumn,
    limits: Limits,
    allowed: float,
    labels: dict[str, str],
    infinite: int,
    *,
    show_values: bool,
) -> Iterator[Measurement]:
    rows = column.count + column.infinities
    below, above_ = _below(column, limits.low), _above(column, limits.high)
    # Without a grid the same rows may lie on either side: they count once.
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
        rate, labels, "outside_rate", rows, (low, high), None, reason, unit="share", detail=detail
    )
    value, ends = max(0.0, rate - allowed), (max(0.0, low - allowed), max(0.0, high - allowed))
    yield Measurement(
        value, labels, "outside_excess", rows, ends, None, reason, unit="share", detail=detail
    )


def _below(column: NumericColumn, limit: float | None) -> tuple[int, int]:
    """The rows below `limit`: at least, at most."""
    if limit is None or column.minimum is None or column.minimum >= limit:
        return 0, 0
    place = int(np.searchsorted(column.edges, limit))
    certain = int(column.counts[: 2 * place].sum())
    if place < len(column.edges) and column.edges[place] == limit:
        return certain + int(column.counts[2 * place]), certain + int(column.counts[2 * place])
    # The limit splits an open cell; the smallest value is below it, wherever it was counted.
    return max(certain, 1), certain + int(column.counts[2 * place])


def _above(column: NumericColumn, limit: float | None) -> tuple[int, int]:
    """The rows above `limit`: at least, at most."""
    if limit is None or column.maximum is None or column.maximum <= limit:
        return 0, 0
    place = int(np.searchsorted(column.edges, limit))
    if place < len(column.edges) and column.edges[place] == limit:
        certain = int(column.counts[2 * place + 2 :].sum())
        return certain, certain
    certain = int(column.counts[2 * place + 1 :].sum())
    return max(certain, 1), certain + int(column.counts[2 * place])


@hookimpl
def register_checks() -> list[type[Check]]:
    """The range check."""
    return [OutsideRange]
