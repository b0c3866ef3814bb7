"""Principal components of a reference, and how well they describe other rows.

They show a column that lost its relation to the others, even when its own distribution is the same.
Rows have shape (n, d), all finite: the caller imputes and encodes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.types.arrays import Floats


class Components(NamedTuple):
    """What was learnt from a reference of n rows and d columns."""

    mean: Floats
    """Shape (d,)."""
    scale: Floats
    """Standard deviations, ddof 0, shape (d,); 1 for a constant column."""
    axes: Floats
    """The components kept, one a row, each of length 1; shape (k, d)."""
    explained: float
    """Share of the variance that they keep, in (0, 1]."""

    def errors(self, rows: ArrayLike) -> Floats:
        """Distance of each row from its reconstruction, in standard deviations; shape (n,).

        The standard deviations are those of the reference.
        """
        distances: Floats = np.sqrt(np.sum(self.residuals(rows) ** 2, axis=1))
        return distances

    def residuals(self, rows: ArrayLike) -> Floats:
        """Each value minus its reconstruction, in deviations of the reference; shape (n, d)."""
        z = (
            np.asarray(rows, dtype=np.float64).reshape(-1, len(self.mean)) - self.mean
        ) / self.scale
        left: Floats = z - z @ self.axes.T @ self.axes
        return left


def principal_components(
    rows: ArrayLike, share: float = 0.65, count: int | None = None
) -> Components | None:
    """Fit the fewest components of the standardised rows that keep `share` of the variance.

    With `count`, fit that many. None below two rows, or when every column is constant.
    """
    x = np.asarray(rows, dtype=np.float64)
    if x.ndim != 2 or len(x) < 2:
        return None
    mean, scale = x.mean(axis=0), x.std(axis=0)
    # The mean of equal values can be off by a rounding error, which is no spread.
    varies = scale > 1e-13 * np.abs(x).max(axis=0)
    if not varies.any():
        return None
    scale = np.where(varies, scale, 1.0)
    z = np.where(varies, (x - mean) / scale, 0.0)
    variances, vectors = np.linalg.eigh(z.T @ z / len(x))
    variances, vectors = np.maximum(variances[::-1], 0.0), vectors[:, ::-1]
    cumulative_share = np.cumsum(variances) / variances.sum()
    k = int(np.searchsorted(cumulative_share, share - 1e-12) + 1) if count is None else count
    k = min(max(k, 1), len(cumulative_share))
    return Components(mean, scale, vectors[:, :k].T, float(cumulative_share[k - 1]))
