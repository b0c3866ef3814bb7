"""The classic rules: p-values with a correction, and control charts over windows.

Each states how often it is wrong while nothing changes. Each series counts by itself. The rule
`unusual` counts all series together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from driftline.types.model import OK, Bound, BoundSide, Judgement, Severity, Verdict
from driftline.types.phrasing import number
from driftline.types.settings import Settings

if TYPE_CHECKING:
    from driftline.types.arrays import Floats

Side = Literal["above", "below", "both"]
Correction = Literal["holm", "bh", "by", "simes"]
MAX_RUN = 100
"""The most windows after the baseline that a chart looks at.

A lasting change is no part of the baseline for so many windows.
"""
NAMES: Mapping[Correction, str] = {
    "holm": "Holm",
    "bh": "Benjamini-Hochberg",
    "by": "Benjamini-Yekutieli",
    "simes": "Simes",
}
FLAT = 1e-13
"""A spread below this share of the values is rounding error."""
FAR = 1e9
"""Deviations are cut to so many standard deviations."""


class PValue(Settings):
    """`changed` when a p-value is too small for chance.

    The p-values of all columns of a check in one window are corrected together. P-values assume
    that rows are independent, and count any difference between windows as a change: with many rows
    in a window, expect more false alarms than stated. `unusual` compares windows with windows
    instead.
    """

    level: float = Field(default=0.01, gt=0, lt=1)
    """How often a window in which nothing changed has a false alarm in any of its columns."""
    budget: float | None = Field(default=None, gt=0, le=1)
    """The share of the model's `false_pages_per_year` that replaces `level`, where windows have one
    length.
    """
    correction: Correction = "holm"
    """How the columns share the level.

    `holm` always holds the level. `bh` bounds the share of false alarms among the columns named,
    and finds more; it holds where columns move together or are independent. `by` bounds the same
    share always. `simes` tests whether anything changed, and names the likeliest column.
    """
    severity: Severity = Severity.WARNING
    """How much a change matters."""

    @property
    def rate(self) -> float:
        """False alarms per window, all columns together."""
        return self.level

    def promise(self, windows: float) -> str:
        """Return the false alarms of a year with so many windows, in words."""
        return (
            f"{format_rate(self.rate, windows)}, all columns of a check together, rows independent"
        )

    def with_budget(self, windows: float, false_pages: float) -> PValue:
        """This rule with the level of its budget.

        `windows` is the number of windows of a year, `false_pages` that of accepted false alarms.
        """
        if self.budget is None:
            return self
        return self.model_copy(update={"level": min(self.budget * false_pages / windows, 0.5)})

    def judge(self, p_values: Sequence[float | None]) -> list[Judgement]:
        """Judge the measurements of one name in one window.

        Those without a p-value are unsure.
        """
        numbers = [p for p in p_values if p is not None]
        rejections = iter(self._rejections(numbers))
        return [
            Judgement(verdict=Verdict.UNSURE, reason="no p-value")
            if p is None
            else Judgement(
                verdict=Verdict.CHANGED,
                severity=self.severity,
                reason=self._reason(p, len(numbers)),
            )
            if next(rejections)
            else OK
            for p in p_values
        ]

    def _rejections(self, p: Sequence[float]) -> Sequence[bool]:
        from driftline import stats

        if self.correction == "simes":
            together = stats.simes(p)
            return [
                together is not None and together <= self.level and value == min(p) for value in p
            ]
        adjust = {"holm": stats.holm, "bh": stats.bh, "by": stats.by}[self.correction]
        return [bool(value <= self.level) for value in adjust(p)]

    def _reason(self, p: float, tests: int) -> str:
        size = "below 1e-6" if p < 1e-6 else number(p)
        among = "" if tests == 1 else f" ({NAMES[self.correction]} over {tests})"
        return f"p {size}{among}, level {self.level:.2g}"


class ControlChart(Settings, ABC):
    """A control chart: a baseline that shows what is usual, and limits around it."""

    windows: int = Field(default=30, ge=3)
    """How many windows form the baseline: the first ones of the series.

    Of a longer past, it is the oldest ones of the newest `windows` + 100.
    """
    side: Side = "both"
    """Which changes count: to larger values, to smaller ones, or both."""
    severity: Severity = Severity.WARNING
    """How much a change matters."""

    limits_values: ClassVar[bool] = True
    """Whether the limit is one of the measurement itself, not one of a sum."""

    @property
    def reach(self) -> int:
        """The most earlier values of a series that it looks at."""
        return self.windows + MAX_RUN

    @property
    def rate(self) -> float:
        """False alarms per window of a series, averaged over baselines.

        It includes the error of the baseline's mean and spread.
        """
        return self._rate() / (1 if self.side == "both" else 2)

    def promise(self, windows: float) -> str:
        """Return the false alarms of a year with so many windows, in words."""
        return f"{format_rate(self.rate, windows)}, for each series, windows independent and normal"

    def judge(self, past: Sequence[float], value: float) -> Judgement:
        """Judge `value`, which follows the values of `past`, oldest first."""
        import numpy as np

        from driftline.stats.basics.sample import finite

        baseline = finite(past[: self.windows])
        if len(baseline) < self.windows:
            return Judgement(
                verdict=Verdict.UNSURE,
                reason=(
                    f"{self.windows - len(baseline)} more windows are needed to know what is usual"
                ),
            )
        mean, sd = float(np.mean(baseline)), float(np.std(baseline, ddof=self._ddof()))
        if not sd > FLAT * float(np.abs(baseline).max()):
            if value == baseline[-1]:
                return OK
            return Judgement(
                verdict=Verdict.UNSURE,
                reason=f"always {number(float(baseline[-1]))} before: there are no limits",
            )
        after = np.concatenate((finite(past[self.windows :]), [value]))
        point, limit = self._point(np.clip((after - mean) / sd, -FAR, FAR))
        if (point > limit and self.side != "below") or (point < -limit and self.side != "above"):
            side = BoundSide.ABOVE if point > 0 else BoundSide.BELOW
            bound = Bound(side, mean + (limit if point > 0 else -limit) * sd)
            chance = f"by chance in 1 of {_one_in(self.rate)} windows"
            return Judgement(
                verdict=Verdict.CHANGED,
                severity=self.severity,
                reason=f"{self._describe(bound, point, limit, mean, sd)}; {chance}",
                bound=bound if self.limits_values else None,
            )
        return OK

    @abstractmethod
    def _rate(self) -> float:
        """False alarms per window on both sides together."""

    @abstractmethod
    def _point(self, z: Floats) -> tuple[float, float]:
        """Return the chart's newest point and its limit.

        `z` holds the standardised values after the baseline, oldest first. A point below 0 is on
        the lower side.
        """

    def _ddof(self) -> int:
        return 1

    def _describe(self, bound: Bound, point: float, limit: float, mean: float, sd: float) -> str:
        """The limit that was crossed, in words."""
        return f"{bound.side} {number(bound.value)}, usually {number(mean)}"


class Shewhart(ControlChart):
    """`changed` when a window lies outside the prediction limits of earlier windows.

    The limits are mean ± t · spread · sqrt(1 + 1/K) for K earlier windows, with Student's t.
    """

    one_in: float = Field(default=365, gt=2)
    """A window lies outside by chance once in so many."""

    def _rate(self) -> float:
        return (1 if self.side == "both" else 2) / self.one_in

    def _point(self, z: Floats) -> tuple[float, float]:
        from driftline.stats import limit_multiplier

        return float(z[-1]), limit_multiplier(self.windows, self._rate()) or 0.0


class Sigma(ControlChart):
    """`changed` when a window lies too many standard deviations from the mean of the first windows.

    The standard deviation has ddof 0, as in NannyML.
    """

    windows: int = Field(default=10, ge=3)
    """How many windows form the baseline: the first ones of the series.

    Of a longer past, it is the oldest ones of the newest `windows` + 100.
    """
    width: float = Field(default=3.0, gt=0)
    """Standard deviations from the mean to a limit."""

    def _rate(self) -> float:
        from driftline.stats import limit_rate

        return limit_rate(self.windows, self.width) or 0.0

    def _point(self, z: Floats) -> tuple[float, float]:
        return float(z[-1]), self.width

    def _ddof(self) -> int:
        return 0


class Ewma(ControlChart):
    """`changed` when the exponentially weighted mean of windows leaves its limits.

    It finds small shifts that last.
    """

    weight: float = Field(default=0.2, ge=0.05, le=1)
    """How much the newest window counts; the smaller, the longer the memory."""
    width: float = Field(default=3.0, ge=1, le=10)
    """Standard deviations of the weighted mean from the centre to a limit."""

    def _rate(self) -> float:
        return _ewma_rate(self.weight, self.width, self.windows)

    def _point(self, z: Floats) -> tuple[float, float]:
        from driftline.stats import ewma, ewma_limits

        return float(ewma(z, self.weight)[-1]), float(
            ewma_limits(len(z), self.weight, self.width)[-1]
        )

    def _describe(self, bound: Bound, point: float, limit: float, mean: float, sd: float) -> str:
        limit_text = super()._describe(bound, point, limit, mean, sd)
        return f"its weighted mean {number(mean + point * sd)} is {limit_text}"


class Cusum(ControlChart):
    """`changed` when the deviations of windows from the usual, less some slack, add up to too much.

    It finds small shifts that last.
    """

    limits_values: ClassVar[bool] = False

    slack: float = Field(default=0.5, gt=0, le=5)
    """Standard deviations by which a window may deviate for free: half of the shift to find."""
    limit: float = Field(default=5.0, gt=0, le=50)
    """The sum, in standard deviations, that is too much.

    The sum stops at twice this limit, so that it falls soon after a change ends.
    """

    def _rate(self) -> float:
        return _cusum_rate(self.slack, self.limit, self.windows)

    def _point(self, z: Floats) -> tuple[float, float]:
        up = 0.0 if self.side == "below" else self._sum(z)
        down = 0.0 if self.side == "above" else self._sum(-z)
        return (up if up >= down else -down), self.limit

    def _sum(self, z: Floats) -> float:
        total = 0.0
        for step in z:
            total = min(max(0.0, total + float(step) - self.slack), 2 * self.limit)
        return total

    def _describe(self, bound: Bound, point: float, limit: float, mean: float, sd: float) -> str:
        return (
            f"the sum of what lies {bound.side} the usual {number(mean)} is "
            f"{number(abs(point))} sd, more than {limit:g}"
        )


def format_rate(rate: float, windows: float) -> str:
    """A rate per window in words: `about 1 in 160 windows, 2.3 a year`."""
    return f"about 1 in {_one_in(rate)} windows, {number(float(f'{rate * windows:.2g}'))} a year"


def _one_in(rate: float) -> str:
    apart = max(1 / rate, 1.0)
    return number(float(f"{round(apart) if apart >= 10 else apart:.3g}"))


@lru_cache(maxsize=64)
def _ewma_rate(weight: float, width: float, windows: int) -> float:
    from driftline.stats import estimated_rate, ewma_arl

    return estimated_rate(lambda mean, sd: ewma_arl(weight, width, mean, sd), windows) or 0.0


@lru_cache(maxsize=64)
def _cusum_rate(slack: float, limit: float, windows: int) -> float:
    from driftline.stats import cusum_arl, estimated_rate

    def arl(mean: float, sd: float) -> float:
        return 1 / (1 / cusum_arl(slack, limit, mean, sd) + 1 / cusum_arl(slack, limit, -mean, sd))

    return estimated_rate(arl, windows) or 0.0
