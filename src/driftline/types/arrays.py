"""Types of numpy arrays, and of columns of plain values, that every part uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""Floating point numbers, of any shape."""
Hashes = NDArray[np.uint64]
"""Hashes of record ids or values, shape (rows,)."""
Ints = NDArray[np.int64]
"""Whole numbers, such as places of rows, of any shape."""
Mask = NDArray[np.bool_]
"""Whether something holds, such as a row being labelled, of any shape."""
Columns = Mapping[str, Sequence[Any]]
"""Values of each column, such as numbers or text, one for each row; None where one is missing."""
