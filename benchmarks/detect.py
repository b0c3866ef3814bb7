"""Precision, recall and delay of `driftline detect` on series of four kinds, beside simple rules.

    python benchmarks/detect.py --out benchmarks/results/detect.json

Each series has 2,000 values and 8 anomalies: 4 peaks of one value, 2 stretches of 5 values and 2
steps that stay. An alarm within 5 values of the begin of an anomaly finds it; alarms within 10
values after the begin of one alarm count as one. Rules: the mean and spread of the last 50 values
(z above 3), never, and always.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from driftline.stats.sequential.anomalies import score_series

COUNT, REACH, JOINED = 2_000, 5, 10
KINDS = ("flat", "seasonal", "trending", "bursty")


def draw_noise(kind: str, rng: np.random.Generator) -> np.ndarray:
    """A series without anomalies."""
    at = np.arange(COUNT)
    noise = rng.normal(size=COUNT)
    if kind == "seasonal":
        return 5 * np.sin(at / 24 * 2 * np.pi) + 3 * np.sin(at / 168 * 2 * np.pi) + noise
    if kind == "trending":
        return 0.02 * at + noise
    if kind == "bursty":
        return np.exp(rng.normal(0, 0.5, COUNT)) * np.where(rng.random(COUNT) < 0.02, 4, 1)
    return noise


def draw_series(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, list[int]]:
    """A series, and the first values of its anomalies."""
    values = draw_noise(kind, rng)
    spread = float(np.std(np.diff(values))) / np.sqrt(2)
    places = np.sort(rng.choice(np.arange(6, 39), 8, replace=False)) * 50
    lengths = rng.permutation([1, 1, 1, 1, 5, 5, 0, 0])
    for place, length in zip(places, lengths, strict=True):
        end = COUNT if length == 0 else place + length
        values[place:end] += rng.choice([-1, 1]) * 8 * spread
    return values, places.tolist()


def detect(values: np.ndarray) -> np.ndarray:
    """The alarms of `driftline detect`."""
    return np.array([item.is_anomaly for item in score_series(values)])


def rolling(values: np.ndarray) -> np.ndarray:
    """Alarms where a value is 3 standard deviations from the mean of the last 50."""
    alarms = np.zeros(len(values), bool)
    for place in range(50, len(values)):
        past = values[place - 50 : place]
        alarms[place] = abs(values[place] - past.mean()) > 3 * max(past.std(), 1e-12)
    return alarms


RULES = {
    "driftline detect": detect,
    "rolling z": rolling,
    "never": lambda values: np.zeros(len(values), bool),
    "always": lambda values: np.ones(len(values), bool),
}


def score(alarms: np.ndarray, places: list[int]) -> tuple[int, int, list[int]]:
    """Begins of alarms, those that belong to an anomaly, and the delay of each that is found."""
    begins: list[int] = []
    for place in np.flatnonzero(alarms).tolist():
        if not begins or place >= begins[-1] + JOINED:
            begins.append(place)
    delays = [
        next(place for place in range(begin, begin + REACH) if alarms[place]) - begin
        for begin in places
        if alarms[begin : begin + REACH].any()
    ]
    right = sum(any(begin <= place < begin + JOINED for begin in places) for place in begins)
    return len(begins), right, delays


def main() -> None:
    """Score each rule on each kind of series, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--series", type=int, default=10)
    options = parser.parse_args()
    results = []
    for kind in KINDS:
        for name, rule in RULES.items():
            begins = right = known = 0
            delays: list[int] = []
            for seed in range(options.series):
                values, places = draw_series(kind, np.random.default_rng(seed))
                count, hits, waits = score(rule(values), places)
                begins, right, known = begins + count, right + hits, known + len(places)
                delays += waits
            results.append(
                {
                    "series": kind,
                    "rule": name,
                    "precision": round(right / begins, 3) if begins else None,
                    "recall": round(len(delays) / known, 3),
                    "mean_delay": round(float(np.mean(delays)), 2) if delays else None,
                }
            )
            print(results[-1])
    options.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
