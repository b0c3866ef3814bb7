"""Turns scores into probabilities with the labels of a reference: isotonic regression.

Zadrozny and Elkan (2002). Scores are counted on cells, see `ScoreCells`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from driftline.stats.performance.calibration import ScoreCells
from driftline.types.arrays import Floats


def calibrated_probabilities(cells: ScoreCells, scores: ArrayLike) -> Floats:
    """The probability of a positive label at each score: rising, linear between the cells.

    Args:
        cells: Labelled scores of the reference; at least one cell.
        scores: Scores, shape (C,).

    Returns:
        Probabilities, shape (C,); those of the outermost cells beyond them.
    """
    from scipy.optimize import isotonic_regression

    rate = cells.positives / cells.rows
    rising = isotonic_regression(rate, weights=cells.rows).x
    probabilities: Floats = np.interp(np.asarray(scores, np.float64), cells.score, rising)
    return np.clip(probabilities, 0.0, 1.0)


def resampled_probabilities(
    cells: ScoreCells, scores: ArrayLike, repeats: int, rng: np.random.Generator
) -> Floats:
    """The same from labels drawn anew, shape (repeats, C): how sure the calibration is.

    The labels of each cell are drawn with the calibrated probability of the cell.
    """
    rates = calibrated_probabilities(cells, cells.score)
    rows = np.rint(cells.rows).astype(np.int64)
    return np.stack(
        [
            calibrated_probabilities(
                cells._replace(positives=rng.binomial(rows, rates).astype(np.float64)), scores
            )
            for _ in range(repeats)
        ]
    )
