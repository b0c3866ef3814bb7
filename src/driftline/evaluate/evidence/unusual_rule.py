"""The rule `unusual`: judges measurements by the windows before them.

Measurements become observations of the evidence engine; its outcomes become verdicts with a reason.
The scales of a rule say where numbers are comparable (`Scale`): a "level" is a number on the scale
where its spread is even, a "size" one on the scale where changes are compared with the tolerance.

Does not compute evidence: the evidence engine does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from driftline.contracts.loss import Z
from driftline.contracts.rule import Scale, Unusual
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.loss_rule import LossJudge
from driftline.evaluate.evidence.observation import Observation, Panel, StreamNumbers
from driftline.evaluate.evidence.odds import log_odds, log_odds_of, share_of_one
from driftline.evaluate.evidence.outcome import DETECTION_WINDOWS, StreamOutcome, judge_window
from driftline.evaluate.evidence.trail import Stream, Trail, stream_of
from driftline.types.arrays import Floats
from driftline.types.family import Family
from driftline.types.model import OK, Judgement, Measurement, Schema, Severity, Verdict
from driftline.types.phrasing import number, odds_text, share
from driftline.types.records import JudgedMeasurement, WindowKey

MIN_OK_P_VALUE = 0.02
"""A window whose own p-value is below this is not called `ok`."""
BOUND = 2.0
"""Standard errors within which a mean is taken to lie."""
REFERENCE_LOW, REFERENCE_HIGH = "reference_low", "reference_high"
"""Details of a measurement: the range that the weeks or months of the reference have."""


class PanelOfRows:
    """The panel of the newest window; it serves the next one if that has the same streams."""

    def __init__(self) -> None:
        self._parts: tuple[object, ...] = ()
        """All that the panel is made of."""
        self._panel: Panel | None = None

    def panel_of(
        self, rows: Sequence[tuple[WindowKey, JudgedMeasurement]], schema: Schema
    ) -> Panel:
        """The panel of measurements with a rule `unusual`."""
        parts = (
            schema,
            *(
                (
                    stream_of(key, row),
                    row.past_rule,
                    row.cause,
                    row.measurement.detail.get(REFERENCE_LOW),
                    row.measurement.detail.get(REFERENCE_HIGH),
                )
                for key, row in rows
            ),
        )
        if self._panel is None or parts != self._parts:
            self._parts = parts
            self._panel = Panel.of(
                [make_observation(key, row, row.past_rule, schema) for key, row in rows]
            )
        return self._panel


@dataclass(frozen=True, slots=True)
class PastJudge:
    """Judges the windows of one model by those before them."""

    trail: Trail
    policy: AlarmPolicy
    schema: Schema
    losses: LossJudge = field(init=False)
    """Judges the measurements with a rule `loss`."""
    panels: PanelOfRows = field(init=False)
    """The panel of the newest window."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "losses", LossJudge(self.policy, self.trail.capacity))
        object.__setattr__(self, "panels", PanelOfRows())

    def restore(self, rows: Iterable[tuple[int, Stream, bytes]]) -> None:
        """Add stored traces: start, stream and bytes, oldest first."""
        all_rows = list(rows)
        self.trail.restore(all_rows)
        self.losses.restore((stream, trace) for _, stream, trace in all_rows)

    def judge(
        self, start: int, rows: Sequence[tuple[WindowKey, JudgedMeasurement]]
    ) -> list[JudgedMeasurement]:
        """Judge the measurements of all windows that begin at `start` (microseconds).

        Returns the rows in their order; those without a rule `unusual` or `loss` are returned
        unchanged.
        """
        places = [
            place for place, (_, row) in enumerate(rows) if isinstance(row.past_rule, Unusual)
        ]
        judged_rows = self.losses.judge(start, rows)
        if not places:
            return judged_rows
        watched = [rows[place] for place in places]
        rules = [row.past_rule for _, row in watched]
        numbers = stream_numbers([row for _, row in watched], rules)
        panel = self.panels.panel_of(watched, self.schema)
        outcomes, traces = judge_window(self.trail, start, panel, numbers, self.policy)
        content, size = traces.tobytes(), traces.itemsize
        for index, (place, rule, outcome) in enumerate(zip(places, rules, outcomes, strict=True)):
            trace = content[index * size : (index + 1) * size]
            judged_rows[place] = apply_outcome(rows[place][1], rule, outcome, trace=trace)
        return judged_rows


def stream_numbers(rows: Sequence[JudgedMeasurement], rules: Sequence[Unusual]) -> StreamNumbers:
    """The numbers of J measurements with a value, for the evidence engine.

    `rules` has the rule of each measurement.
    """
    value = np.array([row.measurement.value for row in rows], np.float64)
    intervals = [row.measurement.interval or (math.nan, math.nan) for row in rows]
    low, high = np.array(intervals, np.float64).T
    raw = np.array([_raw(row.measurement) for row in rows], np.float64)
    neutral = np.array(
        [_neutral(rule, row.measurement) for row, rule in zip(rows, rules, strict=True)],
        np.float64,
    )
    tolerance = np.array([_tolerance(rule) for rule in rules])
    count = np.array([row.rows for row in rows], np.float64)
    size, level, sampling_sd, neutral_size = np.full((4, len(rows)), np.nan)
    least_sd = tolerance / 50
    scales = [rule.scale for rule in rules]
    for scale in dict.fromkeys(scales):
        at = np.array([each == scale for each in scales])
        size[at], neutral_size[at] = _sizes(scale, value[at]), _sizes(scale, neutral[at])
        least_end = 1e-300 if scale == "log" else -math.inf
        ends = (_sizes(scale, np.maximum(end[at], least_end)) for end in (high, low))
        sampling_sd[at] = np.subtract(*ends) / (2 * Z)
        if scale in ("plain", "log"):
            level[at] = size[at]
            least_sd[at] = np.fmax(least_sd[at], 0.7 * sampling_sd[at])
        elif scale in ("logit", "odds"):
            hits = value[at] * count[at]
            misses = count[at] - hits
            is_share = (hits > -0.5) & (misses > -0.5)
            hits, misses = np.where(is_share, hits, 0.0), np.where(is_share, misses, 0.0)
            level[at] = np.where(is_share, np.log((hits + 0.5) / (misses + 0.5)), np.nan)
            least_sd[at] = 0.5 * np.sqrt(1 / (hits + 0.5) + 1 / (np.maximum(misses, 0.0) + 0.5))
        else:
            root = np.sqrt if scale == "root" else np.cbrt
            level[at] = root(np.maximum(np.where(np.isnan(raw[at]), value[at], raw[at]), 0.0))
    return StreamNumbers(
        level, size, least_sd, count, np.nan_to_num(sampling_sd, nan=0.0), neutral_size
    )


def make_observation(
    key: WindowKey, row: JudgedMeasurement, rule: Unusual, schema: Schema
) -> Observation:
    """The observation that a measurement with a value is for the evidence engine."""
    m, column = row.measurement, row.measurement.labels.get("column", "")
    level, size, least_sd, rows, size_error, neutral = (
        float(number[0]) for number in stream_numbers([row], [rule])
    )
    return Observation(
        stream=stream_of(key, row),
        level=level,
        size=size,
        least_sd=least_sd,
        tolerance=_tolerance(rule),
        above=rule.side != "below",
        below=rule.side != "above",
        family=row.cause,
        weight=rule.weight,
        cusum=rule.method == "cusum",
        shared_by_versions=row.cause in (Family.DRIFT, Family.QUALITY)
        and not _is_output(schema, column),
        rows=rows,
        size_error=size_error,
        neutral=neutral,
        reference_low=_range_end(rule, m, REFERENCE_LOW),
        reference_high=_range_end(rule, m, REFERENCE_HIGH),
        obvious=_obvious(rule),
        is_additive=rule.additive and rule.scale not in ("root", "cube_root"),
        is_share=rule.scale == "odds",
        column=column,
    )


def _is_output(schema: Schema, column: str) -> bool:
    """Whether a column is one of the model, not of its features."""
    fields = (schema.prediction, schema.score, schema.label)
    return column in [field.name for field in fields if field is not None]


def _obvious(rule: Unusual) -> float:
    """The distance that is a change at once; on the scale of sizes, or in shares for odds."""
    if rule.obvious is None:
        return math.inf
    return rule.obvious if rule.scale == "odds" else _size(rule.scale, rule.obvious)


def _neutral(rule: Unusual, m: Measurement) -> float:
    """The value where window and reference agree; NaN where the rule does not compare with it."""
    neutral = m.was if rule.neutral is None else rule.neutral
    return math.nan if rule.obvious is None or neutral is None else neutral


def _raw(m: Measurement) -> float:
    """A distance with the part that chance adds, where the check gives it; else NaN."""
    raw = m.detail.get("raw")
    return raw if isinstance(raw, (int, float)) else math.nan


def _range_end(rule: Unusual, m: Measurement, name: str) -> float:
    """An end of the range of the reference's own weeks or months, as a size; NaN without one."""
    end = m.detail.get(name)
    return _size(rule.scale, end) if isinstance(end, (int, float)) else math.nan


def _size(scale: Scale, value: float) -> float:
    """The value on the scale where changes are compared.

    That is the root of distances, the log of sizes, and the log of the odds of shares. The root of
    a distance grows in proportion to the shift that makes it.
    """
    if scale == "log":
        return math.log(value) if value > 0 else math.nan
    if scale == "odds":
        return log_odds_of(value)
    return math.sqrt(max(0.0, value)) if scale in ("root", "cube_root") else value


def _sizes(scale: Scale, values: Floats) -> Floats:
    """The `_size` of values, shape (J,); NaN stays NaN."""
    if scale == "log":
        sizes: Floats = np.log(np.where(values > 0, values, np.nan))
        return sizes
    if scale == "odds":
        return log_odds(values)
    return np.sqrt(np.maximum(values, 0.0)) if scale in ("root", "cube_root") else values


def _value(scale: Scale, size: float) -> float:
    """The value that has this size: the inverse of `_size`."""
    if scale == "log":
        return math.exp(min(size, 700.0))
    if scale == "odds":
        return share_of_one(size)
    return max(0.0, size) ** 2 if scale in ("root", "cube_root") else size


def _tolerance(rule: Unusual) -> float:
    """The tolerance on the scale of sizes."""
    if rule.scale == "odds":
        return math.log1p(rule.tolerance)
    return math.sqrt(rule.tolerance) if rule.scale in ("root", "cube_root") else rule.tolerance


def _sampling_sd(rule: Unusual, m: Measurement) -> float | None:
    """Standard deviation of the size by the number of rows alone; None without an interval."""
    if m.interval is None:
        return None
    low, high = m.interval
    if rule.scale == "log":
        low, high = max(low, 1e-300), max(high, 1e-300)
    return (_size(rule.scale, high) - _size(rule.scale, low)) / (2 * Z)


def smallest_obvious(row: JudgedMeasurement, windows: int) -> float | None:
    """The smallest difference from the reference that so many windows prove beyond `obvious`.

    The windows have as many rows as that of `row`. None where the rule has no such limit.
    """
    rule, m = row.past_rule, row.measurement
    if not isinstance(rule, Unusual) or m.value is None or rule.obvious is None:
        return None
    neutral, error = _size(rule.scale, _neutral(rule, m)), _sampling_sd(rule, m)
    if not math.isfinite(neutral) or error is None:
        return None
    value, sign = _value(rule.scale, neutral), -1 if rule.side == "below" else 1
    if rule.scale == "odds":
        limit = _size(rule.scale, min(max(value + sign * rule.obvious, 0.0), 1.0))
    else:
        limit = neutral + sign * _obvious(rule)
    return abs(_value(rule.scale, limit + sign * Z * error / math.sqrt(windows)) - value)


def difference_from_reference(row: JudgedMeasurement, observation: Observation) -> float:
    """The difference from the reference as a share of one that is obvious; 0 where none is sure.

    It is sure where the interval lies wholly beyond the tolerance.
    """
    rule, m = row.past_rule, row.measurement
    if not isinstance(rule, Unusual) or m.value is None:
        return 0.0
    distance = observation.size - observation.neutral
    is_watched = observation.above if distance > 0 else observation.below
    is_sure = abs(distance) - Z * observation.size_error > observation.tolerance
    if not (is_watched and is_sure):
        return 0.0
    if observation.is_share:
        distance = m.value - _value(rule.scale, observation.neutral)
    return abs(distance) / observation.obvious


def apply_outcome(
    row: JudgedMeasurement,
    rule: Unusual,
    outcome: StreamOutcome,
    *,
    trace: bytes,
) -> JudgedMeasurement:
    """The row with the verdict that follows from the outcome."""
    judgement = _judge(row, rule, outcome)
    m = row.measurement
    if not outcome.missing_windows:
        detail = {
            "usual": _value(rule.scale, outcome.expected),
            "smallest_seen": _value(rule.scale, _detectable_size(rule, outcome)),
        }
        odds = {"odds": outcome.odds} if outcome.odds else {}
        m = m.with_detail({**detail, **odds})
    return JudgedMeasurement(
        check=row.check,
        measurement=m,
        judgement=judgement,
        rows=row.rows,
        cause=row.cause,
        past_rule=row.past_rule,
        since=outcome.since,
        trace=trace,
        lacks_data=_lacks_data(rule, outcome, judgement),
        needed_rows=row.needed_rows,
        correlated_series=outcome.correlated_streams,
    )


def _judge(row: JudgedMeasurement, rule: Unusual, outcome: StreamOutcome) -> Judgement:
    if outcome.is_changed:
        return _judge_change(row, rule, outcome)
    if _is_lasting(rule, outcome):
        usual = _value(rule.scale, outcome.baseline_size)
        reason = (
            f"lastingly far from the reference: {number(usual)} on average "
            f"over {outcome.windows} windows"
        )
        return Judgement(verdict=Verdict.CHANGED, severity=rule.severity(abs(usual)), reason=reason)
    if outcome.missing_windows:
        return _judge_without_baseline(row, rule, outcome)
    if outcome.is_in_range or _is_ok(rule, outcome):
        return OK
    reason = f"{_missing_data(row, rule, outcome)}; {_detectable_text(row, rule, outcome)}"
    return Judgement(verdict=Verdict.UNSURE, reason=reason, is_within_bounds=True)


def _judge_change(row: JudgedMeasurement, rule: Unusual, outcome: StreamOutcome) -> Judgement:
    """The reason names the usual and the new value, the odds, and what would have been found."""
    new_size = outcome.expected + outcome.effect
    new, usual = _value(rule.scale, new_size), _value(rule.scale, outcome.expected)
    origin = "in the reference" if outcome.missing_windows else "usually"
    reason = f"{origin} {_format(row, usual)}, now {_format(row, new)}"
    if outcome.odds:
        evidence = f"evidence {odds_text(outcome.odds)} for a change"
        reason += f"; {evidence}; {_detectable_text(row, rule, outcome)}"
    severity = rule.severity(_change_amount(rule, outcome, new_size))
    if rule.scale == "odds" and abs(new - usual) < (rule.obvious or 0.0):
        severity = min(severity, Severity.WARNING, key=lambda each: each.rank)
    return Judgement(verdict=Verdict.CHANGED, severity=severity, reason=reason)


def _detectable_text(row: JudgedMeasurement, rule: Unusual, outcome: StreamOutcome) -> str:
    value = _format(row, _value(rule.scale, _detectable_size(rule, outcome)))
    return f"{value} shows within {DETECTION_WINDOWS} windows"


def _format(row: JudgedMeasurement, value: float) -> str:
    """The value with its unit, for people."""
    unit = row.measurement.unit
    if unit == "share" and 0 <= value <= 1:
        return share(value)
    return f"{number(float(f'{value:.3g}'))} {unit}".strip()


def _change_amount(rule: Unusual, outcome: StreamOutcome, size: float) -> float:
    """The amount of a change to `size`, as the severities of the rule are given.

    Distances are taken as they are, values on the log scale relative to the expected one, odds
    relative to the smaller of both.
    """
    if rule.scale == "odds":
        return math.expm1(abs(size - outcome.expected))
    value, expected = _value(rule.scale, size), _value(rule.scale, outcome.expected)
    if rule.scale in ("root", "cube_root"):
        return value
    return abs(value / expected - 1) if rule.scale == "log" else abs(value - expected)


def _lacks_data(rule: Unusual, outcome: StreamOutcome, judgement: Judgement) -> bool:
    """Whether not even a change worth a warning would be found within 7 windows."""
    if judgement.verdict is not Verdict.UNSURE or outcome.missing_windows:
        return False
    limits = [limit for limit in (rule.warning, rule.critical, rule.info) if limit is not None]
    amount = _change_amount(rule, outcome, _detectable_size(rule, outcome))
    return amount > (limits[0] if limits else rule.tolerance)


def _detectable_size(rule: Unusual, outcome: StreamOutcome) -> float:
    """The size nearest to the expected one that would be found within 7 windows."""
    sign = -1 if rule.side == "below" else 1
    size = outcome.expected + sign * outcome.detectable_effect
    return size if rule.scale != "logit" else min(max(size, 0.0), 1.0)


def _is_lasting(rule: Unusual, outcome: StreamOutcome) -> bool:
    """Whether the baseline itself lies far from the reference, and the newest windows, too."""
    if outcome.missing_windows or not math.isfinite(outcome.neutral):
        return False
    lower_bound = abs(outcome.baseline_distance) - BOUND * outcome.baseline_size_error
    limit = lasting_size(rule)
    return lower_bound > limit and abs(outcome.newest_distance) > limit / 2


def lasting_size(rule: Unusual) -> float:
    """The distance of a baseline from the reference that is a change by itself.

    On the scale of sizes; infinite for never.
    """
    if not rule.lasting or rule.obvious is None or rule.scale == "odds":
        return math.inf
    return _size(rule.scale, rule.obvious)


def _judge_without_baseline(
    row: JudgedMeasurement, rule: Unusual, outcome: StreamOutcome
) -> Judgement:
    """What is surely within the tolerance of the reference is `ok`; nothing else is decided."""
    judgement = row.judgement
    if REFERENCE_LOW in row.measurement.detail and judgement is not None:
        judgement = _judge_by_range(row, rule, outcome, judgement)
    if judgement is not None and judgement.verdict is Verdict.CHANGED:
        return Judgement(verdict=Verdict.UNSURE, reason=_missing_repeat(outcome))
    if judgement is not None and judgement.verdict is Verdict.OK:
        return OK
    windows = f"{outcome.missing_windows:,} more windows"
    if math.isfinite(outcome.neutral) and rule.obvious is not None:
        reason = (
            f"less than {_format(row, rule.obvious)} from the reference; "
            f"{windows} are needed to judge smaller differences"
        )
    else:
        reason = f"{windows} are needed to know what is usual"
    return Judgement(verdict=Verdict.UNSURE, reason=reason, is_within_bounds=row.is_within_bounds)


def _judge_by_range(
    row: JudgedMeasurement, rule: Unusual, outcome: StreamOutcome, judgement: Judgement
) -> Judgement:
    """The judgement of a window alone, by its distance from the range of the reference."""
    value = row.measurement.value
    assert value is not None
    error = Z * (_sampling_sd(rule, row.measurement) or 0.0)
    nearest = _size(rule.scale, value) - outcome.effect
    least, most = max(abs(outcome.effect) - error, 0.0), abs(outcome.effect) + error
    if outcome.effect == 0 or most <= _tolerance(rule):
        return OK
    if rule.scale == "odds":
        end = nearest + math.copysign(least, outcome.effect)
        least = abs(_value(rule.scale, end) - _value(rule.scale, nearest))
    if least <= _obvious(rule):
        return Judgement(verdict=Verdict.UNSURE, reason=judgement.reason, is_within_bounds=True)
    return judgement


def _missing_repeat(outcome: StreamOutcome) -> str:
    """What a window that is far from the reference lacks to be a change."""
    if outcome.has_day_blocks:
        return "far from the reference; a change if two whole days are, too"
    return "far from the reference; a change if the next window is, too"


def _is_ok(rule: Unusual, outcome: StreamOutcome) -> bool:
    """Whether the data show that no effect reaches the tolerance.

    This window shows it alone, or together with the newest windows.
    """
    tolerance = _tolerance(rule)
    if tolerance == 0:
        return outcome.p_value >= MIN_OK_P_VALUE
    window_bound = abs(outcome.effect) + BOUND * outcome.sd
    recent_bound = abs(outcome.recent_effect) + BOUND * outcome.recent_effect_error
    return window_bound < tolerance or (
        recent_bound < tolerance and outcome.p_value >= MIN_OK_P_VALUE
    )


def _missing_data(row: JudgedMeasurement, rule: Unusual, outcome: StreamOutcome) -> str:
    """How many more rows a window would decide, or that no number of rows would.

    Rows reduce only their own part of the variance between windows.
    """
    tolerance = _tolerance(rule)
    if tolerance == 0 or outcome.p_value < MIN_OK_P_VALUE:
        return "out of the ordinary; the next windows will show whether it stays"
    sampling_sd = _sampling_sd(rule, row.measurement)
    needed_variance = DETECTION_WINDOWS * (tolerance / BOUND) ** 2
    sampling_variance = outcome.sd**2 if sampling_sd is None else min(sampling_sd, outcome.sd) ** 2
    between_variance = outcome.sd**2 - sampling_variance
    if between_variance >= needed_variance or row.rows <= 0:
        return (
            "windows differ too much from each other to tell, however many rows they have; "
            "more windows will show"
        )
    needed_rows = math.ceil(row.rows * sampling_variance / (needed_variance - between_variance))
    return (
        f"about {max(needed_rows - row.rows, 1):,} more rows a window are needed: {row.rows:,} here"
    )
