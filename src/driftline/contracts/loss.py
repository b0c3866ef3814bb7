"""The rule `loss`: it judges whether a metric is lastingly worse than in the reference."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from driftline.types.model import OK, Bound, BoundSide, Judgement, Measurement, Severity, Verdict
from driftline.types.settings import Settings

LossScale = Literal["plain", "relative", "log"]
Z = 1.96
"""Standard errors on each side of a 95% interval."""


class Loss(Settings):
    """`changed` when a metric is proven to be lastingly worse than in the reference.

    The measurement needs a value, an interval and, to be compared from the first window on, the
    value and interval of the reference (`was`, `was_interval`). Evidence adds up over blocks: a
    block is one window, or one day (UTC) where windows are shorter. How often the rule is wrong
    while nothing changes is the model's `false_pages_per_year`, over all its checks together. A
    loss ends only when it is proven that at most a quarter of it is left. The check gives the
    settings that are absent here.
    """

    side: Literal["above", "below", "both"] = "below"
    """Where worse values lie: `below` for accuracy, `above` for errors."""
    scale: LossScale = "plain"
    """The scale of all sizes.

    `plain` is the metric's own unit (0.03 of accuracy are 3 points), `relative` a share of the size
    of the reference's value, and `log` the logarithm of the ratio.
    """
    margins: tuple[float, ...] = Field(default=(0.03, 0.05, 0.1, 0.2), min_length=1, max_length=4)
    """Sizes of loss that are looked for, smallest first; the smallest is the least that matters."""
    obvious: float = Field(default=0.05, gt=0)
    """The loss that is reported at once, while few windows are known.

    It is compared with the reference. Two blocks in a row must prove it. One block is enough for
    the largest margin, and one window for a loss that lies beyond it by four standard errors,
    which count how much good blocks differ.
    """
    warning: float | None = Field(default=None, ge=0)
    """A loss of this size is a `warning`."""
    critical: float | None = Field(default=None, ge=0)
    """A loss of this size is `critical`."""
    weight: float = Field(default=1.0, gt=0)
    """The share of the budget, relative to other measurements with this rule."""
    limits: tuple[float, float] | None = None
    """The smallest and the largest value that the measurement can have; none when null.

    Means of windows and their intervals are reported within these.
    """

    @model_validator(mode="after")
    def _margins_rise(self) -> Loss:
        rises = all(low < high for low, high in zip(self.margins, self.margins[1:], strict=False))
        if not rises or not self.margins[0] > 0:
            raise ValueError("margins must be above 0 and rise")
        return self

    def severity(self, size: float) -> Severity:
        """How much a loss of `size` matters."""
        if self.critical is not None and size >= self.critical:
            return Severity.CRITICAL
        if self.warning is None or size >= self.warning or self.critical is None:
            return Severity.WARNING
        return Severity.INFO

    def override(self, settings: Loss) -> Loss:
        """Return these settings, replaced by those that `settings` sets."""
        return self.model_copy(
            update={name: getattr(settings, name) for name in settings.model_fields_set}
        )

    def size(self, value: float, reference: float) -> float:
        """The change from `reference` to `value` on the scale; NaN where it has none."""
        if self.scale == "plain":
            return value - reference
        if self.scale == "relative" and reference < 0:
            return (value - reference) / -reference
        if reference <= 0 or (self.scale == "log" and value <= 0):
            return math.nan
        if self.scale == "relative":
            return value / reference - 1
        # The ratio of tiny and huge numbers may not exist where that of their logarithms does.
        return math.log(value) - math.log(reference)

    def value(self, size: float, reference: float) -> float:
        """The value at a change of `size` from `reference`, within the limits."""
        low, high = self.limits or (-math.inf, math.inf)
        return min(max(self._unlimited_value(size, reference), low), high)

    def _unlimited_value(self, size: float, reference: float) -> float:
        """The inverse of `size`."""
        if self.scale == "plain":
            return reference + size
        if self.scale == "relative":
            return reference + abs(reference) * size if reference < 0 else reference * (1 + size)
        return reference * math.exp(min(size, 700.0))

    def judge_without_past(self, measurement: Measurement) -> Judgement:
        """Judge one window without a past.

        The verdict is `changed` if the metric is surely more than `obvious` worse than in the
        reference, `ok` if it is surely less than the smallest margin worse, and `unsure` otherwise.
        """
        unsure = "the rows do not decide whether it is worse than the reference"
        if measurement.value is None or measurement.was is None or measurement.interval is None:
            return Judgement(verdict=Verdict.UNSURE, reason=unsure, is_within_bounds=True)
        reference = measurement.was
        low, value, high = (
            self.size(end, reference)
            for end in (measurement.interval[0], measurement.value, measurement.interval[1])
        )
        below, above = self._reference_room(measurement, reference)
        low, high = value - math.hypot(value - low, above), value + math.hypot(high - value, below)
        out = {"above": low, "below": -high, "both": max(low, -high)}[self.side]
        most = {"above": high, "below": -low, "both": max(high, -low)}[self.side]
        if out > self.obvious:
            side = BoundSide.ABOVE if low > 0 else BoundSide.BELOW
            bound = self.value(math.copysign(self.obvious, low), reference)
            return Judgement.change(self.severity(out), Bound(side, bound))
        if most < self.margins[0] or low == high == 0:
            return OK
        return Judgement(verdict=Verdict.UNSURE, reason=unsure, is_within_bounds=True)

    def _reference_room(self, measurement: Measurement, reference: float) -> tuple[float, float]:
        """How far the reference's value may lie below and above, on the scale."""
        if measurement.was_interval is None:
            return 0.0, 0.0
        low, high = (self.size(end, reference) for end in measurement.was_interval)
        return -low, high
