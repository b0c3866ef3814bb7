"""Reads a series from a CSV file: a column of times and one of numbers."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from driftline.types.errors import DriftlineError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from driftline.types.arrays import Floats, Ints

TIMES = ("time", "timestamp", "date", "datetime", "ds", "ts", "t", "at")
"""Names of columns of times, in lower case."""
VALUES = ("value", "y", "v", "metric")
DELIMITERS = ",;\t|"
HEAD = 1 << 20
"""Bytes that show how the file is written."""
MISSING = ("", "-", "na", "n/a", "nan", "none", "null")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFile:
    """A series in time order."""

    times: Ints
    """Microseconds since the epoch, shape (n,)."""
    values: Floats
    """NaN where a value is missing, shape (n,)."""
    rows: Ints
    """The number of each row in the file, the first one being 1; shape (n,)."""
    skipped: int
    """Rows whose time can't be read."""
    value_column: str
    """The name of the column that the values come from."""
    torn: int = 0
    """Rows with too few or too many values."""
    words: int = 0
    """Values that are written and are no finite number."""
    word: str = ""
    """The first of them."""


def read_series(path: Path, time: str | None = None, value: str | None = None) -> SeriesFile:
    """Read the columns `time` and `value`, which are found by name and content when None.

    Rows are brought into time order; rows of one time stay in theirs. Raises DriftlineError.
    """
    import numpy as np
    import pyarrow as pa

    try:
        table, torn, thousands, decimal = _read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DriftlineError(f"{path}: {' '.join(str(error).split())[:200]}") from None
    names = table.column_names
    columns = {
        name: _plain(column.combine_chunks(), thousands, decimal)
        for name, column in zip(names, table.columns, strict=True)
    }
    times = _column(columns, time, TIMES, "time", path)
    numbers = _column(
        {name: column for name, column in columns.items() if name != times},
        value,
        VALUES,
        "value",
        path,
    )
    for name, role in ((times, "time"), (numbers, "value")):
        if names.count(name) > 1:
            raise DriftlineError(
                f"{path}: {names.count(name)} columns are named {name}; rename them, or name "
                f"another one with --{role}"
            )
    micros, is_usable = _times(table.column(times).combine_chunks())
    if not is_usable.any():
        raise DriftlineError(f"{path}: column {times}: no time can be read; name one with --time")
    values = _numbers(columns[numbers])
    if np.isnan(values).all():
        raise DriftlineError(f"{path}: column {numbers} has no number; name one with --value")
    words = np.flatnonzero(is_usable & np.isnan(values) & ~_missing(columns[numbers]))
    places = np.flatnonzero(is_usable)
    places = places[np.argsort(micros[places], kind="stable")]
    records = np.delete(np.arange(1, len(values) + len(torn) + 1), [at - 1 for at in torn])
    return SeriesFile(
        times=micros[places],
        values=values[places],
        rows=records[places],
        skipped=len(values) - len(places),
        value_column=numbers,
        torn=len(torn),
        words=len(words),
        word=str(columns[numbers][int(words[0])].as_py()) if len(words) else "",
    )


def _read_table(path: Path) -> tuple[pa.Table, list[int], str | None, str]:
    """Read a CSV in the spelling that its beginning shows.

    Returns the table, the numbers of the torn rows, the first row being 1, and the separators of
    thousands and decimals.
    """
    import pyarrow as pa
    import pyarrow.csv as csv

    from driftline.kit.decoding.csv_settings import find_csv_settings

    data = path.read_bytes()
    settings = find_csv_settings(data[:HEAD])
    is_marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = str(settings.get("encoding", "utf-16" if is_marked else "utf-8-sig"))
    text = data.decode(encoding, "replace")
    excel = re.match(r'"?sep=(.)"?\r?\n', text, re.IGNORECASE)
    text = text[excel.end() :] if excel else text
    first = re.sub('"[^"]*"', "", text.partition("\n")[0])
    usual = excel[1] if excel else max(DELIMITERS, key=first.count)
    has_header = bool(settings.get("header", True))
    escape = settings.get("escape")
    torn: list[int] = []

    def leave_out(row: csv.InvalidRow) -> str:
        torn.append(row.number - has_header)
        return "skip"

    table = csv.read_csv(
        pa.BufferReader(text.encode()),
        # Only one thread numbers the rows.
        read_options=csv.ReadOptions(use_threads=False, autogenerate_column_names=not has_header),
        parse_options=csv.ParseOptions(
            delimiter=str(settings.get("delimiter", usual)),
            escape_char=str(escape) if escape else False,
            newlines_in_values=True,
            invalid_row_handler=leave_out,
        ),
        convert_options=csv.ConvertOptions(strings_can_be_null=True),
    )
    thousands = settings.get("thousands")
    separators = str(thousands) if thousands else None, str(settings.get("decimal", "."))
    return table, torn, *separators


def _plain(array: pa.Array, thousands: str | None, decimal: str) -> pa.Array:
    """Return text of numbers with a point before the decimals and no groups."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if array.type != pa.string():
        return array
    plain = array if thousands is None else pc.replace_substring(array, thousands, "")
    return plain if decimal == "." else pc.replace_substring(plain, decimal, ".")


def _missing(array: pa.Array) -> np.ndarray:
    """Whether each value is missing: absent, or NaN."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    is_missing = array.is_null(nan_is_null=True)
    if array.type == pa.string():
        texts = pc.utf8_lower(pc.utf8_trim_whitespace(array))
        is_missing = pc.or_(is_missing, pc.fill_null(pc.is_in(texts, pa.array(MISSING)), False))
    return np.asarray(is_missing.to_numpy(zero_copy_only=False), bool)


def _column(
    columns: dict[str, pa.Array], name: str | None, usual: tuple[str, ...], role: str, path: Path
) -> str:
    """The name of a column: as given, by its usual names, or by what it holds."""
    if name is not None:
        if name not in columns:
            raise DriftlineError(
                f"{path}: there is no column {name}; there are {', '.join(columns)}"
            )
        return name
    by_name = {column.strip().lower(): column for column in columns}
    column_of_word = next((by_name[word] for word in usual if word in by_name), None)
    if column_of_word is not None:
        return column_of_word
    for column, array in columns.items():
        fits = _times(array)[1].mean() > 0.5 if role == "time" else _has_numbers(array)
        if fits:
            return column
    raise DriftlineError(f"{path}: no column of {role}s is found; name one with --{role}")


def _times(array: pa.Array) -> tuple[Ints, np.ndarray]:
    import numpy as np

    from driftline.ingest.columns.timestamps import to_micros

    if not len(array):
        return np.zeros(0, np.int64), np.zeros(0, bool)
    return to_micros(array)


def _numbers(array: pa.Array) -> Floats:
    import numpy as np

    from driftline.ingest.columns.canonical import to_numeric

    numbers, _ = to_numeric(array)
    values = numbers.fill_null(float("nan")).to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _has_numbers(array: pa.Array) -> bool:
    import numpy as np

    return bool(len(array)) and bool(np.isfinite(_numbers(array)).mean() > 0.5)
