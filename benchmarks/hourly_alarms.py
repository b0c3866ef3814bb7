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
from datetime import timedelta
from pathlib import Path

from judged_days import PLANS, DayJudge
from streams import HOUR_REGIMES, HOUR_ROWS, HOUR_SHIFT, SCHEMA, HourStream

from driftline.types.notification import Event

HOUR = timedelta(hours=1)
COLUMN_PLANS = [plan for plan in PLANS if plan.name != "correlation"]
"""Windows are drawn as counts, without the sample of rows that correlations need."""
AFTER = 72
"""Hours after its begin in which it is looked for."""


def run(regime: str, seed: int) -> dict[str, int | None]:
    """The incidents of the quiet days, and hours until the shift is found; None if it is not."""
    stream = HourStream(regime, HOUR_ROWS, seed, HOUR_SHIFT)
    judge = DayJudge(SCHEMA, stream.reference, COLUMN_PLANS, HOUR)
    alarms, begin = 0, HOUR_SHIFT.day * stream.per_day
    for number in range(begin + AFTER):
        for change in judge.judge(number, stream.window(number)):
            is_opened = change.event in (Event.OPENED, Event.REOPENED)
            alarms += is_opened and number < begin
            alerts = [alert for alert in change.notification.alerts if alert.state == "firing"]
            names = {alert.labels.get("column") for alert in alerts}
            if number >= begin and HOUR_SHIFT.column in names:
                return {"alarms": alarms, "delay": number - begin + 1}
    return {"alarms": alarms, "delay": None}


def main() -> None:
    """Run all regimes, and write what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="what is there is not run again")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    found = json.loads(options.out.read_text()) if options.out.exists() else {}
    for seed in range(options.seeds):
        for regime in HOUR_REGIMES:
            if (name := f"{regime}/{seed}") not in found:
                began = time.monotonic()
                found[name] = run(regime, seed)
                options.out.write_text(json.dumps(found, indent=1) + "\n")
                print(f"{name}: {found[name]}, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
