"""The canonical batch, which every collector is updated with.

Holds cast values only: `ingest` casts raw values once, before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows in canonical columns: float64 or dictionary-encoded strings, with nulls."""

    rows: int
    columns: dict[str, pa.Array]
    """By canonical name, shape (rows,); a column that the records lack counts as all null."""
    invalid: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Masks (rows,) of values that could not be cast, null in `columns`; only where any are."""
    events: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Event times, microseconds since the epoch, UTC; int64, shape (rows,)."""
    hashes: NDArray[np.uint64] | None = None
    """A hash of each row's identity, where a collector samples; uint64, shape (rows,)."""
    joins: NDArray[np.uint64] | None = None
    """A hash of the id that each row's label has, where labels come later, 0 for none; (rows,)."""


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Rows whose labels came later, with facts about these labels."""

    batch: Batch
    """The columns of prediction, score and label, as far as there are any."""
    delays: NDArray[np.int64]
    """Microseconds from each prediction to its first label, at least 0; shape (rows,)."""
    is_corrected: NDArray[np.bool_]
    """Whether the row got labels of different values; shape (rows,)."""
    is_contradictory: NDArray[np.bool_]
    """Whether the row's newest labels, of one and the same time, differ; shape (rows,)."""
