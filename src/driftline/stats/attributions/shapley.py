"""Shapley values of a prediction, with features that are absent taken from a background sample.

Sources: Lundberg & Lee 2017 (SHAP); Strumbelj & Kononenko 2014 (sampled orders).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from driftline.types.arrays import Floats

EXACT_FEATURES = 10
"""With more features orders are sampled: 2 to this power is the number of coalitions."""
BATCH = 50_000
"""Rows of one call of the model."""

Predict = Callable[[Floats], Floats]
"""Returns outputs of shape (n, C) for rows of shape (n, F)."""


def shapley_values(
    predict: Predict,
    rows: Floats,
    background: Floats,
    rng: np.random.Generator,
    predictions: int = 2_000_000,
) -> Floats:
    """Shapley values of shape (n, F, C): what each feature adds to each output of each row.

    They add up to the output of the row less the mean output of the `background`, shape (B, F). A
    feature outside of a coalition has the values of the background. They are exact where all
    coalitions take at most `predictions` predictions and there are at most 10 features; else they
    are the mean over pairs of a random order and its reverse, as many as `predictions` allow, and
    at least one. Each pair is exact for a sum of functions of one or two features.
    """
    count, features = rows.shape
    if not count or not features or not len(background):
        return np.zeros((count, features, 1))
    if features <= EXACT_FEATURES and 2**features * count * len(background) <= predictions:
        return _exact(predict, rows, background)
    pairs = max(1, predictions // (2 * features * count * len(background)))
    return _sample_values(predict, rows, background, rng, min(pairs, 50))


def _exact(predict: Predict, rows: Floats, background: Floats) -> Floats:
    features = rows.shape[1]
    members = (np.arange(2**features)[:, None] >> np.arange(features)) & 1 == 1
    outputs = np.stack([_mean_output(predict, rows, background, mask) for mask in members])
    weights = [
        math.factorial(size) * math.factorial(features - size - 1) / math.factorial(features)
        for size in range(features)
    ]
    values = np.zeros((len(rows), features, outputs.shape[-1]))
    for coalition, mask in enumerate(members):
        for feature in np.flatnonzero(~mask):
            gain = outputs[coalition | 1 << int(feature)] - outputs[coalition]
            values[:, feature] += weights[int(mask.sum())] * gain
    return values


def _sample_values(
    predict: Predict, rows: Floats, background: Floats, rng: np.random.Generator, pairs: int
) -> Floats:
    features = rows.shape[1]
    base_output = _mean_output(predict, rows, background, np.zeros(features, bool))
    values = np.zeros((len(rows), features, base_output.shape[-1]))
    for _ in range(pairs):
        order = rng.permutation(features)
        for walk in (order, order[::-1]):
            mask, last_output = np.zeros(features, bool), base_output
            for feature in walk:
                mask[feature] = True
                output = _mean_output(predict, rows, background, mask)
                values[:, feature] += output - last_output
                last_output = output
    return values / (2 * pairs)


def _mean_output(
    predict: Predict, rows: Floats, background: Floats, mask: NDArray[np.bool_]
) -> Floats:
    """The mean output of each row, shape (n, C), with `mask`ed features its own."""
    parts = []
    for part in _parts(rows, max(1, BATCH // len(background))):
        mixed = np.where(mask, part[:, None, :], background[None, :, :])
        outputs = predict(mixed.reshape(-1, rows.shape[1]))
        parts.append(outputs.reshape(len(part), len(background), -1).mean(axis=1))
    return np.concatenate(parts)


def _parts(rows: Floats, size: int) -> Iterator[Floats]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
