"""Joining labels that come later: 1 M predictions over 24 hourly windows, their labels an hour
after in one object or in many.

    python benchmarks/labels.py FOLDER [--rows 1000000] [--objects 1 100] [--runs 3]

A whole agent in a process of its own: one tick reads the predictions and judges their windows, a
second one reads the labels, joins them and restates all windows. Reading is from CSV files on the
local disk. The disk that waiting takes is the growth of the state's file over the same run without
labels, and what the rows themselves hold.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

START, HOURS = datetime(2026, 5, 1, tzinfo=UTC), 24
CONFIG = """
version: 1
agent: {{state: "sqlite:///state.db", http: null}}
models:
  bench:
    source: {{type: local, options: {{path: {data}/predictions, format: parquet}}}}
    {labels}
    schema:
      timestamp: time
      id: id
      features: {{plan: categorical}}
      prediction: {{kind: binary, score: score}}
      label: {{column: label}}
      segments: [plan]
    reference: {{type: local, options: {{path: {data}/reference.parquet}}}}
    notify: []
"""
LABELS = "labels: {{type: local, options: {{path: {scratch}/truth, format: csv}}, time: given}}"


def predictions(rows: int, seed: int) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    score = rng.uniform(size=rows)
    return {
        "id": [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(rows)],
        "plan": np.array(["free", "silver", "gold"])[rng.integers(0, 3, rows)],
        "score": score,
        "label": (rng.uniform(size=rows) < score).astype(np.int64),
    }


def make(folder: Path, rows: int, objects: list[int]) -> None:
    """Predictions by the hour without labels, the labels in so many objects in another order, and a
    reference with labels.
    """
    (folder / "predictions").mkdir(parents=True)
    pq.write_table(pa.table(predictions(100_000, 1)), folder / "reference.parquet")
    ids, labels = [], []
    for hour in range(HOURS):
        size = rows * (hour + 1) // HOURS - rows * hour // HOURS
        table = predictions(size, 100 + hour)
        ids += table["id"]
        labels.append(table.pop("label"))
        first = START + timedelta(hours=hour)
        table["time"] = pa.array(
            [first + timedelta(seconds=3600 * place / size) for place in range(size)],
            pa.timestamp("us", "UTC"),
        )
        pq.write_table(pa.table(table), folder / "predictions" / f"{hour:02d}.parquet")
    order = np.random.default_rng(5).permutation(rows)
    label_times = pa.array([START + timedelta(hours=HOURS + 1)] * rows, pa.timestamp("us", "UTC"))
    table = pa.table(
        {
            "id": pa.array(ids).take(pa.array(order)),
            "label": np.concatenate(labels)[order],
            "given": label_times,
        }
    )
    for count in objects:
        (folder / f"truth-{count}").mkdir()
        for number in range(count):
            first, end = rows * number // count, rows * (number + 1) // count
            csv.write_csv(
                table.slice(first, end - first), folder / f"truth-{count}" / f"{number:04d}.csv"
            )


def child(config: Path, truth: Path) -> None:
    """Both ticks in this process; the figures as JSON."""
    from driftline.agent import late_labels
    from driftline.agent.composition_root import open_agent, read_config
    from driftline.agent.summary import summarise
    from driftline.telemetry.logs import make_log

    took: dict[str, float] = {}

    def add_timer(name: str, call: Any) -> Any:
        def timing(*args: object) -> object:
            began, busy = time.perf_counter(), time.thread_time()
            result = call(*args)
            took[name], took[f"{name}_cpu"] = time.perf_counter() - began, time.thread_time() - busy
            return result

        return timing

    def peak() -> float:
        # Not getrusage: its peak is at least that of the process that started this one.
        [line] = [
            line
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith("VmHWM")
        ]
        return int(line.split()[1]) / 1024

    late_labels.join_labels = add_timer("join", late_labels.join_labels)
    labels = late_labels.LateLabels
    labels.read_and_join = add_timer("both", labels.read_and_join)
    now = [START + timedelta(hours=HOURS, minutes=30)]
    figures: dict[str, float] = {}
    with open_agent(
        read_config(config),
        clock=lambda: now[0],
        log=make_log(io.StringIO(), human=False),
        once=True,
    ) as agent:
        began = time.perf_counter()
        agent.tick("bench")
        figures |= {"first": time.perf_counter() - began, "first_peak": peak()}
        agent.store.checkpoint()
        figures["file"] = config.with_name("state.db").stat().st_size
        late = summarise(agent.store, agent.config)["models"]["bench"].get("labels")
        if late:
            figures["bytes"] = late["bytes"]
            truth.rename(config.with_name("truth") / "new")
            now[0] = START + timedelta(hours=HOURS + 1, minutes=10)
            began = time.perf_counter()
            report = agent.tick("bench")
            figures |= {"second": time.perf_counter() - began, "second_peak": peak(), **took}
            assert not report.error, report.error
            assert report.labels.join.matches == report.labels.join.labels
            figures |= {"windows": report.closing.windows, "labels": report.labels.join.labels}
            began = time.perf_counter()
            agent.tick("bench")
            figures["idle"] = time.perf_counter() - began
    print(json.dumps(figures))


def run(data: Path, scratch: Path, objects: int | None) -> dict[str, float]:
    shutil.rmtree(scratch, ignore_errors=True)
    (scratch / "truth").mkdir(parents=True)
    if objects:
        shutil.copytree(data / f"truth-{objects}", scratch / "new")
    config = scratch / "driftline.yaml"
    labels = LABELS.format(scratch=scratch) if objects else ""
    config.write_text(CONFIG.format(data=data, labels=labels))
    command = [sys.executable, __file__, "--child", str(config), str(scratch / "new")]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main() -> None:
    """Make the data where it is missing, measure, print tables in Markdown."""
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 100])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    data = options.folder.resolve() / f"labels-{options.rows}"
    if not data.exists():
        make(data, options.rows, options.objects)
    scratch = options.folder.resolve() / "labels-scratch"
    bare = [run(data, scratch, None) for _ in range(options.runs)]
    plain = {name: statistics.median(result[name] for result in bare) for name in bare[0]}
    print(
        f"\n{options.rows:,} predictions in {HOURS} windows and 3 segments; "
        f"median of {options.runs}\n"
    )
    print(
        "| labels in | join s | processor s | joined a second | with reading s | a second "
        "| tick s | idle tick s | peak MB |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for objects in options.objects:
        runs = [run(data, scratch, objects) for _ in range(options.runs)]
        medians = {name: statistics.median(result[name] for result in runs) for name in runs[0]}
        assert medians["windows"] == HOURS
        join_rate = medians["labels"] / medians["join"]
        join_cells = f"{medians['join']:.2f} | {medians['join_cpu']:.2f} | {join_rate:,.0f}"
        rates = [join_cells, f"{medians['both']:.2f} | {medians['labels'] / medians['both']:,.0f}"]
        tick_cells = (
            f"{medians['second']:.2f} | {medians['idle']:.2f} | {medians['second_peak']:.0f}"
        )
        print(
            f"| {objects} object{'s' if objects > 1 else ''} | {' | '.join(rates)} | {tick_cells} |"
        )
    medians |= {f"bare_{name}": value for name, value in plain.items()}
    print(
        "\nThe tick that reads the predictions: {first:.2f} s, {first_peak:.0f} MB; ".format(
            **medians
        ),
        end="",
    )
    print("without labels {bare_first:.2f} s, {bare_first_peak:.0f} MB.".format(**medians))
    print(
        f"A waiting prediction takes {medians['bytes'] / options.rows:.1f} bytes, "
        "and the file grows by ",
        end="",
    )
    print(f"{(medians['file'] - plain['file']) / options.rows:.1f} for each.")
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
