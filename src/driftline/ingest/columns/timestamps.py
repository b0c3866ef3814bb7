"""Reads event times in the forms that logs have them, as microseconds since the epoch.

A time without a zone is UTC. Numbers are seconds, milliseconds, microseconds or nanoseconds,
depending on their size.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROS = timedelta(microseconds=1)


def to_micros(array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(times, int64; usable, bool), both of shape (n,); an unreadable time is 0 and not usable."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.dictionary.take(array.indices)
        kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _plain(
            array.cast(
                pa.timestamp("us", kind.tz if pa.types.is_timestamp(kind) else None), safe=False
            )
        )
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _from_numbers(
            array.cast(pa.float64())
            if pa.types.is_floating(kind)
            else array.cast(pa.int64(), safe=False)
        )
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _from_text(array)
    return np.zeros(len(array), np.int64), np.zeros(len(array), bool)


def _plain(array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    usable = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)
    return array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), usable


def _from_numbers(array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    usable = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)
    values = array.fill_null(0).to_numpy(zero_copy_only=False)
    if values.dtype.kind == "f":
        usable = usable & np.isfinite(values)
        values = np.where(usable, values, 0.0)
    size = np.abs(values)
    if values.dtype.kind == "i":
        micros = np.where(
            size < 10**11, values * 10**6, np.where(size < 10**14, values * 10**3, values)
        )
        return np.where(size < 10**17, micros, values // 10**3).astype(np.int64), usable
    factor = np.where(
        size < 1e11, 1e6, np.where(size < 1e14, 1e3, np.where(size < 1e17, 1.0, 1e-3))
    )
    return np.round(values * factor).astype(np.int64), usable


def _from_text(array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    for zone in ("UTC", None):  # the cast needs a zone in every text or in none
        try:
            return _plain(array.cast(pa.timestamp("us", zone)))
        except pa.ArrowInvalid:
            continue
    dictionary = array.dictionary_encode()
    times = [_parse(text) for text in dictionary.dictionary.to_pylist()]
    return _plain_ints(pa.array(times, pa.int64()).take(dictionary.indices))


def _plain_ints(array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    usable = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)
    return array.fill_null(0).to_numpy(zero_copy_only=False), usable


def _parse(text: str) -> int | None:
    text = text.strip()
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            [value], [is_usable] = _from_numbers(pa.array([float(text)]))
        except ValueError:
            return None
        return int(value) if is_usable else None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - _EPOCH) // _MICROS
