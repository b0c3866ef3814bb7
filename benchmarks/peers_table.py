"""Tables in Markdown of what `peers.py` found.

python benchmarks/peers_table.py [benchmarks/results/peers.json]

Hourly windows come from `peers_hourly.json` and `hourly_alarms.json` in the same folder.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from peer_rules import RULES
from peers import AFTER, ASKED, BEFORE, EVERY, HOURLY, HOURS_AFTER, LARGE, LARGE_DAYS, MISSING
from streams import HOUR_REGIMES, HOUR_SHIFT, REGIMES

YEAR, WEEK = 365, 7
NAMES = {
    "evidently drift": "Evidently, drift",
    "evidently missing": "Evidently, missing values",
    "nannyml drift, 10 days": "NannyML, drift, 10 days before",
    "nannyml drift, 60 days": "NannyML, drift, 60 days before",
    "nannyml missing, 60 days": "NannyML, missing values, 60 days before",
    "whylogs drift": "whylogs, drift",
    "sagemaker drift": "SageMaker's rule, drift",
    "sagemaker completeness": "SageMaker's rule, completeness",
}
Found = dict[str, dict]


def row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def a_year(result: dict | None) -> str:
    """Alarm days a year; of a handful of days, those themselves."""
    if result is None:
        return ""
    return (
        f"{result['alarm_days']} of {result['days']}"
        if result["days"] < 30
        else str(round(result["alarm_days"] / result["days"] * YEAR))
    )


def quiet(results: Found) -> list[str]:
    lines = [
        row("rows a day", "", *(name.replace("_", " ") for name in REGIMES)),
        row("---:", "---", *["---:"] * len(REGIMES)),
    ]
    for rows in (*sorted(EVERY), LARGE):
        for rule in (rule for rule in RULES if rule not in MISSING):
            cells = [a_year(results.get(f"quiet/{rule}/{regime}/{rows}")) for regime in REGIMES]
            if any(cells):
                lines.append(row(f"{rows:,}", NAMES[rule], *cells))
    return lines


def missing(results: Found) -> list[str]:
    lines = [
        row("", *(f"{rows:,} rows" for rows in sorted(EVERY))),
        row("---", *["---:"] * len(EVERY)),
    ]
    return [
        *lines,
        *(
            row(
                NAMES[rule],
                *(a_year(results.get(f"quiet/{rule}/wobble/{rows}")) for rows in sorted(EVERY)),
            )
            for rule in MISSING
        ),
    ]


def until(result: dict | None) -> str:
    """Median day, share found within a week, share of the days before on which the column was named
    as well.
    """
    if result is None:
        return ""
    days = sorted(day or AFTER + 1 for day in result["delays"])
    middle = statistics.median_low(days)
    when = f"day {middle}" if middle <= AFTER else "never" if days[0] > AFTER else f"over {AFTER}"
    within, before = (
        sum(day <= WEEK for day in days) / len(days),
        result["days_before"] / (result["seeds"] * BEFORE),
    )
    return f"{when}, {within:.0%}" + (f" ({before:.0%})" if before else "")


def change_table(results: Found) -> list[str]:
    lines = [row("rows a day", "", *ASKED), row("---:", "---", *["---"] * len(ASKED))]
    for rows in sorted(EVERY):
        for rule in RULES:
            lines.append(
                row(
                    f"{rows:,}",
                    NAMES[rule],
                    *(until(results.get(f"changed/{rule}/{c}/{rows}")) for c in ASKED),
                )
            )
    return lines


def hourly(results: Found, ours: dict[str, dict]) -> list[str]:
    """Alarm hours a year of hourly windows, and hours until a shift of 1 sd is named."""
    lines = [row("hourly windows", *HOUR_REGIMES), row("---", *["---"] * len(HOUR_REGIMES))]
    cells = []
    for regime in HOUR_REGIMES:
        runs = [run for name, run in ours.items() if name.split("/")[0] == regime]
        delays = sorted(run["delay"] or HOURS_AFTER + 1 for run in runs)
        alarms, days = sum(run["alarms"] for run in runs), HOUR_SHIFT.day * len(runs)
        cells.append(
            f"{alarms} alarms in {days} days; hour {statistics.median_low(delays)}" if runs else ""
        )
    lines.append(row("**driftline**", *cells))
    for rule in HOURLY:
        found = [results.get(f"hours/{rule}/{regime}") for regime in HOUR_REGIMES]
        lines.append(row(NAMES[rule], *(_hours(result) for result in found)))
    return lines


def _hours(result: dict | None) -> str:
    if result is None:
        return ""
    delay = statistics.median_low(sorted(hour or HOURS_AFTER + 1 for hour in result["delays"]))
    when = f"hour {delay}" if delay <= HOURS_AFTER else "never"
    own = result["hours_before"] / result["hours"]
    return f"{result['alarm_hours']} of {result['hours']} hours; {when}" + (
        f" ({own:.0%})" if own else ""
    )


def speed(results: Found) -> list[str]:
    lines = [
        row("seconds a day", *(f"{rows:,} rows" for rows in (*sorted(EVERY), LARGE))),
        row("---", *["---:"] * (len(EVERY) + 1)),
    ]
    for rule in RULES:
        ones = [
            results.get(f"quiet/{rule}/{'wobble' if rows in EVERY else 'iid'}/{rows}")
            for rows in (*sorted(EVERY), LARGE)
        ]
        lines.append(
            row(
                NAMES[rule],
                *(f"{result['seconds_a_day']:.3f}" if result else "" for result in ones),
            )
        )
    return lines


def dataset(results: Found) -> str:
    """Days on which half of the columns or more drifted for Evidently, which it calls a drifted
    dataset.
    """
    ones = [result for name, result in results.items() if name.startswith("quiet/evidently drift/")]
    drift_days, days = (sum(result[key] for result in ones) for key in ("half_of_columns", "days"))
    return f"Evidently calls the dataset drifted on {drift_days} of {days} days."


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "results/peers.json"
    content = json.loads(path.read_text())
    results = content["found"]
    print(content["about"])
    for table in (quiet, missing, change_table, speed):
        print("\n" + "\n".join(table(results)))
    hour_files = [path.with_name(f"{name}.json") for name in ("peers_hourly", "hourly_alarms")]
    if all(file.exists() for file in hour_files):
        peers, ours = (json.loads(file.read_text()) for file in hour_files)
        print("\n" + "\n".join(hourly(peers["found"], ours)))
    print("\n" + dataset(results), f"\nAt {LARGE:,} rows: days {LARGE_DAYS}")
    same = [result for name, result in results.items() if name.startswith("compared/")]
    same_days, days = (sum(result[key] for result in same) for key in ("same", "days"))
    print(f"The same as whole reports on {same_days} of {days} days.")


if __name__ == "__main__":
    main()
