"""Python records to Arrow columns, one value at a time: the careful way, for what a bulk parser
refuses.

Refuses to cast: a column of numbers stays numbers, a column of many types becomes text, and the
host decides what fits.
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

import msgspec

from driftline.types.model import Field, Kind

if TYPE_CHECKING:
    import pyarrow as pa

# A setting of the whole process, so it is made once, here: a longer value of CSV is a quote that is
# never closed.
csv.field_size_limit(16 << 20)
Path = tuple[str | int, ...]
LONGEST = 200
"""Characters of a category; a longer one is cut and told apart by a hash."""
TRUE_AS, FALSE_AS = "1", "0"
_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[]+)")


def parse_path(path: str) -> Path:
    """The steps of `a.b[0].c`: names and list positions. What is no path is one name."""
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
    """The value at a path; a key that is spelt like the whole path wins. None when there is
    none.
    """
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
    """All values with their names joined by dots; lists stay whole."""
    pending = [(prefix, record)]
    while pending:
        before, level = pending.pop()
        for key, value in level.items():
            name = f"{before}.{key}" if before else key
            if isinstance(value, dict) and value:
                pending.append((name, value))
            else:
                yield name, value


def text(value: Any) -> str:
    """A value as text: strings as they are, all else as JSON."""
    if isinstance(value, str):
        return (
            value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if not value.isascii()
            else value
        )
    if isinstance(value, bool | int | float) or value is None:
        return json.dumps(value)
    try:
        return msgspec.json.encode(value).decode()
    except (RecursionError, UnicodeError, ValueError):
        return "(nested too deeply)"
    except TypeError:
        return str(
            value
        )  # names that are no text, as a reader of CSV gives to values beyond the header


def texts(values: Sequence[str | None]) -> pa.Array:
    """A column of text."""
    import pyarrow as pa

    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # lone surrogates
        return pa.array([None if value is None else text(value) for value in values], pa.string())


def category(value: str) -> str | None:
    """The category that a text counts as: `1`, `1.0` and true are one; None for no text at all."""
    from driftline.profiles.counting import name_hash

    if not value:
        return None
    if value in ("true", "True"):
        return TRUE_AS
    if value in ("false", "False"):
        return FALSE_AS
    head, point, zeros = value.partition(".")
    if point and not zeros.strip("0") and head.lstrip("+-").isdecimal():
        return head
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}…#{name_hash(value):016x}"


def column(values: Sequence[Any], kind: Kind | None = None) -> pa.Array:
    """An Arrow array of the narrowest type that loses nothing: float64, int64, bool, times, or
    string for everything else.

    Lists of numbers stay so where `kind` is an embedding, bytes where it is an image.
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
                [None if value is None else text(value) for value in values], pa.string()
            )
    if types <= {int, float}:
        try:
            return pa.array(
                [None if value is None else float(value) for value in values], pa.float64()
            )
        except OverflowError:
            pass
    if len(types) == 1 and types <= {datetime, date, Decimal}:
        with suppress(pa.ArrowException, OverflowError):
            return pa.array(values)
    if (kind is Kind.EMBEDDING and types == {list}) or (kind is Kind.IMAGE and types == {bytes}):
        with suppress(pa.ArrowException, TypeError, OverflowError):
            return pa.array(
                values, pa.list_(pa.float64()) if kind is Kind.EMBEDDING else pa.binary()
            )
    made = pa.array([None if value is None else text(value) for value in values], pa.string())
    return made.dictionary_encode() if kind is Kind.CATEGORICAL else made


def record_batch(names: Sequence[str], arrays: Sequence[pa.Array], rows: int) -> pa.RecordBatch:
    """A batch that knows its rows even without a column."""
    import pyarrow as pa

    if not names:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
    return pa.RecordBatch.from_arrays(list(arrays), names=list(map(text, names)))


def tabulated(fields: Sequence[Field] | None, rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    """A batch of records: what `fields` ask for, by path; all values, their names joined by dots,
    when None.
    """
    if fields is None:
        flat = [{text(name): value for name, value in flatten(row)} for row in rows]
        names = list(dict.fromkeys(name for row in flat for name in row))
        return record_batch(
            names, [column([row.get(name) for row in flat]) for name in names], len(rows)
        )
    paths = [parse_path(field.path) for field in fields]
    columns = [
        column([look_up(row, field.path, path) for row in rows], field.kind)
        for field, path in zip(fields, paths, strict=True)
    ]
    return record_batch([field.name for field in fields], columns, len(rows))


def chosen(
    fields: Sequence[Field] | None, columns: Mapping[str, pa.Array], rows: int
) -> pa.RecordBatch:
    """A batch of what `fields` ask for, found by path among `columns` and null where it isn't; of
    all columns when None.
    """
    if fields is None:
        return record_batch(list(columns), list(columns.values()), rows)
    arrays = []
    for field in fields:
        there = columns.get(field.path)
        arrays.append(column([None] * rows, field.kind) if there is None else there)
    return record_batch([field.name for field in fields], arrays, rows)


def documents(line: bytes) -> Iterator[Any]:
    """The JSON documents of a line: one, or several without anything between. Raises ValueError
    with a reason for people.
    """
    try:
        yield msgspec.json.decode(line)
        return
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Several documents, NaN, numbers beyond float64 and lone surrogates are left to the
        # tolerant parser.
        pass
    try:
        rest = line.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: byte 0x{line[error.start]:02x} at {error.start}") from None
    decoder = json.JSONDecoder()
    at = 0
    while at < len(rest):
        try:
            document, at = decoder.raw_decode(rest, at)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        except ValueError as error:
            raise ValueError(f"not JSON: {error}") from None
        yield document
        while at < len(rest) and rest[at] in " \t\r\n":
            at += 1
