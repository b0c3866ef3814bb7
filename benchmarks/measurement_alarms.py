"""False alarms and missed drifts on simulated measurements, at daily and hourly windows.

    python benchmarks/measurement_alarms.py daily           # false incidents while nothing changes
    python benchmarks/measurement_alarms.py hourly
    python benchmarks/measurement_alarms.py skew            # training and serving differ a little
    python benchmarks/measurement_alarms.py early-drift     # a drift before the baseline is learned
    python benchmarks/measurement_alarms.py hourly --quick

Simulated are not rows but series of one measurement, `mean_shift`, of several columns: the mean of
a window less that of the reference, in standard deviations of the reference. They are judged by the
rule `unusual` of the product. An incident is a run of windows in which any column is changed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from driftline import Measurement, Rule, Schema, Verdict, unusual
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.unusual_rule import PastJudge
from driftline.types.records import JudgedMeasurement, WindowKey
from driftline.types.times import DAY_MICROS, HOUR_MICROS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
START = int(1.7e15) // DAY_MICROS * DAY_MICROS
REFERENCE_ROWS = 10_000
MIN_ROWS = 100
"""Windows with fewer rows have no measurement."""
WOBBLE, WEEKEND, MEMORY = 0.05, 0.2, 0.5
Z = 1.96
NEVER = 999

DAILY_REGIMES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "iid": lambda rng, shape: np.zeros(shape),
    "wobble": lambda rng, shape: rng.normal(0, WOBBLE, shape),
    "ar": lambda rng, shape: autoregressive(rng, shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape) * WOBBLE / np.sqrt(3),
    "weekend": lambda rng, shape: rng.normal(0, WOBBLE, shape) + WEEKEND * is_weekend(shape[0]),
}
"""By name: how far each day moves each column, shape (days, columns)."""


@dataclass(frozen=True)
class HourlyRegime:
    """How the hours of a column differ from each other while nothing changes."""

    wobble: float = 0.0
    """Standard deviation of the shift that all hours of a day share."""
    has_daily_cycle: bool = False
    """Whether each column follows a sine over the day, and is higher on weekends."""
    has_weekend_cycle: bool = False
    """Whether the sine is smaller on weekends."""
    has_volume_cycle: bool = False
    """Whether the number of rows follows the hour."""


HOURLY_REGIMES = {
    "iid": HourlyRegime(),
    "wobble 0.05": HourlyRegime(wobble=0.05),
    "wobble 0.1": HourlyRegime(wobble=0.1),
    "daily cycle": HourlyRegime(wobble=0.05, has_daily_cycle=True),
    "weekend cycle": HourlyRegime(wobble=0.05, has_daily_cycle=True, has_weekend_cycle=True),
    "volume cycle": HourlyRegime(
        wobble=0.05, has_daily_cycle=True, has_weekend_cycle=True, has_volume_cycle=True
    ),
}


def autoregressive(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """An AR(1) with autocorrelation 0.5 and standard deviation 0.05, shape (windows, columns)."""
    innovations = rng.normal(0, WOBBLE * np.sqrt(1 - MEMORY**2), shape)
    values = np.zeros(shape)
    values[0] = innovations[0] / np.sqrt(1 - MEMORY**2)
    for window in range(1, shape[0]):
        values[window] = MEMORY * values[window - 1] + innovations[window]
    return values


def is_weekend(days: int) -> NDArray[np.bool_]:
    """Whether each day is one of the last two of a week, shape (days, 1)."""
    return (np.arange(days) % 7 >= 5)[:, None]


def sampling_error(rng: np.random.Generator, rows: Ints, columns: int) -> Floats:
    """The errors that finite windows and a finite reference make, shape (windows, columns)."""
    window_error = rng.normal(size=(len(rows), columns)) / np.sqrt(rows)[:, None]
    return window_error + rng.normal(0, 1 / np.sqrt(REFERENCE_ROWS), columns)


def daily_series(
    rng: np.random.Generator, regime: str, *, days: int, columns: int, rows: int
) -> Floats:
    """Measurements of daily windows in which nothing changes, shape (days, columns)."""
    shifts = DAILY_REGIMES[regime](rng, (days, columns))
    return shifts + sampling_error(rng, np.full(days, rows), columns)


def hourly_series(
    rng: np.random.Generator, regime: HourlyRegime, *, days: int, columns: int, rows: int
) -> tuple[Floats, Ints]:
    """Measurements of hourly windows in which nothing changes, and the rows of each window.

    Shapes (hours, columns) and (hours,).
    """
    hours = np.arange(days * 24)
    hour_of_day, weekend = hours % 24, (hours // 24 % 7 >= 5)[:, None]
    sine = np.sin(hour_of_day / 24 * 2 * np.pi)[:, None]
    amplitude = rng.uniform(0.2, 0.5, columns)
    shifts = np.zeros((len(hours), columns))
    if regime.has_daily_cycle:
        shifts += amplitude * sine + 0.15 * weekend
    if regime.has_weekend_cycle:
        shifts -= 0.7 * amplitude * sine * weekend
    if regime.wobble:
        shifts += np.repeat(rng.normal(0, regime.wobble, (days, columns)), 24, axis=0)
    window_rows = np.full(len(hours), rows)
    if regime.has_volume_cycle:
        volume = 0.3 + 0.7 * (1 + np.sin((hour_of_day - 8) / 24 * 2 * np.pi))
        window_rows = np.maximum(30, (rows * volume).astype(int))
    return shifts + sampling_error(rng, window_rows, columns), window_rows


@dataclass
class SeriesJudge:
    """Judges simulated `mean_shift` measurements window by window, as the product does."""

    length: int
    """Length of a window, microseconds."""
    rule: Rule
    past_judge: PastJudge = field(init=False)

    def __post_init__(self) -> None:
        policy = AlarmPolicy(self.length)
        self.past_judge = PastJudge(policy.make_trail(), policy, Schema(features={}))

    def judge(self, window: int, values: Floats, rows: int) -> list[Verdict]:
        """The verdict of each column in one window."""
        assert self.rule.unusual is not None
        start = START + window * self.length
        margin = Z * np.sqrt(1 / rows + 1 / REFERENCE_ROWS)
        rows_with_keys = []
        for column, value in enumerate(values.tolist()):
            measurement = Measurement(
                value=value,
                labels={"column": f"n{column}"},
                name="mean_shift",
                rows=rows,
                interval=(value - margin, value + margin),
                unit="sd",
            )
            alone = self.rule.unusual.judge_without_past(measurement)
            row = JudgedMeasurement(
                check="drift",
                measurement=measurement,
                judgement=alone,
                rows=rows,
                cause="drift",
                past_rule=self.rule.unusual,
            )
            rows_with_keys.append((WindowKey("model", start, "", ""), row))
        return [Verdict(row.verdict) for row in self.past_judge.judge(start, rows_with_keys)]


def changed_windows(
    values: Floats, rows: Ints, *, length: int, obvious: float = 0.75
) -> NDArray[np.bool_]:
    """Where the product finds a change, shape (windows, columns).

    A window with fewer than MIN_ROWS rows repeats the one before.
    """
    rule = unusual(info=0.1, warning=0.25, critical=3.0, obvious=obvious, lasting=True)
    judge = SeriesJudge(length, rule)
    is_changed = np.zeros(values.shape, np.bool_)
    for window, window_rows in enumerate(rows.tolist()):
        if window_rows >= MIN_ROWS:
            verdicts = judge.judge(window, values[window], window_rows)
            is_changed[window] = [verdict is Verdict.CHANGED for verdict in verdicts]
        elif window:
            is_changed[window] = is_changed[window - 1]
    return is_changed


def count_incidents(is_changed: NDArray[np.bool_]) -> int:
    """The number of runs of windows in which any column is changed."""
    is_on = np.concatenate([[False], is_changed.any(axis=1)])
    return int((is_on[1:] & ~is_on[:-1]).sum())


def run_daily(seeds: int, days: int) -> None:
    """False incidents of 20 columns in daily windows of 1,000 rows."""
    for regime in DAILY_REGIMES:
        counts = []
        for seed in range(seeds):
            rng = np.random.default_rng((seed, 7))
            values = daily_series(rng, regime, days=days, columns=20, rows=1000)
            counts.append(
                count_incidents(changed_windows(values, np.full(days, 1000), length=DAY_MICROS))
            )
        print(f"{regime:8} {np.mean(counts):.3f} incidents in {days} days, most {max(counts)}")


def run_hourly(seeds: int, days: int) -> None:
    """False incidents of 8 columns in hourly windows; the first two weeks are learned from."""
    for rows in (200, 2000):
        for name, regime in HOURLY_REGIMES.items():
            counts = []
            for seed in range(seeds):
                rng = np.random.default_rng((seed, rows))
                values, window_rows = hourly_series(rng, regime, days=days, columns=8, rows=rows)
                counts.append(
                    count_incidents(changed_windows(values, window_rows, length=HOUR_MICROS))
                )
            rate = np.mean(counts) * 365 / (days - 14)
            print(f"{rows:>5} rows an hour  {name:14} {rate:6.1f} incidents a year {counts}")


def run_skew(seeds: int, days: int) -> None:
    """False incidents while the baseline is learned, where serving differs from training."""
    for obvious in (2.0, 1.0, 0.75, 0.5):
        counts = []
        for seed in range(seeds):
            rng = np.random.default_rng((seed, 9))
            values = daily_series(rng, "weekend", days=days, columns=20, rows=1000)
            values += rng.normal(0, 0.15, 20)
            is_changed = changed_windows(
                values, np.full(days, 1000), length=DAY_MICROS, obvious=obvious
            )
            counts.append(count_incidents(is_changed[:42]))
        print(f"obvious {obvious:4}: {np.mean(counts):.2f} incidents in the first 42 days")


def run_early_drift(seeds: int, quick: bool) -> None:
    """How a drift is found that begins before the baseline is learned, and whether it ends.

    12 columns in daily windows of 150 rows; the drift is in all of them.
    """
    columns, rows, days_after = 12, 150, 60
    spans = ((10, 45),) if quick else ((10, 45), (0, 45), (25, 60), (10, 200))
    for size in (1.0,) if quick else (0.5, 1.0, 1.5, 2.5, 4.0):
        for begin, length in spans:
            days = begin + length + days_after
            delays, coverage, stuck = [], [], []
            for seed in range(seeds):
                rng = np.random.default_rng((seed, 5))
                values = daily_series(rng, "wobble", days=days, columns=columns, rows=rows)
                values[begin : begin + length] += size
                is_changed = changed_windows(values, np.full(days, rows), length=DAY_MICROS)
                during, after = is_changed[begin : begin + length], is_changed[begin + length :]
                delays += np.where(during.any(axis=0), during.argmax(axis=0) + 1, NEVER).tolist()
                coverage.append(during.mean())
                stuck.append(after[-1].mean())
            median = np.median(delays)
            print(
                f"{size} sd from day {begin} for {length} days: median delay "
                f"{f'{median:.0f} windows' if median < NEVER else 'none'}, never found in "
                f"{np.mean(np.array(delays) == NEVER):.0%} of columns; changed in "
                f"{np.mean(coverage):.0%} of its windows; {np.mean(stuck):.0%} of columns are "
                f"still changed {days_after} days after it"
            )


def main() -> None:
    """Run one simulation."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("simulation", choices=("daily", "hourly", "skew", "early-drift"))
    parser.add_argument("--seeds", type=int, help="series for each row of the result")
    parser.add_argument("--quick", action="store_true", help="one seed, fewer windows")
    options = parser.parse_args()
    start = time.monotonic()
    if options.simulation == "daily":
        run_daily(options.seeds or (1 if options.quick else 40), 120 if options.quick else 425)
    elif options.simulation == "hourly":
        run_hourly(options.seeds or (1 if options.quick else 3), 21 if options.quick else 90)
    elif options.simulation == "skew":
        run_skew(options.seeds or (1 if options.quick else 20), 60)
    else:
        run_early_drift(options.seeds or (1 if options.quick else 4), options.quick)
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
