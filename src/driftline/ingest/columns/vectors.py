"""Derives columns from embeddings: norm, missing values, and a projection for the sample.

Vectors of another dimension than the schema's, or with a value that is no finite number, are
invalid.
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
from driftline.kit.decoding.plain_types import is_text_type
from driftline.profiles.counting import name_hash
from driftline.profiles.rowhash import hash_positions
from driftline.types.arrays import Floats, Ints
from driftline.types.model import MAX_DIMENSION

PROJECTED = 64
"""Values of a vector in the sample.

Longer vectors are projected (Johnson & Lindenstrauss 1984): a
squared distance keeps its value within 18% (one standard deviation), one between means too, and 500
rows take 128 kB at any dimension.
"""
VALUES = 1 << 22
"""Values that are processed at a time."""
LARGEST = 1e18
"""Larger values do not count as numbers."""
BITS, DIGITS = 30, 6
NULL, NO_LIST = -1, -2
"""In place of a length: the row is null, or holds no list of numbers."""
Flags = NDArray[np.bool_]
_DECODER = msgspec.json.Decoder(list[float | None])


def derive_vector_columns(
    array: pa.Array, dimension: int, name: str
) -> tuple[dict[str, pa.Array], dict[str, Flags]]:
    """Columns of embeddings (lists of numbers, or JSON text), and per column the invalid rows.

    All have shape (n,). The column "" holds float32 bytes for the sample: the vector, or for more
    than 64 values a projection that depends on `name` and `dimension` only. `nan_share` is the
    share of values that are missing or not finite. A vector of another dimension has only a
    `dimension`; one with such values has no norm and is not in the sample.
    """
    step = max(1, VALUES // max(dimension, 1))
    signs = _signs(name, dimension) if dimension > PROJECTED else None
    parts = [
        _part(array.slice(at, step), dimension, signs) for at in range(0, max(len(array), 1), step)
    ]
    columns = {key: pa.concat_arrays([part[0][key] for part in parts]) for key in parts[0][0]}
    return columns, {key: np.concatenate([part[1][key] for part in parts]) for key in parts[0][1]}


def stack_columns(columns: Sequence[pa.Array], rows: int) -> pa.Array:
    """One column of vectors from columns (float64) of single values; null where all are null."""
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
    """The most frequent dimension of vectors, of equal ones the smallest; 0 without a vector."""
    counts = Counter(
        size
        for column in columns
        for size in list_values(column.slice(0, 1000))[0].tolist()
        if 0 < size <= MAX_DIMENSION
    )
    return min(counts, key=lambda size: (-counts[size], size), default=0)


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
    # Rounded, so that vectors of length 1 all have the norm 1.
    norms = np.array(
        [
            float(f"{norm:.{DIGITS}g}")
            for norm in np.sqrt((vectors[whole] ** 2).sum(axis=1)).tolist()
        ]
    )
    has_value = sizes != NULL
    columns = {
        "norm": _spread(norms, usable, len(array)),
        "nan_share": _spread((~numbers).mean(axis=1), np.flatnonzero(fits), len(array)),
        "dimension": pa.array(sizes.astype(np.float64), mask=sizes < 0),
        "": _bytes(
            vectors[whole] if signs is None else _project(vectors[whole], signs),
            usable,
            len(array),
        ),
    }
    return columns, {
        "norm": has_value & columns["norm"].is_null().to_numpy(zero_copy_only=False),
        "nan_share": has_value & ~fits,
        "dimension": sizes == NO_LIST,
    }


def list_values(array: pa.Array) -> tuple[Ints, Floats]:
    """The length of each row's list (int64, (n,); NULL or NO_LIST), and all values in sequence."""
    kind = array.type
    if is_text_type(kind):
        lists = [None if text is None else _parse(text) for text in array.to_pylist()]
        sizes = [
            NULL if item is None else item if isinstance(item, int) else len(item) for item in lists
        ]
        flat = np.concatenate(
            [np.empty(0), *(item for item in lists if isinstance(item, np.ndarray))]
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


def _parse(text: str) -> Floats | int:
    """The list of numbers in a JSON text, NaN for null; NULL for empty text, NO_LIST otherwise."""
    document: Any
    try:
        document = _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        if not text.strip():
            return NULL
        try:
            documents = list(json_values.parse_documents(text.encode("utf-8", "replace")))
        except ValueError:
            return NO_LIST
        document = documents[0] if len(documents) == 1 else None
        plain = isinstance(document, list) and all(
            type(value) in (int, float, type(None)) for value in document
        )
        if not plain:
            return NO_LIST
    return np.array([_number(value) for value in document], np.float64)


def _number(value: float | None) -> float:
    try:
        return math.nan if value is None else float(value)
    except OverflowError:
        return math.nan


def _signs(name: str, dimension: int) -> Floats:
    """A projection of 1 and -1 by the bits of hashes (Achlioptas 2003), (dimension, PROJECTED)."""
    bits = np.unpackbits(
        hash_positions(name_hash(name), 0, dimension).astype("<u8").view(np.uint8)
    ).reshape(dimension, PROJECTED)
    return np.where(bits, 1.0, -1.0)


def _project(vectors: Floats, signs: Floats) -> Floats:
    """The projections, shape (n, PROJECTED), equal bytes for equal vectors on every machine.

    Values are rounded to 30 bits below each row's largest: whole numbers have the same sum in any
    order.
    """
    powers = np.frexp(np.abs(vectors).max(axis=1, initial=0.0))[1][:, None]
    sums: Floats = np.ldexp(np.rint(np.ldexp(vectors, BITS - powers)) @ signs, powers - BITS)
    return sums / math.sqrt(PROJECTED)


def _spread(values: Floats, places: Ints, rows: int) -> pa.Array:
    """A column of `rows` rows with `values` at `places` and nulls elsewhere."""
    column, missing = np.zeros(rows), np.ones(rows, bool)
    column[places], missing[places] = values, False
    return pa.array(column, mask=missing)


def _bytes(vectors: Floats, places: Ints, rows: int) -> pa.Array:
    """The same for vectors, each as the bytes of its float32 values."""
    width = vectors.shape[1]
    content, valid = np.zeros((rows, width), "<f4"), np.zeros(rows, bool)
    content[places], valid[places] = vectors, True
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(4 * width), rows, [bitmap, pa.py_buffer(content)]
    )
