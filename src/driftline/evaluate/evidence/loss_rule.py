"""The rule `loss`: judges whether metrics are lastingly worse than in the reference.

Measurements become drops on the scale of the rule; the evidence of their series becomes verdicts
with a reason.

Does not compute evidence: `loss_evidence` does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from driftline.contracts.loss import Loss, Z
from driftline.contracts.rule import Unusual
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.loss_evidence import (
    FEWEST_BLOCKS,
    RECENT_BLOCKS,
    Anchor,
    LossState,
    LossTerms,
    loss_since,
    mean_of,
)
from driftline.evaluate.evidence.loss_series import LOSS_TRACE, JudgedLoss, LossSeries, LossWindow
from driftline.evaluate.evidence.observation import SHARES
from driftline.evaluate.evidence.trail import Stream, stream_of
from driftline.types.model import OK, Judgement, Measurement, Verdict
from driftline.types.phrasing import number, utc
from driftline.types.records import JudgedMeasurement, WindowKey
from driftline.types.times import from_micros

BOUND = 2.0
"""Standard errors within which a mean is taken to lie."""
LEAST_ERROR = 0.01
"""Least standard error of a window, in smallest margins."""


@dataclass(slots=True)
class LossJudge:
    """Judges the windows of one model by the rule `loss`."""

    policy: AlarmPolicy
    capacity: int
    """Windows of a stream that are held."""
    _series: dict[Stream, LossSeries] = field(default_factory=dict)

    def restore(self, rows: Iterable[tuple[Stream, bytes]]) -> None:
        """Add the stored traces of streams, oldest first; traces of another kind are left out."""
        for stream, trace in rows:
            if len(trace) == LOSS_TRACE.itemsize:
                window = np.frombuffer(trace, LOSS_TRACE)[0]
                series = self._of(stream, has_reference=math.isfinite(window["reference_error"]))
                if series is not None:
                    series.restore(window)

    def judge(
        self, start: int, rows: Sequence[tuple[WindowKey, JudgedMeasurement]]
    ) -> list[JudgedMeasurement]:
        """Judge the measurements of all windows that begin at `start` (microseconds).

        Returns the rows in their order; those without a rule `loss`, or whose number does not exist
        on the scale of the rule, are returned unchanged.
        """
        judged_rows = [row for _, row in rows]
        numbers = {
            place: window_numbers(rule, row)
            for place, (_, row) in enumerate(rows)
            if isinstance(rule := row.past_rule, Loss)
        }
        streams = {
            place: stream_of(rows[place][0], rows[place][1])
            for place, values in numbers.items()
            if values is not None
        }
        weights = _weights(rows, streams)
        for place, stream in streams.items():
            row, rule, values = rows[place][1], rows[place][1].past_rule, numbers[place]
            assert isinstance(rule, Loss)
            assert values is not None
            window = LossWindow(start, *values, weights[place])
            terms = _terms(rule, self.policy)
            series = self._of(stream, has_reference=math.isfinite(window.reference_error))
            if series is None:
                continue
            judged = series.judge(window, terms)
            others = tuple(other for other in streams.values() if other != stream)
            judged_rows[place] = apply_loss(row, rule, judged, terms, self.policy, others)
        return judged_rows

    def _of(self, stream: Stream, *, has_reference: bool) -> LossSeries | None:
        """The series of a stream; None for a window without a reference where others have one.

        Without a reference drops have another origin. A reference that is the time before begins
        with windows that have none: they are forgotten.
        """
        series = self._series.get(stream)
        if series is not None and series.has_reference and not has_reference:
            return None
        if series is None or series.has_reference != has_reference:
            series = LossSeries(self.policy, self.capacity, has_reference=has_reference)
            self._series[stream] = series
        return series


def _weights(
    rows: Sequence[tuple[WindowKey, JudgedMeasurement]], streams: dict[int, Stream]
) -> dict[int, float]:
    """Share of the alarm budget of each stream: those of one family divide its share."""
    totals: dict[str, float] = {}
    for place, (_, row) in enumerate(rows):
        if place in streams or isinstance(row.past_rule, Unusual):
            totals[row.cause] = totals.get(row.cause, 0.0) + row.past_rule.weight
    return {
        place: SHARES[rows[place][1].cause]
        * rows[place][1].past_rule.weight
        / totals[rows[place][1].cause]
        for place in streams
    }


def _terms(rule: Loss, policy: AlarmPolicy) -> LossTerms:
    return LossTerms(
        margins=rule.margins,
        obvious=rule.obvious,
        has_two_sides=rule.side == "both",
        threshold=policy.alarm_threshold,
        critical=math.inf if rule.critical is None else rule.critical,
    )


def window_numbers(rule: Loss, row: JudgedMeasurement) -> tuple[float, float, float, float] | None:
    """Drop, rows, standard error and that of the reference; None where one does not exist."""
    m = row.measurement
    reference = _reference(rule, m)
    if m.value is None or m.interval is None or row.rows < 1 or reference is None:
        return None
    size = rule.size(m.value, reference)
    error = _error(rule, m.interval, reference)
    reference_error = math.inf
    if m.was is not None:
        reference_error = 0.0 if m.was_interval is None else _error(rule, m.was_interval, reference)
    if not all(map(math.isfinite, (size, error))) or math.isnan(reference_error):
        return None
    low, high = (rule.size(end, reference) for end in m.interval)
    # A share of few rows has a wide interval on the side of the reference and none on the other.
    error = max(error, (high - size if size < 0 else size - low) / Z)
    error = max(error, LEAST_ERROR * rule.margins[0])
    return _sign(rule) * size, float(row.rows), error, reference_error


def _reference(rule: Loss, m: Measurement) -> float | None:
    """The value that drops are taken from; without a reference, where the scale has its 0."""
    if m.was is not None:
        return m.was
    return {"plain": 0.0, "log": 1.0, "relative": None}[rule.scale]


def _sign(rule: Loss) -> float:
    """1 where larger sizes are positive drops, else -1."""
    return -1.0 if rule.side == "below" else 1.0


def _error(rule: Loss, interval: tuple[float, float], reference: float) -> float:
    """Standard error on the scale of the rule, from a 95% interval."""
    low, high = (rule.size(end, reference) for end in interval)
    return (high - low) / (2 * Z)


def loss_from_reference(row: JudgedMeasurement) -> float:
    """The loss against the reference as a share of one that is obvious; 0 where none is sure.

    It is sure where the interval, with that of the reference, lies wholly beyond the smallest
    margin.
    """
    rule = row.past_rule
    if not isinstance(rule, Loss) or row.measurement.was is None:
        return 0.0
    numbers = window_numbers(rule, row)
    if numbers is None:
        return 0.0
    drop, _, error, reference_error = numbers
    size = abs(drop) if rule.side == "both" else drop
    is_sure = size - Z * math.hypot(error, reference_error) > rule.margins[0]
    return size / rule.obvious if is_sure else 0.0


def smallest_obvious_loss(row: JudgedMeasurement, windows: int) -> float | None:
    """The smallest loss against the reference that so many windows prove beyond `obvious`.

    The windows have as many rows as that of `row`; the loss is in the unit of the measurement. None
    where the window is not compared with a reference.
    """
    rule, was = row.past_rule, row.measurement.was
    if not isinstance(rule, Loss) or was is None:
        return None
    numbers = window_numbers(rule, row)
    if numbers is None:
        return None
    _, _, error, reference_error = numbers
    drop = rule.obvious + Z * math.hypot(error / math.sqrt(windows), reference_error)
    return abs(rule.value(_sign(rule) * drop, was) - was)


def apply_loss(
    row: JudgedMeasurement,
    rule: Loss,
    judged: JudgedLoss,
    terms: LossTerms,
    policy: AlarmPolicy,
    others: tuple[Stream, ...] = (),
) -> JudgedMeasurement:
    """The row with the verdict that follows from the evidence.

    `others` are the other streams that are judged by the rule: a loss shows in several.
    """
    state = judged.state
    reference = _reference(rule, row.measurement)
    assert reference is not None

    def value(drop: float) -> float:
        return rule.value(_sign(rule) * drop, reference)

    anchor = state.alarm_anchor or state.anchor(judged.block.reference_error, terms)
    detail: dict[str, float] = {"usual": value(anchor.offset)}
    if anchor.is_proven:
        detail["offset"] = value(anchor.offset) - reference
    if state.alarm is None:
        loss = detectable_loss(state, judged, anchor, terms)
        detail["smallest_seen"] = value(loss)
        judgement = _judge_quiet(row, rule, judged, terms, policy, anchor)
        return replace(
            row,
            measurement=_with_detail(row.measurement, detail),
            judgement=judgement,
            trace=judged.trace,
            lacks_data=judgement.verdict is Verdict.UNSURE
            and loss > max(rule.margins[-1], rule.critical or 0.0),
        )
    assert judged.begin is not None
    mean, error = loss_since(state, judged.block, terms, judged.begin)
    ends = sorted(value(anchor.offset + mean + sign * Z * error) for sign in (-1.0, 1.0))
    now = value(anchor.offset + mean)
    detail |= {"now": now, "now_low": ends[0], "now_high": ends[1]}
    origin = (
        "in the first windows"
        if anchor.is_proven or row.measurement.was is None
        else ("in the reference")
    )
    since = utc(from_micros(judged.begin))
    reason = (
        f"{number(detail['usual'])} {origin}, {number(now)} on average since {since} "
        f"(95%: {number(ends[0])} to {number(ends[1])})"
    )
    judgement = Judgement(
        verdict=Verdict.CHANGED,
        severity=rule.severity(state.alarm.size),
        reason=reason,
        doublings=state.alarm.doublings,
    )
    return replace(
        row,
        measurement=_with_detail(row.measurement, detail),
        judgement=judgement,
        since=judged.begin,
        trace=judged.trace,
        lacks_data=False,
        correlated_series=others,
    )


def _with_detail(m: Measurement, detail: dict[str, float]) -> Measurement:
    return m.with_detail(detail)


def detectable_loss(
    state: LossState, judged: JudgedLoss, anchor: Anchor, terms: LossTerms
) -> float:
    """The smallest lasting loss that is found in 7 blocks like this one, as a drop."""
    variance = judged.block.drop.distance(state.spread(terms))
    needed = math.log(terms.threshold * len(terms.margins) * len(terms.sides) / judged.block.weight)
    beyond = math.sqrt(2 * variance * max(needed, 1.0) / RECENT_BLOCKS)
    base = terms.base(anchor.error) if math.isfinite(anchor.error) else terms.least_drop
    return anchor.offset + base + beyond


def _judge_quiet(
    row: JudgedMeasurement,
    rule: Loss,
    judged: JudgedLoss,
    terms: LossTerms,
    policy: AlarmPolicy,
    anchor: Anchor,
) -> Judgement:
    """The verdict while no loss is on."""
    state, block = judged.state, judged.block
    if judged.before.alarm is not None:
        return OK
    unit = "day" if policy.has_day_blocks else "window"
    missing = FEWEST_BLOCKS - state.first[2]
    if missing > 0:
        alone = row.judgement
        if alone is not None and alone.verdict is Verdict.OK:
            return OK
        reason = (
            f"{missing} more {unit}{'s' if missing > 1 else ''} needed to judge losses of less "
            f"than {number(rule.obvious)}"
        )
        return Judgement(verdict=Verdict.UNSURE, reason=reason, is_within_bounds=True)
    blocks = [*state.recent, block.drop] if block.counts else list(state.recent)
    mean, variance = mean_of(blocks[-RECENT_BLOCKS:], state.spread(terms))
    loss = mean - anchor.offset
    beyond = abs(loss) if terms.has_two_sides else loss
    if beyond + BOUND * math.hypot(math.sqrt(variance), anchor.error) < rule.margins[0]:
        return OK
    seen = detectable_loss(state, judged, anchor, terms) - anchor.offset
    reason = (
        f"too few labels to rule out a loss of {number(rule.margins[0])}; one of "
        f"{number(float(f'{seen:.2g}'))} shows within {RECENT_BLOCKS} {unit}s"
    )
    return Judgement(verdict=Verdict.UNSURE, reason=reason, is_within_bounds=True)
