"""Casts lists of classes to one canonical text for each set, such as `["news","sport"]`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from driftline.profiles.canonical_value import canonical_value

SEPARATOR = "|"
"""Between the classes of a text that is no JSON list."""


def list_texts(array: pa.Array) -> pa.Array:
    """Return lists as JSON texts, and any other array as it is; shape (n,)."""
    if not pa.types.is_nested(array.type):
        return array
    values = array.to_pylist()
    return pa.array(
        [None if value is None else json.dumps(value, default=str) for value in values],
        pa.string(),
    )


def to_label_sets(
    names: pa.DictionaryArray, wrong: NDArray[np.bool_] | None
) -> tuple[pa.DictionaryArray, NDArray[np.bool_] | None]:
    """Give JSON lists and texts such as `news|sport` one name for each set of classes.

    An empty list is a set of no class. Values that are no list of names become null and are marked
    in the mask, shape (n,), which has the marks of `wrong`, too.
    """
    sets = [None if name is None else _canonical(name) for name in names.dictionary.to_pylist()]
    # Several texts may be one set: the dictionary has each once.
    codes = {name: code for code, name in enumerate(dict.fromkeys(filter(None, sets)))}
    by_code = np.array([codes.get(name or "", -1) for name in sets] + [-1], np.int32)
    places = names.indices.fill_null(len(sets)).to_numpy(zero_copy_only=False)
    own = by_code[places]
    unusable = (own < 0) & (places < len(sets))
    if wrong is not None:
        unusable = unusable | wrong
    cast = pa.DictionaryArray.from_arrays(
        pa.array(np.maximum(own, 0), pa.int32(), mask=own < 0), pa.array(list(codes), pa.string())
    )
    return cast, unusable if unusable.any() else None


def _canonical(text: str) -> str | None:
    """The canonical text of a set; None where it holds something else than names."""
    items: Any
    if text.lstrip().startswith("["):
        try:
            items = json.loads(text)
        except (ValueError, RecursionError):
            return None
    else:
        items = [part.strip() for part in text.split(SEPARATOR)]
    names = [
        canonical_value(item) if isinstance(item, (str, bool, int, float)) else None
        for item in items
    ]
    if any(name is None for name in names):
        return None
    return json.dumps(
        sorted({str(name) for name in names}), ensure_ascii=False, separators=(",", ":")
    )
