"""`driftline backtest` over a year of hourly windows of 20 columns, from stored profiles: seconds
and peak memory.

    python benchmarks/backtest.py FOLDER [--days 365] [--rows 1000] [--shuffles 10]

The state is made once, by two processes: windows of 16 numeric and 4 categorical columns (5 to
5,000 values) whose level wobbles from hour to hour and rises at night and on weekends, written as
an agent that keeps single windows for a year leaves them. Three things happen: a shift of half a
standard deviation for five days, one of a quarter for ten, and a missing rate that goes from 0 to
3% for four.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.spec import ProfileSpec
from driftline.state import models
from driftline.state.factory import open_store
from driftline.state.tables import windows
from driftline.types.times import as_micros

START, HOUR = datetime(2025, 1, 1, tzinfo=UTC), timedelta(hours=1)
NUMERIC, DISTINCT = 16, (5, 50, 500, 5000)
REFERENCE_ROWS = 100_000
WOBBLE, NIGHT, WEEKEND = 0.05, 0.15, 0.1
HAPPENED = ((200, 5, "n3", 0.5), (270, 10, "n7", 0.25), (320, 4, "n11", 0.03))
"""Day, days, column, and the shift in standard deviations; of n11 the missing rate."""
CONFIG = """
version: 1
agent: {state: "sqlite:///state.db", http: null, keep: {profiles_hourly: 400d}}
models:
  bench:
    source: {type: local, options: {path: log, format: parquet}}
    schema:
      timestamp: time
      features: {%s}
    reference: {type: local, options: {path: reference.parquet}}
"""


def columns(rows: int, rng: np.random.Generator, shifts: dict[str, float]) -> dict[str, pa.Array]:
    """One batch; shifts by column, in standard deviations."""
    arrays: dict[str, pa.Array] = {}
    for place in range(NUMERIC):
        name = f"n{place}"
        values = (
            rng.normal(place, 1 + place, rows)
            if place % 2
            else rng.lognormal(0, 0.5, rows) * (1 + place)
        )
        arrays[name] = pa.array(
            values + shifts.get(name, 0.0) * (1 + place) * (1.0 if place % 2 else 0.6)
        )
    for place, distinct in enumerate(DISTINCT):
        codes = rng.zipf(1.5 + 0.1 * shifts.get(f"c{place}", 0.0), rows) % distinct
        arrays[f"c{place}"] = pa.DictionaryArray.from_arrays(
            pa.array(codes, pa.int32()), _names(distinct)
        )
    return arrays


@cache
def _names(distinct: int) -> pa.Array:
    return pa.array([f"v{n}" for n in range(distinct)])


def hours(folder: Path, first: int, last: int, rows: int) -> list[dict[str, object]]:
    """Rows of the table `windows`."""
    spec = _spec(folder)
    window_rows = []
    for hour in range(first, last):
        rng = np.random.default_rng((7, hour))
        at = START + hour * HOUR
        usual = NIGHT * (at.hour < 6) + WEEKEND * (at.weekday() >= 5)
        names = [f"n{place}" for place in range(NUMERIC)] + [
            f"c{place}" for place in range(len(DISTINCT))
        ]
        shifts = dict(zip(names, (usual + rng.normal(0, WOBBLE, len(names))).tolist(), strict=True))
        size = int(rng.poisson(rows * (0.6 if at.hour < 6 else 1.0)))
        on = {
            name: much for day, days, name, much in HAPPENED if day * 24 <= hour < (day + days) * 24
        }
        batch = columns(
            size,
            rng,
            {
                name: shift + (on.get(name, 0.0) if name != "n11" else 0.0)
                for name, shift in shifts.items()
            },
        )
        if "n11" in on:
            batch["n11"] = pa.array(batch["n11"].to_numpy(), mask=rng.random(size) < on["n11"])
        profile = Profile(spec, BUILT_IN)
        start = as_micros(at)
        profile.update(
            Batch(
                rows=size,
                columns=batch,
                events=np.linspace(start, start + 3_599_000_000, size).astype(np.int64),
            )
        )
        window_rows.append(
            {
                "model": "bench",
                "start": start,
                "version": "",
                "segment": "",
                "end": start + 3_600_000_000,
                "rows": size,
                "revision": 1,
                "dirty": 0,
                "settled": 1,
                "profile": profile.to_bytes(),
            },
        )
    return window_rows


@cache
def _spec(folder: Path) -> ProfileSpec:
    store = open_store("sqlite:///state.db", base=folder, readonly=True)
    try:
        with store.read() as connection:
            model = models.load_model(connection, "bench")
    finally:
        store.close()
    assert model is not None
    assert model.spec is not None
    return ProfileSpec.from_bytes(model.spec)


def make(folder: Path, days: int, rows: int) -> None:
    """Configuration, reference, labelled incidents and state."""
    (folder / "log").mkdir(parents=True)
    kinds = [f"n{place}: numeric" for place in range(NUMERIC)] + [
        f"c{place}: categorical" for place in range(len(DISTINCT))
    ]
    (folder / "driftline.yaml").write_text(CONFIG % ", ".join(kinds))
    reference = columns(REFERENCE_ROWS, np.random.default_rng(1), {})
    pq.write_table(pa.table(reference), folder / "reference.parquet")
    lines = ["start,end,columns,note"]
    for day, length, column, size in HAPPENED:
        since, until = START + timedelta(days=day), START + timedelta(days=day + length)
        lines.append(f"{since:%Y-%m-%dT%H:%M},{until:%Y-%m-%dT%H:%M},{column},{size}")
    (folder / "incidents.csv").write_text("\n".join(lines) + "\n")
    subprocess.run(
        [sys.executable, "-m", "driftline", "run", "--once", "-c", folder / "driftline.yaml"],
        check=False,
    )
    work = [(folder, first, min(first + 24, days * 24), rows) for first in range(0, days * 24, 24)]
    store = open_store("sqlite:///state.db", base=folder)
    with ProcessPoolExecutor(2) as pool:
        for day_rows in pool.map(hours, *zip(*work, strict=True)):
            with store.write() as connection:
                connection.execute(windows.insert(), day_rows)
    store.close()


def backtest_command(folder: Path, days: int, shuffles: int) -> Iterator[str]:
    """The command that is timed."""
    yield from (sys.executable, "-m", "driftline", "backtest", "-c", str(folder / "driftline.yaml"))
    yield from ("--from", f"{START:%Y-%m-%d}", "--to", f"{START + timedelta(days=days):%Y-%m-%d}")
    yield from ("--incidents", str(folder / "incidents.csv"), "--shuffles", str(shuffles))
    yield from ("--chart", str(folder / "chart.svg"))


def main() -> None:
    """Make the state unless it is there, run the command, and print what it cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--shuffles", type=int, default=10)
    options = parser.parse_args()
    if not (options.folder / "state.db").exists():
        make(options.folder, options.days, options.rows)
    began = time.monotonic()
    process = subprocess.run(
        list(backtest_command(options.folder, options.days, options.shuffles)), check=False
    )
    wall = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = {
        "code": process.returncode,
        "wall s": wall,
        "processor s": used.ru_utime + used.ru_stime,
        "peak MB": used.ru_maxrss / 1024,
    }
    print(json.dumps({name: round(value, 1) for name, value in cost.items()}))


if __name__ == "__main__":
    main()
