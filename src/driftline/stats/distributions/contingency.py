"""Tests of two rows of counts: do both come from one distribution over the cells?

`ref` and `cur` are counts of shape (C,). Cells that are empty on both sides do not count. These are
tests of homogeneity, not of goodness of fit, because the reference is a sample too. With fewer than
two cells, or a side without rows, the result is None.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from driftline.types.arrays import Floats


class TableTest(NamedTuple):
    """A test of a 2 x C table."""

    statistic: float
    df: int
    p_value: float
    expected: float
    """The smallest expected count of a cell.

    Below 1, or below 5 in a fifth of the cells, the p-value is rough.
    """
    rows: int
    """Of both sides."""


def chi_square(ref: ArrayLike, cur: ArrayLike) -> TableTest | None:
    """Pearson's chi-square, sum of (observed - expected)^2 / expected, no continuity correction."""
    from scipy.special import chdtrc

    table = _table(ref, cur)
    if table is None:
        return None
    expected = _expected(table)
    statistic = float(np.sum((table - expected) ** 2 / expected))
    df = table.shape[1] - 1
    return TableTest(
        statistic, df, float(chdtrc(df, statistic)), float(expected.min()), int(table.sum())
    )


def g_test(ref: ArrayLike, cur: ArrayLike) -> TableTest | None:
    """The likelihood ratio, 2 sum of observed ln(observed/expected)."""
    from scipy.special import chdtrc, xlogy

    table = _table(ref, cur)
    if table is None:
        return None
    expected = _expected(table)
    statistic = max(0.0, 2 * float(np.sum(xlogy(table, table / expected))))
    df = table.shape[1] - 1
    return TableTest(
        statistic, df, float(chdtrc(df, statistic)), float(expected.min()), int(table.sum())
    )


def cramers_v(ref: ArrayLike, cur: ArrayLike, bias_corrected: bool = False) -> float | None:
    """Cramér's V, sqrt(chi2 / n), for a table of two rows, in [0, 1].

    `bias_corrected` applies the correction of Bergsma (2013).
    """
    test = chi_square(ref, cur)
    return None if test is None else cramers_v_of(test, bias_corrected)


def cramers_v_of(test: TableTest, bias_corrected: bool = False) -> float | None:
    """The same from Pearson's test, where that is known already."""
    n, cells = test.rows, test.df + 1
    if not bias_corrected:
        return math.sqrt(test.statistic / n)
    if n <= 1:
        return None
    phi2 = max(0.0, test.statistic / n - (cells - 1) / (n - 1))
    rows, columns = 2 - 1 / (n - 1), cells - (cells - 1) ** 2 / (n - 1)
    smaller = min(rows, columns) - 1
    return min(1.0, math.sqrt(phi2 / smaller)) if smaller > 0 else None


def cohen_w(ref: ArrayLike, cur: ArrayLike) -> float | None:
    """Cohen's w: square root of the sum of (q - p)^2 / p, with the shares p of the reference.

    None when the reference has no rows in a cell of the window.
    """
    table = _table(ref, cur)
    if table is None or np.any(table[0] == 0):
        return None
    p, q = table[0] / table[0].sum(), table[1] / table[1].sum()
    return math.sqrt(float(np.sum((q - p) ** 2 / p)))


def _table(ref: ArrayLike, cur: ArrayLike) -> Floats | None:
    table = np.array([np.asarray(ref, dtype=np.float64), np.asarray(cur, dtype=np.float64)])
    table = table[:, table.sum(axis=0) > 0]
    return table if table.shape[1] >= 2 and np.all(table.sum(axis=1) > 0) else None


def _expected(table: Floats) -> Floats:
    expected: Floats = table.sum(axis=1)[:, None] * table.sum(axis=0) / table.sum()
    return expected
