"""The canonical batch: what every collector is fed.

Refuses raw values: casting is done before, once, by ingest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows in canonical columns: numeric ones float64, categorical ones dictionary-encoded strings, nulls marked."""

    rows: int
    columns: dict[str, pa.Array]
    """By canonical name; a column that the records lack is absent here and counts as all null."""
    invalid: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Rows whose value could not be cast (null in `columns`); only for columns that have such rows."""
    events: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Event times, microseconds since the epoch, UTC; shape (rows,)."""
    hashes: NDArray[np.uint64] | None = None
    """A hash of each row's identity, where a collector samples; shape (rows,)."""
