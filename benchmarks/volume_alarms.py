"""False alarms and delays of the check of rows, on simulated counts.

    python benchmarks/volume_alarms.py
    python benchmarks/volume_alarms.py --quick

Each regime draws counts from a negative binomial law around a shape of hours and weekdays, and runs
the check window by window. False alarms are runs of changed windows after the first 60 days. The
delay is the time from the start of an outage to the end of the first changed window: all rows, or
70% of them, are lost on a Wednesday at 10:00 in the last week.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np
from driftline_plugins.checks.volume import Volume
from numpy.typing import NDArray

from driftline import CheckContext, Schema, Window
from driftline.kit.checks import PastValue

Floats = NDArray[np.float64]
START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEARNING = 60 * DAY
HOLIDAYS = tuple(
    START.date() + timedelta(days=day)
    for year in (0, 365)
    for number in (0, 5, 107, 110, 120, 148, 159, 275, 304, 358, 359, 364)
    for day in (number + year,)
)


@dataclass(frozen=True, kw_only=True)
class Regime:
    """Counts of rows, and the options of the check."""

    name: str
    length: timedelta = HOUR
    rate: float = 120.0
    """Rows of a window at noon of a weekday."""
    night: float = 0.1
    """Rows at night, as a part of those at noon."""
    weekend: float = 0.6
    month_start: float = 1.0
    """Factor of the first three days of each month."""
    holiday: float = 1.0
    doubling: float = 0.0
    """Days in which rows double; 0: never."""
    wobble: float = 0.05
    """Relative spread of days."""
    dispersion: float = 50.0
    options: Mapping[str, object] = field(default_factory=dict)

    def means(self, days: int) -> Floats:
        """Expected rows of each window, without the spread of days."""
        count = round(days * DAY / self.length)
        hours = np.arange(count) * (self.length / HOUR)
        day = (hours // 24).astype(int)
        shape = np.ones(count)
        if self.length < DAY:
            wave = np.clip(0.5 - 0.8 * np.cos((hours % 24 - 2) / 24 * 2 * np.pi), 0, 1)
            shape = self.night + (1 - self.night) * wave
        dates = [START.date() + timedelta(days=int(number)) for number in range(days)]
        factor = np.array([self._factor(when) for when in dates])
        if self.doubling:
            factor = factor * 2 ** (np.arange(days) / self.doubling)
        return self.rate * shape * factor[day]

    def _factor(self, when: date) -> float:
        factor = self.weekend if when.weekday() >= 5 else 1.0
        if when in HOLIDAYS and self.holiday != 1:
            factor = self.holiday
        return factor * (self.month_start if when.day <= 3 else 1.0)

    def draw(self, days: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of each window."""
        per_day = DAY / self.length
        wobble = np.exp(rng.normal(0, self.wobble, days))
        means = self.means(days)
        index = (np.arange(len(means)) / per_day).astype(int)
        means = np.maximum(means * wobble[index], 1e-9)
        return rng.negative_binomial(self.dispersion, self.dispersion / (self.dispersion + means))


LISTED = {"holidays": HOLIDAYS}
REGIMES = (
    Regime(name="hours"),
    Regime(name="hours, few at night", rate=50, night=0.1, weekend=1),
    Regime(name="hours, 5 rows", rate=5, night=1, weekend=1),
    Regime(name="hours, weekend of 3 and 0.5 rows", night=4 / 120, weekend=3 / 120),
    Regime(name="hours, rows x1.8 on days 1 to 3", month_start=1.8),
    Regime(name="hours, 12 holidays at 30%", holiday=0.3),
    Regime(name="hours, the same, listed", holiday=0.3, options=LISTED),
    Regime(name="hours, doubling in 6 months", doubling=182, rate=40),
    Regime(name="hours, doubling in 45 days", doubling=45, rate=20),
    Regime(name="hours, spread 30%", dispersion=10, wobble=0.1),
    Regime(name="days", length=DAY, rate=1000),
    Regime(name="days, 8 rows", length=DAY, rate=8, weekend=1),
    Regime(name="days, rows x1.8 on days 1 to 3", length=DAY, rate=800, weekend=1, month_start=1.8),
    Regime(name="days, 12 holidays at 30%", length=DAY, rate=1000, holiday=0.3),
    Regime(name="days, the same, listed", length=DAY, rate=1000, holiday=0.3, options=LISTED),
    Regime(name="days, doubling in 6 months", length=DAY, rate=400, doubling=182),
    Regime(name="days, doubling in 45 days", length=DAY, rate=300, doubling=45),
    Regime(name="days, spread 30%", length=DAY, rate=1000, wobble=0.3),
    Regime(name="6 hours", length=6 * HOUR, rate=500),
    Regime(name="weeks", length=7 * DAY, rate=5000, weekend=1),
    Regime(name="5 minutes", length=HOUR / 12, rate=30),
)


class Agent:
    """Runs the check window by window, as the agent does."""

    def __init__(self, regime: Regime) -> None:
        self._check, self._length = Volume(**regime.options), regime.length
        self._series: dict[str, list[PastValue]] = {}
        self._start = START

    def judge(self, rows: int) -> str:
        """The verdict of the next window."""
        window = Window(rows=rows, start=self._start, end=self._start + self._length)
        context = CheckContext(
            current=window, reference=None, schema=Schema(), history=self._history
        )
        verdict = ""
        for item in list(self._check.evaluate(context)):
            rule = self._check.default_rules.get(item.name)
            if rule is not None:
                judgement = rule.judge(item, rows, 0)
                verdict = "ok" if judgement.is_within_bounds else judgement.verdict.value
            if item.value is not None:
                value = PastValue(self._start, value=item.value, rows=rows, verdict=verdict)
                self._series.setdefault(item.name, []).append(value)
        self._start += self._length
        return verdict

    def _history(
        self, name: str, labels: Mapping[str, str] | None = None, limit: int = 100
    ) -> Sequence[PastValue]:
        return self._series.get(name, [])[-limit:]


def verdicts(regime: Regime, rows: Sequence[int]) -> list[str]:
    """The verdict of each window."""
    agent = Agent(regime)
    return [agent.judge(int(count)) for count in rows]


def count_alarms(found: Sequence[str]) -> int:
    """Runs of changed windows; windows that are unsure do not end one."""
    alarms, is_open = 0, False
    for verdict in found:
        alarms += verdict == "changed" and not is_open
        is_open = verdict == "changed" or (is_open and verdict == "unsure")
    return alarms


def delay(regime: Regime, days: int, left: float, rng: np.random.Generator) -> float | None:
    """Hours from the start of an outage of three days until it is told."""
    rows = regime.draw(days, rng)
    ends = START + np.arange(1, len(rows) + 1) * regime.length
    begin = START + (days - 7) * DAY
    begin += (2 - begin.weekday()) % 7 * DAY + (10 * HOUR if regime.length < DAY else 0 * HOUR)
    is_out = np.array([end - regime.length >= begin for end in ends])
    rows[is_out] = rng.binomial(rows[is_out], left)
    for end, verdict in zip(ends, verdicts(regime, rows), strict=True):
        if verdict == "changed" and end > begin:
            return float((end - begin) / HOUR)
    return None


def main() -> None:
    """Print one row for each regime."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer years, no 5 minutes")
    parser.add_argument("--only", default="", help="a part of the names of the regimes")
    parser.add_argument("--years", type=int, default=10)
    arguments = parser.parse_args()
    years = 1 if arguments.quick else arguments.years
    print("regime | years | false alarms a year | in the first 60 days | no rows: h | 30% left: h")
    for regime in REGIMES:
        if arguments.only not in regime.name or (arguments.quick and regime.length < HOUR):
            continue
        share = 0.2 if regime.length < HOUR else 1.0
        report(regime, years * share)


def report(regime: Regime, years: float) -> None:
    """Print the row of one regime."""
    begin, rng = time.perf_counter(), np.random.default_rng(7)
    runs, days = max(1, round(years / 2)), round(min(730, years * 365))
    early = round(LEARNING / regime.length)
    false, first, windows = 0, 0, 0
    for _ in range(runs):
        found = verdicts(regime, regime.draw(days, rng).tolist())
        false += count_alarms(found[early:])
        first += count_alarms(found[:early])
        windows += len(found)
    seconds = time.perf_counter() - begin
    measured = runs * (days - LEARNING / DAY) / 365.25
    span = 400 if regime.length > DAY else 70
    delays = [_hours([delay(regime, span, left, rng) for _ in range(3)]) for left in (0.0, 0.3)]
    print(
        f"{regime.name} | {measured:.1f} | {false / measured:.2f} | {first / runs:.2f} | "
        f"{delays[0]} | {delays[1]} | {seconds / windows * 1e3:.1f} ms a window",
        flush=True,
    )


def _hours(values: Sequence[float | None]) -> str:
    ordered = sorted(float("inf") if value is None else value for value in values)
    middle = ordered[len(ordered) // 2]
    return "never" if middle == float("inf") else f"{middle:g}"


if __name__ == "__main__":
    main()
