"""Bytes as text: a value that is not UTF-8 is missing and marked, the others are read.

Columns of UUIDs and hashes may have a type of any length: where all values have one length and most
are not UTF-8, they are read as fixed-size bytes.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.kit.decoding.plain_types import LONGEST, to_plain_type


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
    size = pc.max(pc.binary_length(array)).as_py()
    undecodable = texts.count(None) - array.null_count
    if (
        size <= LONGEST
        and 2 * undecodable > len(array) - array.null_count
        and pc.min(pc.binary_length(array)).as_py() == size
    ):
        return to_plain_type(array.cast(pa.binary(size))), None
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
