"""A hash of each row's identity: the same on every machine, however the rows are batched.

Refuses cryptography: it spreads rows evenly, it does not hide them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

Hashes = NDArray[np.uint64]
_A, _B, _SEED = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB), np.uint64(0x9E3779B97F4A7C15)
WORDS = 8
"""Bytes beyond 8 words of an id count by their number only."""


def _mix(values: Hashes) -> Hashes:
    # splitmix64, Steele, Lea & Flood 2014
    values = (values ^ (values >> np.uint64(30))) * _A
    values = (values ^ (values >> np.uint64(27))) * _B
    return values ^ (values >> np.uint64(31))


def hash_strings(ids: pa.Array) -> Hashes:
    """One hash for each string of an Arrow string array, shape (n,); nulls hash as the empty string."""
    import pyarrow as pa

    data = ids.cast(pa.large_binary()).fill_null(b"")
    offsets = np.frombuffer(data.buffers()[1], np.int64)[data.offset : data.offset + len(data) + 1]
    lengths = np.diff(offsets)
    words = int(min(WORDS, -(-int(lengths.max(initial=0)) // 8)))
    buffer = data.buffers()[2]
    content = np.concatenate((np.frombuffer(buffer, np.uint8) if buffer else np.empty(0, np.uint8), np.zeros(8, np.uint8)))
    hashes = _mix(_SEED + lengths.astype(np.uint64))
    for word in range(words):
        starts = offsets[:-1] + 8 * word
        left = np.clip(lengths - 8 * word, 0, 8)
        value = np.zeros(len(lengths), np.uint64)
        for byte in range(8):
            inside = left > byte
            picked = content[np.where(inside, starts + byte, 0)].astype(np.uint64)
            value |= np.where(inside, picked << np.uint64(8 * byte), np.uint64(0))
        hashes = np.where(left > 0, _mix(hashes ^ (value * _SEED)), hashes)
    return hashes


def hash_positions(seed: int, first: int, rows: int) -> Hashes:
    """For rows without an id: a hash of the object (`seed`, 64 bits) and the place in it."""
    places = np.arange(first, first + rows, dtype=np.uint64)
    return _mix(_mix(places + _SEED) ^ np.uint64(seed))
