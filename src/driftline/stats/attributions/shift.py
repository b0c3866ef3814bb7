"""Significance of a change of importances, from mean sizes of attributions and their errors.

Signs do not count: the importance of a feature is the mean size of its attributions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from driftline.stats.attributions.importance import mass_moved, ndcg, spearman
from driftline.stats.distributions.shift import Shift
from driftline.types.arrays import Floats

DRAWS = 400
TINY = 1e-300


class MeanSize(NamedTuple):
    """The mean of |x| over the values of a column."""

    value: float
    se: float
    """Standard error of the rows; of a single row its own size."""


class AttributionShift(NamedTuple):
    """Three views of one movement."""

    ndcg: Shift
    mass: Shift
    spearman: Shift


def mean_size(total: float, n: int, mean: float, variance: float | None) -> MeanSize | None:
    """Mean and variance (ddof 1) of |x|, from its sums over n values; None without values."""
    if n < 1:
        return None
    value = total / n
    if variance is None:
        return MeanSize(value, value)
    return MeanSize(value, math.sqrt(max(0.0, variance * ((n - 1) / n) + mean**2 - value**2) / n))


def attribution_shift(
    ref: Sequence[MeanSize], cur: Sequence[MeanSize], rng: np.random.Generator
) -> AttributionShift | None:
    """NDCG, importance moved, and Spearman's correlation of importances, of the same F features.

    95% intervals from 400 draws of both sides by their normal laws, features independent: of the
    draws themselves for the two of order, and for `moved` by how far noise alone can carry it
    either way (the triangle inequality). A side that equals the other has moved by nothing. None
    below two features, or when all importances of a side are 0.
    """
    sizes_before, sizes_after = (np.array([size.value for size in side]) for side in (ref, cur))
    score, mass, order = (
        ndcg(sizes_before, sizes_after),
        mass_moved(sizes_before, sizes_after),
        spearman(sizes_before, sizes_after),
    )
    if len(sizes_before) < 2 or score is None or mass is None:
        return None
    if list(ref) == list(cur):
        return AttributionShift(
            *(Shift(v, None if v is None else (v, v)) for v in (score, mass, order))
        )
    before, after = _draws(ref, rng), _draws(cur, rng)
    noise = (
        np.abs(_shares(after) - _shares(sizes_after) - _shares(before) + _shares(sizes_before)).sum(
            axis=-1
        )
        / 2
    )
    reach = float(np.quantile(noise, 0.95))
    return AttributionShift(
        _spread(score, _ndcg(before, after)),
        Shift(mass, (max(0.0, mass - reach), min(1.0, mass + reach))),
        _spread(order, _spearman(before, after)),
    )


def _draws(side: Sequence[MeanSize], rng: np.random.Generator) -> Floats:
    values, errors = np.array([size.value for size in side]), np.array([size.se for size in side])
    samples: Floats = np.abs(values + errors * rng.standard_normal((DRAWS, len(side))))
    return samples


def _shares(sizes: Floats) -> Floats:
    relative = sizes / np.maximum(sizes.max(axis=-1, keepdims=True), TINY)
    shares: Floats = relative / np.maximum(relative.sum(axis=-1, keepdims=True), TINY)
    return shares


def _ndcg(before: Floats, after: Floats) -> Floats:
    # As `ndcg` for every draw; among draws there are no ties worth a thought.
    gains, discounts = _shares(before), 1 / np.log2(np.arange(2, before.shape[-1] + 2))
    gain = np.take_along_axis(gains, np.argsort(-after, axis=-1), axis=-1) @ discounts
    score: Floats = gain / np.maximum(-np.sort(-gains, axis=-1) @ discounts, TINY)
    return score


def _spearman(before: Floats, after: Floats) -> Floats:
    # As `spearman` without ties: 1 - 6 sum of d^2 / (F (F^2 - 1)).
    count = before.shape[-1]
    apart = np.argsort(np.argsort(before, axis=-1), axis=-1) - np.argsort(
        np.argsort(after, axis=-1), axis=-1
    )
    correlation: Floats = 1 - 6 * np.sum(apart**2, axis=-1) / (count * (count**2 - 1))
    return correlation


def _spread(value: float | None, samples: Floats) -> Shift:
    if value is None:
        return Shift(None)
    low, high = np.quantile(samples, (0.025, 0.975))
    return Shift(value, (min(float(low), value), max(float(high), value)))
