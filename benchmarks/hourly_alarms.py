"""False alarms and delays of the default checks on hourly windows of rows, as `peers.py` has them of
other tools.

    python benchmarks/hourly_alarms.py --out benchmarks/results/hourly_alarms.json

The streams are those of `row_alarms.py` with a window for each hour. Checks, rules, evidence
engine, alerts and incidents are the agent's own. An alarm is an incident of any severity that opens
or comes back, from the first window on.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path

from judged_days import DayJudge
from streams import HOUR_REGIMES, SCHEMA, Change, HourStream

from driftline.types.notification import Event

ROWS, HOUR = 200, timedelta(hours=1)
SHIFT = Change("shift", "n00", 1.0, day=30)
"""The change that is to be found; the days before it show false alarms as well."""
AFTER = 72
"""Hours after its begin in which it is looked for."""
Result = dict[str, list[float | None]]


def run(regime: str, seed: int, days: int) -> tuple[float, int | None]:
    """The alarms a year of days in which nothing happens, and hours until a shift is found.

    The shift is None where it is not found.
    """
    judge = DayJudge(SCHEMA, (stream := HourStream(regime, ROWS, seed)).reference, length=HOUR)
    alarms = 0
    for number in range(days * 24):
        changes = judge.judge(number, stream.window(number))
        alarms += sum(change.event in (Event.OPENED, Event.REOPENED) for change in changes)
    stream = HourStream(regime, ROWS, seed + 1_000, SHIFT)
    judge = DayJudge(SCHEMA, stream.reference, length=HOUR)
    for number in range(SHIFT.day * 24 + AFTER):
        for change in judge.judge(number, stream.window(number)):
            alerts = [alert for alert in change.notification.alerts if alert.state == "firing"]
            names = {alert.labels.get("column") for alert in alerts}
            if number >= SHIFT.day * 24 and SHIFT.column in names:
                return alarms, number - SHIFT.day * 24 + 1
    return alarms, None


def main() -> None:
    """Run all regimes, and write what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON, by regime")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--days", type=int, default=91, help="quiet days of each seed")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    found: dict[str, Result] = {}
    jobs = [(regime, seed) for seed in range(options.seeds) for regime in HOUR_REGIMES]
    with ProcessPoolExecutor(options.processes) as pool:
        results = pool.map(run, *zip(*jobs, strict=True), [options.days] * len(jobs))
        for (regime, seed), (alarms, delay) in zip(jobs, results, strict=True):
            result = found.setdefault(regime, {"alarms": [], "delays": []})
            result["alarms"].append(alarms)
            result["delays"].append(delay)
            content = {"days": options.days, "rows": ROWS, "found": found}
            options.out.write_text(json.dumps(content, indent=1) + "\n")
            seconds = time.monotonic() - began
            print(f"{regime} {seed}: {alarms} alarms, found after {delay} h, {seconds:.0f} s")


if __name__ == "__main__":
    main()
