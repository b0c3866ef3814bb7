"""The simulated streams through Evidently, NannyML and whylogs as installed, and SageMaker's rules
as documented.

    pip install -e '.[bench-peers]'
    python benchmarks/peers.py [--out benchmarks/results/peers.json] [--jobs 2]
    python benchmarks/peers_table.py benchmarks/results/peers.json

On how many days of a year in which nothing happens does a tool say that some column drifted, and
how soon does it say so of the column in which something does happen? The tools are slow, so a year
is shared between seeds: each day that is judged comes from the stream of one seed, the next from
that of the next. Rules on missing values are run in one regime: no regime moves those. About a
quarter of an hour on two idle cores; stopped earlier, it keeps what it has, 1,000 rows first.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from peer_rules import RULES, Judge, evidently_drift, evidently_report, frame
from stream_columns import COLUMNS
from streams import (
    BASELINE,
    CHANGES,
    DAYS,
    HOUR_REGIMES,
    HOUR_ROWS,
    HOUR_SHIFT,
    REGIMES,
    HourStream,
    Stream,
)

NAMES = [column.name for column in COLUMNS]
MISSING = ("evidently missing", "nannyml missing, 60 days", "sagemaker completeness")
EVERY = {1000: 12, 200: 12, 10_000: 24}
"""Rows, and every how many days of the year one is judged: weekends and month ends are in their
proportion, nearly.
"""
FITS = {
    "nannyml drift, 10 days": (5, 5, 2),
    "nannyml drift, 60 days": (3, 3, 2),
    "nannyml missing, 60 days": (5, 5, 2),
}
"""Seeds of quiet years at 1,000, 200 and 10,000 rows, where a tool reads many days before it can
judge.
"""
LARGE = 1_000_000
LARGE_DAYS = [120, 257, 400]
"""At a million rows: a Tuesday at a month's end, a Saturday, and a Tuesday eleven months after the
baseline. One seed.
"""
LARGE_REGIMES = {
    "evidently drift": list(REGIMES),
    "sagemaker drift": list(REGIMES),
    "whylogs drift": ["iid"],
}
"""NannyML would have to hold 10,000,000 rows at least."""
ASKED = ("shift 0.25 sd", "share +10 points", "missing 1% to 4%", "unit x1000", "frozen")
HOURLY = ("evidently drift", "nannyml drift, 10 days", "sagemaker drift")
"""Rules that are run on hourly windows."""
EVERY_HOUR, HOURS_AFTER, HOUR_SEEDS = 31, 24, 2
"""Every how many quiet hours one is judged; the hours of a shift that are, and seeds."""
BEFORE, AFTER, SEEDS = 5, 30, 6
"""Days before a change and from it on that are judged, in its own column alone; seeds, of changes
at 10,000 rows half.
"""


def seeds(rule: str, rows: int) -> int:
    return FITS[rule][list(EVERY).index(rows)] if rule in FITS else SEEDS


def quiet(rule: str, regime: str, rows: int, days: list[int], n_seeds: int) -> dict:
    """Days on which nothing happens."""
    judges: dict[int, tuple[Stream, Judge]] = {}
    column_counts, seconds = [], 0.0
    for place, day in enumerate(days):
        seed = place % n_seeds
        if seed not in judges:
            stream = Stream(regime, rows, seed)
            judges[seed] = (stream, RULES[rule](stream, NAMES))
        stream, judge = judges[seed]
        rows_of_day = frame(stream, day, NAMES)
        start = time.perf_counter()
        column_counts.append(len(judge(rows_of_day)))
        seconds += time.perf_counter() - start
    is_alarm = np.array(column_counts) > 0
    return {
        "days": len(days),
        "seeds": n_seeds,
        "alarm_days": int(is_alarm.sum()),
        "columns_a_day": float(np.mean(column_counts)),
        "half_of_columns": int((np.array(column_counts) >= len(NAMES) / 2).sum()),
        "seconds_a_day": seconds / len(days),
    }


def measure_change(rule: str, change: str, rows: int) -> dict:
    """From the first day of a change on, until the rule names its column, in the regime
    `wobble`.
    """
    planned_change, n_seeds = CHANGES[change], SEEDS if rows < 10_000 else SEEDS // 2
    delays: list[int | None] = []
    before = 0
    for seed in range(n_seeds):
        stream = Stream("wobble", rows, seed, planned_change)
        judge = RULES[rule](stream, [planned_change.column])

        def names(day: int, stream: Stream = stream, judge: Judge = judge) -> bool:
            return planned_change.column in judge(frame(stream, day, [planned_change.column]))

        before += sum(names(day) for day in range(planned_change.day - BEFORE, planned_change.day))
        delays.append(
            next((days for days in range(AFTER) if names(planned_change.day + days)), None)
        )
    return {
        "seeds": n_seeds,
        "delays": [None if days is None else days + 1 for days in delays],
        "days_before": before,
    }


def hours(rule: str, regime: str, n_seeds: int) -> dict:
    """Hourly windows: those in which nothing happens, and hours until a shift is named.

    Of the 30 quiet days after the baseline every 31st hour is judged, so that each hour of the day
    comes once. The shift is that of `hourly_alarms.py`, after the baseline.
    """
    change = replace(HOUR_SHIFT, day=BASELINE + HOUR_SHIFT.day)
    alarms = judged = before = 0
    delays: list[int | None] = []
    for seed in range(n_seeds):
        stream = HourStream(regime, HOUR_ROWS, seed, change)
        judge = RULES[rule](stream, NAMES)
        begin = change.day * stream.per_day
        for number in range(BASELINE * stream.per_day, begin, EVERY_HOUR):
            names = judge(frame(stream, number, NAMES))
            judged += 1
            alarms += bool(names)
            before += change.column in names
        delays.append(None)
        for number in range(begin, begin + HOURS_AFTER):
            if change.column in judge(frame(stream, number, NAMES)):
                delays[-1] = number - begin + 1
                break
    return {
        "seeds": n_seeds,
        "hours": judged,
        "alarm_hours": alarms,
        "hours_before": before,
        "delays": delays,
    }


def compare_reports(rows: int) -> dict:
    """The columns that `evidently_drift` finds, beside those of whole reports."""
    same = days = 0
    for place, regime in enumerate(REGIMES):
        stream = Stream(regime, rows, place)
        rows_of_day = frame(stream, 257, NAMES)
        columns = evidently_drift(stream, NAMES)(rows_of_day)
        expected = columns | ({"dataset"} if len(columns) >= len(NAMES) / 2 else set())
        days += 1
        same += evidently_report(stream, NAMES)(rows_of_day) == expected
    return {"days": days, "same": same}


def work() -> list[tuple[str, tuple]]:
    """Everything to run: a name, a function and what it is given; what says most first."""
    jobs: list[tuple[str, tuple]] = [
        (f"hours/{rule}/{regime}", (hours, rule, regime, HOUR_SEEDS))
        for rule in HOURLY
        for regime in HOUR_REGIMES
    ]
    for rows in EVERY:
        days = list(range(BASELINE + 1, DAYS, EVERY[rows]))
        for rule in RULES:
            for regime in ["wobble"] if rule in MISSING else REGIMES:
                jobs.append(
                    (
                        f"quiet/{rule}/{regime}/{rows}",
                        (quiet, rule, regime, rows, days, seeds(rule, rows)),
                    )
                )
            for change in ["missing 1% to 4%"] if rule in MISSING else ASKED:
                jobs.append(
                    (f"changed/{rule}/{change}/{rows}", (measure_change, rule, change, rows))
                )
        jobs.append((f"compared/{rows}", (compare_reports, rows)))
    for rule, regimes in LARGE_REGIMES.items():
        jobs += (
            (f"quiet/{rule}/{regime}/{LARGE}", (quiet, rule, regime, LARGE, LARGE_DAYS, 1))
            for regime in regimes
        )
    return jobs


def run(job: tuple[str, tuple]) -> tuple[str, dict, float]:
    warnings.simplefilter("ignore")
    name, (function, *arguments) = job
    start = time.perf_counter()
    return name, function(*arguments), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results/peers.json")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--only", default="", help="run what has this in its name, such as quiet/whylogs"
    )
    options = parser.parse_args()
    start = time.perf_counter()
    versions = {
        package: version(package)
        for package in ("evidently", "nannyml", "whylogs", "pandas", "numpy", "scipy")
    }
    results: dict[str, dict] = {}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.jobs) as pool:
        for name, result, seconds in pool.map(
            run, [job for job in work() if options.only in job[0]]
        ):
            results[name] = result
            print(f"{seconds:7.1f} s  {name}", flush=True)
            run_info = {"versions": versions, "seconds": round(time.perf_counter() - start)}
            options.out.write_text(
                json.dumps({"about": run_info, "found": dict(sorted(results.items()))}, indent=1)
                + "\n"
            )


if __name__ == "__main__":
    main()
