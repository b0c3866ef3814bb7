"""Delimited text to Arrow columns, in bulk.

Refuses to lose a row for one value: a numeric column with a value that is no number stays text, and
the host counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from driftline.types.model import Kind

if TYPE_CHECKING:
    import pyarrow as pa

NULLS = ("", "null", "NULL", "\\N")
"""Values that mean that there is none."""
BLOCK = 2 << 20


def parse(
    data: bytes,
    names: Sequence[str],
    kinds: Mapping[str, Kind | None] | None,
    *,
    delimiter: str = ",",
    quote: str = '"',
    nulls: Sequence[str] = NULLS,
    invalid: list[Any] | None = None,
) -> pa.Table:
    """The columns in `kinds`, by name; all of them, with guessed types, when it is None. Numeric
    ones are float64 where they can be, categorical ones dictionaries, others strings; names that
    are not in `names` are null.

    Rows with too few or too many values are left out and put into `invalid` (pyarrow's
    `InvalidRow`, numbered from 1). Without that list, and where the text is not UTF-8, raises
    pyarrow.ArrowInvalid.
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
    how = (delimiter, quote, nulls, invalid)
    try:
        return _checked(data, names, types, *how)
    except pa.ArrowInvalid:
        pass
    text = (
        {name: pa.string() for name in names}
        if types is None
        else {n: _text(t) for n, t in types.items()}
    )
    table = _checked(data, names, text, *how)
    for i, name in enumerate(table.column_names):
        if types is not None and types[name] == pa.float64():
            try:
                table = table.set_column(i, name, pc.cast(table.column(i), pa.float64()))
            except pa.ArrowInvalid:
                continue
    return table


def _text(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return pa.string() if kind == pa.float64() else kind


def _checked(
    data: bytes,
    names: Sequence[str],
    types: Any,
    delimiter: str,
    quote: str,
    nulls: Sequence[str],
    invalid: list[Any] | None,
) -> pa.Table:
    if invalid is not None:
        invalid.clear()
    table = _read(data, names, types, delimiter, quote, nulls, invalid, threads=True)
    if invalid:
        # Rows are numbered on one thread only.
        invalid.clear()
        table = _read(data, names, types, delimiter, quote, nulls, invalid, threads=False)
    return table


def _read(
    data: bytes,
    names: Sequence[str],
    types: Any,
    delimiter: str,
    quote: str,
    nulls: Sequence[str],
    invalid: list[Any] | None,
    threads: bool,
) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    def skip(row: Any) -> str:
        if invalid is None:
            return "error"
        invalid.append(row)
        return "skip"

    # Blocks end at line ends, which inside quotes are no ends of rows; and no line may be longer
    # than a block.
    quoted = quote.encode() in data
    long = any(
        data.find(b"\n", at, at + BLOCK // 2) < 0
        for at in range(0, len(data) - BLOCK // 2, BLOCK // 2)
    )
    return csv.read_csv(
        pa.BufferReader(data),
        read_options=csv.ReadOptions(
            column_names=list(names),
            use_threads=threads,
            block_size=len(data) + 1 if quoted or long else BLOCK,
        ),
        parse_options=csv.ParseOptions(
            delimiter=delimiter,
            quote_char=quote,
            newlines_in_values=quoted,
            invalid_row_handler=skip,
        ),
        convert_options=csv.ConvertOptions(
            column_types=types,
            null_values=list(nulls),
            strings_can_be_null=True,
            include_columns=list(types) if types else None,
            include_missing_columns=True,
        ),
    )
