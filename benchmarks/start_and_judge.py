"""How long people wait: for a start with nothing to do, and for the windows of a backlog.

    python benchmarks/start_and_judge.py build/start [--runs 3] [--quick]
    python benchmarks/start_and_judge.py build/start --nannyml build/peers/bin/python

A log of 21 columns (14 numeric and 5 categorical features, score, label), with a reference of
100,000 rows. Whole processes are timed in turn: the bare interpreter, a run with nothing new,
5,500 rows of 27 days, and 1,000,000 rows of 28 days in 28 and in 672 windows. What a window costs
is the difference of the last two over 644. Byte-code is kept in the folder: modules are compiled
once, as pip does when it installs a package. With `--nannyml`, the interpreter of an environment
that has NannyML, its univariate drift with its default of 10 chunks takes its turn on the same
files, read with pandas. It is told not to report its use.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from throughput import measure

START = 1_769_904_000
"""1 February 2026, in seconds."""
DAY = 86_400
REFERENCE_ROWS = 100_000
NUMBERS = [f"n{index:02}" for index in range(14)]
CATEGORIES = {"c0": 3, "c1": 4, "c2": 5, "c3": 8, "c4": 12}
CONFIG = """
version: 1
agent: {{state: "sqlite:///{state}", http: null}}
models:
  bench:
    source: {{type: local, options: {{path: {log}}}}}
    schema:
      timestamp: time
      features: {{{features}}}
      prediction: {{column: prediction, kind: binary, score: score}}
      label: {{column: label}}
    windows: {{length: {length}}}
    reference: {{type: local, options: {{path: {reference}}}}}
    notify: []
"""
NANNYML = """
import sys
import nannyml, pandas
reference, log = (pandas.read_parquet(path) for path in sys.argv[1:3])
columns = [name for name in reference if name not in ("time", "label", "prediction")]
drift = nannyml.UnivariateDriftCalculator(column_names=columns, timestamp_column_name="time")
drift.fit(reference)
drift.calculate(log).to_df()
"""


def write_log(path: Path, rows: int, start: int, days: int, seed: int) -> None:
    """Write rows at random times of so many days; 1% of the numbers are missing."""
    if path.exists():
        return
    random = np.random.default_rng(seed)
    times = np.sort(random.random(rows)) * days * DAY * 1e6
    columns: dict[str, pa.Array] = {
        "time": pa.array(times.astype(np.int64) + start * 1_000_000, pa.timestamp("us", tz="UTC"))
    }
    for place, name in enumerate(NUMBERS):
        values = random.lognormal(size=rows) if place % 3 == 0 else random.normal(place, 2, rows)
        values = values if place % 2 else np.round(values, 2)
        columns[name] = pa.array(values, mask=random.random(rows) < 0.01)
    for name, count in CATEGORIES.items():
        words = np.array([f"{name}-{index}" for index in range(count)])
        places = np.minimum(random.exponential(count / 4, rows).astype(int), count - 1)
        columns[name] = pa.array(words[places])
    score = random.beta(2, 5, rows)
    columns["score"] = pa.array(score)
    columns["prediction"] = pa.array((score > 0.5).astype(int))
    columns["label"] = pa.array((random.random(rows) < score).astype(int))
    pq.write_table(pa.table(columns), path, row_group_size=50_000)


def write_config(folder: Path, scratch: Path, log: str, length: str) -> Path:
    """Write the configuration that judges a log in windows of a length."""
    features = [f"{name}: numeric" for name in NUMBERS]
    features += [f"{name}: categorical" for name in CATEGORIES]
    path = scratch / f"{log}-{length}.yaml"
    path.write_text(
        CONFIG.format(
            state=path.with_suffix(".db"),
            log=folder.resolve() / f"{log}.parquet",
            reference=folder.resolve() / "reference.parquet",
            features=", ".join(features),
            length=length,
        )
    )
    return path


Measure = tuple[float, float, float]


def rounds(
    folder: Path, scratch: Path, runs: int, logs: list[tuple[str, str]], nannyml: Path | None
) -> Iterator[dict[str, Measure]]:
    """Time everything in turn, `runs` times: wall seconds, processor seconds and peak MB."""
    python = sys.executable
    for _ in range(runs):
        result = {"the bare interpreter": measure([python, "-c", "pass"])}
        for log, length in logs:
            config = write_config(folder, scratch, log, length)
            command = [python, "-m", "driftline", "run", "--once", "-c", str(config)]
            for state in scratch.glob(f"{config.stem}.db*"):
                state.unlink()
            result[f"{log}, windows of {length}"] = measure(command, fine=(0, 1))
            if log == "small":
                result["nothing new"] = measure(command, fine=(0, 1))
        for log in () if nannyml is None else dict(logs):
            paths = [str(folder / f"{name}.parquet") for name in ("reference", log)]
            result[f"{log}, NannyML"] = measure([str(nannyml), "-c", NANNYML, *paths])
        yield result


def main() -> None:
    """Make the data where it is missing, measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="without the log of 1,000,000 rows")
    parser.add_argument("--nannyml", type=Path, help="interpreter of an environment with NannyML")
    options = parser.parse_args()
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder.resolve() / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    write_log(folder / "reference.parquet", REFERENCE_ROWS, START - 30 * DAY, 30, 1)
    write_log(folder / "small.parquet", 5_500, START, 27, 2)
    logs = [("small", "1d")]
    if not options.quick:
        write_log(folder / "large.parquet", 1_000_000, START, 28, 3)
        logs += [("large", "1d"), ("large", "1h")]
    with tempfile.TemporaryDirectory() as scratch:
        results = list(rounds(folder, Path(scratch), options.runs, logs, options.nannyml))
    print("| | wall s | processor s | peak MB | wall against the bare interpreter |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in results[0]:
        wall, cpu, memory = (
            statistics.median(values)
            for values in zip(*(result[name] for result in results), strict=True)
        )
        ratio = statistics.median(
            result[name][0] / result["the bare interpreter"][0] for result in results
        )
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {memory:.0f} | {ratio:.0f} |")
    extra = statistics.median(
        result["nothing new"][1] - result["the bare interpreter"][1] for result in results
    )
    print(f"\nnothing new, over the bare interpreter: {extra:.2f} processor s")
    if not options.quick:
        for place, name in enumerate(("wall", "processor")):
            window = statistics.median(
                (result["large, windows of 1h"][place] - result["large, windows of 1d"][place])
                / (672 - 28)
                for result in results
            )
            print(f"a window of 21 columns: {1000 * window:.1f} ms ({name})")


if __name__ == "__main__":
    main()
