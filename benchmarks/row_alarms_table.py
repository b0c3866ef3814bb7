"""The tables of benchmarks/README.md from what `row_alarms.py` wrote.

python benchmarks/row_alarms_table.py benchmarks/results/row_alarms.jsonl
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from row_alarms import SIZES, Run, load_runs
from streams import CHANGES, REGIMES

NEVER = 999


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown, numbers to the right."""
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def quiet(runs: Sequence[Run]) -> str:
    """Alarms in a year in which nothing happens."""
    if not runs:
        return ""
    counts = [len(run.alarms) for run in runs]
    return f"{sum(counts) / len(counts):.2f} ({len(counts)}, most {max(counts)})"


def format_delays(runs: Sequence[Run]) -> str:
    """Days until the column that changed is named, and how often that is within a week."""
    if not runs:
        return ""
    days = sorted(run.found if run.found is not None else NEVER for run in runs)
    low, middle, high = (
        str(day) if day < NEVER else "never" for day in (days[0], days[len(days) // 2], days[-1])
    )
    within = sum(day <= 7 for day in days) / len(days)
    return f"{middle} ({low} to {high}), {within:.0%}"


def main() -> None:
    """Print the tables of what there is."""
    runs = list(load_runs(Path(sys.argv[1])).values())

    def of(change: str, regime: str, rows: int) -> list[Run]:
        return [run for run in runs if (run.change, run.regime, run.rows) == (change, regime, rows)]

    lines = [[f"{rows:,}", *(quiet(of("", regime, rows)) for regime in REGIMES)] for rows in SIZES]
    print(table(["rows a window", *REGIMES], lines))
    print()
    quarter = "shift 0.25 sd"
    lines = [
        [f"{rows:,}", *(format_delays(of(quarter, regime, rows)) for regime in REGIMES)]
        for rows in SIZES
    ]
    print(table([quarter, *REGIMES], lines))
    every = [run for run in runs if run.change == quarter]
    if every:
        print(f"\n{quarter}, all {len(every)} runs: {format_delays(every)}")
    print()
    print(
        table(
            ["1,000 rows", *REGIMES],
            [
                [name, *(format_delays(of(name, regime, 1_000)) for regime in REGIMES)]
                for name in CHANGES
            ],
        )
    )


if __name__ == "__main__":
    main()
