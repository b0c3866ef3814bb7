"""Packs the state of a collector to canonical, small bytes of a stated version."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from driftline.profiles.window import Counts


def pack(content: Any) -> bytes:
    """Encode plain values as MessagePack; floats keep their bits."""
    return msgspec.msgpack.encode((1, content))


def unpack(data: bytes) -> Any:
    """The inverse of `pack`. Raises ValueError for another version."""
    version, content = msgspec.msgpack.decode(data)
    if version != 1:
        raise ValueError(f"profile bytes of version {version}")
    return content


def pack_counts(counts: Counts) -> tuple[int, bytes, bytes]:
    """A sparse form of counts: length, places of those that are not 0, and their values."""
    places = np.flatnonzero(counts)
    return len(counts), narrow(places), narrow(counts[places])


def unpack_counts(content: tuple[int, bytes, bytes]) -> Counts:
    """The inverse of `pack_counts`."""
    length, places, values = content
    counts = np.zeros(length, np.int64)
    counts[widen(places)] = widen(values)
    return counts


def narrow(values: Counts) -> bytes:
    """Pack integers >= 0, each in as many bytes as the largest needs (1, 2, 4 or 8)."""
    width = next((w for w in (1, 2, 4) if not len(values) or values.max() < 1 << (8 * w)), 8)
    return bytes([width]) + values.astype(f"<u{width}").tobytes()


def widen(data: bytes) -> Counts:
    """The inverse of `narrow`."""
    return np.frombuffer(data, f"<u{data[0]}", offset=1).astype(np.int64)
