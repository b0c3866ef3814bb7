"""Rules: what turns a measurement into one of the four verdicts.

Refuses to know where a number came from: a rule sees one measurement and the rows behind it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from driftline.model import Judgement, Measurement, Severity, Verdict


class Bounds(BaseModel):
    """A bound for each severity; the most severe bound that is crossed counts."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

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
        pairs = [(Severity.CRITICAL, self.critical), (Severity.WARNING, self.warning), (Severity.INFO, self.info)]
        return [(severity, bound) for severity, bound in pairs if bound is not None]


class Range(BaseModel):
    """The range that is fine; a value beyond either end is a change."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    low: float | None = None
    """The lowest value that is fine."""
    high: float | None = None
    """The highest value that is fine."""
    severity: Severity = Severity.WARNING
    """How much a value outside matters."""

    def holds(self, value: float) -> bool:
        """Whether `value` is within."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


class Rule(BaseModel):
    """Judges a measurement by exactly one of `above`, `below` and `outside`.

    An interval decides, where the measurement has one: wholly beyond the bound is `changed`, wholly within is `ok`,
    astride it is `unsure`. Without an interval the value decides. To open an alert takes proof; to end one, a value
    within the bounds is enough.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    above: Bounds | None = None
    """`changed` when the measurement is above the bound."""
    below: Bounds | None = None
    """`changed` when the measurement is below the bound."""
    outside: Range | None = None
    """`changed` when the measurement lies outside the range."""
    measurement: str | None = None
    """Which measurement of the check is judged; the check's main one when absent."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Rule:
        given = [name for name in ("above", "below", "outside") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of above, below, outside")
        return self

    def judge(self, measurement: Measurement, rows: int, min_rows: int) -> Judgement:
        """The verdict on `measurement`, which rests on `rows` rows where at least `min_rows` are asked for."""
        if measurement.value is None:
            return Judgement(Verdict.UNSURE, reason=measurement.reason or "no value")
        if rows < min_rows:
            return Judgement(Verdict.UNSURE, reason=f"{min_rows - rows} more rows are needed: {rows} of {min_rows}")
        value = measurement.value
        low, high = measurement.interval or (value, value)
        if self.above is not None:
            return _judge("above", self.above.by_severity(), low, value, high)
        if self.below is not None:
            return _judge("below", [(severity, -bound) for severity, bound in self.below.by_severity()], -high, -value, -low)
        return self._judge_outside(low, value, high)

    def _judge_outside(self, low: float, value: float, high: float) -> Judgement:
        assert self.outside is not None
        span = self.outside
        if span.high is not None and low > span.high:
            return Judgement(Verdict.CHANGED, span.severity, f"above {span.high:g}")
        if span.low is not None and high < span.low:
            return Judgement(Verdict.CHANGED, span.severity, f"below {span.low:g}")
        if span.holds(low) and span.holds(high):
            return Judgement(Verdict.OK)
        return Judgement(Verdict.UNSURE, reason="too few rows to tell whether it is outside", within=span.holds(value))


def _judge(
    word: Literal["above", "below"], bounds: list[tuple[Severity, float]], low: float, value: float, high: float
) -> Judgement:
    sign = 1 if word == "above" else -1
    for severity, bound in bounds:
        if low > bound:
            return Judgement(Verdict.CHANGED, severity, f"{word} {sign * bound:g}")
    least = min(bound for _, bound in bounds)
    if high <= least:
        return Judgement(Verdict.OK)
    unsure = f"too few rows to tell whether it is {word} {sign * least:g}"
    return Judgement(Verdict.UNSURE, reason=unsure, within=value <= least)


def above(*, info: float | None = None, warning: float | None = None, critical: float | None = None) -> Rule:
    """A rule for checks to declare: `changed` above these bounds."""
    return Rule(above=Bounds(info=info, warning=warning, critical=critical))


def below(*, info: float | None = None, warning: float | None = None, critical: float | None = None) -> Rule:
    """A rule for checks to declare: `changed` below these bounds."""
    return Rule(below=Bounds(info=info, warning=warning, critical=critical))
