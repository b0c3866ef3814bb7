"""Hashes of ids and values: the same on every machine, however the rows are batched.

Not cryptographic: the hashes spread rows evenly, they do not hide ids.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from driftline.types.arrays import Hashes

if TYPE_CHECKING:
    import pyarrow as pa

_A, _B, _SEED = (
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
    np.uint64(0x9E3779B97F4A7C15),
)
WORDS = 8
"""Words of 8 bytes that are mixed for all ids at once; longer ids are hashed one by one."""
_FIRST = np.array([(1 << (8 * byte)) - 1 for byte in range(9)], np.uint64)
"""The masks of the first n bytes of a word."""


def _mix(values: Hashes) -> Hashes:
    # splitmix64, Steele, Lea & Flood 2014
    values = (values ^ (values >> np.uint64(30))) * _A
    values = (values ^ (values >> np.uint64(27))) * _B
    return values ^ (values >> np.uint64(31))


NO_TEXT = np.uint64(_mix(np.array([_SEED]))[0])
"""The hash of the empty string, and of a row without an id."""


def hash_numbers(values: NDArray[np.float64]) -> Hashes:
    """Hash each number, shape (n,) to (n,); 0.0 and -0.0 have one hash."""
    return _mix(_mix((values + 0.0).view(np.uint64) + _SEED))


def hash_strings(ids: pa.Array) -> Hashes:
    """Hash each string of an Arrow array, shape (n,); nulls hash as the empty string."""
    import pyarrow as pa

    data = ids.cast(pa.large_binary()).fill_null(b"")
    offsets = np.frombuffer(data.buffers()[1], np.int64)[data.offset : data.offset + len(data) + 1]
    lengths = np.diff(offsets)
    words = int(min(WORDS, -(-int(lengths.max(initial=0)) // 8)))
    buffer = data.buffers()[2]
    content = np.concatenate(
        (
            np.frombuffer(buffer, np.uint8) if buffer else np.empty(0, np.uint8),
            np.zeros(8, np.uint8),
        )
    )
    hashes = _mix(_SEED + lengths.astype(np.uint64))
    at = np.ndarray(
        (len(content) - 7,), "<u8", content, strides=(1,)
    )  # the word that begins at each byte
    for word in range(words):
        left = np.clip(lengths - 8 * word, 0, 8)
        value = at[np.where(left > 0, offsets[:-1] + 8 * word, 0)] & _FIRST[left]
        hashes = np.where(left > 0, _mix(hashes ^ (value * _SEED)), hashes)
    for place in np.flatnonzero(lengths > 8 * WORDS).tolist():
        whole = content[offsets[place] : offsets[place + 1]].tobytes()
        hashes[place] = int.from_bytes(blake2b(whole, digest_size=8).digest(), "little")
    return hashes


def hash_positions(seed: int, first: int, rows: int) -> Hashes:
    """Hash rows without an id by their object (`seed`, 64 bits) and place; shape (rows,)."""
    places = np.arange(first, first + rows, dtype=np.uint64)
    return _mix(_mix(places + _SEED) ^ np.uint64(seed))
