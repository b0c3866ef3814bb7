"""The accuracy of a window whose inputs moved, from reference rows that weigh as in the window.

Scores may mean less where the model has seen few rows. So sampled rows of the reference, with their
labels, weigh as often as rows like them occur in the window, and their labels correct the accuracy
that the scores promise (PAPE, Białek et al. 2025, as a weighted correction).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from driftline import stats
from driftline.contracts.check import CheckContext
from driftline.kit.checks import sampled_rows
from driftline.kit.checks.calibrated_scores import CalibratedScores
from driftline.types.arrays import Floats
from driftline.types.model import Task

LEAST_EFFECTIVE = 30.0
"""Effective rows of the reference sample below which nothing is said."""


def weighted_correction(ctx: CheckContext, window: CalibratedScores) -> stats.Estimate:
    """Return the accuracy of reference rows like those of the window, less what scores promise.

    The value is 0 but for chance where the same score means the same among these rows. Its `n` is
    the number of effective rows.
    """
    samples = sampled_rows.select_samples(ctx, tuple(ctx.schema.features))
    known = ctx.reference.summaries.get("sample", {}) if ctx.reference else {}
    if not ctx.schema.features:
        return stats.Estimate(None, reason="the model has no features")
    if samples.reason:
        return stats.Estimate(None, reason=samples.reason)
    residuals, is_known = _residuals(ctx, window, known)
    sides = stats.standardise(samples.reference, samples.current)
    weights = stats.importance_weights(sides.ref, sides.cur)
    if weights is None or len(weights.values) != len(is_known) or not is_known.any():
        return stats.Estimate(None, reason="the sample of the reference has too few labels")
    own = stats.ImportanceWeights(weights.values[is_known])
    effective = own.effective_rows
    if effective < LEAST_EFFECTIVE:
        reason = f"the reference has too few rows like those of the window: {effective:.0f}"
        return stats.Estimate(None, n=round(effective), reason=reason)
    # The mean gap is 0 in all rows of the reference: what the sample has of it by chance is no part
    # of the correction, and without it the correction is nearly exact where the weights are even.
    w, gaps = own.values / own.values.mean(), residuals[is_known]
    correction = float(np.mean((w - 1) * gaps))
    se = math.sqrt(float(np.sum(((w - 1) * (gaps - gaps.mean())) ** 2))) / len(gaps)
    return stats.Estimate(correction, se, n=round(effective))


def weighted_accuracy(alone: stats.Estimate, correction: stats.Estimate) -> stats.Estimate:
    """Return the accuracy `alone`, from scores, with the weighted correction of the reference."""
    if correction.value is None or correction.se is None:
        return correction
    value = min(max((alone.value or 0.0) + correction.value, 0.0), 1.0)
    return stats.bounded_estimate(value, math.hypot(alone.se or 0.0, correction.se), correction.n)


def doubt(correction: stats.Estimate) -> float:
    """Return the error of accuracy, from scores, that the weighted correction shows.

    It is the size of the correction: to take its own error off would leave intervals too narrow,
    because a correction is often small by chance. It is infinite where the reference has too few
    rows like those of the window, and 0 where the correction is not known for another reason.
    """
    if correction.value is None:
        return math.inf if correction.n else 0.0
    return abs(correction.value)


def _residuals(
    ctx: CheckContext, window: CalibratedScores, rows: Any
) -> tuple[Floats, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Return, by sampled row, whether it is right less the probability of that; and if both exist.

    Both have shape (n,).
    """
    schema, scores = ctx.schema, ctx.reference.scores if ctx.reference else None
    empty: Sequence[Any] = ()
    score, label, predicted = (
        rows.get(column.name, empty) if column else empty
        for column in (schema.score, schema.label, schema.prediction)
    )
    count = len(label) if score and scores is not None else 0
    gaps, is_known = np.zeros(count), np.zeros(count, bool)
    if scores is None:
        return gaps, is_known
    for place in range(count):
        s, y = score[place], label[place]
        if s is None or y is None or (predicted and predicted[place] is None):
            continue
        below = int(np.searchsorted(scores.edges, s, "left"))
        is_edge = below < len(scores.edges) and scores.edges[below] == s
        p = float(window.probability[2 * below + int(is_edge)])
        if schema.task is Task.BINARY:
            hit = predicted[place] == scores.positive if predicted else float(s) >= schema.threshold
            is_right = hit == (y == scores.positive)
            p = p if hit else 1 - p
        else:
            is_right = predicted[place] == y
        gaps[place], is_known[place] = float(is_right) - p, True
    return gaps, is_known
