"""Delays of changes on simulated series of measurements, and of their ends.

    python benchmarks/series_power.py
    python benchmarks/series_power.py --scenarios "hourly 1 sd" --models 20

The streams and the engine are those of `false_alarms.py`. One column of each model changes: its
mean, its spread, the share of a category or the missing rate. Reported are the windows until a
stream of it is changed, and the windows from the end of the change until none is.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace

import numpy as np
from false_alarms import ModelsJudge
from series_cells import BASE, DAY, REFERENCE_ROWS, Cell, WindowValues, simulate

DAILY = replace(BASE, length=DAY, rows=1_000, name="daily")
NEVER = 10**6


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One change of one column."""

    cell: Cell
    shift: float = 0.0
    """Standard deviations."""
    spread: float = 0.0
    """Logarithm of the factor on the standard deviation."""
    more_in_category: float = 0.0
    """Share of the other rows that get the counted category."""
    more_missing: float = 0.0
    """Share of the rows with a value that lose it."""
    begin: int
    """First window of the change."""
    windows: int
    """Windows that it lasts."""
    limit: int
    """Windows within which it should be found."""
    end_limit: int = 0
    """Windows within which its end should be found; 0 when that is not measured."""


WOBBLE = replace(DAILY, wobble=0.05)
SCENARIOS = {
    "daily 0.25 sd": Scenario(cell=DAILY, shift=0.25, begin=70, windows=20, limit=7),
    "daily 0.25 sd, wobble 0.05": Scenario(
        cell=replace(DAILY, wobble=0.05), shift=0.25, begin=70, windows=20, limit=7
    ),
    "daily 0.25 sd, weekday": Scenario(
        cell=replace(DAILY, wobble=0.05, weekday=0.2), shift=0.25, begin=70, windows=20, limit=7
    ),
    "variance +30%": Scenario(cell=WOBBLE, spread=np.log(1.3) / 2, begin=50, windows=20, limit=14),
    "share 10% to 20%": Scenario(
        cell=WOBBLE, more_in_category=0.1 / 0.9, begin=50, windows=10, limit=4
    ),
    "share 5% to 7%": Scenario(
        cell=replace(WOBBLE, category_share=0.05),
        more_in_category=0.02 / 0.95,
        begin=50,
        windows=20,
        limit=14,
    ),
    "missing 0% to 25%": Scenario(
        cell=replace(WOBBLE, missing_rate=0.0), more_missing=0.25, begin=50, windows=5, limit=2
    ),
    "hourly 1 sd": Scenario(
        cell=replace(BASE, wobble=0.05), shift=1.0, begin=24 * 30 + 5, windows=72, limit=48
    ),
    "hourly 3 sd": Scenario(
        cell=replace(BASE, wobble=0.05), shift=3.0, begin=24 * 15 + 5, windows=30, limit=2
    ),
    "hourly 0.5 sd": Scenario(
        cell=replace(BASE, wobble=0.05), shift=0.5, begin=24 * 30 + 5, windows=120, limit=72
    ),
    "early daily 1 sd": Scenario(
        cell=replace(DAILY, rows=200, wobble=0.05),
        shift=1.0,
        begin=10,
        windows=45,
        limit=2,
        end_limit=3,
    ),
    "daily 1 sd from the first day": Scenario(
        cell=replace(DAILY, rows=200, wobble=0.05),
        shift=1.0,
        begin=0,
        windows=45,
        limit=2,
        end_limit=3,
    ),
    "early hourly 1 sd": Scenario(
        cell=replace(BASE, wobble=0.05),
        shift=1.0,
        begin=24 * 3,
        windows=24 * 20,
        limit=48,
        end_limit=27,
    ),
    "hourly 1 sd from the first day": Scenario(
        cell=replace(BASE, wobble=0.05, hour_wave=0.3),
        shift=1.0,
        begin=0,
        windows=24 * 20,
        limit=48,
        end_limit=27,
    ),
}


def run(scenario: Scenario, *, models: int, seed: int) -> str:
    """Simulate one scenario, and say how fast it was found and how fast it ended."""
    began, cell = time.monotonic(), scenario.cell
    judge = ModelsJudge(cell, models)
    end = scenario.begin + scenario.windows
    after = max(5, 3 * scenario.end_limit)
    days = -(-(end + after) * cell.length // DAY)
    delay, end_delay = np.full(models, NEVER), np.full(models, NEVER)
    on_windows = np.zeros(models)
    series = simulate(cell, models=models, days=days, seed=seed)
    for number, values in zip(range(end + after), series, strict=False):
        if scenario.begin <= number < end:
            values = change_column(values, scenario, np.random.default_rng((seed, number)))
        is_on = judge.judge(values)[:, :, 0].any(axis=0)
        if scenario.begin <= number < end:
            delay = np.where(is_on & (delay == NEVER), number - scenario.begin + 1, delay)
            on_windows += is_on
        elif number >= end:
            end_delay = np.where(~is_on & (end_delay == NEVER), number - end, end_delay)
    found = delay < NEVER
    within = (delay <= scenario.limit).mean()
    text = (
        f"within {scenario.limit} windows {within:.0%}; median {np.median(delay[found]):.0f}, "
        f"90% {np.quantile(delay, 0.9):.0f}, never {(~found).mean():.0%}; "
        f"changed in {on_windows[found].mean() / scenario.windows:.0%} of its windows"
    )
    if scenario.end_limit:
        ended = (end_delay[found] <= scenario.end_limit).mean()
        text += f"; over within {scenario.end_limit} windows {ended:.0%}"
        text += f" (median {np.median(end_delay[found]):.0f})"
    return f"{text} ({models} models, {time.monotonic() - began:.0f} s)"


def change_column(
    values: WindowValues, scenario: Scenario, rng: np.random.Generator
) -> WindowValues:
    """The measurements with the first column changed."""
    mean_shift, spread, psi, raw_psi, missing, in_category = (
        array.copy()
        for array in (
            values.mean_shift,
            values.spread,
            values.psi,
            values.raw_psi,
            values.missing,
            values.in_category,
        )
    )
    rows = np.broadcast_to(values.rows, missing.shape)[:, 0]
    spread[:, 0] += scenario.spread
    if scenario.shift:
        mean_shift[:, 0] += scenario.shift
        chance = 1 / rows + 1 / REFERENCE_ROWS
        raw_psi[:, 0] = chance * rng.noncentral_chisquare(9, mean_shift[:, 0] ** 2 / chance)
        psi[:, 0] = np.maximum(raw_psi[:, 0] - 9 * chance, 0)
    for array, share in (
        (in_category, scenario.more_in_category),
        (missing, scenario.more_missing),
    ):
        others = (rows - array[:, 0]).astype(np.int64)
        array[:, 0] += rng.binomial(others, share)
    return values._replace(
        mean_shift=mean_shift,
        spread=spread,
        psi=psi,
        raw_psi=raw_psi,
        missing=missing,
        in_category=in_category,
    )


def main() -> None:
    """Print one line a scenario."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenarios", nargs="*", default=list(SCENARIOS), choices=list(SCENARIOS))
    options = parser.parse_args()
    for name in options.scenarios:
        result = run(SCENARIOS[name], models=options.models, seed=options.seed)
        print(f"{name:34} {result}", flush=True)


if __name__ == "__main__":
    main()
