"""False promotions of a challenger under hourly looks for a year, and the rows that it needs.

    python benchmarks/challenger.py --out benchmarks/results/challenger.json

Both models err in 15% of rows, or the challenger in 1, 2 or 5 points less. Each hour brings rows,
and the interval is looked at after each hour. Pairs: both models judge the same rows and err
together in two of three errors. The fixed test has one look, 5% on one side and power 90%.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np

from driftline import stats
from driftline.stats import LossDifference
from driftline.stats.sequential.challenger import BEST_AT, FEWEST_ERRORS, FEWEST_ROWS, LEVEL

HOURS = 8_766
RATE = 0.15
COMMON = 2 / 3
"""The share of the champion's errors that an equal challenger makes, too."""


def draw_looks(rng, *, gain: float, rows: int, is_paired: bool) -> LossDifference:
    """Sums of both models after each hour, as arrays of shape (HOURS,)."""
    better = RATE - gain
    if is_paired:
        common = COMMON * better
        only_champion = rng.binomial(rows, RATE - common, HOURS).cumsum()
        only_challenger = rng.binomial(rows, better - common, HOURS).cumsum()
        n = rows * np.arange(1, HOURS + 1)
        value = (only_champion - only_challenger) / n
        events = only_champion + only_challenger
        return value, (events / n - value**2) / n, n, events
    sides = [rng.binomial(rows, rate, HOURS).cumsum() for rate in (RATE, better)]
    n = rows * np.arange(1, HOURS + 1)
    p = [side / n for side in sides]
    return p[0] - p[1], sum(q * (1 - q) for q in p) / n, n, np.minimum(*sides)


def first_verdict(rng, **setting) -> tuple[str, int]:
    """The first verdict other than wait, and its rows; the last look where there is none."""
    looks = draw_looks(rng, **setting)
    for value, variance, n, events in zip(*looks, strict=True):
        difference = LossDifference(
            value=float(value), variance=float(variance), rows=int(n), events=int(events)
        )
        result = stats.judge_challenger(difference)
        if result.verdict.value != "wait":
            return result.verdict.value, int(n)
    return "wait", int(looks[2][-1])


def ever_promotes(rng, **setting) -> bool:
    """Whether any look of the year promotes, also after another verdict."""
    value, variance, n, events = draw_looks(rng, **setting)
    enough = (n >= FEWEST_ROWS) & (events >= FEWEST_ERRORS)
    half = np.array(
        [
            stats.asymptotic_half(rows, math.sqrt(v * rows), LEVEL, BEST_AT) if ok else math.inf
            for rows, v, ok in zip(n.tolist(), variance.tolist(), enough, strict=True)
        ]
    )
    return bool((value - half > 0).any())


def fixed_rows(gain: float, *, is_paired: bool) -> int:
    """Rows of a test with one look: 5% on one side, power 90%."""
    better = RATE - gain
    common = COMMON * better
    spread = (
        RATE + better - 2 * common - gain**2
        if is_paired
        else RATE * (1 - RATE) + better * (1 - better)
    )
    return math.ceil((1.6449 + 1.2816) ** 2 * spread / gain**2)


def main() -> None:
    """Run both parts and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=400)
    options = parser.parse_args()
    results = {"false_promotions": {}, "rows_needed": []}
    for is_paired in (True, False):
        rng = np.random.default_rng(18)
        count = sum(
            ever_promotes(rng, gain=0.0, rows=50, is_paired=is_paired) for _ in range(options.runs)
        )
        name = "paired" if is_paired else "unpaired"
        results["false_promotions"][name] = {"runs": options.runs, "promotions": count}
        for gain in (0.01, 0.02, 0.05):
            runs = [
                first_verdict(rng, gain=gain, rows=50, is_paired=is_paired)
                for _ in range(options.runs // 10)
            ]
            promoted = [rows for verdict, rows in runs if verdict == "promote"]
            results["rows_needed"].append(
                {
                    "gain": gain,
                    "kind": name,
                    "promoted": len(promoted) / len(runs),
                    "median_rows": float(np.median(promoted)) if promoted else None,
                    "p90_rows": float(np.quantile(promoted, 0.9)) if promoted else None,
                    "fixed_rows": fixed_rows(gain, is_paired=is_paired),
                }
            )
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
