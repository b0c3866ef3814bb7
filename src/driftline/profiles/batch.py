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
    """Rows in canonical columns: numeric ones float64, categorical ones dictionary-encoded strings,
    nulls marked.
    """

    rows: int
    columns: dict[str, pa.Array]
    """By canonical name; a column that the records lack is absent here and counts as all null."""
    invalid: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Rows whose value could not be cast (null in `columns`); only for columns that have such
    rows.
    """
    events: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Event times, microseconds since the epoch, UTC; shape (rows,)."""
    hashes: NDArray[np.uint64] | None = None
    """A hash of each row's identity, where a collector samples; shape (rows,)."""
    joins: NDArray[np.uint64] | None = None
    """A hash of the id by which each row's label comes, where labels come later; 0 where there is
    none; shape (rows,).
    """


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Rows whose labels came later, and what became known of these."""

    batch: Batch
    """Only prediction, score and label, as far as there are such columns."""
    delays: NDArray[np.int64]
    """Microseconds from each prediction to its first label, 0 at least; shape (rows,)."""
    is_corrected: NDArray[np.bool_]
    """Whether labels of different values came for the row; shape (rows,)."""
    is_contradictory: NDArray[np.bool_]
    """Whether its newest labels, of one and the same time, differ; shape (rows,)."""
