"""Writes the benchmark's data: one table of predictions as flat JSONL, SageMaker capture and
Parquet, and a reference.

python benchmarks/make_data.py FOLDER ROWS
"""

from __future__ import annotations

import json
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NUMERIC, CATEGORICAL, HOURS = 16, 4, 24
START = datetime(2026, 5, 1, tzinfo=UTC)
REFERENCE_ROWS = 100_000
CHUNK = 50_000


def table(rows: int, seed: int, first: int = 0, total: int | None = None) -> dict[str, np.ndarray]:
    """Columns of `rows` predictions, spread evenly over a day; shape (rows,) each."""
    rng = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {}
    for place in range(NUMERIC):
        columns[f"n{place}"] = np.round(rng.normal(place, 1 + place, rows), 6)
    for place, distinct in enumerate((5, 50, 500, 5000)):
        columns[f"c{place}"] = np.array([f"v{n}" for n in range(distinct)])[
            rng.zipf(1.5, rows) % distinct
        ]
    score = np.round(1 / (1 + np.exp(-columns["n0"])), 6)
    columns["score"] = score
    columns["prediction"] = (score >= 0.5).astype(np.int64)
    columns["label"] = (rng.uniform(size=rows) < score).astype(np.int64)
    places = (np.arange(rows) + first) / (total or rows) * HOURS * 3600
    columns["time"] = np.array(
        [(START + timedelta(seconds=int(s))).strftime("%Y-%m-%dT%H:%M:%SZ") for s in places]
    )
    return columns


def write(folder: Path, rows: int) -> None:
    """The three logs and the reference."""
    folder.mkdir(parents=True, exist_ok=True)
    reference = table(REFERENCE_ROWS, 1)
    pq.write_table(
        pa.table({name: values for name, values in reference.items() if name != "time"}),
        folder / "reference.parquet",
    )
    names = [f"n{i}" for i in range(NUMERIC)] + [f"c{i}" for i in range(CATEGORICAL)]
    rng = np.random.default_rng(7)
    writer: pq.ParquetWriter | None = None
    with (folder / "flat.jsonl").open("w") as flat, (folder / "capture.jsonl").open("w") as capture:
        for first in range(0, rows, CHUNK):
            size = min(CHUNK, rows - first)
            part = table(size, 100 + first, first, rows)
            ids = [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(size)]
            columns = {"id": np.array(ids), **part}
            batch = pa.table(columns)
            writer = writer or pq.ParquetWriter(folder / "flat.parquet", batch.schema)
            writer.write_table(batch)
            lists = {name: values.tolist() for name, values in columns.items()}
            keys = list(lists)
            for row in zip(*lists.values(), strict=True):
                flat.write(
                    json.dumps(dict(zip(keys, row, strict=True)), separators=(",", ":")) + "\n"
                )
            inputs = zip(*(lists[name] for name in names), strict=True)
            for values, at, key, prediction, score, label in zip(
                inputs,
                lists["time"],
                ids,
                lists["prediction"],
                lists["score"],
                lists["label"],
                strict=True,
            ):
                capture.write(
                    '{"captureData":{"endpointInput":{"observedContentType":"text/csv",'
                    '"mode":"INPUT","data":"'
                    + ",".join(map(str, values))
                    + '","encoding":"CSV"},"endpointOutput":{"observedContentType":"text/csv; '
                    'charset=utf-8","mode":"OUTPUT",'
                    f'"data":"{prediction},{score},{label}","encoding":"CSV"}}}},'
                    f'"eventMetadata":{{"eventId":"{key}",'
                    f'"inferenceTime":"{at}"}},"eventVersion":"0"}}\n'
                )
    if writer is not None:
        writer.close()


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
