"""Tables that can't be compared or profiled, and odd ones that can: each has a clear answer."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from comparison_tables import make_table

import driftline as dl
from driftline.types.errors import ComparisonError, SourceError

ROWS = make_table(1, rows=600)
CALLS = pytest.mark.parametrize(
    "call",
    [lambda data: dl.compare(ROWS, data), lambda data: dl.compare(data, ROWS), dl.profile],
    ids=["current", "reference", "profile"],
)


@CALLS
@pytest.mark.parametrize("data", [3, None, {"age": [1, 2]}, [[1, 2]], np.zeros((3, 2))], ids=repr)
def test_an_object_that_is_no_table(call, data):
    """An object without an Arrow stream is a TypeError that says what is taken."""
    with pytest.raises(TypeError, match="is no table: give a path, or a table of pandas"):
        call(data)


@CALLS
@pytest.mark.parametrize(
    "data",
    [ROWS.slice(0, 0), pd.DataFrame({"age": []}), pa.table({})],
    ids=["no rows", "pandas", "no columns"],
)
def test_an_empty_table(call, data):
    """A table without rows is an error that says so."""
    with pytest.raises((ComparisonError, SourceError), match=r"no rows|no columns"):
        call(data)


@CALLS
def test_repeated_names(call):
    """Two columns of one name are an error that names them."""
    data = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["age", "age"])
    with pytest.raises(ComparisonError, match="more than one column 'age'"):
        call(data)


def test_no_common_column():
    """Tables without a common column are an error with the columns of both."""
    with pytest.raises(ComparisonError, match=r"no column in common: .*'?age'?.*'?height'?"):
        dl.compare(ROWS.select(["age"]), pa.table({"height": [1.0, 2.0]}))


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["old"] * 600),
        pa.array([[1.0, 2.0]] * 600, pa.list_(pa.float64())),
        pa.array([{"a": 1}] * 600),
        pa.array([b"\xff"] * 600),
        pa.nulls(600),
        pa.array([10**9] * 600, pa.timestamp("s")),
    ],
    ids=["text", "list", "struct", "bytes", "nothing", "time"],
)
def test_another_type(values):
    """A column of another type is a change, and the other columns are compared."""
    current = ROWS.set_column(ROWS.column_names.index("age"), "age", values)
    result = dl.compare(ROWS, current)
    verdicts = {row.name: row.verdict for row in result.columns}
    assert verdicts.get("age") == "changed" or "age" in result.removed
    assert all(verdict != "changed" for name, verdict in verdicts.items() if name != "age")
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.mark.parametrize("rows", [50_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_column_of_as_many_categories_as_rows(rows):
    """Of very many categories each is counted up to a bound, and the report stays small."""
    names = np.char.add("user-", np.random.default_rng(1).integers(0, rows, rows).astype(str))
    table = pa.table({"who": names, "age": np.arange(rows) % 90})
    result = dl.compare(table, table, segments=["age"] if rows < 1000 else ())
    assert not result.is_changed
    assert len(result._repr_html_()) < 200_000
    assert len(dl.profile(table).to_bytes()) < 5_000_000


def batches_of(count: int) -> Iterator[pa.RecordBatch]:
    """Batches of 50,000 rows that are made when they are read."""
    generator = np.random.default_rng(1)
    for _ in range(count):
        yield pa.record_batch(
            {"x": generator.normal(0, 1, 50_000), "y": generator.normal(0, 1, 50_000)}
        )


@pytest.mark.parametrize("call", [dl.profile, lambda data: dl.compare(data, ROWS)])
def test_a_stream_is_read_in_bounded_memory(monkeypatch, call):
    """A stream that is larger than the bound is kept in a temporary file, which is removed."""
    monkeypatch.setattr("driftline.comparison.spooled_stream.MOST_BYTES", 1 << 20)
    schema = pa.schema({"x": pa.float64(), "y": pa.float64()})
    stream = pa.RecordBatchReader.from_batches(schema, batches_of(20))
    before = pa.total_allocated_bytes()
    if call is dl.profile:
        made = call(stream)
        assert made.rows == 1_000_000
    else:
        with pytest.raises(ComparisonError, match="no column in common"):
            call(stream)
    assert pa.total_allocated_bytes() - before < 16 << 20
