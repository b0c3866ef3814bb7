"""Judging by the past: measurements become streams of the evidence engine, and what it finds
becomes verdicts in words.

Refuses statistics: how much a change is worth as evidence is the engine's to say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from driftline.contracts.rule import Scale, Unusual
from driftline.evaluate.evidence.engine import Given, Policy
from driftline.evaluate.evidence.outcome import WITHIN, Outcome, advance
from driftline.evaluate.evidence.trail import Stream, Trail
from driftline.state.measurements import labels_json
from driftline.types.model import Judgement, Measurement, Schema, Severity, Verdict
from driftline.types.phrasing import number, share
from driftline.types.records import JudgedMeasurement, WindowKey

SURPRISE = 0.02
"""A window whose p-value is below this is not called fine."""
Z = 1.96
CERTAIN = 2.0
"""Standard errors on both sides within which a level is taken to lie."""
OK = Judgement(Verdict.OK)


@dataclass(frozen=True, slots=True)
class Past:
    """The past of one model, and how it is judged by."""

    trail: Trail
    policy: Policy
    schema: Schema

    def judge(
        self, start: int, rows: Sequence[tuple[WindowKey, JudgedMeasurement]]
    ) -> list[JudgedMeasurement]:
        """The rows of all windows with this start with their verdicts; those that no past judges
        come back as they are.
        """
        watched = [
            (place, key, row, row.watched)
            for place, (key, row) in enumerate(rows)
            if row.watched is not None
        ]
        if not watched:
            return [row for _, row in rows]
        numbers = [given(key, row, rule, self.schema) for _, key, row, rule in watched]
        outcomes, traces = advance(self.trail, start, numbers, self.policy)
        found = [row for _, row in rows]
        for (place, _, row, rule), outcome, trace in zip(watched, outcomes, traces, strict=True):
            found[place] = judged(row, rule, outcome, trace.tobytes(), start - self.policy.length)
        return found


def stream_of(key: WindowKey, row: JudgedMeasurement) -> Stream:
    """Which series a measurement continues."""
    m = row.measurement
    return Stream(key.version, key.segment, row.check, m.name, labels_json(m.labels))


def given(key: WindowKey, row: JudgedMeasurement, rule: Unusual, schema: Schema) -> Given:
    """What the engine is told of a measurement."""
    m = row.measurement
    assert m.value is not None
    made = {
        field.name for field in (schema.prediction, schema.score, schema.label) if field is not None
    }
    return Given(
        stream_of(key, row),
        _level(rule.scale, m, row.rows),
        _size(rule.scale, m.value),
        _least_sd(rule, m, row.rows),
        _tolerance(rule),
        rule.side != "below",
        rule.side != "above",
        row.cause,
        rule.weight,
        rule.method == "cusum",
        kin=m.labels.get("column", "") not in made and row.cause in ("drift", "quality"),
    )


def _level(scale: Scale, m: Measurement, rows: int) -> float:
    """The number where its spread is even; a distance with what chance adds to it, where the check
    tells that.
    """
    assert m.value is not None
    if scale == "plain":
        return m.value
    if scale == "log":
        return math.log(m.value) if m.value > 0 else math.nan
    if scale == "logit":
        hits = m.value * rows
        return (
            math.log((hits + 0.5) / (rows - hits + 0.5)) if -0.5 < hits < rows + 0.5 else math.nan
        )
    raw = m.detail.get("raw")
    value = max(0.0, raw if isinstance(raw, (int, float)) else m.value)
    return math.sqrt(value) if scale == "root" else math.cbrt(value)


def _size(scale: Scale, value: float) -> float:
    """The number where changes are compared: distances on the root, on which they are like shifts,
    sizes on the log.
    """
    if scale == "log":
        return math.log(value) if value > 0 else math.nan
    return math.sqrt(max(0.0, value)) if scale in ("root", "cube_root") else value


def _told(scale: Scale, size: float) -> float:
    """The inverse of `_size`."""
    if scale == "log":
        return math.exp(min(size, 700.0))
    return max(0.0, size) ** 2 if scale in ("root", "cube_root") else size


def _tolerance(rule: Unusual) -> float:
    return math.sqrt(rule.tolerance) if rule.scale in ("root", "cube_root") else rule.tolerance


def _sampling_sd(rule: Unusual, m: Measurement) -> float | None:
    """Of the size, by the number of rows alone, from the interval; None where there is none."""
    if m.interval is None:
        return None
    low, high = (
        _size(rule.scale, max(end, 1e-300) if rule.scale == "log" else end) for end in m.interval
    )
    return (high - low) / (2 * Z)


def _least_sd(rule: Unusual, m: Measurement, rows: int) -> float:
    """Below it no baseline's spread is believed: what the number of rows makes, or a little of what
    matters.
    """
    assert m.value is not None
    if rule.scale == "logit":
        hits = m.value * rows
        return 0.5 * math.sqrt(1 / (hits + 0.5) + 1 / (max(rows - hits, 0.0) + 0.5))
    least = _tolerance(rule) / 50
    sampling = _sampling_sd(rule, m)
    return (
        max(least, 0.7 * sampling)
        if rule.scale in ("plain", "log") and sampling is not None
        else least
    )


def judged(
    row: JudgedMeasurement, rule: Unusual, outcome: Outcome, trace: bytes, before: int
) -> JudgedMeasurement:
    """The row with its verdict; `before` is the start of the window before: what is plainly far out
    is so since then.
    """
    said = _said(row, rule, outcome)
    since = before if outcome.missing and said.verdict is Verdict.CHANGED else outcome.since
    m = row.measurement
    if not outcome.missing:
        known = {
            "usual": _told(rule.scale, outcome.expected),
            "smallest_seen": _told(rule.scale, _seen(rule, outcome)),
        }
        odds = {"odds": outcome.odds} if outcome.changed else {}
        m = replace(m, detail={**m.detail, **known, **odds})
    return JudgedMeasurement(
        row.check, m, said.verdict, said.severity or "", said.reason, row.rows, row.cause, said.within, row.watched,
        since, trace, _blind(rule, outcome, said), outcome.alike,
    )  # fmt: skip


def _said(row: JudgedMeasurement, rule: Unusual, outcome: Outcome) -> Judgement:
    if outcome.changed:
        return _changed(row, rule, outcome)
    if _lasting(rule, outcome):
        usual = _told(rule.scale, outcome.usual)
        why = f"lastingly far from the reference: {number(usual)} on average over {outcome.windows} windows"
        return Judgement(Verdict.CHANGED, rule.severity(abs(usual)), why)
    if outcome.missing:
        return _learning(row, rule, outcome)
    if _fine(rule, outcome):
        return OK
    lacking = f"{_lacking(row, rule, outcome)}; {_visible(row, rule, outcome)}"
    return Judgement(Verdict.UNSURE, reason=lacking, within=True)


def _changed(row: JudgedMeasurement, rule: Unusual, outcome: Outcome) -> Judgement:
    """What a person needs beside the number: how sure, what is usual, and what would have been seen
    at all.
    """
    now, usual = (
        _told(rule.scale, size) for size in (outcome.expected + outcome.effect, outcome.expected)
    )
    odds = number(float(f"{outcome.odds:.2g}")) if outcome.odds < 1e9 else "a billion or more"
    sure = f"odds about 1:{odds} against chance; {_visible(row, rule, outcome)}"
    why = f"usually {_shown(row, usual)}, now {_shown(row, now)}; {sure}"
    return Judgement(
        Verdict.CHANGED, rule.severity(_big(rule, outcome, outcome.expected + outcome.effect)), why
    )


def _visible(row: JudgedMeasurement, rule: Unusual, outcome: Outcome) -> str:
    return (
        f"{_shown(row, _told(rule.scale, _seen(rule, outcome)))} would be seen in {WITHIN} windows"
    )


def _shown(row: JudgedMeasurement, value: float) -> str:
    unit = row.measurement.unit
    return (
        share(value)
        if unit == "share" and 0 <= value <= 1
        else f"{number(float(f'{value:.3g}'))} {unit}".strip()
    )


def _big(rule: Unusual, outcome: Outcome, size: float) -> float:
    """How large a change to `size` is, as severities are told by."""
    now, usual = _told(rule.scale, size), _told(rule.scale, outcome.expected)
    if rule.scale in ("root", "cube_root"):
        return now
    return abs(now / usual - 1) if rule.scale == "log" else abs(now - usual)


def _blind(rule: Unusual, outcome: Outcome, said: Judgement) -> bool:
    """Whether not even changes worth a warning would be seen within 7 windows."""
    if said.verdict is not Verdict.UNSURE or outcome.missing:
        return False
    known = [least for least in (rule.warning, rule.critical, rule.info) if least is not None]
    return _big(rule, outcome, _seen(rule, outcome)) > (known[0] if known else rule.tolerance)


def _seen(rule: Unusual, outcome: Outcome) -> float:
    """The smallest size beyond what is expected that would be found."""
    far = outcome.expected + (-outcome.seen_from if rule.side == "below" else outcome.seen_from)
    return far if rule.scale != "logit" else min(max(far, 0.0), 1.0)


def _lasting(rule: Unusual, outcome: Outcome) -> bool:
    return not outcome.missing and abs(
        outcome.usual
    ) - CERTAIN * outcome.usual_error > lasting_least(rule)


def lasting_least(rule: Unusual) -> float:
    """The mean size of a baseline beyond which it is a change by itself; infinite where that is
    none.
    """
    if not rule.lasting or rule.warning is None:
        return math.inf
    return math.sqrt(rule.warning) if rule.scale in ("root", "cube_root") else rule.warning


def _learning(row: JudgedMeasurement, rule: Unusual, outcome: Outcome) -> Judgement:
    """Without a past only what is plain: far out twice in a row, or too small to matter."""
    lacks = f"learning what is usual: {outcome.missing} more windows, about {outcome.missing * row.rows:,} rows, are needed"
    if row.verdict == Verdict.CHANGED:
        assert rule.obvious is not None
        far = (
            abs(_told(rule.scale, outcome.before) - rule.neutral)
            if math.isfinite(outcome.before)
            else 0.0
        )
        if far > rule.obvious:
            return Judgement(Verdict.CHANGED, Severity(row.severity), row.reason)
        return Judgement(
            Verdict.UNSURE, reason=f"far out; a change if the next window is, too ({lacks})"
        )
    if row.verdict == Verdict.OK:
        return OK
    return Judgement(Verdict.UNSURE, reason=lacks, within=row.within)


def _fine(rule: Unusual, outcome: Outcome) -> bool:
    """Whether data enough show that nothing that matters has changed: this window by itself, or it
    and those before it.
    """
    tolerance = _tolerance(rule)
    if tolerance == 0:
        return outcome.surprise >= SURPRISE
    alone = abs(outcome.effect) + CERTAIN * outcome.sd < tolerance
    together = abs(outcome.recent) + CERTAIN * outcome.recent_error < tolerance
    return alone or (together and outcome.surprise >= SURPRISE)


def _lacking(row: JudgedMeasurement, rule: Unusual, outcome: Outcome) -> str:
    """How many rows would settle it, by what rows add to the spread between windows; or that no
    number of rows would.
    """
    tolerance = _tolerance(rule)
    if tolerance == 0 or outcome.surprise < SURPRISE:
        return "out of the ordinary; the next windows will show whether it stays"
    sampling = _sampling_sd(rule, row.measurement)
    wanted = WITHIN * (tolerance / CERTAIN) ** 2
    by_rows = outcome.sd**2 if sampling is None else min(sampling, outcome.sd) ** 2
    between = outcome.sd**2 - by_rows
    if between >= wanted or row.rows <= 0:
        return "windows differ too much from each other to tell, however many rows they have; more windows will show"
    more = math.ceil(row.rows * by_rows / (wanted - between)) - row.rows
    return f"about {max(more, 1):,} more rows a window are needed: {row.rows:,} here"
