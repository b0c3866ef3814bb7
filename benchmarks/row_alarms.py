"""False alarms in a year in which nothing happens, and days until a change is found: the default
checks on simulated streams.

    python benchmarks/row_alarms.py --seeds 20 --out benchmarks/results/row_alarms.jsonl

The windows are those of `streams.py`; `judged_days.py` judges them. An alarm is an incident of
any severity that opens or comes back: whatever people would hear of.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from judged_days import DayJudge
from streams import BASELINE, CHANGES, DAYS, REGIMES, SCHEMA, Stream

from driftline.types.notification import Event

SIZES = (200, 1_000, 10_000, 1_000_000)


@dataclass
class Run:
    """One simulated year."""

    regime: str
    rows: int
    seed: int
    change: str
    alarms: list[str] = field(default_factory=list)
    """Day, severity and title of each incident that opened."""
    learning: int = 0
    """Of these, those of the first 60 days."""
    found: int | None = None
    """Windows from the change until an alert about its column fires; None when none does, or there
    is no change.
    """


def run(regime: str, rows: int, seed: int, change: str = "") -> Run:
    """Every day of one stream, through the whole of judging and alerting; with a change, until a
    month after it.
    """
    planned_change = CHANGES[change] if change else None
    stream = Stream(regime, rows, seed, planned_change)
    judge = DayJudge(SCHEMA, stream.reference)
    result = Run(regime, rows, seed, change)
    days = DAYS if planned_change is None else planned_change.day + 30
    for day in range(days):
        for incident_change in judge.judge(day, stream.window(day)):
            if incident_change.event in (Event.OPENED, Event.REOPENED):
                result.alarms.append(
                    f"{day} {incident_change.incident.severity} "
                    f"{incident_change.notification.title}"
                )
                result.learning += day < BASELINE
            if planned_change is not None and result.found is None and day >= planned_change.day:
                columns = {
                    alert.labels.get("column")
                    for alert in incident_change.notification.alerts
                    if alert.state == "firing"
                }
                if planned_change.column in columns:
                    result.found = day - planned_change.day + 1
        if result.found is not None:
            break
    return result


def jobs(
    sizes: list[int], regimes: list[str], changes: list[str], seeds: int
) -> Iterator[tuple[str, int, int, str]]:
    """Everything to run, seed by seed; "none" stands for the year in which nothing happens."""
    for seed in range(seeds):
        for change in changes:
            for regime in regimes:
                for rows in sizes:
                    yield (
                        regime,
                        rows,
                        seed if change == "none" else 1_000 + seed,
                        "" if change == "none" else change,
                    )


def load_runs(path: Path) -> dict[tuple[str, int, int, str], Run]:
    """What was run before."""
    if not path.exists():
        return {}
    runs = [Run(**json.loads(text)) for text in path.read_text().splitlines()]
    return {(result.regime, result.rows, result.seed, result.change): result for result in runs}


def main() -> None:
    """Run what the file doesn't have yet, and print one line for each regime, size and change."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rows", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--regimes", nargs="*", default=list(REGIMES))
    parser.add_argument("--changes", nargs="*", default=["none", *CHANGES])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="every alarm")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="JSON Lines, one a simulated year; what is there is not run again",
    )
    options = parser.parse_args()
    began = time.monotonic()
    runs = load_runs(options.out)
    planned_runs = list(jobs(options.rows, options.regimes, options.changes, options.seeds))
    work = [job for job in planned_runs if job not in runs]
    options.out.parent.mkdir(exist_ok=True)
    with ProcessPoolExecutor(options.processes) as pool, options.out.open("a") as out:
        for place, result in enumerate(
            pool.map(run, *zip(*work, strict=True), chunksize=1) if work else (), 1
        ):
            runs[(result.regime, result.rows, result.seed, result.change)] = result
            out.write(json.dumps(asdict(result)) + "\n")
            out.flush()
            if place % 20 == 0:
                left = (time.monotonic() - began) / place * (len(work) - place)
                print(
                    f"{place} of {len(work)}, {left / 60:.0f} min left", file=sys.stderr, flush=True
                )
    groups: dict[tuple[str, str, int], list[Run]] = {}
    for job in planned_runs:
        groups.setdefault((job[3], job[0], job[1]), []).append(runs[job])
    for group in groups.values():
        print(line(group))
        for result in group if options.verbose else ():
            print(*(f"    seed {result.seed}: {alarm}" for alarm in result.alarms), sep="\n")
    print(f"{time.monotonic() - began:.0f} s")


def line(group: list[Run]) -> str:
    """The result of all seeds in words."""
    first = group[0]
    head = f"{first.regime:10} {first.rows:>9,} rows  {first.change or 'nothing':18}"
    if not first.change:
        counts = [len(result.alarms) for result in group]
        mean = sum(counts) / len(counts)
        spread = (sum((count - mean) ** 2 for count in counts) / max(len(counts) - 1, 1)) ** 0.5
        error = spread / len(counts) ** 0.5
        return f"{head} {mean:.2f} alarms a year (se {error:.2f}, most {max(counts)})"
    days = sorted(result.found if result.found is not None else 999 for result in group)
    within = sum(day <= 7 for day in days) / len(days)
    median = days[len(days) // 2]
    return f"{head} found within 7 days in {within:.0%}; median {median}, longest {days[-1]}"


if __name__ == "__main__":
    main()
