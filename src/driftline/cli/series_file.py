"""Reads a series from a CSV file: a column of times and one of numbers."""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
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


def read_series(path: Path, time: str | None = None, value: str | None = None) -> SeriesFile:
    """Read the columns `time` and `value`, which are found by name and content when None.

    Rows are brought into time order; rows of one time stay in theirs. Raises DriftlineError.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as csv

    try:
        table = csv.read_csv(path, convert_options=csv.ConvertOptions(strings_can_be_null=True))
    except (OSError, pa.ArrowInvalid) as error:
        raise DriftlineError(f"{path}: {' '.join(str(error).split())[:200]}") from None
    columns = {
        name: column.combine_chunks()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    times = _column(columns, time, TIMES, "time", path)
    numbers = _column(
        {name: column for name, column in columns.items() if name != times},
        value,
        VALUES,
        "value",
        path,
    )
    micros, is_usable = _times(columns[times])
    if not is_usable.any():
        raise DriftlineError(f"{path}: column {times}: no time can be read; name one with --time")
    values = _numbers(columns[numbers])
    if np.isnan(values).all():
        raise DriftlineError(f"{path}: column {numbers} has no number; name one with --value")
    places = np.flatnonzero(is_usable)
    places = places[np.argsort(micros[places], kind="stable")]
    return SeriesFile(micros[places], values[places], places + 1, len(values) - len(places))


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
