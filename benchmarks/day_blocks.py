"""Three ways to add up the evidence of hourly windows, compared on simulated measurements.

    python benchmarks/day_blocks.py
    python benchmarks/day_blocks.py --quick

The hours of a day share one shift, so their evidence is not independent. Compared are false alarms
a year and hours until a shift is found:

- `hours`: the way of today. Every hour is a window, the autocorrelation of hours is removed, and
  the e-values of all hours are multiplied.
- `averaged`: a day is one block. The e-value of a day is the mean over its hours so far, without
  autocorrelation removed.
- `day means`: the mean of a day is one window.

Does not use the evidence engine: its formulas for one column are repeated here. `averaged` is a
trial; a running mean is no e-value at a look within the day, a sum over the planned windows is.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from driftline import stats
from driftline.evaluate.evidence.baseline import TAIL_INDEX, Baseline

Floats = NDArray[np.float64]
HOURS = 24
BASELINE_DAYS = 56
COLUMNS = 8
TOLERANCE = 0.1
"""Smallest shift that matters, standard deviations."""
THRESHOLD_HOURS, THRESHOLD_DAYS = 8766.0, 365.25
"""Windows per false page, for one page a year."""
MOST_EVIDENCE = 1e200
MIN_HOURS_OF_DAY = 3
"""Hours of a day before `averaged` may alarm."""
METHODS = ("hours", "averaged", "day means")
NEVER = 999


def simulate(rng: np.random.Generator, *, days: int, rows: int, wobble: float) -> Floats:
    """Hourly measurements of all columns, shape (hours, columns); days shift by `wobble` sd."""
    shifts = np.repeat(rng.normal(0, wobble, (days, COLUMNS)), HOURS, axis=0)
    return shifts + rng.normal(0, 1 / np.sqrt(rows), (days * HOURS, COLUMNS))


def scores_of(deviations: Floats) -> stats.Ranks:
    """The ranks of a baseline of deviations, shape (K, columns)."""
    return stats.Ranks(stats.studentised(deviations))


def e_values(scores: stats.Ranks, t: Floats) -> Floats:
    """E-values of the upper and the lower side, shape (2, columns)."""
    return stats.calibrate(np.stack(scores.tails(t, TAIL_INDEX)))


def material_sides(newest: Floats, error: Floats) -> NDArray[np.bool_]:
    """Where the mean of the newest windows, less its error, reaches the tolerance; (2, columns)."""
    mean = newest.mean(axis=0)
    return np.stack([mean, -mean]) - error >= TOLERANCE


@dataclass
class Alarms:
    """The alarms of one method."""

    count: int = 0
    first_hour: int = NEVER

    def add(self, hour: int) -> None:
        """Note an alarm in this hour."""
        self.count += 1
        self.first_hour = min(self.first_hour, hour + 1)


@dataclass
class Totals:
    """Shiryaev-Roberts totals by side and column, shape (2, columns)."""

    values: Floats = field(default_factory=lambda: np.zeros((2, COLUMNS)))

    def reaches(self, material: NDArray[np.bool_], threshold: float) -> bool:
        """Whether the weighted totals of material shifts reach the threshold."""
        return bool((self.values * material).sum() / (2 * COLUMNS) >= threshold)


def run(values: Floats, shift: float = 0.0) -> dict[str, Alarms]:
    """The alarms of each method after the baseline, with a shift of the first column."""
    baseline = values[: BASELINE_DAYS * HOURS]
    deviations = baseline - baseline.mean(axis=0)
    current = values[BASELINE_DAYS * HOURS :] - baseline.mean(axis=0)
    current[:, 0] += shift
    starts = np.arange(len(baseline)) * 3_600_000_000
    memory = Baseline.estimate(baseline, baseline, starts, 3_600_000_000).memory
    residuals = np.vstack(
        [deviations[:1] * np.sqrt(1 - memory**2), deviations[1:] - memory * deviations[:-1]]
    )
    day_means = deviations.reshape(-1, HOURS, COLUMNS).mean(axis=1)
    residual_scores, residual_sd = scores_of(residuals), residuals.std(axis=0, ddof=1)
    hour_scores, hour_sd = scores_of(deviations), deviations.std(axis=0, ddof=1)
    day_scores, day_sd = scores_of(day_means - day_means.mean(axis=0)), day_means.std(0, ddof=1)
    inflation = np.sqrt((1 + memory) / (1 - memory))

    alarms = {method: Alarms() for method in METHODS}
    hourly, block_totals, daily = Totals(), Totals(), Totals()
    day_evidence = np.zeros((2, COLUMNS))
    previous = deviations[-1]
    for hour, deviation in enumerate(current):
        hour_of_day = hour % HOURS
        t = (deviation - memory * previous) / residual_sd
        previous = deviation
        evidence = (1 + hourly.values) * e_values(residual_scores, t)
        hourly.values = np.minimum(evidence, MOST_EVIDENCE)
        newest = current[max(0, hour - 13) : hour + 1]
        error = 3 * hour_sd * inflation / np.sqrt(len(newest))
        if hourly.reaches(material_sides(newest, error), THRESHOLD_HOURS):
            alarms["hours"].add(hour)
            hourly = Totals()

        t = deviation / hour_sd / np.sqrt(1 + 1 / len(baseline))
        day_evidence = day_evidence * (hour_of_day > 0) + e_values(hour_scores, t)
        today = Totals((1 + block_totals.values) * day_evidence / (hour_of_day + 1))
        material = material_sides(current[max(0, hour - HOURS + 1) : hour + 1], 2 * day_sd)
        if hour_of_day + 1 >= MIN_HOURS_OF_DAY and today.reaches(material, THRESHOLD_DAYS):
            alarms["averaged"].add(hour)
            block_totals, day_evidence = Totals(), np.zeros((2, COLUMNS))
        elif hour_of_day == HOURS - 1:
            block_totals = today

        if hour_of_day == HOURS - 1:
            day_mean = current[hour - HOURS + 1 : hour + 1].mean(axis=0)
            t = day_mean / day_sd / np.sqrt(1 + 1 / BASELINE_DAYS)
            daily.values = (1 + daily.values) * e_values(day_scores, t)
            newest = current[max(0, hour - 4 * HOURS + 1) : hour + 1]
            material = material_sides(newest, 2 * day_sd / np.sqrt(len(newest) / HOURS))
            if daily.reaches(material, THRESHOLD_DAYS):
                alarms["day means"].add(hour)
                daily = Totals()
    return alarms


def main() -> None:
    """Print false alarms a year, then hours until a shift is found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--days", type=int, default=60, help="days in which nothing changes")
    parser.add_argument("--quick", action="store_true", help="one seed, 10 days, 200 rows an hour")
    options = parser.parse_args()
    start, rng = time.monotonic(), np.random.default_rng(5)
    seeds, days = (1, 10) if options.quick else (options.seeds, options.days)
    sizes = (200,) if options.quick else (200, 1000)
    for rows in sizes:
        for wobble in (0.05, 0.1):
            runs = [
                run(simulate(rng, days=BASELINE_DAYS + days, rows=rows, wobble=wobble))
                for _ in range(seeds)
            ]
            rates = (
                f"{method} {np.mean([alarms[method].count for alarms in runs]) * 365 / days:.1f}"
                for method in METHODS
            )
            print(f"{rows} rows, days wobble by {wobble}: false alarms a year {', '.join(rates)}")
    for rows in sizes:
        for shift in (0.25, 0.5, 1.0):
            runs = [
                run(simulate(rng, days=BASELINE_DAYS + 10, rows=rows, wobble=0.05), shift)
                for _ in range(seeds)
            ]
            delays = {
                method: np.median([alarms[method].first_hour for alarms in runs])
                for method in METHODS
            }
            texts = (
                f"{method} {f'{delay:.0f}' if delay < NEVER else 'never'}"
                for method, delay in delays.items()
            )
            print(f"{rows} rows, shift {shift} sd: hours until found {', '.join(texts)}")
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
