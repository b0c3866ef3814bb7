"""Times `driftline compare` on two files of 1 M rows and 20 columns, in Parquet and JSONL.

Each run is a fresh process: what a person waits for. DuckDB alone computes the same counts of the
JSONL files: rows, nulls, mean and standard deviation of numbers, counts of categories.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NUMBERS, CATEGORIES = 15, 5
DUCKDB = """
import duckdb, sys
con = duckdb.connect()
for path in sys.argv[1:]:
    con.execute(f"create or replace table t as select * from read_json_auto('{path}')")
    names = con.execute("select column_name, column_type from (describe t)").fetchall()
    for name, kind in names:
        if kind == "VARCHAR":
            con.execute(f'select "{name}", count(*) from t group by 1').fetchall()
        else:
            con.execute(
                f'select count("{name}"), avg("{name}"), stddev("{name}"), '
                f'quantile_cont("{name}", [0.01, 0.25, 0.5, 0.75, 0.99]) from t'
            ).fetchall()
"""


def make_files(folder: Path, rows: int) -> None:
    """Write two tables of `rows` rows; half of the columns of the second one drifted."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed, shift in (("reference", 1, 0.0), ("current", 2, 0.3)):
        generator = np.random.default_rng(seed)
        columns: dict[str, object] = {
            f"x{place}": np.round(generator.normal(shift * (place % 2), 1 + place, rows), 6)
            for place in range(NUMBERS)
        }
        for place in range(CATEGORIES):
            columns[f"c{place}"] = generator.choice(list("abcdefgh"), rows)
        table = pa.table(columns)
        pq.write_table(table, folder / f"{name}.parquet")
        with (folder / f"{name}.jsonl").open("w") as file:
            for batch in table.to_batches(max_chunksize=10_000):
                file.writelines(json.dumps(row) + "\n" for row in batch.to_pylist())


def seconds(command: list[str]) -> float:
    """Return the wall time of a command in seconds; it has to succeed."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Make the files where they are missing, and print the best of some runs as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    if not (arguments.folder / "current.jsonl").exists():
        make_files(arguments.folder, arguments.rows)

    def best(*command: str) -> float:
        return round(min(seconds([sys.executable, *command]) for _ in range(arguments.runs)), 2)

    def paths(suffix: str) -> list[str]:
        return [str(arguments.folder / f"{name}{suffix}") for name in ("reference", "current")]

    figures = {
        "rows": arguments.rows,
        "parquet": best("-m", "driftline", "compare", *paths(".parquet")),
        "jsonl": best("-m", "driftline", "compare", *paths(".jsonl")),
        "jsonl by DuckDB alone": best("-c", DUCKDB, *paths(".jsonl")),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
