"""Says why the times of rows can't be used, with a first example of each reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.ingest.columns.bytes_as_text import as_text
from driftline.kit.decoding.plain_types import is_text_type
from driftline.types.loss_reasons import LossReasons
from driftline.types.time_form import TimeForm

DAY_OR_MONTH = r"^\s*\d{1,2}([/.-])\d{1,2}[/.-](\d{4}|\d{2})\b"
"""A date of numbers that does not show which of them is the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredibleTimes:
    """The event times that are credible, microseconds, both ends included."""

    earliest: int
    latest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeColumn:
    """The column of the event times of one batch."""

    path: str
    setting: str
    """The setting that names it, such as `schema.timestamp`."""
    form: TimeForm
    values: pa.Array | None
    """None where the records have no such column."""
    has_header: bool = True
    """False where the file has a record in the place of its column names."""


def add_time_faults(
    reasons: LossReasons,
    column: TimeColumn,
    events: NDArray[np.int64],
    readable: NDArray[np.bool_],
    credible: CredibleTimes,
    offset: int,
) -> None:
    """Count the rows of one batch whose time can't be used, by reason.

    `events` are the times in microseconds, int64, and `readable` says which of them are times at
    all, both of shape (rows,). `offset` is the number of rows before.
    """
    rows, name, array = len(events), column.path, column.values
    if array is None or array.null_count == rows:
        if rows:
            text = f"no time: the column {name} is missing or empty: set {column.setting}"
            if not column.has_header:
                text = "no time: the first line looks like a record: set header: false and names"
            reasons.add(text, count=rows, place=offset + 1)
        return
    empty = np.asarray(array.is_null().to_numpy(zero_copy_only=False), bool)
    unreadable = ~empty & ~readable
    unclear = np.zeros(rows, bool)
    text = f"the time in {name} can't be read: check {column.setting}, or set its format"
    if column.form.format:
        text = (
            f"the time in {name} is not in the format {column.form.format}: "
            f"correct {column.setting}.format"
        )
    elif unreadable.any():
        unclear = unreadable & _is_day_or_month(array)
    faults = (
        (f"no time: {name} is empty", empty),
        (
            f"day or month first in {name}? Set {column.setting}.format, such as %d/%m/%Y",
            unclear,
        ),
        (text, unreadable & ~unclear),
        (
            f"the time in {name} is in the future: check its unit and zone",
            readable & (events > credible.latest),
        ),
        (
            f"the time in {name} is before the year 2000: check its unit",
            readable & (events < credible.earliest),
        ),
    )
    for text, mask in faults:
        places = np.flatnonzero(mask)
        if len(places):
            first = int(places[0])
            example = "" if mask is empty else _text(array[first])
            reasons.add(text, count=len(places), place=offset + first + 1, example=example)


def _is_day_or_month(array: pa.Array) -> NDArray[np.bool_]:
    texts, _ = as_text(array)
    if pa.types.is_dictionary(texts.type):
        texts = texts.dictionary.take(texts.indices)
    if not is_text_type(texts.type):
        return np.zeros(len(array), bool)
    matches = pc.match_substring_regex(texts, DAY_OR_MONTH).fill_null(False)
    return np.asarray(matches.to_numpy(zero_copy_only=False), bool)


def _text(value: pa.Scalar) -> str:
    if pa.types.is_timestamp(value.type):
        # Python's times have no nanoseconds.
        value = pc.cast(value, pa.timestamp("us", value.type.tz), safe=False)
    return str(value.as_py())
