"""Rules: they turn a measurement into one of the four verdicts.

A rule sees one measurement and the number of its rows. Does not know where a number comes from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal

from pydantic import Field, model_validator

from driftline.contracts.classic_rules import ControlChart, Cusum, Ewma, PValue, Shewhart, Sigma
from driftline.contracts.loss import Loss, LossScale, Z
from driftline.types.model import OK, Bound, BoundSide, Judgement, Measurement, Severity, Verdict
from driftline.types.settings import Settings


class Bounds(Settings):
    """A bound for each severity; the most severe bound that is crossed counts."""

    info: float | None = None
    """The bound for `info`."""
    warning: float | None = None
    """The bound for `warning`."""
    critical: float | None = None
    """The bound for `critical`."""

    @model_validator(mode="after")
    def _not_empty(self) -> Bounds:
        if self.info is None and self.warning is None and self.critical is None:
            raise ValueError("give at least one of info, warning, critical")
        return self

    def by_severity(self) -> list[tuple[Severity, float]]:
        """The bounds that are set, most severe first."""
        pairs = [
            (Severity.CRITICAL, self.critical),
            (Severity.WARNING, self.warning),
            (Severity.INFO, self.info),
        ]
        return [(severity, bound) for severity, bound in pairs if bound is not None]


class Range(Settings):
    """The range that is fine; a value beyond either end is a change."""

    low: float | None = None
    """The lowest value that is fine."""
    high: float | None = None
    """The highest value that is fine."""
    severity: Severity = Severity.WARNING
    """How much a value outside matters."""

    def holds(self, value: float) -> bool:
        """Whether `value` is within."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


Scale = Literal["plain", "log", "logit", "odds", "root", "cube_root"]


class Unusual(Settings):
    """`changed` when the series of a measurement is unlike its own past.

    Evidence adds up over windows; no bound is needed. How often the rule is wrong while nothing
    changes is the model's `false_pages_per_year`, over all its checks and columns together. The
    check gives the settings that are absent here.
    """

    side: Literal["above", "below", "both"] = "both"
    """Which changes count: to larger values, to smaller ones, or both."""
    scale: Scale = "plain"
    """The scale on which the number spreads evenly.

    `cube_root` for distances, `logit` and `odds` for shares, `log` for sizes. With `odds` the sizes
    of a change are relative: 0.2 is a change of the odds by 20%, such as 10% to 11.8%.
    """
    info: float | None = Field(default=None, ge=0)
    """A change of this size is an `info`; smaller ones do not count."""
    warning: float | None = Field(default=None, ge=0)
    """A change of this size is a `warning`."""
    critical: float | None = Field(default=None, ge=0)
    """A change of this size is `critical`.

    With the scale `odds` it is one only if the share also moved by `obvious`.
    """
    obvious: float | None = Field(default=None, ge=0)
    """The distance that is a change if two windows in a row exceed it.

    It is the distance from the reference while the past is too short to show what is usual, then
    that from what is usual. Windows shorter than a day are first compared as whole days. With the
    scale `odds` it is in shares: 0.1 is 10 points.
    """
    neutral: float | None = 0.0
    """The value where window and reference agree.

    Null: the value of the reference.
    """
    lasting: bool = False
    """Whether a usual level farther than `obvious` from the reference is a change too.

    It has no effect with the scale `odds`.
    """
    additive: bool = True
    """Whether the number of a day is the mean of the numbers of its windows.

    Where it is not, windows shorter than a day are not compared with the reference.
    """
    weight: float = Field(default=1.0, gt=0)
    """The share of the budget, relative to other measurements of its kind.

    Twice the weight needs half the evidence. The measurements of one column divide the share of the
    column.
    """
    method: Literal["shiryaev_roberts", "cusum"] = "shiryaev_roberts"
    """How evidence adds up.

    `cusum` forgets old evidence: it has fewer false alarms, and finds a change about a window
    later.
    """

    @cached_property
    def tolerance(self) -> float:
        """The smallest change that matters."""
        return min(
            (size for size in (self.info, self.warning, self.critical) if size is not None),
            default=0.0,
        )

    def severity(self, size: float) -> Severity:
        """How much a change of `size` matters."""
        steps = (
            (Severity.CRITICAL, self.critical),
            (Severity.WARNING, self.warning),
            (Severity.INFO, self.info),
        )
        sizes = [(severity, least) for severity, least in steps if least is not None]
        lowest = sizes[-1][0] if sizes else Severity.WARNING
        return next((severity for severity, least in sizes if size >= least), lowest)

    def override(self, settings: Unusual) -> Unusual:
        """Return these settings, replaced by those that `settings` sets."""
        # A copy would keep the tolerance of these settings.
        sources = {
            **dict.fromkeys(self.model_fields_set, self),
            **dict.fromkeys(settings.model_fields_set, settings),
        }
        return Unusual(**{name: getattr(source, name) for name, source in sources.items()})

    def judge_without_past(self, measurement: Measurement) -> Judgement:
        """Judge one window without a past.

        The verdict is `changed` if the measurement is surely beyond `obvious`, `ok` if it is surely
        within `warning`, or half of `obvious` with the scale `odds`, and `unsure` otherwise.
        """
        assert measurement.value is not None
        neutral = measurement.was if self.neutral is None else self.neutral
        if neutral is None:
            return Judgement(verdict=Verdict.UNSURE, reason="no past yet to tell what is usual")
        value = measurement.value - neutral
        low, high = (
            (value, value)
            if measurement.interval is None
            else (end - neutral for end in measurement.interval)
        )
        out = {"above": low, "below": -high, "both": max(low, -high)}[self.side]
        most = {"above": high, "below": -low, "both": max(high, -low)}[self.side]
        if self.obvious is not None and out > self.obvious:
            side = BoundSide.ABOVE if low > 0 else BoundSide.BELOW
            bound = Bound(side, neutral + math.copysign(self.obvious, low))
            return Judgement.change(Severity.WARNING, bound)
        enough = self.tolerance if self.warning is None else self.warning
        if self.scale == "odds":
            enough = (self.obvious or 0.0) / 2
        if 0 < enough >= most or low == high == 0:
            return OK
        within = self.obvious is None or most <= self.obvious or value <= self.obvious
        return Judgement(
            verdict=Verdict.UNSURE,
            reason="no past yet to tell what is usual",
            is_within_bounds=within,
        )


EarlierValues = Callable[[int], Sequence[float]]
RULE_KINDS = (
    "unusual",
    "loss",
    "above",
    "below",
    "outside",
    "p_value",
    "shewhart",
    "sigma",
    "ewma",
    "cusum",
)


class Rule(Settings):
    """Judges a measurement in exactly one way: by a bound, its past, its loss or a classic rule.

    If the measurement has an interval, the interval decides: wholly beyond the bound is `changed`,
    wholly within is `ok`, across it is `unsure`. Without an interval the value decides. An alert
    opens only with proof; it ends when a value is within the bounds.
    """

    unusual: Unusual | None = None
    """`changed` when the measurement is unlike its own past; `{}` takes all settings of the check.
    """
    loss: Loss | None = None
    """`changed` when a metric is lastingly worse than in the reference; `{}` takes all settings of
    the check.
    """
    above: Bounds | None = None
    """`changed` when the measurement is above the bound."""
    below: Bounds | None = None
    """`changed` when the measurement is below the bound."""
    outside: Range | None = None
    """`changed` when the measurement lies outside the range."""
    p_value: PValue | None = None
    """`changed` when the p-value is too small, with all columns of a window taken together."""
    shewhart: Shewhart | None = None
    """`changed` when the measurement lies outside the prediction limits of earlier windows."""
    sigma: Sigma | None = None
    """`changed` when it lies too many standard deviations from the mean of the first windows."""
    ewma: Ewma | None = None
    """`changed` when its exponentially weighted mean leaves its limits."""
    cusum: Cusum | None = None
    """`changed` when what it lies off the usual adds up to too much."""
    measurement: str | None = None
    """Which measurement of the check is judged; the check's main one when absent."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Rule:
        if sum(getattr(self, name) is not None for name in RULE_KINDS) != 1:
            raise ValueError(f"give exactly one of {', '.join(RULE_KINDS)}")
        return self

    @property
    def past_kind(self) -> Literal["unusual", "loss"] | None:
        """The kind of this rule, if it judges a window together with earlier ones."""
        if self.unusual is not None:
            return "unusual"
        return None if self.loss is None else "loss"

    @property
    def chart(self) -> ControlChart | None:
        """The control chart of this rule, if it has one."""
        return self.shewhart or self.sigma or self.ewma or self.cusum

    def judge(
        self,
        measurement: Measurement,
        rows: int,
        min_rows: int,
        past: EarlierValues = lambda count: (),
    ) -> Judgement:
        """Judge `measurement`, which rests on `rows` rows.

        With fewer than `min_rows` rows the verdict is `unsure`. `past(count)` returns the newest
        `count` earlier values, oldest first: charts need them. A p-value is judged alone, without
        correction.
        """
        if measurement.value is None:
            return Judgement(verdict=Verdict.UNSURE, reason=measurement.reason or "no value")
        if rows < min_rows:
            return Judgement(
                verdict=Verdict.UNSURE,
                reason=f"{min_rows - rows} more rows are needed: {rows} of {min_rows}",
            )
        if self.unusual is not None:
            return self.unusual.judge_without_past(measurement)
        if self.loss is not None:
            return self.loss.judge_without_past(measurement)
        if self.p_value is not None:
            return self.p_value.judge([measurement.p_value])[0]
        if self.chart is not None:
            return self.chart.judge(past(self.chart.reach), measurement.value)
        value = measurement.value
        low, high = measurement.interval or (value, value)
        if self.above is not None:
            return _judge(BoundSide.ABOVE, self.above.by_severity(), low, value, high)
        if self.below is not None:
            return _judge(
                BoundSide.BELOW,
                [(severity, -bound) for severity, bound in self.below.by_severity()],
                -high,
                -value,
                -low,
            )
        return self._judge_outside(low, value, high)

    def smallest_detectable(self, measurement: Measurement, rows: int) -> float | None:
        """Return the smallest value that would surely have been `changed` with as many rows.

        None if the rule has no bound that only a whole interval crosses. A bound is crossed when
        the whole interval is beyond it. The half of the interval towards the bound is not wider for
        a smaller change, except for shares above a half: a share `b` has a half of at least 1.96
        sqrt(b(1-b)/n), which is where Wilson's interval crosses the bound.
        """
        value, span = measurement.value, measurement.interval
        if value is None or span is None or rows < 1:
            return None

        def arm(bound: float, far: float) -> float:
            share = 0 < bound < 1 and all(-1 <= end <= 1 for end in span)
            return max(far, Z * math.sqrt(bound * (1 - bound) / rows)) if share else far

        upper, lower = self._bounds()
        above = [bound + arm(bound, value - span[0]) for bound in upper if bound < value]
        below = [bound - arm(bound, span[1] - value) for bound in lower if bound > value]
        return min(above) if above else max(below) if below else None

    def _bounds(self) -> tuple[list[float], list[float]]:
        """Return the upper bounds and the lower bounds; beyond each of them is a change."""
        if self.unusual is not None and self.unusual.obvious is not None:
            side, neutral = self.unusual.side, self.unusual.neutral
            if neutral is None:
                return [], []
            high, low = neutral + self.unusual.obvious, neutral - self.unusual.obvious
            return [high] if side != "below" else [], [low] if side != "above" else []
        if self.outside is not None:
            ends = [self.outside.high], [self.outside.low]
            upper, lower = ([end for end in pair if end is not None] for pair in ends)
            return upper, lower
        upper, lower = (
            [] if bounds is None else [bound for _, bound in bounds.by_severity()]
            for bounds in (self.above, self.below)
        )
        return upper, lower

    def _judge_outside(self, low: float, value: float, high: float) -> Judgement:
        assert self.outside is not None
        span = self.outside
        if span.high is not None and low > span.high:
            return Judgement.change(span.severity, Bound(BoundSide.ABOVE, span.high))
        if span.low is not None and high < span.low:
            return Judgement.change(span.severity, Bound(BoundSide.BELOW, span.low))
        if span.holds(low) and span.holds(high):
            return OK
        return Judgement(
            verdict=Verdict.UNSURE,
            reason="too few rows to tell whether it is outside",
            is_within_bounds=span.holds(value),
        )


def _judge(
    side: BoundSide,
    bounds: list[tuple[Severity, float]],
    low: float,
    value: float,
    high: float,
) -> Judgement:
    sign = 1 if side is BoundSide.ABOVE else -1
    for severity, bound in bounds:
        if low > bound:
            return Judgement.change(severity, Bound(side, sign * bound))
    least = min(bound for _, bound in bounds)
    if high <= least:
        return OK
    unsure = f"too few rows to tell whether it is {side} {sign * least:g}"
    return Judgement(verdict=Verdict.UNSURE, reason=unsure, is_within_bounds=value <= least)


def above(
    *, info: float | None = None, warning: float | None = None, critical: float | None = None
) -> Rule:
    """Return a rule for checks to declare: `changed` above these bounds."""
    return Rule(above=Bounds(info=info, warning=warning, critical=critical))


def below(
    *, info: float | None = None, warning: float | None = None, critical: float | None = None
) -> Rule:
    """Return a rule for checks to declare: `changed` below these bounds."""
    return Rule(below=Bounds(info=info, warning=warning, critical=critical))


def unusual(
    *,
    side: Literal["above", "below", "both"] = "both",
    scale: Scale = "plain",
    info: float | None = None,
    warning: float | None = None,
    critical: float | None = None,
    obvious: float | None = None,
    neutral: float | None = 0.0,
    lasting: bool = False,
    additive: bool = True,
    weight: float = 1.0,
) -> Rule:
    """Return a rule for checks to declare: `changed` when the series is unlike its own past.

    `info`, `warning` and `critical` are the sizes of a change that matter.
    """
    sizes = {"info": info, "warning": warning, "critical": critical, "obvious": obvious}
    return Rule(
        unusual=Unusual(
            side=side,
            scale=scale,
            neutral=neutral,
            lasting=lasting,
            additive=additive,
            weight=weight,
            **sizes,
        )
    )


def loss(
    *,
    side: Literal["above", "below", "both"] = "below",
    scale: LossScale = "plain",
    margins: tuple[float, ...] = (0.03, 0.05, 0.1, 0.2),
    obvious: float = 0.05,
    warning: float | None = None,
    critical: float | None = None,
    weight: float = 1.0,
    limits: tuple[float, float] | None = None,
) -> Rule:
    """Return a rule for checks to declare: `changed` when a metric is lastingly worse.

    `side` says where worse values lie; `margins` are the sizes of loss that are looked for,
    `weight` is its share of the budget relative to other metrics, and `limits` are the smallest and
    the largest value that it can have.
    """
    return Rule(
        loss=Loss(
            side=side,
            scale=scale,
            margins=margins,
            obvious=obvious,
            warning=warning,
            critical=critical,
            weight=weight,
            limits=limits,
        )
    )
