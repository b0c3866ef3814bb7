"""Estimates macro averages, and how often each class occurs, from predictions alone.

How often each label comes with each prediction is that of the labelled reference. For macro
averages it is that of the labels of the window where a prediction has enough of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from driftline import stats
from driftline.contracts.check import CheckContext
from driftline.profiles.window import CategoricalColumn
from driftline.types.arrays import Floats

REPEATS = 60
"""Draws of labels from which errors are estimated."""
LEAST_LABELS = 200
"""Labelled rows of the reference below which nothing is said."""
LEAST_OWN_LABELS = 30
"""Labels of a prediction in the window from which they count instead of those of the reference."""
MOST_CLASSES = 200
"""Classes above which no macro average is estimated."""
MOST_SHARES = 20
"""Classes above which their shares are not estimated."""
MOST_NEW = 0.1
"""Share of rows with predictions that the labelled reference lacks above which nothing is said."""

Confusion = Mapping[tuple[str, str], float]
ConfusionMetric = Callable[[Confusion], stats.Estimate]


def estimate_macros(
    ctx: CheckContext, metrics: Mapping[str, ConfusionMetric]
) -> tuple[Mapping[str, stats.Estimate], str]:
    """Return the estimate of each metric of a confusion table, or none and the reason."""
    prediction = ctx.schema.prediction
    column = ctx.current.columns.get(prediction.name) if prediction else None
    if not isinstance(column, CategoricalColumn) or not column.counts:
        return {}, "the window has no predicted classes"
    known = ctx.reference.scores.confusion if ctx.reference else {}
    if sum(known.values()) < LEAST_LABELS:
        return {}, f"fewer than {LEAST_LABELS} labelled rows in the reference"
    now = ctx.current.scores.confusion
    labels = sorted({label for label, _ in [*known, *now]})
    predictions = sorted({predicted for _, predicted in known})
    if len(labels) > MOST_CLASSES:
        return {}, f"there are more than {MOST_CLASSES} classes"
    total = sum(column.counts.values())
    rows = np.array([column.counts.get(name, 0) for name in predictions], np.float64)
    new = 1 - float(rows.sum()) / total
    if new > MOST_NEW:
        return {}, f"{new:.0%} of predictions are classes that the labelled reference lacks"
    reference, window = (_table(counts, predictions, labels) for counts in (known, now))
    own = window.sum(axis=1)
    counts = np.where((own >= LEAST_OWN_LABELS)[:, None], window, reference)
    unlabelled = np.maximum(rows - own, 0.0)
    tables = [
        window + stats.expected_table(counts, unlabelled),
        *(window + stats.resampled_tables(counts, unlabelled, REPEATS, ctx.rng())),
    ]
    confusions = [_confusion(table, predictions, labels) for table in tables]
    return {
        name: _with_error([metric(confusion).value for confusion in confusions], int(total))
        for name, metric in metrics.items()
    }, ""


def estimate_shares(
    known: Confusion, predicted: Mapping[str, float], rng: np.random.Generator
) -> tuple[Mapping[str, stats.Estimate], str]:
    """Return the share of each class by label shift (BBSE), or none and the reason.

    Args:
        known: Rows of the reference by (label, prediction).
        predicted: Rows of the window by predicted class.
        rng: Draws the errors.
    """
    classes = sorted({name for pair in known for name in pair})
    total, labels = sum(predicted.values()), sum(known.values())
    if not total:
        return {}, "the window has no predicted classes"
    if labels < LEAST_LABELS:
        return {}, f"fewer than {LEAST_LABELS} labelled rows in the reference"
    if len(classes) > MOST_SHARES:
        return {}, f"there are more than {MOST_SHARES} classes"
    now = np.array([predicted.get(name, 0) for name in classes], np.float64)
    new = 1 - float(now.sum()) / total
    if new > MOST_NEW:
        return {}, f"{new:.0%} of predictions are classes that the labelled reference lacks"
    joint, now = _table(known, classes, classes) / labels, now / now.sum()
    shift = stats.label_shift(joint, joint.sum(axis=0), now)
    if shift.prior is None:
        return {}, shift.reason
    draws = []
    for _ in range(REPEATS):
        drawn = rng.multinomial(int(labels), joint.ravel()).reshape(joint.shape) / labels
        mix = rng.multinomial(int(total), now) / int(total)
        prior = stats.label_shift(drawn, drawn.sum(axis=0), mix).prior
        if prior is not None:
            draws.append(prior)
    if len(draws) < REPEATS // 2:
        return {}, "the predictions hardly tell the classes apart"
    errors = np.std(draws, axis=0, ddof=1)
    return {
        name: stats.bounded_estimate(float(share), float(se), int(total))
        for name, share, se in zip(classes, shift.prior, errors, strict=True)
    }, ""


def _table(counts: Confusion, predictions: list[str], labels: list[str]) -> Floats:
    """Return the rows by prediction and label."""
    return np.array(
        [[counts.get((label, name), 0) for label in labels] for name in predictions], np.float64
    )


def _confusion(table: Floats, predictions: list[str], labels: list[str]) -> Confusion:
    return {
        (labels[j], predictions[i]): float(table[i, j])
        for i, j in zip(*np.nonzero(table), strict=True)
    }


def _with_error(values: list[float | None], rows: int) -> stats.Estimate:
    """Return the first value, whose error is the spread of the others."""
    value, *draws = values
    if value is None:
        return stats.Estimate(None, n=rows, reason="no rows")
    se = float(np.std([draw for draw in draws if draw is not None], ddof=1))
    return stats.bounded_estimate(value, se, rows)
