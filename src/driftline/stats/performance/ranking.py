"""Metrics of ranked items, for one query each.

Relevance of the items, shape (n,), best rank first; an item is relevant above 0. `k` items count. A
query without a relevant item has no value where the metric divides by their number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from driftline.types.arrays import Floats


def ndcg_at(relevance: ArrayLike, k: int) -> float | None:
    """Discounted gain over that of the best order (Järvelin and Kekäläinen 2002)."""
    gains = np.asarray(relevance, np.float64)
    best = _discounted(np.sort(gains)[::-1][:k])
    return _discounted(gains[:k]) / best if best > 0 else None


def average_precision_at(relevance: ArrayLike, k: int) -> float | None:
    """Mean of the precision at each relevant item, over as many as `k` items can hold."""
    is_relevant = _relevant(relevance)
    total = min(int(is_relevant.sum()), k)
    if not total:
        return None
    top = is_relevant[:k]
    return float(np.sum(top * np.cumsum(top) / np.arange(1, len(top) + 1))) / total


def reciprocal_rank(relevance: ArrayLike, k: int) -> float | None:
    """1 over the rank of the first relevant item; 0 when the first `k` hold none."""
    is_relevant = _relevant(relevance)
    if not is_relevant.any():
        return None
    places = np.flatnonzero(is_relevant[:k])
    return 1.0 / (int(places[0]) + 1) if len(places) else 0.0


def hit(relevance: ArrayLike, k: int) -> float | None:
    """1 when the first `k` items hold a relevant one, else 0."""
    is_relevant = _relevant(relevance)
    return float(is_relevant[:k].any()) if is_relevant.any() else None


def precision_at(relevance: ArrayLike, k: int) -> float | None:
    """Share of relevant items among the first `k`; missing items are not relevant."""
    return float(_relevant(relevance)[:k].sum()) / k if k > 0 else None


def recall_at(relevance: ArrayLike, k: int) -> float | None:
    """Share of the relevant items that are among the first `k`."""
    is_relevant = _relevant(relevance)
    total = float(is_relevant.sum())
    return float(is_relevant[:k].sum()) / total if total else None


def f_beta_at(relevance: ArrayLike, k: int, beta: float = 1.0) -> float | None:
    """F score of precision and recall at `k`."""
    precision, recall = precision_at(relevance, k), recall_at(relevance, k)
    if precision is None or recall is None:
        return None
    weight = beta * beta
    whole = weight * precision + recall
    return (1 + weight) * precision * recall / whole if whole > 0 else 0.0


def _relevant(relevance: ArrayLike) -> Floats:
    return (np.asarray(relevance, np.float64) > 0).astype(np.float64)


def _discounted(gains: Floats) -> float:
    return float(np.sum(gains / np.log2(np.arange(2, len(gains) + 2))))
