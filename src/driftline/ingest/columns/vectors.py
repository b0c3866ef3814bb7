"""Embeddings as columns: their length, their holes, and a small picture of each vector for the
sample.

Refuses vectors of another dimension than the schema's, or with a value that is no finite number:
they are invalid.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.kit.decoding import json_values
from driftline.profiles.counting import name_hash
from driftline.profiles.rowhash import hash_positions
from driftline.types.model import WIDEST

KEPT = 64
"""Numbers of a vector that enter the sample. Longer ones are projected (Johnson & Lindenstrauss
1984): a squared distance is kept within 18% of itself (one standard deviation), one between means
likewise, and 500 rows take 128 kB at any dimension.
"""
VALUES = 1 << 22
"""Values that are looked at at a time."""
LARGEST = 1e18
"""Beyond it a value is not taken for a number."""
BITS, DIGITS = 30, 6
NULL, NO_LIST = -1, -2
"""In place of a length."""
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]
_DECODER = msgspec.json.Decoder(list[float | None])


def derive_vector_columns(
    array: pa.Array, dimension: int, name: str
) -> tuple[dict[str, pa.Array], dict[str, Flags]]:
    """The columns that stand for embeddings (lists of numbers, or JSON text of them), and which
    rows of each are invalid.

    The one called "" holds, for the sample, float32 in bytes: the vector, or where it has more than
    64 values a projection that only `name` and `dimension` decide. `nan_share` counts values that
    are missing or no finite numbers. A vector of another dimension has only a `dimension`; one with
    such values no norm and no place in the sample.
    """
    step = max(1, VALUES // max(dimension, 1))
    signs = _signs(name, dimension) if dimension > KEPT else None
    parts = [
        _part(array.slice(at, step), dimension, signs) for at in range(0, max(len(array), 1), step)
    ]
    columns = {what: pa.concat_arrays([part[0][what] for part in parts]) for what in parts[0][0]}
    return columns, {
        what: np.concatenate([part[1][what] for part in parts]) for what in parts[0][1]
    }


def stack_columns(columns: Sequence[pa.Array], rows: int) -> pa.Array:
    """A column of vectors from numeric columns (float64) that hold one value of each; null where
    all are null.
    """
    table = np.array(
        [column.to_numpy(zero_copy_only=False) for column in columns], np.float64
    ).reshape(len(columns), rows)
    ends = np.arange(rows + 1, dtype=np.int32) * len(columns)
    missing = np.array([column.is_null().to_numpy(zero_copy_only=False) for column in columns]).all(
        axis=0
    )
    return pa.ListArray.from_arrays(
        pa.array(ends), pa.array(table.T.ravel()), mask=pa.array(missing)
    )


def most_frequent_dimension(columns: Iterable[pa.Array]) -> int:
    """The dimension that most vectors of these columns have, of equally many the smallest; 0 where
    none is a vector.
    """
    counted = Counter(
        size
        for column in columns
        for size in list_values(column.slice(0, 1000))[0].tolist()
        if 0 < size <= WIDEST
    )
    return min(counted, key=lambda size: (-counted[size], size), default=0)


def _part(
    array: pa.Array, dimension: int, signs: Floats | None
) -> tuple[dict[str, pa.Array], dict[str, Flags]]:
    sizes, values = list_values(array)
    fits = (sizes == dimension) & (dimension > 0)
    vectors = (
        values[np.repeat(fits, np.maximum(sizes, 0))].reshape(-1, dimension)
        if dimension
        else np.empty((0, 1))
    )
    numbers = np.abs(vectors) <= LARGEST
    whole = numbers.all(axis=1)
    usable = np.flatnonzero(fits)[whole]
    # Rounding in a vector of length 1 is no news.
    norms = np.array(
        [
            float(f"{norm:.{DIGITS}g}")
            for norm in np.sqrt((vectors[whole] ** 2).sum(axis=1)).tolist()
        ]
    )
    there = sizes != NULL
    columns = {
        "norm": _spread(norms, usable, len(array)),
        "nan_share": _spread((~numbers).mean(axis=1), np.flatnonzero(fits), len(array)),
        "dimension": pa.array(sizes.astype(np.float64), mask=sizes < 0),
        "": _bytes(
            vectors[whole] if signs is None else _projected(vectors[whole], signs),
            usable,
            len(array),
        ),
    }
    return columns, {
        "norm": there & columns["norm"].is_null().to_numpy(zero_copy_only=False),
        "nan_share": there & ~fits,
        "dimension": sizes == NO_LIST,
    }


def list_values(array: pa.Array) -> tuple[Counts, Floats]:
    """The length of each row's list, or what stands in place of it, and the values of all lists,
    one after another.
    """
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        lists = [None if text is None else _parsed(text) for text in array.to_pylist()]
        sizes = [
            NULL if made is None else made if isinstance(made, int) else len(made) for made in lists
        ]
        flat = np.concatenate(
            [np.empty(0), *(made for made in lists if isinstance(made, np.ndarray))]
        )
        return np.array(sizes, np.int64), flat
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = kind.value_type
        if (
            pa.types.is_integer(inner)
            or pa.types.is_floating(inner)
            or pa.types.is_decimal(inner)
            or pa.types.is_null(inner)
        ):
            flat = (
                array.flatten()
                .cast(pa.float64(), safe=False)
                .fill_null(np.nan)
                .to_numpy(zero_copy_only=False)
            )
            return pc.list_value_length(array).fill_null(NULL).to_numpy(
                zero_copy_only=False
            ).astype(np.int64), flat
    return np.where(array.is_null().to_numpy(zero_copy_only=False), NULL, NO_LIST), np.empty(0)


def _parsed(text: str) -> Floats | int:
    """The list of numbers that a text holds, NaN for null; NULL for an empty text, NO_LIST for any
    other.
    """
    found: Any
    try:
        found = _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        if not text.strip():
            return NULL
        try:
            documents = list(json_values.parse_documents(text.encode("utf-8", "replace")))
        except ValueError:
            return NO_LIST
        found = documents[0] if len(documents) == 1 else None
        plain = isinstance(found, list) and all(
            type(value) in (int, float, type(None)) for value in found
        )
        if not plain:
            return NO_LIST
    return np.array([_number(value) for value in found], np.float64)


def _number(value: float | None) -> float:
    try:
        return math.nan if value is None else float(value)
    except OverflowError:
        return math.nan


def _signs(name: str, dimension: int) -> Floats:
    """1 and -1 by the bits of hashes (Achlioptas 2003), the same on every machine; shape
    (dimension, KEPT).
    """
    bits = np.unpackbits(
        hash_positions(name_hash(name), 0, dimension).astype("<u8").view(np.uint8)
    ).reshape(dimension, KEPT)
    return np.where(bits, 1.0, -1.0)


def _projected(vectors: Floats, signs: Floats) -> Floats:
    """Shape (n, KEPT). Values are rounded to 30 bits below each row's largest: whole numbers add up
    to the same in any order, so that a vector gives the same bytes whatever the machine and the
    rows beside it.
    """
    powers = np.frexp(np.abs(vectors).max(axis=1, initial=0.0))[1][:, None]
    sums: Floats = np.ldexp(np.rint(np.ldexp(vectors, BITS - powers)) @ signs, powers - BITS)
    return sums / math.sqrt(KEPT)


def _spread(values: Floats, places: Counts, rows: int) -> pa.Array:
    """`values` at their places in a column of `rows`, all else null."""
    spread, missing = np.zeros(rows), np.ones(rows, bool)
    spread[places], missing[places] = values, False
    return pa.array(spread, mask=missing)


def _bytes(vectors: Floats, places: Counts, rows: int) -> pa.Array:
    """The same for vectors, each as the bytes of its float32 values."""
    width = vectors.shape[1]
    spread, there = np.zeros((rows, width), "<f4"), np.zeros(rows, bool)
    spread[places], there[places] = vectors, True
    valid = pa.py_buffer(np.packbits(there, bitorder="little"))
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(4 * width), rows, [valid, pa.py_buffer(spread)]
    )
