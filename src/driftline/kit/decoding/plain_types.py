"""Arrow arrays of special types as arrays of the plain types that the rest of the code reads."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

UUID_BYTES = 16
PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
ZEROS = r"^(\d+:\d+:\d+(?:\.\d*[1-9])?)\.?0*$"
"""A time of day with zeros at the end of its fraction."""
LONGEST = 64
"""Bytes of a fixed-size value that may be an identifier or a text; longer ones are data."""


def is_text_type(kind: pa.DataType) -> bool:
    """Return whether values of an Arrow type are text, with 32-bit or with 64-bit offsets."""
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def to_plain_type(array: pa.Array) -> pa.Array:
    """Return the values with a plain Arrow type, shape (n,).

    Views become strings, bytes or lists, run-end encoded values are written out, extension types
    have their storage type. A duration is its number of seconds. A time of day is text without
    zeros at its end, so that it does not depend on the unit. A UUID is text of 36 characters.
    Fixed-size bytes are text where they are UTF-8, otherwise hexadecimal digits, and a UUID for 16
    bytes; more than 64 bytes stay as they are, as do other types.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return _fixed_texts(array.storage, may_be_text=False)
        return to_plain_type(array.storage)
    if pa.types.is_dictionary(kind):
        values = to_plain_type(array.dictionary)
        if values is array.dictionary:
            return array
        return pa.DictionaryArray.from_arrays(array.indices, values)
    if pa.types.is_run_end_encoded(kind):
        return to_plain_type(pc.run_end_decode(array))
    if pa.types.is_duration(kind):
        return pc.divide(array.cast(pa.int64()).cast(pa.float64()), PER_SECOND[kind.unit])
    if pa.types.is_time(kind):
        return pc.replace_substring_regex(array.cast(pa.string()), ZEROS, r"\1")
    if pa.types.is_string_view(kind):
        return array.cast(pa.string())
    if pa.types.is_binary_view(kind):
        return array.cast(pa.binary())
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return _list_of_view(array)
    if pa.types.is_fixed_size_binary(kind) and kind.byte_width <= LONGEST:
        return _fixed_texts(array, may_be_text=True)
    return array


def without_view(array: pa.Array) -> pa.Array:
    """Return a view as strings, bytes or lists; any other type stays as it is."""
    import pyarrow as pa

    kind = array.type
    is_view = (
        pa.types.is_string_view(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_list_view(kind)
        or pa.types.is_large_list_view(kind)
    )
    return to_plain_type(array) if is_view else array


def bytes_of_invalid_text(array: pa.Array) -> pa.Array:
    """Return the array; text (or a dictionary of it) that is not all UTF-8 is returned as bytes."""
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        values = bytes_of_invalid_text(array.dictionary)
        if values is array.dictionary:
            return array
        return pa.DictionaryArray.from_arrays(array.indices, values)
    if not is_text_type(array.type):
        return array
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return array.cast(pa.binary() if pa.types.is_string(array.type) else pa.large_binary())
    return array


def _list_of_view(array: pa.Array) -> pa.Array:
    # pyarrow 26 casts such an array to an invalid one where it has nulls.
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return pa.LargeListArray.from_arrays(
        pa.array(offsets, pa.int64()), array.flatten(), mask=array.is_null()
    )


def _fixed_texts(array: pa.Array, *, may_be_text: bool) -> pa.Array:
    import pyarrow as pa

    return pa.array(
        [
            None if value is None else _fixed_text(value, may_be_text=may_be_text)
            for value in array.to_pylist()
        ],
        pa.string(),
    )


def _fixed_text(value: bytes, *, may_be_text: bool) -> str:
    if may_be_text:
        try:
            text = value.rstrip(b"\0 ").decode()
        except UnicodeDecodeError:
            text = ""
        if text.isprintable() and (text or not value.strip(b"\0 ")):
            return text
    return str(uuid.UUID(bytes=value)) if len(value) == UUID_BYTES else value.hex()
