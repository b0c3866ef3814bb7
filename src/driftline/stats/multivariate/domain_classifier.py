"""The classifier two-sample test: a small model separates a window from its reference.

Lopez-Paz and Oquab (2017); ridge logistic regression by the bound of Böhning and Lindsay (1988).
Rows have shape (n, p), standardised, in random order. No row is tested by a model that learnt from
it: there are five folds, and the AUC is that within the folds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.stats.basics.estimate import Interval, logit_interval
from driftline.stats.basics.proportion import wilson
from driftline.stats.multivariate.domain import auc_null_se
from driftline.stats.performance.classification import roc_auc
from driftline.types.arrays import Floats

FOLDS = 5
IMBALANCE = 4
LEAST = 10
"""Rows of each side, two for a fold."""
COLUMNS, PAIRS = 100, 8
RIDGE, STEPS, CLOSE = 1.0, 15, 0.01


class DomainAuc(NamedTuple):
    """How well the model tells both sides apart."""

    value: float
    """Probability that a row of the window gets a higher score than one of the reference.

    0.5 when nothing separates them.
    """
    interval: Interval
    p_value: float
    """Of an AUC at least as large when nothing changed, by its normal law."""
    importance: Floats
    """Contribution of each column to the distance between both sides, shape (p,).

    On the scale of the model; negative where a column misleads.
    """
    rows: tuple[int, int]
    """Rows used of each side: at most four of one for each of the other, the first ones."""


def domain_auc(ref: Floats, cur: Floats) -> DomainAuc | None:
    """Fit on four fifths, test on the rest, five times.

    The inputs are every column (of more than 100 the 100 that differ most), the products of the 8
    pairs whose product the columns alone explain least, and the squares of those columns. Each
    training part chooses them again. None below ten rows of a side, or without columns.

    A pair of rows in different folds counts twice, each once as test of the other. So without
    change the AUC varies twice as much as on rows that are independent of the fit: variance
    (n+m+1)/(6nm). The interval widens DeLong's in the same way.
    """
    n, m = (
        min(len(side), IMBALANCE * len(opposite)) for side, opposite in ((ref, cur), (cur, ref))
    )
    if min(n, m) < LEAST or not ref.shape[1]:
        return None
    rows = np.concatenate((ref[:n], cur[:m]))
    new = np.repeat((0.0, 1.0), (n, m))
    folds = np.concatenate((np.arange(n), np.arange(m))) % FOLDS
    importance = np.zeros(rows.shape[1])
    total = variance = weights = 0.0
    for fold in range(FOLDS):
        held_out = folds == fold
        scores, contributions = _score(rows, new, held_out)
        old = new[held_out] == 0
        _, places = np.unique(scores, return_inverse=True)
        cells = int(places.max()) + 1
        fold_auc = roc_auc(
            np.bincount(places[old], minlength=cells), np.bincount(places[~old], minlength=cells)
        )
        assert fold_auc.value is not None
        assert fold_auc.se is not None
        weight = float(old.sum() * (~old).sum())
        total, variance = total + weight * fold_auc.value, variance + (weight * fold_auc.se) ** 2
        weights, importance = weights + weight, importance + contributions / FOLDS
    auc, se = total / weights, math.sqrt(2 * variance) / weights
    least = min(n, m)
    interval = (
        (logit_interval(auc, se) if se > 0 else None) or wilson(auc * least, least) or (0.0, 1.0)
    )
    return DomainAuc(auc, interval, _chance(auc, n, m), importance, (n, m))


def domain_auc_p_value(
    ref: Floats, cur: Floats, permutations: int, rng: np.random.Generator
) -> float | None:
    """P-value of a permutation test: rows are assigned to both sides at random, (k+1)/(B+1)."""
    observed_auc = domain_auc(ref, cur)
    if observed_auc is None:
        return None
    n, m = observed_auc.rows
    rows, beyond = np.concatenate((ref[:n], cur[:m])), 0
    for _ in range(permutations):
        dealt = rows[rng.permutation(n + m)]
        permuted_auc = domain_auc(dealt[:n], dealt[n:])
        beyond += permuted_auc is not None and permuted_auc.value >= observed_auc.value - 1e-12
    return (beyond + 1) / (permutations + 1)


def _chance(auc: float, n: int, m: int) -> float:
    from scipy.special import ndtr

    return float(ndtr((0.5 - auc) / (math.sqrt(2) * (auc_null_se(n, m) or 1.0))))


def _score(rows: Floats, new: Floats, held_out: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Scores of the tested rows, and how far each column separates both sides.

    The model is fitted on all other rows.
    """
    training_rows, y = rows[~held_out], new[~held_out]
    pull = np.abs((y - y.mean()) @ training_rows)
    selected = np.sort(np.argsort(-pull, kind="stable")[:COLUMNS])
    x = training_rows[:, selected]
    first, second = _pairs(x, y - y.mean())
    a, b = rows[:, selected[first]], rows[:, selected[second]]
    products = a * b
    centre, sd = products[~held_out].mean(axis=0), products[~held_out].std(axis=0)
    products = (products - centre) / np.where(sd > 1e-9, sd, np.inf)
    columns = np.concatenate((rows[:, selected], products), axis=1)
    weights = _fit(columns[~held_out], y)
    parts = columns[held_out] * weights[:-1]
    apart = parts[new[held_out] == 1].mean(axis=0) - parts[new[held_out] == 0].mean(axis=0)
    contributions = np.zeros(rows.shape[1])
    contributions[selected] += apart[: len(selected)]
    for side in (first, second):
        np.add.at(contributions, selected[side], apart[len(selected) :] / 2)
    scores: Floats = parts.sum(axis=1)
    return scores, contributions


def _pairs(x: Floats, y: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of columns whose product correlates most with the residual of y.

    Also each column of those pairs with itself.
    """
    squares, products = x * x, x.T @ x
    left = y - x @ np.linalg.solve(products + 4 * RIDGE * np.eye(x.shape[1]), x.T @ y)
    spread = squares.T @ squares / len(x) - (products / len(x)) ** 2
    gain = np.abs((x * left[:, None]).T @ x) / np.sqrt(np.where(spread > 1e-9, spread, np.inf))
    first, second = np.triu_indices(x.shape[1])
    best = np.argsort(-gain[first, second], kind="stable")[:PAIRS]
    pairs = {(int(i), int(j)) for i, j in zip(first[best], second[best], strict=True)}
    pairs |= {(i, i) for pair in pairs for i in pair}
    ranked_pairs = np.array(sorted(pairs), np.int64)
    return ranked_pairs[:, 0], ranked_pairs[:, 1]


def _fit(x: Floats, y: Floats) -> Floats:
    """Weights of ridge logistic regression, the intercept last and free; shape (p+1,)."""
    x = np.concatenate((x, np.ones((len(x), 1))), axis=1)
    ridge = np.full(x.shape[1], RIDGE)
    ridge[-1] = 1e-6
    # No curvature of the likelihood exceeds this one, so every step goes up.
    step_by = np.linalg.inv(x.T @ x / 4 + np.diag(ridge))
    weights = np.zeros(x.shape[1])
    weights[-1] = math.log(y.mean() / (1 - y.mean()))
    for _ in range(STEPS):
        step = step_by @ (
            x.T @ (y - 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))) - ridge * weights
        )
        weights += step
        if np.abs(step).max() < CLOSE:
            break
    return weights
