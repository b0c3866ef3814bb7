"""How well a small model tells the rows of a window from those of the reference: the classifier
two-sample test.

(Lopez-Paz & Oquab 2017; ridge logistic regression by Böhning & Lindsay's 1988 bound.) Rows have
shape (n, p), standardised, in random order. Refuses to test on rows it was fitted on: five folds,
and the AUC is that within the folds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.stats.basics.estimate import Interval, logit_interval
from driftline.stats.basics.proportion import wilson
from driftline.stats.basics.sample import Floats
from driftline.stats.multivariate.domain import auc_null_se
from driftline.stats.performance.classification import roc_auc

FOLDS = 5
IMBALANCE = 4
LEAST = 10
"""Rows of each side, two for a fold."""
COLUMNS, PAIRS = 100, 8
RIDGE, STEPS, CLOSE = 1.0, 15, 0.01


class DomainAuc(NamedTuple):
    """How well the model tells both sides apart."""

    value: float
    """The chance that it takes a row of the window for newer than one of the reference: 0.5 when
    nothing tells them apart.
    """
    interval: Interval
    p_value: float
    """Of an AUC at least as large when nothing changed, by its normal law."""
    importance: Floats
    """What each column adds to the distance between both sides on the model's scale, shape (p,);
    negative where it misleads.
    """
    rows: tuple[int, int]
    """How many of each side were used: at most four of one for each of the other, the first
    ones.
    """


def domain_auc(ref: Floats, cur: Floats) -> DomainAuc | None:
    """Fit on four fifths, test on the rest, five times. None below ten rows of a side, or without
    columns.

    The model sees every column (the 100 most different ones of more), the products of the 8 pairs
    whose product the columns alone explain least, and the squares of those. All of that is chosen
    anew in each training part.

    A pair of rows in different folds counts twice, each once as test of the other. So when nothing
    changed the AUC varies twice as much as on rows that it was not fitted near: variance
    (n+m+1)/(6nm). The interval widens DeLong's in the same way.
    """
    n, m = (min(len(side), IMBALANCE * len(other)) for side, other in ((ref, cur), (cur, ref)))
    if min(n, m) < LEAST or not ref.shape[1]:
        return None
    rows = np.concatenate((ref[:n], cur[:m]))
    new = np.repeat((0.0, 1.0), (n, m))
    folds = np.concatenate((np.arange(n), np.arange(m))) % FOLDS
    importance = np.zeros(rows.shape[1])
    total = variance = weights = 0.0
    for fold in range(FOLDS):
        tested = folds == fold
        scores, told = _score(rows, new, tested)
        old = new[tested] == 0
        _, places = np.unique(scores, return_inverse=True)
        cells = int(places.max()) + 1
        found = roc_auc(
            np.bincount(places[old], minlength=cells), np.bincount(places[~old], minlength=cells)
        )
        assert found.value is not None
        assert found.se is not None
        weight = float(old.sum() * (~old).sum())
        total, variance = total + weight * found.value, variance + (weight * found.se) ** 2
        weights, importance = weights + weight, importance + told / FOLDS
    auc, se = total / weights, math.sqrt(2 * variance) / weights
    least = min(n, m)
    interval = (
        (logit_interval(auc, se) if se > 0 else None) or wilson(auc * least, least) or (0.0, 1.0)
    )
    return DomainAuc(auc, interval, _chance(auc, n, m), importance, (n, m))


def domain_auc_p_value(
    ref: Floats, cur: Floats, permutations: int, rng: np.random.Generator
) -> float | None:
    """The chance of an AUC at least as large when the rows are dealt out to both sides anew:
    (k+1)/(B+1).
    """
    found = domain_auc(ref, cur)
    if found is None:
        return None
    n, m = found.rows
    rows, beyond = np.concatenate((ref[:n], cur[:m])), 0
    for _ in range(permutations):
        dealt = rows[rng.permutation(n + m)]
        other = domain_auc(dealt[:n], dealt[n:])
        beyond += other is not None and other.value >= found.value - 1e-12
    return (beyond + 1) / (permutations + 1)


def _chance(auc: float, n: int, m: int) -> float:
    from scipy.special import ndtr

    return float(ndtr((0.5 - auc) / (math.sqrt(2) * (auc_null_se(n, m) or 1.0))))


def _score(rows: Floats, new: Floats, tested: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Scores of the tested rows, and how far each column drives both sides of them apart; fitted on
    all other rows.
    """
    fitted, y = rows[~tested], new[~tested]
    pull = np.abs((y - y.mean()) @ fitted)
    kept = np.sort(np.argsort(-pull, kind="stable")[:COLUMNS])
    x = fitted[:, kept]
    first, second = _pairs(x, y - y.mean())
    a, b = rows[:, kept[first]], rows[:, kept[second]]
    products = a * b
    centre, sd = products[~tested].mean(axis=0), products[~tested].std(axis=0)
    products = (products - centre) / np.where(sd > 1e-9, sd, np.inf)
    columns = np.concatenate((rows[:, kept], products), axis=1)
    weights = _fit(columns[~tested], y)
    parts = columns[tested] * weights[:-1]
    apart = parts[new[tested] == 1].mean(axis=0) - parts[new[tested] == 0].mean(axis=0)
    told = np.zeros(rows.shape[1])
    told[kept] += apart[: len(kept)]
    for side in (first, second):
        np.add.at(told, kept[side], apart[len(kept) :] / 2)
    scores: Floats = parts.sum(axis=1)
    return scores, told


def _pairs(x: Floats, y: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of columns whose product goes best with what the columns leave unexplained of y, and
    each of those with itself.
    """
    squares, products = x * x, x.T @ x
    left = y - x @ np.linalg.solve(products + 4 * RIDGE * np.eye(x.shape[1]), x.T @ y)
    spread = squares.T @ squares / len(x) - (products / len(x)) ** 2
    gain = np.abs((x * left[:, None]).T @ x) / np.sqrt(np.where(spread > 1e-9, spread, np.inf))
    first, second = np.triu_indices(x.shape[1])
    best = np.argsort(-gain[first, second], kind="stable")[:PAIRS]
    pairs = {(int(i), int(j)) for i, j in zip(first[best], second[best], strict=True)}
    pairs |= {(i, i) for pair in pairs for i in pair}
    chosen = np.array(sorted(pairs), np.int64)
    return chosen[:, 0], chosen[:, 1]


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
