"""Bytes as text: a value that is not UTF-8 is missing and marked, the others are read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from driftline.kit.decoding.plain_types import to_plain_type


def as_text(array: pa.Array) -> tuple[pa.Array, NDArray[np.bool_] | None]:
    """Return (values, mask): plain types, with bytes as text.

    The mask has shape (n,) and is True where bytes are not UTF-8; those values are null. It is None
    where all are.
    """
    array = to_plain_type(array)
    if pa.types.is_dictionary(array.type):
        values, wrong = as_text(array.dictionary)
        if values is array.dictionary:
            return array, None
        mask = None
        if wrong is not None:
            codes = array.indices.fill_null(len(wrong)).to_numpy(zero_copy_only=False)
            mask = np.append(wrong, False)[codes]
        return pa.DictionaryArray.from_arrays(array.indices, values), mask
    if not (pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)):
        return array, None
    try:
        return array.cast(pa.string()), None
    except pa.ArrowInvalid:
        texts = [None if value is None else _decode(value) for value in array.to_pylist()]
    text = pa.array(texts, pa.string())
    wrong = text.is_null().to_numpy(zero_copy_only=False) & array.is_valid().to_numpy(
        zero_copy_only=False
    )
    return text, np.asarray(wrong, bool)


def _decode(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
