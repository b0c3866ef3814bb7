"""How long pages take on the server, and what a stored measurement costs.

    python benchmarks/pages.py [--models 500] [--columns 200] [--windows 8760] [--repeat 5]

A state in a temporary folder, written directly: `--models` models with a month of hourly windows
each, and one model with a year of hourly windows and `--columns` columns of five measurements.
Printed are processor and wall seconds of the overview, of the pages of that model, of a column's
month from all those measurements, and of a million measurements as an Arrow table, and the bytes
of a measurement on disk. Needs the extra `test`.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from starlette.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/support"))

from seeded_year import HOUR, add_measurements, add_windows, count_blocks

import driftline
from driftline.agent.composition_root import open_agent, read_config
from driftline.state import models
from driftline.state.exported_columns import ExportSelection, read_measurement_columns
from driftline.state.factory import open_store
from driftline.state.measurement_reader import Selection, read_measurement_blocks
from driftline.telemetry.logs import make_log
from driftline.web import create_app

END = int(datetime(2026, 5, 1, tzinfo=UTC).timestamp()) * 1_000_000
MONTH = 720
MODEL = """
  {name}:
    source: {{type: local, options: {{path: log, format: jsonl}}}}
    schema: {{timestamp: t, features: {{{columns}}}}}
    reference: {{type: local, options: {{path: reference.jsonl}}}}
    windows: {{length: 1h}}
"""


def main() -> None:
    """Seed the state, then print a line for each measurement."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--models", type=int, default=500)
    arguments.add_argument("--columns", type=int, default=200)
    arguments.add_argument("--windows", type=int, default=8760)
    arguments.add_argument("--repeat", type=int, default=5)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _run(Path(folder), options)


def _run(folder: Path, options: argparse.Namespace) -> None:
    names = [f"model-{number:03}" for number in range(options.models)]
    columns = [f"column_{number:03}" for number in range(options.columns)]
    features = ", ".join(f"{column}: numeric" for column in columns)
    (folder / "log").mkdir()
    (folder / "reference.jsonl").write_text("")
    config = folder / "driftline.yaml"
    config.write_text(
        "version: 1\nagent: {state: 'sqlite:///state.db', http: null}\nmodels:"
        + MODEL.format(name="wide", columns=features)
        + "".join(MODEL.format(name=name, columns="amount: numeric") for name in names)
    )
    _seed(folder, names, columns, options.windows)

    def clock() -> datetime:
        return datetime.fromtimestamp(END / 1e6, UTC)

    with open_agent(
        read_config(config),
        clock=clock,
        log=make_log(io.StringIO(), human=False),
        console=io.StringIO(),
        once=True,
    ) as agent:
        client = TestClient(create_app(agent, None, None, clock=clock), base_url="http://127.0.0.1")

        def get(path: str) -> Callable[[], None]:
            def ask() -> None:
                answer = client.get(path)
                assert answer.status_code == 200, answer.text

            return ask

        def read_month() -> None:
            with agent.store.read() as connection:
                month = Selection(
                    model="wide", since=END - MONTH * HOUR, column=columns[0], names=("psi",)
                )
                blocks = list(read_measurement_blocks(connection, month))
                assert len(blocks) == min(MONTH, options.windows)
                [block.figure("value") for block in blocks]

        def read_arrow() -> None:
            with agent.store.read() as connection:
                rows = 0
                for chunk in read_measurement_columns(connection, ExportSelection(model="wide")):
                    rows += len(chunk["value"])
                    if rows >= 1_000_000:
                        break

        _report(f"overview of {options.models + 1} models", get("/"), options.repeat)
        for days in (7, 30, 365):
            _report(f"model page, {days} days", get(f"/m/wide?days={days}"), options.repeat)
        _report("column page", get(f"/m/wide/column?name={columns[0]}"), options.repeat)
        _report("performance page", get("/m/wide/performance"), options.repeat)
        _report("runs page", get("/m/wide/runs"), options.repeat)
        _report("a month of a series", read_month, options.repeat)
        _report("a million measurements, in columns", read_arrow, 1)
    started = time.perf_counter()
    table = driftline.connect(f"sqlite:///{folder}/state.db").measurements("wide").to_arrow()
    seconds = time.perf_counter() - started
    print(f"connect().measurements().to_arrow(): {seconds / len(table) * 1e6:.2f} s a million")


def _seed(folder: Path, names: list[str], columns: list[str], count: int) -> None:
    store = open_store("sqlite:///state.db", base=folder)
    started = time.perf_counter()
    with store.write() as connection:
        models.add_model(connection, "wide", 0)
        for name in names:
            models.add_model(connection, name, 0)
            starts = [END - (place + 1) * HOUR for place in range(MONTH)]
            add_windows(connection, name, starts, 1000)
            add_measurements(connection, name, starts[:24], ["amount"])
    year = [END - (place + 1) * HOUR for place in range(count)]
    measured = 0
    for place in range(0, count, 200):
        with store.write() as connection:
            some = year[place : place + 200]
            add_windows(connection, "wide", some, 1000)
            measured += add_measurements(connection, "wide", some, columns, seed=place)
    with store.read() as connection:
        total = count_blocks(connection)
        size = connection.execute(
            sa.text(
                "select sum(length(places) + length(figures) + length(details)) "
                "from measurement_blocks"
            )
        ).scalar_one()
    store.close()
    print(
        f"{total:,} measurements written in {time.perf_counter() - started:.0f} s, "
        f"{size / total:.1f} bytes each"
    )


def _report(title: str, run: Callable[[], None], repeat: int) -> None:
    run()
    walls, processors = [], []
    for _ in range(repeat):
        wall, processor = time.perf_counter(), time.process_time()
        run()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    print(
        f"{title}: {statistics.median(walls) * 1e3:.0f} ms by the clock, "
        f"{statistics.median(processors) * 1e3:.0f} ms of the processor"
    )


if __name__ == "__main__":
    main()
