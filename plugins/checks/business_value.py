"""Measures what the decisions of a model are worth, in a currency or any other unit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from driftline import (
    Check,
    CheckContext,
    Measurement,
    hookimpl,
    loss,
    stats,
)
from driftline.kit.checks import Settings, Task, Wording, expressions, label_use, score_metrics


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("should be a finite number")
    return value


Amount = Annotated[float, AfterValidator(_finite)]


Expression = expressions.Expression


class Values(Settings):
    """What each outcome of a binary decision is worth; losses are negative."""

    tp: Amount = 0.0
    """A positive decision that was right."""
    fp: Amount = 0.0
    """A positive decision that was wrong."""
    fn: Amount = 0.0
    """A negative decision that was wrong."""
    tn: Amount = 0.0
    """A negative decision that was right."""


class BusinessValue(Check):
    """Measures what decisions are worth: by a value for each outcome, and by expressions.

    With `values`, value_per_prediction is the mean worth of a labelled prediction, with the
    interval of the multinomial shares, and total_value its sum over the labelled rows. With
    `expressions`, figure_mean is the mean of each over the rows that have it, with Student's
    interval, or the share of rows where a condition holds, with Wilson's; figure_total is the sum,
    or the number of rows. They have the label `figure`. A lasting change of a mean by 5% or more is
    reported, of value_per_prediction only a fall; give another bound with a rule, such as
    `measurement: figure_mean` with `below: {warning: 3.5}`.

    | input | answer |
    | --- | --- |
    | no labels, with `values` | no value, with the reason |
    | a model that is not binary, with `values` | no value, with the reason |
    | a division by zero, a missing value | the row does not count |
    | a column of another kind | no value, with the reason |
    | one row | no interval |
    | fewer than 30 rows | the interval of a mean has at least the spread of the reference |
    """

    type = "business_value"
    cause = "business"
    main = "value_per_prediction"
    collectors: ClassVar = frozenset({"scores", "expressions"})
    default_rules: ClassVar = {
        "value_per_prediction": loss(
            side="below", scale="relative", margins=(0.05, 0.1, 0.2, 0.4), obvious=0.1
        ),
        "figure_mean": loss(
            side="both", scale="relative", margins=(0.05, 0.1, 0.2, 0.4), obvious=0.1
        ),
    }
    min_rows = 30
    wordings: ClassVar = {
        name: Wording(
            noun=noun,
            advice=lambda alert: "Check which decisions changed, and what they are worth.",
        )
        for name, noun in {
            "value_per_prediction": "value per prediction",
            "total_value": "total value",
            "figure_mean": "mean",
            "figure_total": "total",
        }.items()
    }

    values: Values | None = None
    """What each outcome of a binary decision is worth: `{tp: 50, fp: -10, fn: -100, tn: 0}`."""
    expressions: dict[str, Expression] = Field(default_factory=dict)
    """Figures by names of your choice: `revenue: price * quantity`, or `approval: score > 0.5`."""
    unit: str = Field(default="", max_length=20)
    """The currency or unit of all numbers but shares and numbers of rows, such as `EUR`."""

    def collector_options(self) -> Mapping[str, tuple[str, ...]]:
        """Return the expressions."""
        return {"expressions": tuple(self.expressions.values())}

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield two measurements of the outcomes, and two of each expression."""
        if self.values is not None:
            yield from self._measure_outcomes(ctx, self.values)
        for name, text in self.expressions.items():
            yield from self._measure_figure(ctx, name, text)

    def _measure_outcomes(self, ctx: CheckContext, values: Values) -> Iterator[Measurement]:
        reason = (
            "values of outcomes need a model with two classes"
            if ctx.schema.task is not Task.BINARY
            else label_use.unusable_reason(ctx)
            or score_metrics.undecided_reason(ctx.schema, ctx.current.scores)
        )
        amounts = {
            ("1", "1"): values.tp,
            ("0", "1"): values.fp,
            ("1", "0"): values.fn,
            ("0", "0"): values.tn,
        }
        now = stats.outcome_value(ctx.current.scores.confusion, amounts)
        before = None
        if ctx.reference is not None:
            before = stats.outcome_value(ctx.reference.scores.confusion, amounts)
        reason = reason or now.reason
        value = None if reason else now.value
        yield Measurement(
            value,
            name="value_per_prediction",
            rows=now.n,
            interval=None if reason else now.interval,
            was=None if before is None else before.value,
            was_interval=None if before is None else before.interval,
            reason=reason,
            unit=self.unit,
        )
        yield Measurement(
            None if value is None else value * now.n,
            name="total_value",
            rows=now.n,
            reason=reason,
            unit=self.unit,
        )

    def _measure_figure(self, ctx: CheckContext, name: str, text: str) -> Iterator[Measurement]:
        tally = expressions.tally(ctx.current, text)
        now, is_condition = _mean_of(tally), tally.true + tally.false > 0
        before = _mean_of(expressions.tally(ctx.reference, text))
        now = stats.with_usual_spread(now, before)
        labels = {"figure": name}
        yield Measurement(
            now.value,
            labels,
            name="figure_mean",
            rows=now.n,
            interval=now.interval,
            was=before.value,
            was_interval=before.interval,
            reason=now.reason,
            unit="share" if is_condition else self.unit,
        )
        yield Measurement(
            None if now.value is None else now.value * now.n,
            labels,
            name="figure_total",
            rows=now.n,
            reason=now.reason,
            unit="rows" if is_condition else self.unit,
        )


def _mean_of(tally: expressions.Tally) -> stats.Estimate:
    """Return the mean of a calculation, or the share of rows where a condition holds."""
    answers = tally.true + tally.false
    if tally.reason:
        return stats.Estimate(None, reason=tally.reason)
    if answers:
        interval = stats.wilson(tally.true, answers)
        return stats.Estimate(tally.true / answers, interval=interval, n=answers)
    if not tally.count or tally.mean is None:
        return stats.Estimate(None, reason="no row has a result")
    return stats.mean_of_moments(tally.mean, tally.variance, tally.count)


@hookimpl
def register_checks() -> list[type[Check]]:
    """The business_value check."""
    return [BusinessValue]
