"""Parses delimited text into Arrow columns, in bulk.

Does not drop a row for one bad value: a numeric column with a value that is no number stays text,
and the host counts it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.types.model import Kind

if TYPE_CHECKING:
    import pyarrow as pa

NULLS = ("", "null", "NULL", "\\N")
"""Texts of missing values."""
BLOCK = 2 << 20
DECIMAL_COMMA = r"^\s*[+-]?(0|\d{4,}|),\d+\s*$|^\s*[+-]?\d+,(\d{1,2}|\d{4,})\s*$"
DECIMAL_POINT = r"^\s*[+-]?\d*\.\d+([eE][+-]?\d+)?\s*$"


def parse_csv(
    data: bytes,
    names: Sequence[str],
    kinds: Mapping[str, Kind | None] | None,
    *,
    delimiter: str = ",",
    quote: str = '"',
    nulls: Sequence[str] = NULLS,
    escape: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    invalid: list[Any] | None = None,
) -> pa.Table:
    """Return the columns in `kinds`, by name; without `kinds` all columns, with guessed types.

    Numeric columns are float64 where every value is a number, categorical ones are dictionaries,
    others strings. Columns of `kinds` that are not in `names` are null.

    `escape` is the character before a quote that belongs to the value. Numbers are written with the
    `decimal` separator, and with `thousands` between groups of three digits, if set.

    Rows with too few or too many values are left out and added to `invalid` (pyarrow's
    `InvalidRow`, numbered from 1). Raises pyarrow.ArrowInvalid for such rows without that list, and
    for text that is not UTF-8.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    arrow: dict[Kind | None, Any] = {
        Kind.NUMERIC: pa.float64(),
        Kind.CATEGORICAL: pa.dictionary(pa.int32(), pa.string()),
    }
    types = (
        None
        if kinds is None
        else {name: arrow.get(kind, pa.string()) for name, kind in kinds.items()}
    )
    reader = _Reader(
        data=data,
        names=names,
        delimiter=delimiter,
        quote=quote,
        nulls=nulls,
        escape=escape,
        decimal=decimal,
        invalid=invalid,
    )
    if thousands is None or types is None:
        try:
            table = reader.read(types)
        except pa.ArrowInvalid:
            pass
        else:
            return table if thousands is None else _read_groups(table, decimal, thousands)
    text = (
        {name: pa.string() for name in names}
        if types is None
        else {name: _text(kind) for name, kind in types.items()}
    )
    table = reader.read(text)
    for i, name in enumerate(table.column_names):
        if types is not None and types[name] == pa.float64():
            try:
                column = _plain_numbers(table.column(i), decimal, thousands)
                table = table.set_column(i, name, column)
                table = table.set_column(i, name, pc.cast(column, pa.float64()))
            except pa.ArrowInvalid:
                continue
    return table


def has_decimal_commas(table: pa.Table, kinds: Mapping[str, Kind | None] | None) -> bool:
    """Return whether numbers in a text column have decimals after a comma, and none after a point.

    Without `kinds` every text column counts. A comma before three digits shows nothing: it may
    separate thousands.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in table.column_names:
        column = table.column(name)
        if column.type != pa.string() or (kinds is not None and kinds[name] is not Kind.NUMERIC):
            continue
        if (
            pc.any(pc.match_substring_regex(column, DECIMAL_COMMA)).as_py()
            and not pc.any(pc.match_substring_regex(column, DECIMAL_POINT)).as_py()
        ):
            return True
    return False


def _plain_numbers(column: pa.ChunkedArray, decimal: str, thousands: str | None) -> Any:
    """Return text where each number has a point and no groups; other values stay as they are."""
    import pyarrow.compute as pc

    if decimal == "." and thousands is None:
        return column
    groups = rf"|\d{{1,3}}({re.escape(thousands)}\d{{3}})+" if thousands else ""
    number = rf"^\s*[+-]?(\d+{groups}|)({re.escape(decimal)}\d*)?([eE][+-]?\d+)?\s*$"
    plain = column if thousands is None else pc.replace_substring(column, thousands, "")
    plain = plain if decimal == "." else pc.replace_substring(plain, decimal, ".")
    return pc.if_else(pc.match_substring_regex(column, number), plain, column)


def _read_groups(table: pa.Table, decimal: str, thousands: str) -> pa.Table:
    """Return the table with text columns of numbers as float64."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for i, name in enumerate(table.column_names):
        if table.column(i).type == pa.string():
            try:
                plain = _plain_numbers(table.column(i), decimal, thousands)
                table = table.set_column(i, name, pc.cast(plain, pa.float64()))
            except pa.ArrowInvalid:
                continue
    return table


def _text(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return pa.string() if kind == pa.float64() else kind


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Reads one text with given types."""

    data: bytes
    names: Sequence[str]
    delimiter: str
    quote: str
    nulls: Sequence[str]
    escape: str | None
    decimal: str
    invalid: list[Any] | None

    def read(self, types: Any) -> pa.Table:
        """Return the table. pyarrow numbers invalid rows only on one thread: then read again."""
        if self.invalid is not None:
            self.invalid.clear()
        table = self._read(types, threads=True)
        if self.invalid:
            self.invalid.clear()
            table = self._read(types, threads=False)
        return table

    def _read(self, types: Any, *, threads: bool) -> pa.Table:
        import pyarrow as pa
        from pyarrow import csv

        def skip(row: Any) -> str:
            if self.invalid is None:
                return "error"
            self.invalid.append(row)
            return "skip"

        # Blocks end at line ends, but a line end inside quotes does not end a row. No line may be
        # longer than a block.
        has_quotes = self.quote.encode() in self.data
        step = BLOCK // 2
        has_long_line = any(
            self.data.find(b"\n", at, at + step) < 0 for at in range(0, len(self.data) - step, step)
        )
        return csv.read_csv(
            pa.BufferReader(self.data),
            read_options=csv.ReadOptions(
                column_names=list(self.names),
                use_threads=threads,
                block_size=len(self.data) + 1 if has_quotes or has_long_line else BLOCK,
            ),
            parse_options=csv.ParseOptions(
                delimiter=self.delimiter,
                quote_char=self.quote,
                escape_char=self.escape or False,
                newlines_in_values=has_quotes,
                invalid_row_handler=skip,
            ),
            convert_options=csv.ConvertOptions(
                column_types=types,
                decimal_point=self.decimal,
                null_values=list(self.nulls),
                strings_can_be_null=True,
                include_columns=list(types) if types else None,
                include_missing_columns=True,
            ),
        )
