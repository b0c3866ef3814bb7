"""How much more often inputs like those of a reference row occur in a window: density ratios.

The odds of a logistic regression that tells both sides apart, with ridge penalty (Bickel, Brückner
and Scheffer 2009). Rows have shape (n, p), standardised.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from driftline.types.arrays import Floats

MOST_WEIGHT = 50.0
"""The largest weight, and the inverse of the smallest."""
LEAST = 10
"""Rows of each side below which there are no weights."""
COLUMNS = 50
"""Columns above which only those are used whose means differ most."""
RIDGE, STEPS, CLOSE = 1.0, 25, 1e-6


class ImportanceWeights(NamedTuple):
    """Weights of the rows of a reference, mean 1, shape (n,)."""

    values: Floats

    @property
    def effective_rows(self) -> float:
        """Rows of equal weight with the same variance: square of the sum over sum of squares."""
        return float(self.values.sum() ** 2 / np.sum(self.values**2))


def importance_weights(ref: Floats, cur: Floats) -> ImportanceWeights | None:
    """Return the weights that make the rows of `ref` like those of `cur`.

    The inputs of the regression are the columns and their squares. None below ten rows of a side,
    or without columns.
    """
    n, m = len(ref), len(cur)
    if min(n, m) < LEAST or not ref.shape[1]:
        return None
    gap = np.abs(ref.mean(axis=0) - cur.mean(axis=0))
    columns = np.sort(np.argsort(-gap, kind="stable")[:COLUMNS])
    x = np.concatenate((ref[:, columns], cur[:, columns]))
    x = np.concatenate((x, x**2), axis=1)
    spread = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    odds = np.exp(np.clip(_logits(x, np.repeat((0.0, 1.0), (n, m)))[:n], -30, 30)) * n / m
    weights = np.clip(odds, 1 / MOST_WEIGHT, MOST_WEIGHT)
    return ImportanceWeights(weights / weights.mean())


def _logits(x: Floats, new: Floats) -> Floats:
    """Return the fitted logits of each row, by Newton's method."""
    design = np.concatenate((np.ones((len(x), 1)), x), axis=1)
    penalty = RIDGE * np.eye(design.shape[1])
    penalty[0, 0] = 0.0
    beta = np.zeros(design.shape[1])
    beta[0] = np.log(new.mean() / (1 - new.mean()))
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        information = design.T @ ((p * (1 - p))[:, None] * design) + penalty
        step = np.linalg.solve(information, design.T @ (new - p) - penalty @ beta)
        beta = beta + step
        if float(np.abs(step).max()) < CLOSE:
            break
    logits: Floats = design @ beta
    return logits
