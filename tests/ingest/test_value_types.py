"""Values of Arrow types beside the common ones, as numbers and categories."""

from __future__ import annotations

import io
import uuid

import pyarrow as pa
import pytest
from driftline_plugins.formats.parquet import Parquet
from pyarrow import parquet

from driftline import Field, Kind
from driftline.ingest.columns.canonical import hash_ids, to_categorical, to_numeric
from driftline.ingest.read.decoding import Decoding

KEYS = [uuid.UUID(int=number + 2**127) for number in range(3)]


def _names(array: pa.Array) -> list[str | None]:
    return to_categorical(array)[0].cast(pa.string()).to_pylist()


@pytest.mark.parametrize(
    "array",
    [
        pa.array([key.bytes for key in KEYS], pa.binary(16)),
        pa.ExtensionArray.from_storage(
            pa.uuid(), pa.array([key.bytes for key in KEYS], pa.binary(16))
        ),
        pa.array([str(key).encode() for key in KEYS], pa.binary()),
        pa.array([str(key) for key in KEYS], pa.string_view()),
        pa.array([key.bytes for key in KEYS], pa.binary()),
        pa.array([key.bytes for key in KEYS], pa.large_binary()),
    ],
    ids=["fixed", "uuid", "bytes", "view", "16 bytes of any length", "large"],
)
def test_an_identifier_has_one_spelling_in_each_type(array: pa.Array) -> None:
    assert _names(array) == [str(key) for key in KEYS]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_one_bad_byte_costs_one_value(kind: pa.DataType) -> None:
    names, wrong = to_categorical(pa.array([b"basic", b"caf\xe9", None], kind))
    assert names.cast(pa.string()).to_pylist() == ["basic", None, None]
    assert wrong is not None
    assert wrong.tolist() == [False, True, False]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_numbers_may_be_bytes(kind: pa.DataType) -> None:
    numbers, wrong = to_numeric(pa.array([b"39.5", b"1e3", b"\xe9", None], kind))
    assert numbers.to_pylist() == [39.5, 1000.0, None, None]
    assert wrong is not None
    assert wrong.tolist() == [False, False, True, False]


def test_hashes_in_a_binary_column_are_hexadecimal_digits() -> None:
    hashes = [bytes([200 + place] * 20) for place in range(3)]
    assert _names(pa.array([*hashes, None], pa.binary())) == [*(h.hex() for h in hashes), None]


@pytest.mark.parametrize(("text", "number"), [("true", 1.0), ("TRUE", 1.0), ("False", 0.0)])
def test_text_booleans_are_numbers_in_a_numeric_column(text: str, number: float) -> None:
    numbers, wrong = to_numeric(pa.array([text, "0.5", "yes"]))
    assert numbers.to_pylist() == [number, 0.5, None]
    assert wrong is not None
    assert wrong.tolist() == [False, False, True]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([0.1, 2.99, 1e-7, None, 16777217.0], pa.float32()),
        pa.array([0.1, 2.99, 1e-7, None, 16777217.0], pa.float32()).cast(pa.float64()),
        pa.array(["0.10000000149011612", "2.990000009536743", "1e-7", None, "16777216"]),
        pa.array([0.1000000015, 2.9900000095, 1e-7, None, 16777216.0]),
    ],
    ids=["32 bits", "widened", "widened as text", "rounded by pandas"],
)
def test_a_float_of_32_bits_has_its_shortest_digits(array: pa.Array) -> None:
    assert to_numeric(array)[0].to_pylist() == [0.1, 2.99, 1e-7, None, 16777216.0]


def test_a_column_of_doubles_keeps_each_bit() -> None:
    """Also values that happen to be floats of 32 bits, as a column has others beside them."""
    values = [0.1, 0.10000000149011612, 1 / 3, 2.5, float("inf"), 1e300]
    assert to_numeric(pa.array(values))[0].to_pylist() == values


def test_halves_have_their_shortest_digits() -> None:
    halves = pa.array([0.1, None, 1024.0], pa.float16())
    assert to_numeric(halves)[0].to_pylist() == [0.1, None, 1024.0]


def test_an_id_with_a_decimal_zero_is_the_whole_number() -> None:
    """A data frame with a missing id writes all ids of a file as floats."""
    expected = hash_ids(pa.array(["7", "120"])).tolist()
    assert hash_ids(pa.array(["7.0", "120.0"])).tolist() == expected
    assert hash_ids(pa.array([7.0, 120.0])).tolist() == expected
    assert hash_ids(pa.array(["7.10", "a.0"])).tolist() != hash_ids(pa.array(["7.1", "a"])).tolist()


@pytest.mark.parametrize("text", ["NA", "N/A", "null", "", "<NA>", "None"])
def test_texts_for_missing_values_are_missing_in_a_numeric_column(text: str) -> None:
    numbers, wrong = to_numeric(pa.array([text, "2"]))
    assert numbers.to_pylist() == [None, 2.0]
    assert wrong is None


def _decode(table: pa.Table, *fields: Field) -> pa.Table:
    file = io.BytesIO()
    parquet.write_table(table, file)
    file.seek(0)
    context = Decoding(uri="file:///log.parquet", fields=fields or None)
    return pa.Table.from_batches(list(Parquet().decode(file, context)))


@pytest.mark.parametrize("fields", [(), (Field("age", "age", Kind.NUMERIC),)])
def test_the_first_of_columns_with_one_name_is_read(fields: tuple[Field, ...]) -> None:
    table = pa.table([pa.array([1, 2]), pa.array([3, 4])], names=["age", "age"])
    assert _decode(table, *fields).to_pydict() == {"age": [1, 2]}


def test_a_bad_byte_in_a_text_column_of_parquet_costs_one_value() -> None:
    data = pa.array([b"basic", b"caf\xe9"], pa.binary()).view(pa.string())
    read = _decode(pa.table({"plan": data}), Field("plan", "plan", Kind.CATEGORICAL))
    assert _names(read.column("plan").combine_chunks()) == ["basic", None]
