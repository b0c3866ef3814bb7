"""Chooses the settings of windows for a log: their length, and which of them send messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from driftline.ingest.columns.timestamps import to_micros
from driftline.types.model import Schema
from driftline.types.times import as_micros
from driftline.types.window_lengths import LENGTHS

ENOUGH_ROWS = 120
"""Rows that a window should have: the distances of `drift` need 100."""
NEWS = timedelta(days=1)
"""A log whose newest row is older is one of the past."""
BACKFILL = timedelta(days=90)
"""The default of windows.backfill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowChoice:
    """Settings of windows, as the configuration writes them."""

    length: str = "1h"
    notify_within: str = "24h"
    """`null` for a log of the past."""
    reads_all: bool = False
    """Whether windows before the default of backfill are to be read."""


def choose_windows(
    batches: Sequence[pa.RecordBatch],
    schema: Schema,
    now: datetime,
    oldest_batches: Sequence[pa.RecordBatch] = (),
) -> WindowChoice:
    """Return the settings for a log of these records, which include its newest ones.

    `oldest_batches` are the first records of its oldest object.
    """
    times = _times(batches, schema)
    if not times:
        return WindowChoice()
    newest = max(int(stamps.max()) for stamps in times)
    oldest = min(int(stamps.min()) for stamps in [*times, *_times(oldest_batches, schema)])
    is_past = as_micros(now) - newest > NEWS // timedelta(microseconds=1)
    is_old = as_micros(now) - oldest > BACKFILL // timedelta(microseconds=1)
    return WindowChoice(
        length=_length(times),
        notify_within="null" if is_past else "24h",
        reads_all=is_past and is_old,
    )


def _times(batches: Sequence[pa.RecordBatch], schema: Schema) -> list[np.ndarray]:
    """Return the usable times of each batch that has any, in microseconds."""
    column = None if schema.timestamp is None else schema.timestamp.path
    times = [
        micros[usable & (micros > 0)]
        for batch in batches
        if column is not None and column in batch.schema.names
        for micros, usable in [to_micros(batch.column(column), schema.time_form)]
    ]
    return [stamps for stamps in times if len(stamps)]


def _length(times: Sequence[np.ndarray]) -> str:
    """Return the shortest length whose windows have enough rows, else the longest.

    The rate is the lower one of that within the batches and that over all: rows may come in
    bursts, and of a long file only the beginning is known.
    """
    together = np.concatenate(times)
    rates = [_rate(together), float(np.median([_rate(stamps) for stamps in times]))]
    rate = min(rates)
    for text, length in LENGTHS.items():
        if rate * length >= ENOUGH_ROWS:
            return text
    return list(LENGTHS)[-1]


def _rate(stamps: np.ndarray) -> float:
    """Return the rows per microsecond."""
    span = int(stamps.max() - stamps.min())
    return len(stamps) / span if span else float("inf")
