"""Derives numeric and categorical columns from a column of texts, images or embeddings.

Each row is derived from its own value alone: equal values give equal columns.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from driftline.ingest.columns import images, texts, vectors
from driftline.kit.decoding.plain_types import is_text_type
from driftline.types.model import Field, Kind

Flags = NDArray[np.bool_]


def derive(part: Field, array: pa.Array) -> tuple[dict[str, pa.Array], dict[str, Flags]]:
    """Return the columns of `part.profile_columns`, and a mask (n,) of invalid rows per column."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary.take(array.indices)
    if part.kind is Kind.EMBEDDING:
        return _with_prefix(part, *vectors.derive_vector_columns(array, part.dimension, part.name))
    if part.kind is Kind.IMAGE:
        values, wrong = _readable(array, binary=True)
        columns, undecodable = images.derive_image_columns(values)
        return _with_prefix(part, columns, dict.fromkeys(columns, wrong | undecodable))
    values, wrong = _readable(array, binary=False)
    columns = texts.derive_text_columns(values)
    return _with_prefix(part, columns, dict.fromkeys(columns, wrong))


def _with_prefix(
    part: Field, columns: Mapping[str, pa.Array], invalid: Mapping[str, Flags]
) -> tuple[dict[str, pa.Array], dict[str, Flags]]:
    def name(suffix: str) -> str:
        return f"{part.name}.{suffix}" if suffix else part.name

    return {name(suffix): array for suffix, array in columns.items()}, {
        name(suffix): rows for suffix, rows in invalid.items() if rows.any()
    }


def _readable(array: pa.Array, *, binary: bool) -> tuple[pa.Array, Flags]:
    """As text, or with `binary` also bytes; other values become null and are marked, shape (n,)."""
    kind = array.type
    none = np.zeros(len(array), bool)
    bytes_ = (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )
    if is_text_type(kind) or (binary and bytes_):
        return array if bytes_ else array.cast(pa.string()), none
    if pa.types.is_null(kind):
        return array.cast(pa.string()), none
    try:
        if not binary and not pa.types.is_nested(kind):
            return array.cast(pa.string()), none
    except pa.ArrowException:  # bytes that are no UTF-8
        pass
    return pa.nulls(len(array), pa.string()), np.asarray(
        array.is_valid().to_numpy(zero_copy_only=False), bool
    )
