"""Compares a feature as it was served with the same feature computed offline, row by row.

This is training-serving skew. Does not compare distributions: the `drift` check does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field, model_validator

from driftline import Check, CheckContext, Measurement, NumericColumn, Rule, above, hookimpl, stats
from driftline.kit.checks import ColumnName, Range, expressions


class Skew(Check):
    """Measures how often and how far served values differ from offline values of the same row.

    skew_rate is the share of rows in which the two values differ by more than the tolerance, among
    rows with both values. It has an exact interval (Clopper and Pearson). one_sided_rate is the
    share of all rows in which one of the two is missing. skew_mean is the mean of the served value
    less the offline value, in standard deviations of the served column in the reference, with its
    normal interval. The records hold both values, or the agent pairs requests and responses by id.

    | input | answer |
    | --- | --- |
    | no rows; no row with both values | skew_rate and skew_mean without value, with the reason |
    | a column absent, or all null | one_sided_rate, and nothing to compare |
    | a column not in the schema; a number beside a category | no value, with the reason |
    | categories on both sides | no skew_mean |
    | no reference, or a constant one | skew_mean in standard deviations of the window |
    | a constant window too | no skew_mean, with the reason |
    | one row with both | skew_mean without interval |
    | the same values on both sides | skew_rate 0, skew_mean 0 with the interval 0 to 0 |
    """

    type = "skew"
    cause = "quality"
    main = "skew_rate"
    collectors: ClassVar = frozenset({"expressions", "numeric"})
    default_rules: ClassVar = {
        "skew_rate": above(warning=0.01, critical=0.20),
        "one_sided_rate": above(warning=0.05),
        "skew_mean": Rule(outside=Range(low=-0.25, high=0.25)),
    }
    min_rows = 30

    pairs: dict[expressions.ExpressionColumn, expressions.ExpressionColumn] = Field(
        default_factory=dict
    )
    """The served column, and the column with its offline value: `age: age_offline`."""
    relative: float = Field(default=1e-6, ge=0, allow_inf_nan=False)
    """The largest allowed difference of two numbers, as a share of the larger one."""
    tolerance: dict[ColumnName, float] = Field(default_factory=dict)
    """The largest allowed difference in the unit of the column, by the name of the served column.

    It replaces `relative` for that column.
    """

    @model_validator(mode="after")
    def _of_pairs(self) -> Skew:
        for name, most in self.tolerance.items():
            if name not in self.pairs:
                raise ValueError(f"tolerance: there is no pair of '{name}'")
            if not 0 <= most < float("inf"):
                raise ValueError(f"tolerance: that of '{name}' should be a number from 0 on")
        return self

    def collector_options(self) -> Mapping[str, tuple[str, ...]]:
        """Return three expressions for each pair."""
        return {"expressions": tuple(text for online in self.pairs for text in self._texts(online))}

    def _texts(self, online: str) -> tuple[str, str, str]:
        a, b = expressions.quote_column(online), expressions.quote_column(self.pairs[online])
        most = self.tolerance.get(online)
        agree = (
            f"near({a}, {b}, {self.relative!r})" if most is None else f"abs({a} - {b}) <= {most!r}"
        )
        return agree, f"({a} is null) != ({b} is null)", f"{a} - {b}"

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield two or three measurements for each pair."""
        for online, offline in self.pairs.items():
            labels = {"column": online}
            agree, alone, apart = (
                expressions.tally(ctx.current, text) for text in self._texts(online)
            )
            ref_agreement = expressions.tally(ctx.reference, self._texts(online)[0])
            cur_rows, ref_rows = agree.true + agree.false, ref_agreement.true + ref_agreement.false
            reason = agree.reason or alone.reason or ("" if agree.rows else "no rows")
            no_value_reason = reason or ("" if cur_rows else "no row has both values")
            yield Measurement(
                agree.false / cur_rows if cur_rows else None,
                labels,
                name="skew_rate",
                rows=cur_rows,
                interval=stats.clopper_pearson(agree.false, cur_rows),
                reason=no_value_reason,
                was=ref_agreement.false / ref_rows if ref_rows else None,
                unit="share",
                detail={"offline": offline},
            )
            share = None if reason else alone.true / alone.rows
            interval = None if reason else stats.clopper_pearson(alone.true, alone.rows)
            yield Measurement(
                share,
                labels,
                name="one_sided_rate",
                rows=alone.rows,
                interval=interval,
                reason=reason,
                unit="share",
            )
            if isinstance(ctx.current.columns.get(online), NumericColumn):
                yield _mean(apart, ctx, labels, no_value_reason)


def _mean(
    apart: expressions.Tally, ctx: CheckContext, labels: dict[str, str], reason: str
) -> Measurement:
    name, n = "skew_mean", apart.count
    sides = [
        window.columns.get(labels["column"])
        for window in (ctx.reference, ctx.current)
        if window is not None
    ]
    sd = next((side.sd for side in sides if isinstance(side, NumericColumn) and side.sd), None)
    if apart.mean is None:
        return Measurement(
            None,
            labels,
            name=name,
            rows=n,
            reason=reason or apart.reason or "no row has both values as numbers",
        )
    if not apart.mean and not apart.variance:
        return Measurement(
            0.0,
            labels,
            name=name,
            rows=n,
            interval=(0.0, 0.0),
            unit="sd",
        )
    if sd is None:
        return Measurement(
            None,
            labels,
            name=name,
            rows=n,
            reason="the column does not vary",
        )
    value = apart.mean / sd
    half = None if apart.variance is None else stats.Z95 * (apart.variance / n) ** 0.5 / sd
    if not abs(value) < 1e300 or (half is not None and not half < 1e300):
        return Measurement(
            None,
            labels,
            name=name,
            rows=n,
            reason="too large a number",
        )
    interval = None if half is None else (value - half, value + half)
    return Measurement(
        value,
        labels,
        name=name,
        rows=n,
        interval=interval,
        unit="sd",
        detail={"mean_difference": apart.mean},
    )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The skew check."""
    return [Skew]
