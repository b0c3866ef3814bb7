"""Reads event times in the forms that logs have them, as microseconds since the epoch.

A time without a zone is local: one of the column's zone, or UTC. Numbers are seconds,
milliseconds, microseconds or nanoseconds, depending on their size; 8, 12, 14 or 17 digits that are
a date of the years 1970 to 2199 are that date (`20261101`, `202611011000`, `20261101100000`,
`20261101100000000`).
Digits alone are a number, in text as well.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.ingest.columns.bytes_as_text import as_text
from driftline.ingest.columns.local_times import to_utc
from driftline.ingest.columns.time_texts import parse_time, parse_with_format
from driftline.kit.decoding.plain_types import is_text_type
from driftline.types.time_form import TimeForm
from driftline.types.times import EPOCH

ATTEMPTS = (("us", "UTC"), ("us", None), ("ns", "UTC"), ("ns", None))
"""Types of Arrow's parser, which needs a zone in every text or in none."""
FIRST_YEAR, LAST_YEAR = 1970, 2199
"""Years of compact dates. Read as epoch numbers, these are of 1970 to 1976 or after 2590."""
WHOLE = r"^[+-]?[0-9]{1,18}$"
NUMBER = r"^[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?$"


DIRECTIVE = re.compile(r"%([YmdHMS])")
DEFAULT_FORM = TimeForm()
"""Times in a usual spelling; those without a zone are UTC."""
_MICROS = timedelta(microseconds=1)


def to_micros(
    array: pa.Array, form: TimeForm = DEFAULT_FORM
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read event times as microseconds since the epoch.

    `form` says how the times of the column are written. Returns (times, int64; usable, bool), both
    of shape (n,). An unreadable time is 0 and not usable.
    """
    array, _ = as_text(array)
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.dictionary.take(array.indices)
        kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zone = kind.tz if pa.types.is_timestamp(kind) else None
        return _plain(array.cast(pa.timestamp("us", zone), safe=False), form.zone)
    is_number = pa.types.is_decimal(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if is_number and form.format:
        array, is_number = _digits(array), False
    if is_number:
        return _from_numbers(_as_numbers(array), form.zone)
    if is_text_type(array.type):
        return _from_format(array, form) if form.format else _from_text(array, form.zone)
    return np.zeros(len(array), np.int64), np.zeros(len(array), bool)


def _plain(array: pa.Array, local_zone: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the times of a timestamp type; those of a type without a zone are local."""
    usable = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)
    times = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return times if array.type.tz else to_utc(times, local_zone), usable


def _as_numbers(array: pa.Array) -> pa.Array:
    """Return integers, or floats for fractions and for more digits than an integer has."""
    if pa.types.is_decimal(array.type):
        try:
            return array.cast(pa.int64())
        except pa.ArrowInvalid:
            return array.cast(pa.float64(), safe=False)
    is_float = pa.types.is_floating(array.type)
    return array.cast(pa.float64()) if is_float else array.cast(pa.int64(), safe=False)


def _digits(array: pa.Array) -> pa.Array:
    """Return whole numbers as text; a number with a fraction is no text of a format."""
    whole = _as_numbers(array).to_pylist()
    return pa.array(
        [str(int(value)) if value is not None and np.isfinite(value) else None for value in whole],
        pa.string(),
    )


def _from_format(array: pa.Array, form: TimeForm) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    texts = pc.utf8_trim_whitespace(array)
    times, usable = _from_digits(texts, form)
    rest = np.flatnonzero(~usable & texts.is_valid().to_numpy(zero_copy_only=False))
    if len(rest):
        encoded = texts.take(pa.array(rest)).dictionary_encode()
        names = encoded.dictionary.to_pylist()
        moments = [parse_with_format(name, form.format) for name in names]
        each = _from_datetimes(moments, form.zone).take(encoded.indices)
        times[rest], usable[rest] = _plain_ints(each)
    return times, usable


def _from_digits(texts: pa.Array, form: TimeForm) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read the texts of a format of digits only, in bulk; other texts are not usable."""
    times, usable = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
    literals = DIRECTIVE.split(form.format)[::2]
    letters = DIRECTIVE.findall(form.format)
    has_others = any("%" in literal or not literal.isascii() for literal in literals)
    if has_others or len(set(letters)) < len(letters) or not {"Y", "m", "d"} <= set(letters):
        return times, usable
    pattern = re.escape(literals[0]) + "".join(
        f"(?P<{letter}>[0-9]{{{'4' if letter == 'Y' else '2'}}}){re.escape(literal)}"
        for letter, literal in zip(letters, literals[1:], strict=True)
    )
    parts = pc.extract_regex(texts, f"^{pattern}$")
    places = np.flatnonzero(parts.is_valid().to_numpy(zero_copy_only=False))
    if len(places):
        found = parts.take(pa.array(places))
        digits = np.zeros(len(places), np.int64)
        for letter in "YmdHMS":
            digits *= 100
            if letter in letters:
                part = found.field(letter).cast(pa.int64())
                digits += part.to_numpy(zero_copy_only=False)
        local, is_date = _from_compact(digits, 10**6, 0)
        times[places], usable[places] = np.where(is_date, to_utc(local, form.zone), 0), is_date
    return times, usable


def _from_datetimes(moments: list[datetime | None], local_zone: str) -> pa.Array:
    """Return microseconds, int64, null where there is no time."""
    missing = np.array([moment is None for moment in moments], bool)
    local = np.array([moment is not None and moment.tzinfo is None for moment in moments], bool)
    times = np.array(
        [
            0
            if moment is None
            else (moment.replace(tzinfo=UTC) - EPOCH - (moment.utcoffset() or timedelta()))
            // _MICROS
            for moment in moments
        ],
        np.int64,
    )
    times[local] = to_utc(times[local], local_zone)
    return pa.array(times, mask=missing)


def _from_numbers(array: pa.Array, local_zone: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the times of epoch numbers and of compact dates, which are local."""
    usable = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)
    values = array.fill_null(0).to_numpy(zero_copy_only=False)
    if values.dtype.kind == "f":
        usable = usable & np.isfinite(values) & (np.abs(values) < 2**63)
        values = np.where(usable, values, 0.0)
    size = np.abs(values)
    if values.dtype.kind == "i":
        micros = np.where(
            size < 10**11, values * 10**6, np.where(size < 10**14, values * 10**3, values)
        )
        micros = np.where(size < 10**17, micros, values // 10**3).astype(np.int64)
    else:
        factor = np.where(
            size < 1e11, 1e6, np.where(size < 1e14, 1e3, np.where(size < 1e17, 1.0, 1e-3))
        )
        micros = np.round(values * factor).astype(np.int64)
    for unit, scale, rest in ((1, 1, 0), (10**4, 100, 0), (10**6, 1, 0), (10**9, 1, 3)):
        low, high = FIRST_YEAR * 10**4 * unit, (LAST_YEAR + 1) * 10**4 * unit
        places = np.flatnonzero((values >= low) & (values < high) & (values == np.floor(values)))
        if len(places):
            digits = values[places].astype(np.int64) * scale
            times, is_date = _from_compact(digits, unit * scale, rest)
            micros[places] = np.where(is_date, to_utc(times, local_zone), micros[places])
    return micros, usable


def _from_compact(
    digits: NDArray[np.int64], unit: int, rest: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(microseconds, whether it is a date) of digits; the last `rest` ones are a fraction."""
    dates, clocks = np.divmod(digits, unit)
    clocks, fractions = np.divmod(clocks, 10**rest)
    years, months, days = dates // 10**4, dates // 100 % 100, dates % 100
    hours, minutes, seconds = clocks // 10**4, clocks // 100 % 100, clocks % 100
    first = ((years - 1970) * 12 + np.clip(months, 1, 12) - 1).astype("datetime64[M]")
    day = first.astype("datetime64[D]") + (days - 1)
    is_date = (
        (months >= 1)
        & (months <= 12)
        & (days >= 1)
        & (day.astype("datetime64[M]") == first)
        & (hours < 24)
        & (minutes < 60)
        & (seconds < 60)
    )
    midnight = day.astype("datetime64[us]").astype(np.int64)
    clock = (hours * 3600 + minutes * 60 + seconds) * 10**6
    return midnight + clock + fractions * 10 ** (6 - rest), is_date


def _from_text(array: pa.Array, local_zone: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    quick = _from_uniform_text(array, local_zone)
    if quick is not None:
        return quick
    if (numbers := _cast_all(array, pa.int64())) is not None:
        return _from_numbers(numbers, local_zone)
    # a suffix for UTC, and an offset that a space separates, are common to all rows of a column
    plain = pc.replace_substring_regex(array, r"(:\d\d(?:\.\d+)?)\s*(?:UTC|GMT|Z\[UTC\])$", r"\1Z")
    plain = pc.replace_substring_regex(plain, r"(:\d\d(?:\.\d+)?)\s+([+-]\d\d:?\d\d)$", r"\1\2")
    quick = _from_uniform_text(plain, local_zone)
    if quick is not None:
        return quick
    dictionary = array.dictionary_encode()
    return _plain_ints(_parse_each(dictionary.dictionary, local_zone).take(dictionary.indices))


def _from_uniform_text(
    array: pa.Array, local_zone: str
) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
    """Read texts that have one spelling of Arrow's parser; None for others."""
    for unit, zone in ATTEMPTS:
        times = _cast_all(array, pa.timestamp(unit, zone))
        if times is not None:
            return _plain(times.cast(pa.timestamp("us", zone), safe=False), local_zone)
    return None


def _cast_all(array: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """Cast all texts, None if any is of another kind.

    Arrow builds an error for each text that it can't cast, which takes long. So the first text
    is tried alone.
    """
    first = pc.index(array.is_valid(), True).as_py()
    try:
        array.slice(max(first, 0), 1).cast(kind)
        return array.cast(kind)
    except pa.ArrowInvalid:
        return None


def _plain_ints(array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    usable = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)
    return array.fill_null(0).to_numpy(zero_copy_only=False), usable


def _parse_each(texts: pa.Array, local_zone: str) -> pa.Array:
    """Times of texts of any spelling, int64 microseconds; null where one is no time."""
    texts = pc.utf8_trim_whitespace(texts)
    is_whole, is_number = (
        np.asarray(pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False), bool)
        for pattern in (WHOLE, NUMBER)
    )
    times, usable = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
    for mask, kind in ((is_whole, pa.int64()), (is_number & ~is_whole, pa.float64())):
        places = np.flatnonzero(mask)
        if len(places):
            digits = pc.utf8_ltrim(texts.take(pa.array(places)), "+")
            times[places], usable[places] = _from_numbers(digits.cast(kind), local_zone)
    places = np.flatnonzero(~is_number)
    moments = [parse_time(text) for text in texts.take(pa.array(places)).to_pylist()]
    times[places], usable[places] = _plain_ints(_from_datetimes(moments, local_zone))
    return pa.array(times, mask=~usable)
