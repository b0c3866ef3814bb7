"""Losses, ranks and score grids of the probabilities of several classes.

The score collector has one `ProbabilityCounts`; it is no collector of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.profiles.exact import ExactSum
from driftline.profiles.packing import pack_counts, unpack_counts
from driftline.profiles.window import ClassProbabilities
from driftline.types.arrays import Floats

CLIP = 1e-15
"""The least probability that the logarithmic loss takes, so that it is finite."""
ROUNDING = 1e-6
"""How far a probability may lie outside of 0 to 1 by rounding, in 32 bits for example."""
SUM_ROUNDING = 0.01
"""How far the sum of the probabilities of a row may be from 1, where they are rounded."""
CELLS_PER_UNIT, MAX_LOGIT = 64, 36
"""Cells of the logit of a probability: 64 for each unit from -36 to 36."""
CELLS = 2 * CELLS_PER_UNIT * MAX_LOGIT + 1
SUMS = ("log_loss", "log_loss2", "brier", "brier2")


class ProbabilityCounts:
    """Counts over rows with a label and a probability of every class."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)
        self._n = self._improper = 0
        self.unseen = 0
        """Labelled rows whose label is none of the classes."""
        self._sums = {name: ExactSum() for name in SUMS}
        shape = len(self._classes), CELLS
        self._negatives, self._positives = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self._ranks = np.zeros(len(self._classes), np.int64)

    def add(self, probabilities: Floats, labels: NDArray[np.int64]) -> None:
        """Add rows: probabilities, finite, shape (n, classes), and the place of the true class."""
        p, rows = probabilities, len(labels)
        if not rows:
            return
        self._n += rows
        is_outside = ((p < -ROUNDING) | (p > 1 + ROUNDING)).any(axis=1)
        self._improper += int((is_outside | (np.abs(p.sum(axis=1) - 1) > SUM_ROUNDING)).sum())
        own = p[np.arange(rows), labels]
        is_own = np.arange(len(self._classes)) == labels[:, None]
        with np.errstate(over="ignore"):
            brier = ((p - is_own) ** 2).sum(axis=1)
            losses = -np.log(np.clip(own, CLIP, 1))
            for name, values in zip(SUMS, (losses, losses**2, brier, brier**2), strict=True):
                self._sums[name].add(min(float(values.sum()), 1e300))
        # Of equal probabilities the later class stands first, as in scikit-learn.
        places = np.arange(len(self._classes))
        before = (p > own[:, None]) | ((p == own[:, None]) & (places > labels[:, None]))
        self._ranks += np.bincount(before.sum(axis=1), minlength=len(self._ranks))
        cells = _cells(p)
        for place in range(len(self._classes)):
            is_class = labels == place
            self._positives[place] += np.bincount(cells[is_class, place], minlength=CELLS)
            self._negatives[place] += np.bincount(cells[~is_class, place], minlength=CELLS)

    def merge(self, other: ProbabilityCounts) -> None:
        """Add other counts, which do not change."""
        self._n += other._n
        self._improper += other._improper
        self.unseen += other.unseen
        for name, total in other._sums.items():
            self._sums[name].merge(total)
        self._negatives = self._negatives + other._negatives
        self._positives = self._positives + other._positives
        self._ranks = self._ranks + other._ranks

    def summary(self) -> ClassProbabilities:
        """The counts and sums as values."""
        return ClassProbabilities(
            classes=self._classes,
            n=self._n,
            improper=self._improper,
            unseen=self.unseen,
            negatives=self._negatives,
            positives=self._positives,
            ranks=self._ranks,
            **{name: total.value for name, total in self._sums.items()},
        )

    def state(self) -> tuple[object, ...]:
        """The canonical form."""
        return (
            (self._n, self._improper, self.unseen),
            [total.partials() for total in self._sums.values()],
            pack_counts(self._negatives.ravel()),
            pack_counts(self._positives.ravel()),
            self._ranks.tolist(),
        )

    @classmethod
    def restore(cls, state: Sequence[Any], classes: Sequence[str]) -> ProbabilityCounts:
        """The inverse of `state` for the same classes."""
        counts = cls(classes)
        numbers, sums, negatives, positives, ranks = state
        counts._n, counts._improper, counts.unseen = numbers
        counts._sums = {name: ExactSum(parts) for name, parts in zip(SUMS, sums, strict=True)}
        shape = counts._negatives.shape
        counts._negatives = unpack_counts(negatives).reshape(shape)
        counts._positives = unpack_counts(positives).reshape(shape)
        counts._ranks = np.array(ranks, np.int64)
        return counts


def _cells(p: Floats) -> NDArray[np.int64]:
    """The cell of each probability, in the order of its logit; shape (n, classes)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.clip(p, 0.0, 1.0)
        logits = np.clip(np.log(inside) - np.log1p(-inside), -MAX_LOGIT, MAX_LOGIT)
    cells: NDArray[np.int64] = np.floor((logits + MAX_LOGIT) * CELLS_PER_UNIT).astype(np.int64)
    return cells
