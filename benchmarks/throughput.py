"""From bytes to verdicts: `driftline run --once` beside the fastest parser alone on the same bytes,
in turn, in one run.

    python benchmarks/throughput.py FOLDER [--rows 1000000 3000000] [--runs 3]

Each figure is a whole process: wall and processor seconds, peak memory. The parsers read all
columns and do nothing with them. Needs the extra `bench`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from make_data import CATEGORICAL, NUMERIC, write

NUMBERS = [f"n{i}" for i in range(NUMERIC)]
WORDS = [f"c{i}" for i in range(CATEGORICAL)]
TYPES = [
    "id: VARCHAR",
    *(f"{name}: DOUBLE" for name in NUMBERS),
    *(f"{name}: VARCHAR" for name in WORDS),
    "score: DOUBLE",
]
TYPES += ["prediction: INTEGER", "label: INTEGER", "time: TIMESTAMP"]
COLUMNS = (
    "{"
    + ", ".join(f"{name}: '{kind}'" for name, kind in (item.split(": ") for item in TYPES))
    + "}"
)
# Sums, not extremes: those of Parquet would come from its statistics without reading a value.
SUMS = ", ".join(
    [f"sum({name})" for name in (*NUMBERS, "score", "prediction", "label")]
    + [f"sum(strlen({name}))" for name in WORDS]
)
SPLIT = "string_split(captureData.endpointInput.data, ',')"
PARSERS = {
    "flat.jsonl": (
        f"select {SUMS}, sum(strlen(id)), max(time) "
        f"from read_json('PATH', format='newline_delimited', columns={COLUMNS})"
    ),
    "flat.parquet": f"select {SUMS}, sum(strlen(id)), sum(strlen(time)) from read_parquet('PATH')",
    "capture.jsonl": (
        "select count(*), "
        + ", ".join(f"max(try_cast(v[{place + 1}] as DOUBLE))" for place in range(NUMERIC))
        + ", "
        + ", ".join(f"max(v[{NUMERIC + place + 1}])" for place in range(CATEGORICAL))
        + f", max(o), max(t) from (select {SPLIT} as v, captureData.endpointOutput.data as o, "
        "eventMetadata.inferenceTime as t from read_json('PATH', format='newline_delimited', "
        "columns={captureData: 'STRUCT(endpointInput STRUCT(data VARCHAR), "
        "endpointOutput STRUCT(data VARCHAR))', "
        "eventMetadata: 'STRUCT(eventId VARCHAR, inferenceTime VARCHAR)'}))"
    ),
}
DUCKDB = (
    "import duckdb, sys; c = duckdb.connect(); c.execute('SET threads=2'); "
    "print(c.execute(sys.argv[1]).fetchall()[0][:2])"
)
ARROW = {
    "flat.jsonl": (
        "import pyarrow.json as j, sys\nfor b in j.open_json(sys.argv[1], "
        "read_options=j.ReadOptions(block_size=1 << 23)): pass"
    ),
    "flat.parquet": (
        "import pyarrow.parquet as q, sys\n"
        "for b in q.ParquetFile(sys.argv[1], read_dictionary=['c0', 'c1', 'c2', 'c3'])"
        ".iter_batches(): pass"
    ),
    "capture.jsonl": "",
}
CONFIG = """
version: 1
agent: {{state: "sqlite:///{state}", http: null}}
models:
  bench:
    source: {{type: local, options: {{path: {path}{form}}}}}
    schema:
      timestamp: {time}
      id: {id}
      features: {{{features}}}
      prediction: {{column: prediction, kind: binary, score: score}}
      label: {{column: label}}
    reference: {{type: local, options: {{path: {folder}/reference.parquet}}}}
    notify: []
"""


def config(folder: Path, name: str, scratch: Path) -> Path:
    """The configuration that reads one of the logs."""
    capture = name.startswith("capture")
    headers = ", ".join(NUMBERS + WORDS)
    options = f"{{headers: [{headers}], output_headers: [prediction, score, label]}}"
    form = f", format: {{type: sagemaker, options: {options}}}"
    path = scratch / f"{name}.yaml"
    path.write_text(
        CONFIG.format(
            state=scratch / "state.db",
            folder=folder,
            path=folder / name,
            form=form if capture else "",
            time="event_time" if capture else "time",
            id="event_id" if capture else "id",
            features=", ".join(
                [f"{name}: numeric" for name in NUMBERS]
                + [f"{name}: categorical" for name in WORDS]
            ),
        )
    )
    return path


def measure(command: list[str], fine: tuple[int, ...] = (0,)) -> tuple[float, float, float]:
    """Wall seconds, processor seconds, peak MB of one process that ends with one of the `fine`
    codes.
    """
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in fine, errors.decode()[-2000:]
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def row(
    label: str,
    measures: list[tuple[float, float, float]],
    base: list[tuple[float, float, float]] | None = None,
) -> str:
    """One line of the table: medians, and the median of the ratios taken pair by pair."""
    wall, cpu, memory = (statistics.median(values) for values in zip(*measures, strict=True))
    ratio = (
        statistics.median(
            own[0] / base_measure[0] for own, base_measure in zip(measures, base, strict=True)
        )
        if base
        else 1.0
    )
    return f"| {label} | {wall:.2f} | {cpu:.2f} | {memory:.0f} | {ratio:.2f} |"


def main() -> None:
    """Make the data where it is missing, measure, print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    for rows in options.rows:
        folder = options.folder / str(rows)
        if not (folder / "flat.parquet").exists():
            write(folder, rows)
        print(f"\n{rows:,} rows, 24 columns, reference of 100,000 rows, median of {options.runs}\n")
        print(
            "| | wall s | processor s | peak MB | wall against the fastest parser |\n"
            "| --- | ---: | ---: | ---: | ---: |"
        )
        for name, query in PARSERS.items():
            size = (folder / name).stat().st_size / 1e6
            results: dict[str, list[tuple[float, float, float]]] = {
                "parser": [],
                "arrow": [],
                "driftline": [],
            }
            with tempfile.TemporaryDirectory() as scratch:
                settings = config(folder, name, Path(scratch))
                for _ in range(options.runs):
                    path = str(folder / name)
                    results["parser"].append(
                        measure([sys.executable, "-c", DUCKDB, query.replace("PATH", path)])
                    )
                    if ARROW[name]:
                        results["arrow"].append(measure([sys.executable, "-c", ARROW[name], path]))
                    for state in Path(scratch).glob("state.db*"):
                        state.unlink()
                    results["driftline"].append(
                        measure(
                            [
                                sys.executable,
                                "-m",
                                "driftline",
                                "run",
                                "--once",
                                "-c",
                                str(settings),
                            ]
                        )
                    )
            print(row(f"{name} ({size:.0f} MB): DuckDB alone", results["parser"]))
            if results["arrow"]:
                print(row(f"{name}: pyarrow alone, streamed", results["arrow"], results["parser"]))
            print(
                row(
                    f"**{name}: driftline, bytes to verdicts**",
                    results["driftline"],
                    results["parser"],
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
