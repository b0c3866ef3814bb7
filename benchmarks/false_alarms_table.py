"""The table of benchmarks/README.md from what `false_alarms.py` wrote.

python benchmarks/false_alarms_table.py benchmarks/results/false_alarms.jsonl
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from false_alarms import CellResult, load_results, poisson_bounds
from series_cells import LENGTHS, REGIMES, SIZES, random_pairs, single_cells


def line(name: str, results: Sequence[CellResult]) -> str:
    """One row: name, model-years, alarms, and the 95% interval of alarms a model-year."""
    years = sum(result.years for result in results)
    count = sum(sum(result.alarms) for result in results)
    low, high = poisson_bounds(count, years)
    interval = f"{low:.2f} to {high:.2f}" if count else f"0 to {high:.2f}"
    return f"| {name} | {years:.1f} | {count} | {interval} |"


def parts(cell: str) -> list[str]:
    """The regimes, sizes and lengths of a cell; those of the base cell are hourly."""
    return cell.split(" + ")


def pooled(results: Sequence[CellResult]) -> Iterable[str]:
    """One row for each regime, size and length over all cells that have it, then all together."""
    for name in ("iid", *LENGTHS, *SIZES, *REGIMES):
        own = [result for result in results if name in parts(result.cell)]
        if own:
            yield line(name, own)
    hourly = [result for result in results if not set(parts(result.cell)) & LENGTHS.keys()]
    yield line("**all hourly cells**", hourly)
    yield line("**all cells**", results)


def main() -> None:
    """Print the table by cell, the table by regime, and the cells that were not run."""
    results = load_results(Path(sys.argv[1]))
    cells = list(dict.fromkeys(result.cell for result in results))
    head = "| {} | Model-years | Alarms | 95% interval, alarms a model-year |\n| --- | ---: | ---: | --- |"
    print(head.format("Cell"))
    for cell in cells:
        print(line(cell, [result for result in results if result.cell == cell]))
    print()
    print(head.format("Pooled over cells"))
    print("\n".join(pooled(results)))
    print()
    expected = [cell.name for cell in (*single_cells(), *random_pairs(30))]
    missing = [name for name in expected if name not in cells]
    print("Not run:", ", ".join(missing) or "none")


if __name__ == "__main__":
    main()
