"""Parquet as DuckDB, polars, pandas and pyarrow write it: each type gives its numbers and names."""

from __future__ import annotations

import datetime as dt
import io
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from driftline_plugins.formats.parquet import Parquet
from pyarrow import parquet

from driftline import Field, Kind, Unreadable
from driftline.ingest.columns.canonical import to_categorical, to_numeric
from driftline.ingest.columns.vectors import list_values
from driftline.ingest.read.decoding import Decoding

duckdb = pytest.importorskip("duckdb")
pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")

KEY = uuid.UUID(int=2**127 + 1)
NO_NUMBER = "no number"

# SQL type and value, the number, the category
DUCKDB = [
    (f"'{KEY}'::UUID", NO_NUMBER, str(KEY)),
    ("7::TINYINT", 7.0, "7"),
    ("7::UBIGINT", 7.0, "7"),
    ("7::HUGEINT", 7.0, "7"),
    ("7::UHUGEINT", 7.0, "7"),
    ("1.50::DECIMAL(18,4)", 1.5, "1.5"),
    ("1.50::DECIMAL(38,10)", 1.5, "1.5"),
    ("0.1::FLOAT", 0.1, "0.1"),
    ("0.1::DOUBLE", 0.1, "0.1"),
    ("true", 1.0, "1"),
    ("DATE '2026-11-01'", NO_NUMBER, "2026-11-01"),
    ("TIME '10:00:00'", NO_NUMBER, "10:00:00"),
    ("TIME '10:00:00.250'", NO_NUMBER, "10:00:00.25"),
    ("'b'::ENUM('a','b')", NO_NUMBER, "b"),
    ("'1.5'::VARCHAR", 1.5, "1.5"),
    ("'1.5'::BLOB", 1.5, "1.5"),
    ("'abc'::BLOB", NO_NUMBER, "abc"),
    ("[1, 2]", NO_NUMBER, "[1,2]"),
    ("{'a': 1}", NO_NUMBER, '{"a":1}'),
    ("""'{"a":1}'::JSON""", NO_NUMBER, '{"a":1}'),
]
POLARS = [
    ("Int8", 7, 7.0, "7"),
    ("UInt64", 7, 7.0, "7"),
    ("Float32", 0.1, 0.1, "0.1"),
    ("Float64", 0.1, 0.1, "0.1"),
    ("Boolean", True, 1.0, "1"),
    ("String", "1.5", 1.5, "1.5"),
    ("Binary", b"1.5", 1.5, "1.5"),
    ("Categorical", "a", NO_NUMBER, "a"),
    ("Enum", "a", NO_NUMBER, "a"),
    ("Decimal", Decimal("1.50"), 1.5, "1.5"),
    ("Date", dt.date(2026, 11, 1), NO_NUMBER, "2026-11-01"),
    ("Time", dt.time(10, 0, 0, 250_000), NO_NUMBER, "10:00:00.25"),
    ("Duration", dt.timedelta(milliseconds=1500), 1.5, "1.5"),
    ("Null", None, None, None),
]
PANDAS = [
    ("Int64", 7, 7.0, "7"),
    ("int32", 7, 7.0, "7"),
    ("float16", 1.5, 1.5, "1.5"),
    ("float32", 0.1, 0.1, "0.1"),
    ("Float64", 0.1, 0.1, "0.1"),
    ("boolean", True, 1.0, "1"),
    ("bool", True, 1.0, "1"),
    ("string", "1.5", 1.5, "1.5"),
    ("category", "a", NO_NUMBER, "a"),
    ("category", 7, 7.0, "7"),
    ("object", "a", NO_NUMBER, "a"),
    ("object", Decimal("1.50"), 1.5, "1.5"),
    ("object", KEY, NO_NUMBER, str(KEY)),
    ("object", b"abc", NO_NUMBER, "abc"),
    ("object", dt.date(2026, 11, 1), NO_NUMBER, "2026-11-01"),
    ("object", dt.time(10, 0, 0, 250_000), NO_NUMBER, "10:00:00.25"),
    ("timedelta64[ns]", dt.timedelta(milliseconds=1500), 1.5, "1.5"),
]
ARROW = [
    (pa.string_view(), "a", NO_NUMBER, "a"),
    (pa.large_string(), "1.5", 1.5, "1.5"),
    (pa.binary_view(), b"1.5", 1.5, "1.5"),
    (pa.binary(3), b"abc", NO_NUMBER, "abc"),
    (pa.decimal128(38, 0), Decimal(7), 7.0, "7"),
    (pa.decimal256(60, 2), Decimal("1.50"), 1.5, "1.5"),
    (pa.dictionary(pa.int8(), pa.string()), "a", NO_NUMBER, "a"),
    (pa.dictionary(pa.int32(), pa.int64()), 7, 7.0, "7"),
    (pa.time32("ms"), dt.time(10, 0, 0, 250_000), NO_NUMBER, "10:00:00.25"),
    (pa.time64("ns"), dt.time(10), NO_NUMBER, "10:00:00"),
    (pa.duration("s"), dt.timedelta(seconds=3), 3.0, "3"),
    (pa.list_(pa.int64(), 2), [1, 2], NO_NUMBER, "[1,2]"),
    (pa.list_view(pa.int64()), [1, 2], NO_NUMBER, "[1,2]"),
    (pa.struct({"a": pa.int64()}), {"a": 1}, NO_NUMBER, '{"a":1}'),
]


def _read(data: bytes, kind: Kind) -> pa.Array:
    context = Decoding(uri="file:///x", fields=(Field("x", "x", kind),))
    return pa.concat_arrays(
        [batch.column(0) for batch in Parquet().decode(io.BytesIO(data), context)]
    )


def _check(data: bytes, number: Any, name: Any) -> None:
    """Compare the first of two values; the second one is missing, or the same."""
    numbers, wrong = to_numeric(_read(data, Kind.NUMERIC))
    if number is NO_NUMBER:
        assert wrong is not None
        assert wrong[0]
        assert not numbers[0].is_valid
    else:
        assert wrong is None
        expected = None if number is None else pytest.approx(number, rel=1e-7)
        assert numbers.to_pylist()[0] == expected
    names, wrong = to_categorical(_read(data, Kind.CATEGORICAL))
    assert wrong is None
    assert names.cast(pa.string()).to_pylist()[0] == name


@pytest.mark.parametrize(("value", "number", "name"), DUCKDB, ids=lambda value: str(value)[:30])
def test_types_of_duckdb(tmp_path: Path, value: str, number: Any, name: str) -> None:
    file = tmp_path / "x.parquet"
    with duckdb.connect() as connection:
        connection.sql(f"select * from (values ({value}), (NULL)) t(x)").write_parquet(str(file))
    _check(file.read_bytes(), number, name)


@pytest.mark.parametrize(("kind", "value", "number", "name"), POLARS)
def test_types_of_polars(kind: str, value: Any, number: Any, name: str) -> None:
    types = {"Enum": polars.Enum(["a"]), "Decimal": polars.Decimal(38, 2)}
    series = polars.Series([value, None], dtype=types.get(kind, getattr(polars, kind)))
    stream = io.BytesIO()
    polars.DataFrame({"x": series}).write_parquet(stream)
    _check(stream.getvalue(), number, name)


@pytest.mark.parametrize(("kind", "value", "number", "name"), PANDAS)
@pytest.mark.parametrize("has_missing", [False, True])
def test_types_of_pandas(kind: str, value: Any, number: Any, name: str, has_missing: bool) -> None:
    if has_missing and kind in ("int32", "bool", "float16"):
        pytest.skip("this type of pandas has no missing values")
    series = pandas.Series([value, None if has_missing else value], dtype=kind)
    stream = io.BytesIO()
    pandas.DataFrame({"x": series}).to_parquet(stream)
    _check(stream.getvalue(), number, name)


@pytest.mark.parametrize(("kind", "value", "number", "name"), ARROW, ids=lambda value: str(value))
def test_types_of_pyarrow(kind: pa.DataType, value: Any, number: Any, name: str) -> None:
    stream = io.BytesIO()
    parquet.write_table(pa.table({"x": pa.array([value, None], kind)}), stream)
    _check(stream.getvalue(), number, name)


def test_intervals_of_pandas_are_text() -> None:
    series = pandas.arrays.IntervalArray.from_tuples([(0, 1), (1, 2)])
    stream = io.BytesIO()
    pandas.DataFrame({"x": series}).to_parquet(stream)
    _check(stream.getvalue(), NO_NUMBER, '{"left":0,"right":1}')


def _vectors(tmp_path: Path) -> dict[str, bytes]:
    """Two vectors, as each library writes them."""
    rows = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    files: dict[str, bytes] = {}
    with duckdb.connect() as connection:
        for kind in ("FLOAT[3]", "DOUBLE[3]", "FLOAT[]"):
            file = tmp_path / "x.parquet"
            values = ", ".join(f"({row}::{kind})" for row in rows)
            connection.sql(f"select * from (values {values}) t(x)").write_parquet(str(file))
            files[f"duckdb {kind}"] = file.read_bytes()
    frames = {
        "array": polars.Series(rows, dtype=polars.Array(polars.Float32, 3)),
        "list": polars.Series(rows, dtype=polars.List(polars.Float64)),
    }
    for name, series in frames.items():
        stream = io.BytesIO()
        polars.DataFrame({"x": series}).write_parquet(stream)
        files[f"polars {name}"] = stream.getvalue()
    stream = io.BytesIO()
    pandas.DataFrame({"x": rows}).to_parquet(stream)
    files["pandas"] = stream.getvalue()
    for kind in (
        pa.list_(pa.float32(), 3),
        pa.list_view(pa.float64()),
        pa.large_list(pa.float16()),
    ):
        stream = io.BytesIO()
        parquet.write_table(pa.table({"x": pa.array(rows, kind)}), stream)
        files[f"pyarrow {kind}"] = stream.getvalue()
    return files


def test_vectors_of_each_library_are_the_same(tmp_path: Path) -> None:
    """Lists of a fixed size and of any size, of narrow and wide numbers."""
    for name, data in _vectors(tmp_path).items():
        counts, values = list_values(_read(data, Kind.EMBEDDING))
        assert counts.tolist() == [3, 3], name
        assert values.tolist() == [1, 2, 3, 4, 5, 6], name


def test_a_position_of_a_list_of_fixed_size() -> None:
    """As in a list of any size."""
    for kind in (
        pa.list_(pa.float32(), 2),
        pa.list_(pa.float32()),
        pa.large_list(pa.float32()),
        pa.list_view(pa.float32()),
    ):
        stream = io.BytesIO()
        values = pa.array([[1, 2], None, [3, 4]], kind)
        parquet.write_table(pa.table({"x": values}), stream)
        context = Decoding(uri="u", fields=(Field("v", "x[1]", Kind.NUMERIC),))
        (batch,) = Parquet().decode(io.BytesIO(stream.getvalue()), context)
        assert batch.column(0).to_pylist() == [2.0, None, 4.0], kind


def test_a_type_that_cannot_be_read_is_named() -> None:
    """Integers of 128 bits, which polars writes."""
    stream = io.BytesIO()
    polars.DataFrame({"x": polars.Series([1], dtype=polars.Int128)}).write_parquet(stream)
    with pytest.raises(Unreadable, match="a type that pyarrow can't read"):
        _read(stream.getvalue(), Kind.NUMERIC)
