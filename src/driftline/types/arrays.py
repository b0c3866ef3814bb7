"""Types of numpy arrays that every part uses."""

from __future__ import annotations

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
