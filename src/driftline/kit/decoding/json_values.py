"""Turns Python records into Arrow columns value by value, for data that a bulk parser can't read.

Does not cast: a column of numbers stays numbers, and a column of several types becomes text. The
host decides what fits the schema.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from driftline.types.model import Field, Kind

if TYPE_CHECKING:
    import pyarrow as pa

# The limit is global to the process, so it is set once, here. A longer value in CSV means that a
# quote is never closed.
csv.field_size_limit(16 << 20)
Path = tuple[str | int, ...]
_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[]+)")


def parse_path(path: str) -> Path:
    """Return the steps of `a.b[0].c`: names and list positions. Other text is one name."""
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            return (path,)
        steps.append(int(step[1]) if step[1] is not None else step[2])
        at = step.end()
    return tuple(steps) or (path,)


def look_up(record: Mapping[str, Any], name: str, path: Path) -> Any:
    """Return the value at a path, or None. A key that equals the whole `name` wins."""
    if name in record:
        return record[name]
    value: Any = record
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            return None
    return value


def flatten(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Return all values with their names joined by dots; lists stay whole."""
    pending = [(prefix, record)]
    while pending:
        before, level = pending.pop()
        for key, value in level.items():
            name = f"{before}.{key}" if before else key
            if isinstance(value, dict) and value:
                pending.append((name, value))
            else:
                yield name, value


def to_text(value: Any) -> str:
    """Return a value as text: a string as it is, any other value as JSON."""
    if isinstance(value, str):
        if value.isascii():
            return value
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, bool | int | float) or value is None:
        return json.dumps(value)
    try:
        return msgspec.json.encode(value).decode()
    except (RecursionError, UnicodeError, ValueError):
        return "(nested too deeply)"
    except TypeError:
        # Keys that are no text: a CSV reader gives None as the key of values beyond the header.
        return str(value)


def text_array(values: Sequence[str | None]) -> pa.Array:
    """Return a column of text."""
    import pyarrow as pa

    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # lone surrogates
        return pa.array(
            [None if value is None else to_text(value) for value in values], pa.string()
        )


def value_array(values: Sequence[Any], kind: Kind | None = None) -> pa.Array:
    """Return an Arrow array of the narrowest type without loss; string for mixed types.

    Other types are float64, int64, bool, dates and times. Lists of numbers stay lists where `kind`
    is an embedding, and bytes stay bytes where it is an image.
    """
    import pyarrow as pa

    types = set(map(type, values)) - {type(None)}
    if not types:
        return pa.nulls(len(values), pa.float64() if kind is Kind.NUMERIC else pa.string())
    if types == {bool}:
        return pa.array(values, pa.bool_())
    if types == {int} and kind is not Kind.NUMERIC:
        try:
            return pa.array(values, pa.int64())
        except (OverflowError, pa.ArrowInvalid):
            return pa.array(
                [None if value is None else to_text(value) for value in values], pa.string()
            )
    if types <= {int, float}:
        try:
            return pa.array(
                [None if value is None else float(value) for value in values], pa.float64()
            )
        except OverflowError:
            pass
    if types == {UUID}:
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    if len(types) == 1 and types <= {datetime, date, Decimal, bytes}:
        with suppress(pa.ArrowException, OverflowError):
            return pa.array(values)
    if kind is Kind.EMBEDDING and types == {list}:
        with suppress(pa.ArrowException, TypeError, OverflowError):
            return pa.array(values, pa.list_(pa.float64()))
    array = pa.array([None if value is None else to_text(value) for value in values], pa.string())
    return array.dictionary_encode() if kind is Kind.CATEGORICAL else array


def list_items(column: pa.Array, position: int) -> pa.Array:
    """Return the item at `position` of each list; null where a list is shorter."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_fixed_size_list(column.type):
        if position >= column.type.list_size:
            return pa.nulls(len(column), column.type.value_type)
        return pc.list_element(column, position)
    exists = pc.greater(pc.list_value_length(column), position)
    return column.values.take(pc.if_else(exists, pc.add(column.offsets[:-1], position), None))


def record_batch(names: Sequence[str], arrays: Sequence[pa.Array], rows: int) -> pa.RecordBatch:
    """Return a batch that has its number of rows also without any column."""
    import pyarrow as pa

    if not names:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
    return pa.RecordBatch.from_arrays(list(arrays), names=list(map(to_text, names)))


def batch_of_records(
    fields: Sequence[Field] | None, rows: Sequence[Mapping[str, Any]]
) -> pa.RecordBatch:
    """Return a batch of records with the columns of `fields`, found by path.

    Without `fields` it has all values; nested names are joined by dots.
    """
    if fields is None:
        flat = [{to_text(name): value for name, value in flatten(row)} for row in rows]
        names = list(dict.fromkeys(name for row in flat for name in row))
        return record_batch(
            names, [value_array([row.get(name) for row in flat]) for name in names], len(rows)
        )
    paths = [parse_path(field.path) for field in fields]
    columns = [
        value_array([look_up(row, field.path, path) for row in rows], field.kind)
        for field, path in zip(fields, paths, strict=True)
    ]
    return record_batch([field.name for field in fields], columns, len(rows))


def select_columns(
    fields: Sequence[Field] | None, columns: Mapping[str, pa.Array], rows: int
) -> pa.RecordBatch:
    """Return a batch with the columns of `fields`, found by path in `columns`, or null.

    Without `fields` it has all columns.
    """
    if fields is None:
        return record_batch(list(columns), list(columns.values()), rows)
    arrays = []
    for field in fields:
        array = columns.get(field.path)
        arrays.append(value_array([None] * rows, field.kind) if array is None else array)
    return record_batch([field.name for field in fields], arrays, rows)


def parse_documents(line: bytes) -> Iterator[Any]:
    """Return the JSON documents of a line: one, or several one after the other.

    Raises ValueError with a reason for people.
    """
    try:
        yield msgspec.json.decode(line)
        return
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Python's parser accepts several documents, NaN, large numbers and lone surrogates.
        pass
    try:
        text = line.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: byte 0x{line[error.start]:02x}") from None
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        try:
            document, at = decoder.raw_decode(text, at)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        except ValueError as error:
            # The place is that in one line; without it, equal mistakes have equal reasons.
            message = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise ValueError(f"not JSON: {message}") from None
        yield document
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
