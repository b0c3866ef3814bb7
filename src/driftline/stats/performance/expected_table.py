"""The table of labels and predictions of rows without labels, from how often each label comes with
each prediction.

It holds while each prediction means what it did: then only the mix of predictions changes.
"""

from __future__ import annotations

import numpy as np

from driftline.types.arrays import Floats


def expected_table(label_counts: Floats, rows: Floats) -> Floats:
    """Return the expected rows by prediction and label, shape (K, L).

    Args:
        label_counts: Known rows by prediction and label, shape (K, L), one of each at least.
        rows: Rows without a label by prediction, shape (K,).

    Returns:
        Rows, which sum to `rows` over the labels.
    """
    table: Floats = rows[:, None] * label_counts / label_counts.sum(axis=1, keepdims=True)
    return table


def resampled_tables(
    label_counts: Floats, rows: Floats, repeats: int, rng: np.random.Generator
) -> Floats:
    """Return tables with labels drawn anew, shape (repeats, K, L).

    Both are drawn, the known rows and the labels of the others: the tables differ by as much as the
    real table differs from `expected_table`.
    """
    known = np.rint(label_counts.sum(axis=1)).astype(np.int64)
    whole = np.rint(rows).astype(np.int64)
    share = label_counts / label_counts.sum(axis=1, keepdims=True)
    tables = []
    for _ in range(repeats):
        drawn = rng.multinomial(known, share) / known[:, None]
        tables.append(rng.multinomial(whole, drawn).astype(np.float64))
    return np.stack(tables)
