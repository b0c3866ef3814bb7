"""Casts decoded records to canonical batches, and splits these by window, version and segment.

Kinds come from the schema, never from the values. A value that does not fit its kind becomes null
and is counted as invalid; a row whose time can't be used is held back and counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.ingest.columns.bytes_as_text import as_text
from driftline.ingest.columns.derived import derive
from driftline.ingest.columns.float_widths import to_doubles
from driftline.ingest.columns.label_set_names import list_texts, to_label_sets
from driftline.ingest.columns.segment_columns import add_segment_columns
from driftline.ingest.columns.time_faults import CredibleTimes, TimeColumn, add_time_faults
from driftline.ingest.columns.timestamps import to_micros
from driftline.ingest.columns.vectors import stack_columns
from driftline.kit.decoding.missing_header import misses_header
from driftline.kit.decoding.plain_types import is_text_type
from driftline.profiles.batch import Batch
from driftline.profiles.canonical_value import (
    BOOLEANS,
    FALSE,
    LONGEST,
    NUMBER,
    TRUE,
    canonical_text,
    canonical_value,
)
from driftline.profiles.rowhash import hash_positions, hash_strings
from driftline.profiles.spec import OTHER_SEGMENTS, SEGMENTS
from driftline.types.loss_reasons import LossReasons
from driftline.types.model import DERIVED, Field, Kind, Schema, Task
from driftline.types.times import as_micros

OTHER_FORMS = rf"^(?:{'|'.join(BOOLEANS)}|{NUMBER}|)$"
"""Texts whose canonical form may be another one."""
MISSING = frozenset(
    (
        *("NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NULL", "null", "None"),
        *("-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    )
)
"""Texts that are a missing value where the column is numeric, as pandas reads them."""
VERSION = re.compile(r"[0-9]+\.[0-9]*[1-9][0-9]*")
"""A version in two parts, which is no decimal."""


@dataclass(frozen=True, slots=True)
class CastBatch:
    """One canonical batch, with the model version of each row."""

    batch: Batch
    versions: pa.DictionaryArray
    """Model versions, dictionary of strings, shape (rows,)."""
    rows_held_back: int
    """Rows left out because their time is missing, unreadable or in the future."""


Conversion = Callable[[pa.Array], tuple[pa.Array, NDArray[np.bool_] | None]]


@dataclass(slots=True, kw_only=True)
class Caster:
    """Casts the batches of one object."""

    schema: Schema
    default_time: datetime
    """The time of rows whose schema has no timestamp."""
    latest: int
    """Microseconds; later rows are from the future and held back."""
    object_hash: int
    """64 bits: the `name_hash` of the URI."""
    with_hashes: bool = False
    """Whether a collector needs `Batch.hashes`."""
    row_offset: int = 0
    """Rows cast so far, which is the place of the next row in its object."""
    earliest: int = 0
    """Microseconds; earlier rows are held back like rows from the future."""
    time_setting: str = "schema.timestamp"
    """The setting of the column of times."""
    time_faults: LossReasons = field(default_factory=LossReasons)
    """Why rows are held back."""
    window: tuple[int, int] | None = None
    """Microseconds, half-open: all rows count in this window, whatever their times are."""

    def cast(self, records: pa.RecordBatch) -> CastBatch:
        """Cast `records`, whose columns have the schema's names."""
        rows = len(records)
        columns = {name: records.column(place) for place, name in enumerate(records.schema.names)}
        events, usable = self.event_times(columns, rows, has_header=not misses_header(records))
        versions = self._versions(columns, rows)
        hashes = self._hashes(columns, rows) if self.with_hashes else None
        joins = self._joins(columns, rows)
        self.row_offset += rows
        cast_columns: dict[str, pa.Array] = {}
        invalid: dict[str, NDArray[np.bool_]] = {}
        for part in self.schema.parts:
            array = _column(part, columns, rows)
            if part.kind is None or array is None:
                continue
            if part.kind in DERIVED:
                derived_columns, derived_invalid = derive(part, array)
                cast_columns |= derived_columns
                invalid |= derived_invalid
                continue
            convert = self._conversion(part)
            cast_columns[part.name], wrong = convert(array)
            if wrong is not None:
                invalid[part.name] = wrong
        batch = Batch(
            rows=rows,
            columns=cast_columns,
            invalid=invalid,
            events=events,
            hashes=hashes,
            joins=joins,
        )
        add_segment_columns(batch, self.schema)
        held_back = rows - int(usable.sum())
        if held_back:
            places = np.flatnonzero(usable)
            batch, versions = take_rows(batch, places), versions.take(pa.array(places))
        return CastBatch(batch, versions, held_back)

    def _conversion(self, part: Field) -> Conversion:
        """How the values of a column are cast."""
        if part.kind is Kind.NUMERIC:
            return to_numeric
        is_set = self.schema.task is Task.MULTILABEL and part in (
            self.schema.prediction,
            self.schema.label,
        )
        if not is_set:
            return to_categorical
        return lambda array: to_label_sets(*to_categorical(list_texts(array)))

    def event_times(
        self, columns: dict[str, pa.Array], rows: int, *, has_header: bool = True
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Event times (microseconds, int64) and which are usable (bool), both of shape (rows,).

        `has_header` is False where the file has a record in the place of its column names.
        """
        stamp = self.schema.timestamp
        if stamp is None:
            at = as_micros(self.default_time)
            events, usable = np.full(rows, at, np.int64), np.ones(rows, bool)
        else:
            array = columns.get(stamp.name)
            events, readable = (
                (np.zeros(rows, np.int64), np.zeros(rows, bool))
                if array is None
                else to_micros(array, self.schema.time_form)
            )
            usable = readable & (events <= self.latest) & (events >= self.earliest)
            if self.window is None and not usable.all():
                credible = CredibleTimes(earliest=self.earliest, latest=self.latest)
                add_time_faults(
                    self.time_faults,
                    TimeColumn(
                        path=stamp.path,
                        setting=self.time_setting,
                        form=self.schema.time_form,
                        values=array,
                        has_header=has_header,
                    ),
                    events,
                    readable,
                    credible,
                    self.row_offset,
                )
        if self.window is None:
            return events, usable
        start, end = self.window
        return np.clip(np.where(usable, events, start), start, end - 1), np.ones(rows, bool)

    def _versions(self, columns: dict[str, pa.Array], rows: int) -> pa.DictionaryArray:
        part = self.schema.version
        if part is None or part.name not in columns:
            names = pa.array([self.schema.constant_version])
            return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), names)
        array = _version_names(columns[part.name])
        return (
            array.cast(pa.string()).fill_null("").dictionary_encode() if array.null_count else array
        )

    def _hashes(self, columns: dict[str, pa.Array], rows: int) -> NDArray[np.uint64]:
        part = self.schema.id
        if part is None or part.name not in columns:
            return hash_positions(self.object_hash, self.row_offset, rows)
        return hash_strings(_as_strings(columns[part.name]))

    def _joins(self, columns: dict[str, pa.Array], rows: int) -> NDArray[np.uint64] | None:
        part = self.schema.joins
        if part is None:
            return None
        return hash_ids(columns[part.name]) if part.name in columns else np.zeros(rows, np.uint64)


def _column(part: Field, columns: dict[str, pa.Array], rows: int) -> pa.Array | None:
    """The raw values of a field, an embedding in many columns as vectors; None without a column."""
    if part.name in columns or not part.element_paths:
        return columns.get(part.name)
    arrays = [
        to_numeric(columns[piece.name])[0] if piece.name in columns else None
        for piece in part.input_fields
    ]
    if all(array is None for array in arrays):
        return None
    return stack_columns(
        [pa.nulls(rows, pa.float64()) if array is None else array for array in arrays], rows
    )


def hash_ids(array: pa.Array) -> NDArray[np.uint64]:
    """Hash each id, uint64, shape (rows,): equal for `7`, `7.0`, `"7"` and `"7.0"`.

    Nulls, empty text and lists are no ids; they give 0.
    """
    if pa.types.is_nested(array.type):
        return np.zeros(len(array), np.uint64)
    if pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        array = _canonical_names(array)
    text = _as_strings(array)
    if pc.any(pc.ends_with(text, ".0")).as_py():
        text = pc.replace_substring_regex(text, r"^([0-9]+)\.0$", r"\1")
    has_id = pc.greater(pc.binary_length(text), 0).fill_null(False).to_numpy(zero_copy_only=False)
    return np.where(has_id, np.maximum(hash_strings(text), np.uint64(1)), np.uint64(0))


def take_rows(batch: Batch, places: NDArray[np.int64]) -> Batch:
    """The rows at `places`, in that order."""
    index = pa.array(places)
    return Batch(
        rows=len(places),
        columns={name: array.take(index) for name, array in batch.columns.items()},
        invalid={name: wrong[places] for name, wrong in batch.invalid.items()},
        events=batch.events[places],
        hashes=None if batch.hashes is None else batch.hashes[places],
        joins=None if batch.joins is None else batch.joins[places],
    )


def slice_rows(batch: Batch, start: int, rows: int) -> Batch:
    """`rows` rows from `start` on, without copying."""
    end = start + rows
    return Batch(
        rows=rows,
        columns={name: array.slice(start, rows) for name, array in batch.columns.items()},
        invalid={name: wrong[start:end] for name, wrong in batch.invalid.items()},
        events=batch.events[start:end],
        hashes=None if batch.hashes is None else batch.hashes[start:end],
        joins=None if batch.joins is None else batch.joins[start:end],
    )


def split_by_window(cast: CastBatch, length: int) -> Iterator[tuple[int, str, Batch]]:
    """Split by window and model version: (window start, version, rows).

    Starts and `length`, the length of a window, are in microseconds.
    """
    batch, versions = cast.batch, cast.versions
    if not batch.rows:
        return
    starts = batch.events // length
    names = versions.dictionary.to_pylist()
    codes = versions.indices.to_numpy(zero_copy_only=False)
    if starts.min() == starts.max() and (len(names) == 1 or codes.min() == codes.max()):
        yield int(starts[0]) * length, names[int(codes[0])], batch
        return
    first = starts.min()
    keys = (starts - first) * max(len(names), 1) + codes
    order = np.argsort(keys, kind="stable")
    batch, keys = take_rows(batch, order), keys[order]
    bounds = np.flatnonzero(np.diff(keys)) + 1
    for begin, end in zip([0, *bounds.tolist()], [*bounds.tolist(), len(keys)], strict=True):
        window, code = divmod(int(keys[begin]), max(len(names), 1))
        yield (window + int(first)) * length, names[code], slice_rows(batch, begin, end - begin)


def split_by_segment(
    batch: Batch, columns: tuple[str, ...], segment_names: dict[str, frozenset[str]]
) -> Iterator[tuple[str, Batch]]:
    """The rows of each watched segment: (`column=category`, rows).

    Where a column has as many watched segments as can be, the other rows are one segment.
    """
    for column in columns:
        array, watched = batch.columns.get(column), segment_names.get(column, frozenset())
        if array is None:
            continue
        names = array.dictionary.to_pylist()
        codes = array.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
        is_other = codes < len(names)
        for code in np.unique(codes).tolist():
            if code < len(names) and names[code] in watched:
                is_segment = codes == code
                is_other &= ~is_segment
                yield f"{column}={names[code]}", take_rows(batch, np.flatnonzero(is_segment))
        if len(watched) >= SEGMENTS and is_other.any():
            yield f"{column}={OTHER_SEGMENTS}", take_rows(batch, np.flatnonzero(is_other))


def to_numeric(array: pa.Array) -> tuple[pa.Array, NDArray[np.bool_] | None]:
    """Cast to float64; values that are no numbers become null and are marked in the mask, (n,)."""
    text, undecodable = as_text(array)
    numbers, wrong = _to_numeric(text)
    return numbers, _either(undecodable, wrong)


def _either(
    first: NDArray[np.bool_] | None, second: NDArray[np.bool_] | None
) -> NDArray[np.bool_] | None:
    if first is None or second is None:
        return second if first is None else first
    return first | second


def _to_numeric(array: pa.Array) -> tuple[pa.Array, NDArray[np.bool_] | None]:
    kind = array.type
    if pa.types.is_floating(kind):
        return to_doubles(array), None
    if pa.types.is_dictionary(kind):
        values, wrong = _to_numeric(array.dictionary)
        return values.take(array.indices), None if wrong is None else _mask_of_rows(
            wrong, array.indices
        )
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        plain = array.cast(pa.int8()) if pa.types.is_boolean(kind) else array
        return plain.cast(pa.float64(), safe=False), None
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.float64()), None
    if is_text_type(kind):
        return _parse_numbers(array)
    return pa.nulls(len(array), pa.float64()), np.asarray(
        array.is_valid().to_numpy(zero_copy_only=False), bool
    )


def _parse_numbers(array: pa.Array) -> tuple[pa.Array, NDArray[np.bool_] | None]:
    texts = pc.utf8_trim_whitespace(array)
    texts = pc.if_else(pc.equal(texts, ""), None, texts)
    try:
        return to_doubles(texts.cast(pa.float64())), None
    except pa.ArrowInvalid:
        pass
    dictionary = texts.dictionary_encode()
    names = dictionary.dictionary.to_pylist()
    values = [_number(text) for text in names]
    numbers = to_doubles(pa.array(values, pa.float64())).take(dictionary.indices)
    no_number = np.array(
        [
            value is None and name is not None and name not in MISSING
            for name, value in zip(names, values, strict=True)
        ],
        bool,
    )
    return numbers, _mask_of_rows(no_number, dictionary.indices) if no_number.any() else None


def _number(text: str) -> float | None:
    if text in BOOLEANS:
        return float(BOOLEANS[text])
    try:
        return float(text.replace("_", "x"))  # only Python reads 1_000 as a number
    except ValueError:
        return None


def to_categorical(array: pa.Array) -> tuple[pa.DictionaryArray, NDArray[np.bool_] | None]:
    """Cast to dictionary-encoded text; a value has the same name in every form.

    Lists, objects and bytes that are not UTF-8 become null and are marked in the mask, shape (n,).
    """
    text, undecodable = as_text(array)
    names, wrong = _to_categorical(text)
    return names, _either(undecodable, wrong)


def _to_categorical(array: pa.Array) -> tuple[pa.DictionaryArray, NDArray[np.bool_] | None]:
    kind = array.type
    if pa.types.is_dictionary(kind):
        names = _canonical_names(array.dictionary)
        indices = array.indices.cast(pa.int32())
        if names.null_count or pc.count_distinct(names).as_py() < len(names):
            distinct = names.dictionary_encode()
            return pa.DictionaryArray.from_arrays(
                distinct.indices.take(indices).cast(pa.int32()), distinct.dictionary
            ), None
        return pa.DictionaryArray.from_arrays(indices, names), None
    if pa.types.is_nested(kind):
        wrong = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)
        return pa.nulls(len(array), pa.string()).dictionary_encode(), wrong
    return _to_categorical(_as_scalars(array).dictionary_encode())


def _as_scalars(array: pa.Array) -> pa.Array:
    return array.cast(pa.string()) if pa.types.is_null(array.type) else array


def _canonical_names(names: pa.Array) -> pa.Array:
    kind = names.type
    if pa.types.is_boolean(kind):
        return pc.if_else(names, TRUE, FALSE)
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return pa.array([canonical_value(name) for name in names.to_pylist()], pa.string())
    if pa.types.is_float16(kind):
        return pa.array(list(map(_half_name, names.to_pylist())), pa.string())
    text = names if pa.types.is_string(kind) else names.cast(pa.string())
    short = pc.less_equal(pc.utf8_length(text), LONGEST)
    plain = pc.all(pc.or_kleene(short, text.is_null())).as_py() is not False
    if plain and pc.any(pc.match_substring_regex(text, OTHER_FORMS)).as_py() is not True:
        return text
    return pa.array(
        [None if name is None else canonical_text(name) for name in text.to_pylist()], pa.string()
    )


def _half_name(value: float | None) -> str | None:
    """Return the name of a float of 16 bits, with the shortest digits of that width."""
    if value is None or value != value or abs(value) == np.inf or value == int(value):
        return canonical_value(value)
    return canonical_text(str(np.float16(value)))


def _version_names(array: pa.Array) -> pa.DictionaryArray:
    """Cast model versions to text: `1.10` is another version than `1.1`."""
    array, _ = as_text(array)
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    names = encoded.dictionary
    if not is_text_type(names.type):
        return to_categorical(array)[0]
    texts = [
        name if name is None or VERSION.fullmatch(name) else canonical_text(name)
        for name in names.to_pylist()
    ]
    return pa.array(texts, pa.string()).take(encoded.indices).dictionary_encode()


def _mask_of_rows(wrong: NDArray[np.bool_], indices: pa.Array) -> NDArray[np.bool_]:
    codes = indices.fill_null(len(wrong)).to_numpy(zero_copy_only=False)
    row_mask: NDArray[np.bool_] = np.append(wrong, False)[codes]
    return row_mask


def _as_strings(array: pa.Array) -> pa.Array:
    array, _ = as_text(array)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary.take(array.indices)
    return array if pa.types.is_string(array.type) else array.cast(pa.string())
