"""Measures what the decisions of a model are worth, in a currency or any other unit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from driftline import (
    AlertFact,
    Check,
    CheckContext,
    Measurement,
    hookimpl,
    loss,
    stats,
)
from driftline.kit.checks import (
    Settings,
    Task,
    Wording,
    Worth,
    expressions,
    label_use,
    phrasing,
    plain_words,
    score_metrics,
)


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


def _value_sentence(alert: AlertFact) -> str:
    """Return the fall of the value in its unit: `value per prediction: 1.9 → -5.6 EUR`."""
    now, was = alert.detail.get("amount"), alert.detail.get("amount_was")
    if not isinstance(now, (int, float)) or not isinstance(was, (int, float)):
        return ""
    before, after = (phrasing.number(float(f"{amount:.3g}")) for amount in (was, now))
    unit = alert.detail.get("amount_unit")
    return f"value per prediction: {before} → {after}{f' {unit}' if unit else ''}"


def _value_headline(alert: AlertFact) -> str:
    """Return the fall of the value in its unit: `value per prediction fell from 1.9 to -5.6`."""
    now, was = alert.detail.get("amount"), alert.detail.get("amount_was")
    if not isinstance(now, (int, float)) or not isinstance(was, (int, float)):
        return ""
    before, after = (phrasing.number(float(f"{amount:.3g}")) for amount in (was, now))
    unit = alert.detail.get("amount_unit")
    return plain_words.describe_move(
        "value per prediction", before, f"{after}{f' {unit}' if unit else ''}", rises=now > was
    )


def _value_extent(alert: AlertFact) -> str:
    """Return how much less each prediction is worth than usual."""
    now, was = alert.detail.get("amount", alert.value), alert.detail.get("amount_was", alert.was)
    unit = alert.detail.get("amount_unit") or alert.unit
    if not isinstance(now, (int, float)) or not isinstance(was, (int, float)):
        return ""
    size = phrasing.number(float(f"{abs(now - was):.3g}"))
    word = "less" if now < was else "more"
    return f"each prediction is worth {size}{f' {unit}' if unit else ''} {word} than usual"


class BusinessValue(Check):
    """Measures what decisions are worth: by a value for each outcome, and by expressions.

    With `values`, value_per_prediction is the mean worth of a labelled prediction, with the
    interval of the multinomial shares, and total_value its sum over the labelled rows;
    value_change is the change of the mean against the reference, as a share of the mean size of
    what a prediction gains or loses there: the mean itself may be near 0. With
    `expressions`, figure_mean is the mean of each over the rows that have it, with Student's
    interval, or the share of rows where a condition holds, with Wilson's; figure_total is the sum,
    or the number of rows. They have the label `figure`. A lasting change of figure_mean by 5% or
    more is reported, and a value_change of -0.05 or less; give another bound with a rule, such as
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
        "value_change": loss(side="below", margins=(0.05, 0.1, 0.2, 0.4), obvious=0.1),
        "figure_mean": loss(
            side="both", scale="relative", margins=(0.05, 0.1, 0.2, 0.4), obvious=0.1
        ),
    }
    min_rows = 30
    wordings: ClassVar = {
        name: Wording(
            noun=noun,
            extent=_value_extent if name == "value_per_prediction" else None,
            advice=lambda alert: "Check which decisions changed, and what they are worth.",
        )
        for name, noun in {
            "value_per_prediction": "value per prediction",
            "total_value": "total value",
            "figure_mean": "mean",
            "figure_total": "total",
        }.items()
    } | {
        "value_change": Wording(
            noun="value per prediction",
            sentence=_value_sentence,
            headline=_value_headline,
            extent=_value_extent,
            past=_value_sentence,
            hides_value=True,
            advice=lambda alert: "Check which decisions changed, and what they are worth.",
        )
    }

    values: Values | None = None
    """What each outcome of a binary decision is worth: `{tp: 50, fp: -10, fn: -100, tn: 0}`."""
    expressions: dict[str, Expression] = Field(default_factory=dict)
    """Figures by names of your choice: `revenue: price * quantity`, or `approval: score > 0.5`."""
    unit: str = Field(default="", max_length=20)
    """The currency or unit of all numbers but shares and numbers of rows, such as `EUR`."""
    cost_by: str = ""
    """The expression whose fall is what an incident costs; without it that of `values` is."""

    @model_validator(mode="after")
    def _has_cost_expression(self) -> Self:
        if self.cost_by and self.cost_by not in self.expressions:
            raise ValueError(f"cost_by: there is no expression {self.cost_by!r}")
        return self

    def collector_options(self) -> Mapping[str, tuple[str, ...]]:
        """Return the expressions."""
        return {"expressions": tuple(self.expressions.values())}

    def worth(self) -> Worth | None:
        """Return the figure of `cost_by`, or the value of a prediction."""
        if self.cost_by:
            return Worth("figure_mean", {"figure": self.cost_by})
        return None if self.values is None else Worth("value_per_prediction", {})

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
            now = stats.with_usual_spread(now, before)
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
            detail=_interval_detail(before),
        )
        yield Measurement(
            None if value is None else value * now.n,
            name="total_value",
            rows=now.n,
            reason=reason,
            unit=self.unit,
        )
        size = 0.0
        if ctx.reference is not None:
            size = stats.outcome_size(ctx.reference.scores.confusion, amounts)
        yield self._measure_change(now._replace(reason=reason), before, size)

    def _measure_change(
        self, now: stats.Estimate, before: stats.Estimate | None, size: float
    ) -> Measurement:
        """Return the change of the value, as a share of `size`."""
        reason = now.reason or ("" if before is not None else "there is no reference")
        if not reason and (before is None or before.value is None or not size):
            reason = "the outcomes of the reference have no worth"
        if reason or now.value is None or before is None or before.value is None:
            return Measurement(None, name="value_change", rows=now.n, reason=reason)
        usual = before.value

        def share(interval: tuple[float, float] | None) -> tuple[float, float] | None:
            return interval and ((interval[0] - usual) / size, (interval[1] - usual) / size)

        return Measurement(
            (now.value - usual) / size,
            name="value_change",
            rows=now.n,
            interval=share(now.interval),
            was=0.0,
            was_interval=share(before.interval),
            detail={"amount": now.value, "amount_was": usual, "amount_unit": self.unit},
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
            detail=_interval_detail(before),
        )
        yield Measurement(
            None if now.value is None else now.value * now.n,
            labels,
            name="figure_total",
            rows=now.n,
            reason=now.reason,
            unit="rows" if is_condition else self.unit,
        )


def _interval_detail(usual: stats.Estimate | None) -> dict[str, float]:
    """Return the interval of the reference as the cost of an incident needs it."""
    if usual is None or usual.interval is None:
        return {}
    return {"was_low": usual.interval[0], "was_high": usual.interval[1]}


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
