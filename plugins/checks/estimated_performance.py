"""Estimates how well a binary model predicts before its labels arrive, from its scores (CBPE).

Does not see concept drift, by which the same input leads to other labels. Only labels show it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from driftline import (
    AlertFact,
    CategoricalColumn,
    Check,
    CheckContext,
    Measurement,
    NumericColumn,
    Window,
    hookimpl,
    loss,
    stats,
)
from driftline.kit.checks import Scores, Task, Wording, score_metrics

Floats = NDArray[np.float64]
Metric = Literal["accuracy", "precision", "recall", "f1", "roc_auc"]
REPEATS = 30
"""Draws of labels from which the error of the calibration is estimated."""
LEAST_LABELS = 200
"""Labelled rows of the reference below which its scores can't be calibrated."""
MOST_BEYOND = 0.1
"""Share of rows with scores beyond those of the labelled reference above which nothing is said."""
MOST_DISAGREEMENT = 0.01
"""Share of reference rows whose decision may differ from that of a threshold on the score."""
Z95 = 1.959963984540054

ESTIMATES: Mapping[Metric, Callable[[stats.ProbabilityCells], stats.Estimate]] = {
    "accuracy": stats.estimated_accuracy,
    "precision": stats.estimated_precision,
    "recall": stats.estimated_recall,
    "f1": stats.estimated_f1,
    "roc_auc": stats.estimated_roc_auc,
}
LABELLED_METRICS: Mapping[Metric, Callable[[Scores], stats.Estimate]] = {
    "accuracy": lambda s: stats.accuracy(s.confusion),
    "precision": lambda s: stats.precision(score_metrics.confusion_of(s)),
    "recall": lambda s: stats.recall(score_metrics.confusion_of(s)),
    "f1": lambda s: stats.f1(score_metrics.confusion_of(s)),
    "roc_auc": score_metrics.roc_auc,
}
NOUNS: Mapping[Metric, str] = {"f1": "F1", "roc_auc": "ROC AUC"}


def _sentence(metric: Metric) -> Callable[[AlertFact], str]:
    """Return a function that says the usual value and the estimate since the loss began."""

    def say(alert: AlertFact) -> str:
        usual, now, low, high = (
            alert.detail.get(name) for name in ("usual", "now", "now_low", "now_high")
        )
        if not isinstance(usual, (int, float)) or not isinstance(now, (int, float)):
            return ""
        text = f"estimated {NOUNS.get(metric, metric)} {usual:.2f} → {now:.2f}"
        if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
            return text
        return f"{text} (95%: {low:.2f} to {high:.2f})"

    return say


def _advice(alert: AlertFact) -> str:
    """Return what to do first."""
    return "No label says so yet: get labels of some rows of these windows, and compare."


class EstimatedPerformance(Check):
    """Estimates accuracy, precision, recall, F1 and ROC AUC of windows without labels.

    The labelled rows of the reference turn each score into the probability of a positive label
    (isotonic regression). If the same scores still mean the same, the metrics of a window follow
    from its scores alone (CBPE, Białek et al. 2024). The interval is that of the metric which
    labels would show: it allows for chance in the labels and for the error of the calibration.
    `was` is the metric of the reference. Concept drift, by which the same input leads to other
    labels, can't be seen.

    | input | answer |
    | --- | --- |
    | a model that is not binary, or has no score | no value, with the reason |
    | fewer than 200 labelled rows in the reference | no value, with the reason |
    | one class in the labelled rows of the reference | no value, with the reason |
    | over 10% of rows have scores beyond those of the reference | no value, with the reason |
    | decisions that no threshold on the score gives | no value, with the reason |
    | no rows, or nothing predicted positive | no value, with the reason |
    """

    type = "estimated_performance"
    cause = "performance"
    main = "estimated_accuracy"
    collectors: ClassVar = frozenset({"scores", "numeric", "categories"})
    default_rules: ClassVar = {
        "estimated_accuracy": loss(warning=0.03, critical=0.05),
        "estimated_recall": loss(warning=0.03, critical=0.05),
        "estimated_roc_auc": loss(warning=0.03, critical=0.05),
    }
    min_rows = 30
    wordings: ClassVar = {
        f"estimated_{metric}": Wording(
            noun=f"estimated {NOUNS.get(metric, metric)}",
            sentence=_sentence(metric),
            hides_value=True,
            advice=_advice,
        )
        for metric in ESTIMATES
    }

    metrics: tuple[Metric, ...] = ("accuracy", "precision", "recall", "f1", "roc_auc")
    """The metrics to estimate."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the estimate of each metric."""
        cells, draws, reason = _calibrate_rows(ctx)
        ref_scores = ctx.reference.scores if ctx.reference else Scores()
        for metric in dict.fromkeys(self.metrics):
            name, was = f"estimated_{metric}", LABELLED_METRICS[metric](ref_scores)
            if cells is None:
                yield Measurement(None, name=name, rows=ctx.current.rows, reason=reason)
                continue
            estimate = ESTIMATES[metric](cells)
            if estimate.value is None:
                yield Measurement(None, name=name, rows=estimate.n, reason=estimate.reason)
                continue
            yield Measurement(
                estimate.value,
                name=name,
                rows=estimate.n,
                interval=_interval(metric, cells, draws, estimate),
                was=was.value,
                was_interval=was.interval,
                detail={"labelled_rows_of_reference": ref_scores.labelled},
            )


def _calibrate_rows(
    ctx: CheckContext,
) -> tuple[stats.ProbabilityCells | None, list[stats.ProbabilityCells], str]:
    """Return the rows of the window by calibrated probability, the same for each resampled
    calibration, and the reason where there are none.
    """
    schema, reference = ctx.schema, ctx.reference
    if schema.task is not Task.BINARY or schema.score is None:
        return None, [], "the model is not binary, or its records have no score"
    if reference is None:
        return None, [], "no reference yet"
    ref, column = reference.scores, ctx.current.columns.get(schema.score.name)
    if not isinstance(column, NumericColumn) or not column.count:
        return None, [], "the window has no scores"
    if len(column.counts) != len(ref.positives):
        return None, [], "the reference has no labelled scores"
    labelled = score_metrics.score_cells(ref)
    if labelled.rows.sum() < LEAST_LABELS:
        return None, [], f"fewer than {LEAST_LABELS} labelled rows with a score in the reference"
    if not ref.positives.sum() or not ref.negatives.sum():
        return None, [], "the labelled rows of the reference have one class"
    if ref.sums.outside or not 0 <= (column.minimum or 0.0) <= (column.maximum or 0.0) <= 1:
        return None, [], "the scores are no probabilities from 0 to 1"
    centres = score_metrics.cell_centres(ref.edges)
    beyond = (centres < labelled.score[0]) | (centres > labelled.score[-1])
    share = float(column.counts[beyond].sum()) / column.count
    if share > MOST_BEYOND:
        return None, [], f"{share:.0%} of scores lie beyond those of the labelled reference"
    counts = column.counts.astype(np.float64)
    positive = _count_predicted(ctx, ctx.current, counts, centres)
    if positive is None:
        return None, [], "the decisions do not follow a threshold on the score"
    probability = stats.calibrated_probabilities(labelled, centres)
    repeats = stats.resampled_probabilities(labelled, centres, REPEATS, ctx.rng())
    cells, *draws = (
        stats.ProbabilityCells.of(values, positive, counts - positive)
        for values in (probability, *repeats)
    )
    return cells, draws, ""


def _count_predicted(
    ctx: CheckContext, window: Window, counts: Floats, centres: Floats
) -> Floats | None:
    """Return the rows of each cell that are predicted positive; None where that is not known.

    Without a prediction column the threshold of the schema decides. With one, as many rows with the
    highest scores are taken as were predicted positive, if that is how the reference decides.
    """
    schema, reference = ctx.schema, ctx.reference
    if schema.prediction is None:
        return np.where(centres >= schema.threshold, counts, 0.0)
    assert reference is not None
    cells = score_metrics.confusion_of(reference.scores)
    ref_counts = (reference.scores.positives + reference.scores.negatives).astype(np.float64)
    ref_top = _top(ref_counts, float(cells.tp + cells.fp))
    share = ref_top / np.maximum(ref_counts, 1.0)
    hits = float((reference.scores.positives * share).sum())
    if abs(hits - cells.tp) > MOST_DISAGREEMENT * max(sum(cells), 1):
        return None
    column = window.columns.get(schema.prediction.name)
    name = reference.scores.positive or window.scores.positive
    if not isinstance(column, CategoricalColumn) or not name:
        return None
    return _top(counts, float(column.counts.get(name, 0)))


def _top(counts: Floats, rows: float) -> Floats:
    """Return how many rows of each cell are among the `rows` with the highest scores."""
    above = np.cumsum(counts[::-1])[::-1] - counts
    return np.clip(rows - above, 0.0, counts)


def _interval(
    metric: Metric,
    cells: stats.ProbabilityCells,
    draws: list[stats.ProbabilityCells],
    estimate: stats.Estimate,
) -> tuple[float, float] | None:
    """Return the interval for both errors, of labels and calibration, on the logit scale."""
    assert estimate.value is not None
    values = [ESTIMATES[metric](draw).value for draw in draws]
    known = [value for value in values if value is not None]
    calibration_se = float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
    label_se = estimate.se
    if label_se is None:
        positives = float(np.sum(cells.probability * cells.rows))
        rows = float(cells.rows.sum())
        label_se = stats.hanley_mcneil_se(
            estimate.value, max(1, round(positives)), max(1, round(rows - positives))
        )
    se = math.hypot(calibration_se, label_se or 0.0)
    bounded = stats.logit_interval(estimate.value, se)
    if bounded is not None:
        return bounded
    return max(0.0, estimate.value - Z95 * se), min(1.0, estimate.value + Z95 * se)


@hookimpl
def register_checks() -> list[type[Check]]:
    """The check of estimated performance."""
    return [EstimatedPerformance]
