"""What a comparison of two tables takes: `driftline compare`, and other tools on the same files.

    python benchmarks/comparison.py build/compare [--rows 1000000] [--runs 3]
    python benchmarks/comparison.py build/compare --peers build/peers/bin/python

Two tables of 20 columns: 15 of numbers, 5 of categories; the means of 7 of them moved. Each run
is a fresh process, as a person starts it: wall seconds, processor seconds, peak memory. All take
turns. Byte-code is kept in the folder, as pip compiles what it installs. DuckDB alone reads the
JSONL files and computes counts, means, standard deviations, five quantiles, and the rows of each
category. With `--peers`, the interpreter of an environment with the extra `bench-peers`, Evidently
and NannyML compare the Parquet files by their defaults, read with pandas. They are told not to
report their use.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from throughput import measure, row

NUMBERS, CATEGORIES = 15, 5
CHUNK = 1_000_000
"""Rows that are made at a time."""
JSONL_ROWS = 1_000_000
"""Rows up to which there are JSONL files, and other tools take their turn."""
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
NANNYML = """
import sys
import nannyml, pandas
reference, current = (pandas.read_parquet(path) for path in sys.argv[1:3])
drift = nannyml.UnivariateDriftCalculator(column_names=list(reference))
drift.fit(reference)
print(drift.calculate(current).to_df())
"""
EVIDENTLY = """
import sys
import pandas
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
reference, current = (pandas.read_parquet(path) for path in sys.argv[1:3])
kinds = DataDefinition(
    numerical_columns=[name for name in reference if name.startswith("x")],
    categorical_columns=[name for name in reference if name.startswith("c")],
)
reference, current = (
    Dataset.from_pandas(rows, data_definition=kinds) for rows in (reference, current)
)
print(Report([DataDriftPreset()]).run(current, reference).dict())
"""


def make_files(folder: Path, rows: int) -> None:
    """Write two tables of `rows` rows; the means of 7 columns of numbers of the second moved."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed, shift in (("reference", 1, 0.0), ("current", 2, 0.3)):
        generator = np.random.default_rng(seed)
        writer = None
        for start in range(0, rows, CHUNK):
            count = min(CHUNK, rows - start)
            columns: dict[str, object] = {
                f"x{place}": np.round(generator.normal(shift * (place % 2), 1 + place, count), 6)
                for place in range(NUMBERS)
            }
            for place in range(CATEGORIES):
                columns[f"c{place}"] = generator.choice(list("abcdefgh"), count)
            table = pa.table(columns)
            writer = writer or pq.ParquetWriter(folder / f"{name}.parquet", table.schema)
            writer.write_table(table)
        assert writer is not None
        writer.close()
        if rows > JSONL_ROWS:
            continue
        with (folder / f"{name}.jsonl").open("w") as file:
            for batch in table.to_batches(max_chunksize=10_000):
                file.writelines(json.dumps(record) + "\n" for record in batch.to_pylist())


def main() -> None:
    """Make the files where they are missing, measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", type=Path, help="interpreter of an environment with the peers")
    options = parser.parse_args()
    os.environ |= {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
    os.environ["PYTHONPYCACHEPREFIX"] = str(options.folder.resolve() / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    folder: Path = options.folder / str(options.rows)
    if not (folder / "current.parquet").exists():
        make_files(folder, options.rows)

    def paths(suffix: str) -> list[str]:
        return [str(folder / f"{name}{suffix}") for name in ("reference", "current")]

    compare = [sys.executable, "-m", "driftline", "compare"]
    commands = {"**Parquet: driftline**": [*compare, *paths(".parquet")]}
    if options.rows <= JSONL_ROWS:
        commands |= {
            "JSONL: DuckDB alone": [sys.executable, "-c", DUCKDB, *paths(".jsonl")],
            "**JSONL: driftline**": [*compare, *paths(".jsonl")],
        }
        if options.peers is not None:
            for name, code in (("NannyML", NANNYML), ("Evidently", EVIDENTLY)):
                command = [str(options.peers), "-c", code, *paths(".parquet")]
                commands[f"Parquet: {name}"] = command
    measure(commands["**Parquet: driftline**"])  # Compiles the modules.
    results = [
        {name: measure(command) for name, command in commands.items()} for _ in range(options.runs)
    ]
    measures = {name: [result[name] for result in results] for name in commands}
    print(f"{options.rows:,} rows on each side:\n")
    print("| | wall s | processor s | peak MB | wall against the base |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in measures:
        base = "JSONL: DuckDB alone" if name.startswith(("JSONL", "**J")) else next(iter(measures))
        print(row(name, measures[name], measures[base]))


if __name__ == "__main__":
    main()
