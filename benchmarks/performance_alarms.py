"""Two rules for a lasting loss of accuracy, compared on simulated series.

    python benchmarks/performance_alarms.py
    python benchmarks/performance_alarms.py --quick

`each window`: the rule of today, which judges each window alone by Newcombe's interval for the drop
against the reference. `accumulated`: a trial of a rule that adds up likelihood ratios over windows
(Shiryaev-Roberts), closes an incident only when recovery is proven, and learns how much accuracy
varies between windows. The second rule is not part of the product.

Shapes: S simulated series, T windows. A drop is the accuracy of the reference less that of the
window; it and its tolerance are fractions, so 0.01 is one point.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Z = 1.96
NEVER = 999
TOLERANCE = 0.02
"""Drop that matters, for the rule of each window."""
DELTAS = (0.03, 0.05, 0.1, 0.2)
"""Drops that the likelihood ratios are made for."""
MIN_DROP = 0.005
"""The least drop that evidence counts against; with a small reference, its standard error."""
DELTA_GAP = 0.015
"""The least distance of a delta from the drop that evidence counts against."""
PRIOR_SPREAD, PRIOR_WINDOWS = 0.01, 10
"""Spread between windows before any is known, and the number of windows that this counts as."""
RECOVERY_SPANS = (3, 7, 14)
"""Newest windows whose mean may prove recovery."""
MOST_EVIDENCE = 1e200
LOSS_BEGIN, LOSS_END = 15, 60
"""Windows between which accuracy is lower, in the simulation of losses."""


@dataclass(frozen=True)
class Scenario:
    """Accuracy of a model, window by window."""

    name: str
    rows: int
    """Mean number of labelled rows of a window (Poisson)."""
    reference_rows: int
    accuracy: float = 0.89
    wobble: float = 0.0
    """Standard deviation of accuracy between windows."""
    weekend_drop: float = 0.0
    windows: int = 365
    """Windows of a year."""
    series: int = 400
    """Simulated series."""


SCENARIOS = (
    Scenario("500 a day", 500, 2_500),
    Scenario("500 a day, wobble of 1 point", 500, 2_500, wobble=0.01),
    Scenario("500 a day, wobble of 2 points", 500, 2_500, wobble=0.02),
    Scenario("500 a day, weekend -3 points", 500, 2_500, wobble=0.005, weekend_drop=0.03),
    Scenario("500 a day, small reference", 500, 500, wobble=0.01),
    Scenario("200 a day", 200, 10_000, accuracy=0.8),
    Scenario("5,000 a day, wobble of 1 point", 5_000, 2_500, wobble=0.01),
    Scenario("120 an hour", 120, 10_000, accuracy=0.8, windows=8_760, series=60),
    Scenario("120 an hour, wobble of 1 point", 120, 10_000, 0.8, 0.01, windows=8_760, series=60),
)


@dataclass(frozen=True)
class AccuracySeries:
    """Simulated accuracy of S models in T windows."""

    reference: Floats
    """Accuracy of the reference, shape (S,)."""
    reference_rows: int
    accuracy: Floats
    """Accuracy of each window, shape (S, T)."""
    rows: Ints
    """Labelled rows of each window, shape (S, T)."""

    @property
    def drop(self) -> Floats:
        """Shape (S, T)."""
        return self.reference[:, None] - self.accuracy

    @property
    def drop_error(self) -> Floats:
        """Standard error of the accuracy of each window, with one right and one wrong row added."""
        right = self.accuracy * self.rows
        return np.sqrt((right + 1) * (self.rows - right + 1) / (self.rows + 2.0) ** 3)

    @property
    def reference_error(self) -> Floats:
        """Standard error of the accuracy of the reference, shape (S,)."""
        return np.sqrt(self.reference * (1 - self.reference) / self.reference_rows)


def simulate(rng: np.random.Generator, scenario: Scenario, loss: Floats) -> AccuracySeries:
    """Draw the series of a scenario; `loss`, shape (T,), is taken from the accuracy."""
    windows, shape = len(loss), (scenario.series, len(loss))
    is_weekend = np.arange(windows) % 7 >= 5
    mean = scenario.accuracy - loss - scenario.weekend_drop * (is_weekend - 2 / 7)
    accuracy = np.clip(mean + rng.normal(0, scenario.wobble, shape), 0.01, 0.999)
    rows = rng.poisson(scenario.rows, shape).clip(30)
    reference = rng.binomial(scenario.reference_rows, scenario.accuracy, scenario.series)
    return AccuracySeries(
        reference=reference / scenario.reference_rows,
        reference_rows=scenario.reference_rows,
        accuracy=rng.binomial(rows, accuracy) / rows,
        rows=rows,
    )


def wilson(share: Floats, rows: Ints | int) -> tuple[Floats, Floats]:
    """The 95% interval of a share (Wilson 1927)."""
    center = (share + Z**2 / (2 * rows)) / (1 + Z**2 / rows)
    spread = np.sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2))
    half_width = Z / (1 + Z**2 / rows) * spread
    return center - half_width, center + half_width


def judge_each_window(series: AccuracySeries) -> NDArray[np.bool_]:
    """Where an incident is open by the rule of today, shape (S, T).

    It opens when the interval of the drop lies beyond the tolerance (Newcombe 1998), and closes
    when the drop itself is within it.
    """
    reference = series.reference[:, None]
    reference_low, _ = wilson(reference, series.reference_rows)
    _, high = wilson(series.accuracy, series.rows)
    drop = series.drop
    lower_bound = drop - np.sqrt((reference - reference_low) ** 2 + (high - series.accuracy) ** 2)
    is_open = np.zeros(len(drop), np.bool_)
    result = np.zeros(drop.shape, np.bool_)
    for window in range(drop.shape[1]):
        opens = lower_bound[:, window] > TOLERANCE
        stays = is_open & (drop[:, window] > TOLERANCE)
        is_open = opens | stays
        result[:, window] = is_open
    return result


def judge_accumulated(
    series: AccuracySeries, *, windows_per_page: float, weight: float
) -> NDArray[np.bool_]:
    """Where an incident is open by the accumulating rule, shape (S, T).

    `windows_per_page` are the windows per false page, `weight` the share of that budget.
    """
    drop, error = series.drop, series.drop_error
    count, windows = drop.shape
    base = np.maximum(MIN_DROP, series.reference_error)
    deltas = [np.maximum(delta, base + DELTA_GAP) for delta in DELTAS]
    recovered_below = np.maximum(DELTAS[0] / 2, base + DELTA_GAP / 2)
    variance = np.full(count, PRIOR_SPREAD**2)
    """Between windows."""
    good_windows, sums, squares, errors = (np.zeros(count) for _ in range(4))
    total = np.zeros((count, len(DELTAS)))
    is_open, opening_window = np.zeros(count, np.bool_), np.zeros(count, np.int64)
    all_variances = np.zeros(drop.shape)
    result = np.zeros(drop.shape, np.bool_)
    for window in range(windows):
        now = drop[:, window]
        all_variances[:, window] = error[:, window] ** 2 + variance
        log_ratio = [
            ((delta - base) * (now - base) - (delta - base) ** 2 / 2) / all_variances[:, window]
            for delta in deltas
        ]
        e_values = np.exp(np.clip(np.stack(log_ratio, axis=1), -50, 50))
        total = np.minimum((total + 1) * e_values, MOST_EVIDENCE)
        opens = (weight * total.mean(axis=1) >= windows_per_page) & ~is_open
        opening_window = np.where(opens, window, opening_window)
        is_open |= opens
        has_recovered = np.zeros(count, np.bool_)
        for span in RECOVERY_SPANS:
            if window + 1 < span:
                continue
            precision = 1 / all_variances[:, window + 1 - span : window + 1]
            mean = (drop[:, window + 1 - span : window + 1] * precision).sum(axis=1)
            mean /= precision.sum(axis=1)
            upper_bound = mean + np.sqrt(1 / precision.sum(axis=1))
            has_recovered |= (window - opening_window >= span) & (upper_bound < recovered_below)
        closes = is_open & has_recovered
        is_open &= ~closes
        total[is_open | closes] = 0.0
        result[:, window] = is_open
        is_good = ~is_open
        good_windows += is_good
        sums += np.where(is_good, now, 0.0)
        squares += np.where(is_good, now**2, 0.0)
        errors += np.where(is_good, error[:, window] ** 2, 0.0)
        k = np.maximum(good_windows, 2)
        between = np.maximum(0.0, (squares - sums**2 / k) / (k - 1) - errors / k)
        pooled_sum = PRIOR_WINDOWS * PRIOR_SPREAD**2 + (k - 1) * between
        estimate = pooled_sum / (PRIOR_WINDOWS + k - 1)
        variance = np.where(good_windows >= 2, estimate, PRIOR_SPREAD**2)
    return result


def opening_windows(is_open: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The windows in which an incident opens, shape (S, T)."""
    previous = np.concatenate([np.zeros((len(is_open), 1), np.bool_), is_open[:, :-1]], axis=1)
    return is_open & ~previous


def false_incidents(scenario: Scenario, weight: float, rng: np.random.Generator) -> str:
    """Incidents a year while nothing changes, by both rules."""
    series = simulate(rng, scenario, np.zeros(scenario.windows))
    per_year = 365 if scenario.windows < 8_760 else 8_760
    counts = [
        opening_windows(is_open).sum(axis=1)
        for is_open in (
            judge_each_window(series),
            judge_accumulated(series, windows_per_page=per_year, weight=weight),
        )
    ]
    rates = [count.mean() * per_year / scenario.windows for count in counts]
    return f"{scenario.name:32} each window {rates[0]:7.2f}  accumulated {rates[1]:6.3f}"


def detection(is_open: NDArray[np.bool_]) -> str:
    """How a loss between LOSS_BEGIN and LOSS_END is found, and how long it takes to close."""
    during, after = is_open[:, LOSS_BEGIN:LOSS_END], is_open[:, LOSS_END:]
    is_found = during.any(axis=1)
    delay = np.where(is_found, during.argmax(axis=1) + 1, NEVER)
    openings = opening_windows(is_open)[:, LOSS_BEGIN:LOSS_END].sum(axis=1)
    left_open = after[during[:, -1]]
    closing = np.where((~left_open).any(axis=1), (~left_open).argmax(axis=1) + 1, NEVER)
    median, slow = (
        f"{value:.0f}" if value < NEVER else "never" for value in np.quantile(delay, [0.5, 0.9])
    )
    mean_openings = f"{openings[is_found].mean():.1f}" if is_found.any() else "0"
    closing_delay = f"{np.median(closing):.0f}" if len(closing) else "-"
    return f"found after {median}, 90% {slow}; opened {mean_openings}; closed after {closing_delay}"


def losses(series_count: int, weight: float, rng: np.random.Generator) -> None:
    """Print how both rules find losses of several sizes in 500 labelled rows a day."""
    for wobble in (0.0, 0.01):
        for size in (0.02, 0.03, 0.045, 0.07, 0.09):
            loss = np.zeros(LOSS_END + 15)
            loss[LOSS_BEGIN:LOSS_END] = size
            scenario = Scenario("loss", 500, 2_500, wobble=wobble, series=series_count)
            series = simulate(rng, scenario, loss)
            is_open = judge_accumulated(series, windows_per_page=365, weight=weight)
            print(f"wobble {wobble:.2f}, loss of {size * 100:.1f} points")
            print(f"    each window: {detection(judge_each_window(series))}")
            print(f"    accumulated: {detection(is_open)}")


def main() -> None:
    """Print false incidents of all scenarios, then how losses are found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weight", type=float, default=0.1, help="share of the alarm budget")
    parser.add_argument("--quick", action="store_true", help="20 series, daily windows only")
    options = parser.parse_args()
    start, rng = time.monotonic(), np.random.default_rng(0)
    print("false incidents a year")
    for scenario in SCENARIOS:
        if options.quick and scenario.windows > 365:
            continue
        series_count = 20 if options.quick else scenario.series
        values = {**vars(scenario), "series": series_count}
        print(false_incidents(Scenario(**values), options.weight, rng), flush=True)
    print(f"a loss from window {LOSS_BEGIN} to {LOSS_END}")
    losses(20 if options.quick else 400, options.weight, rng)
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
