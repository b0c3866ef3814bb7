"""The scores of a window as probabilities of a positive label, or of a right class.

The labelled rows of the reference calibrate them. Says why where they can't. In a model of several
classes each row counts as predicted positive, and a right prediction as a positive label. Without a
score the predicted class stands for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from driftline import stats
from driftline.contracts.check import CheckContext
from driftline.kit.checks import label_use, score_metrics
from driftline.profiles.window import CategoricalColumn, NumericColumn, Scores, Window
from driftline.types.arrays import Floats
from driftline.types.model import Task

REPEATS = 30
"""Draws of labels from which the error of the calibration is estimated."""
LEAST_LABELS = 200
"""Labelled rows of the reference below which its scores can't be calibrated."""
MOST_BEYOND = 0.1
"""Share of rows with scores beyond those of the labelled reference above which nothing is said."""
MOST_DISAGREEMENT = 0.01
"""Share of reference rows whose decision may differ from that of a threshold on the score."""


@dataclass(frozen=True, kw_only=True)
class CalibratedScores:
    """Rows of a window by cell of the score; arrays have shape (C,), lowest score first."""

    probability: Floats
    """Calibrated probability of a positive label."""
    draws: Sequence[Floats]
    """The same by calibrations on resampled labels."""
    rows: Floats
    """All rows with a score."""
    predicted_positive: Floats
    """Those that are predicted positive."""
    positives: Floats
    """Rows of the window that are labelled positive."""
    negatives: Floats

    def cells(self, probability: Floats) -> stats.ProbabilityCells:
        """All rows on cells of `probability`, one of the calibrations."""
        return stats.ProbabilityCells.of(
            probability, self.predicted_positive, self.rows - self.predicted_positive
        )

    @cached_property
    def rates(self) -> stats.DecisionRates:
        """The expected shares of positive labels, by the decision."""
        return stats.expected_rates(self.cells(self.probability))

    @cached_property
    def rates_of_draws(self) -> Sequence[stats.DecisionRates]:
        """The same by calibrations on resampled labels."""
        return [stats.expected_rates(self.cells(draw)) for draw in self.draws]

    def labelled_cells(self, probability: Floats) -> stats.ProbabilityCells:
        """The labelled rows on cells of `probability`."""
        labels = self.positives + self.negatives
        hits = labels * self.positive_share
        return stats.ProbabilityCells.of(probability, hits, labels - hits)

    def sides(self, probability: Floats) -> tuple[stats.LabelledSide, stats.LabelledSide]:
        """The rows predicted positive and those predicted negative, with their labels."""
        unlabelled = np.maximum(self.rows - self.positives - self.negatives, 0.0)
        share = self.positive_share
        return (
            stats.LabelledSide(
                probability, unlabelled * share, self.positives * share, self.negatives * share
            ),
            stats.LabelledSide(
                probability,
                unlabelled * (1 - share),
                self.positives * (1 - share),
                self.negatives * (1 - share),
            ),
        )

    @property
    def positive_share(self) -> Floats:
        """Share of the rows of each cell that are predicted positive."""
        return self.predicted_positive / np.maximum(self.rows, 1.0)


def calibrate_scores(ctx: CheckContext) -> tuple[CalibratedScores | None, str]:
    """Return the calibrated scores of the window, or None and the reason."""
    schema, reference = ctx.schema, ctx.reference
    if schema.task is Task.MULTICLASS and schema.score is None:
        return _calibrate_classes(ctx)
    if schema.task not in (Task.BINARY, Task.MULTICLASS) or schema.score is None:
        return None, "the model does not predict classes, or its records have no score"
    if reference is None:
        return None, "no reference yet"
    ref, column = reference.scores, ctx.current.columns.get(schema.score.name)
    if not isinstance(column, NumericColumn) or not column.count:
        return None, "the window has no scores"
    if len(column.counts) != len(ref.positives):
        return None, "the reference has no labelled scores"
    labelled = score_metrics.score_cells(ref)
    if labelled.rows.sum() < LEAST_LABELS:
        return None, f"fewer than {LEAST_LABELS} labelled rows with a score in the reference"
    if not ref.positives.sum() or not ref.negatives.sum():
        return None, (
            "the labelled rows of the reference have one class"
            if schema.task is Task.BINARY
            else "the labelled predictions of the reference are all right or all wrong"
        )
    if ref.sums.outside or not 0 <= (column.minimum or 0.0) <= (column.maximum or 0.0) <= 1:
        return None, "the scores are no probabilities from 0 to 1"
    centres = score_metrics.cell_centres(ref.edges)
    beyond = (centres < labelled.score[0]) | (centres > labelled.score[-1])
    share = float(column.counts[beyond].sum()) / column.count
    if share > MOST_BEYOND:
        return None, f"{share:.0%} of scores lie beyond those of the labelled reference"
    lacking = _share_without_prediction(ctx, column.count)
    if lacking > MOST_BEYOND:
        return None, f"{lacking:.0%} of rows with a score have no prediction"
    counts = column.counts.astype(np.float64)
    positive = _count_predicted(ctx, ctx.current, counts, centres)
    if positive is None:
        return None, "the decisions do not follow a threshold on the score"
    positives, negatives = _window_labels(ctx, len(centres))
    return CalibratedScores(
        probability=stats.calibrated_probabilities(labelled, centres),
        draws=list(stats.resampled_probabilities(labelled, centres, REPEATS, ctx.rng())),
        rows=counts,
        predicted_positive=positive,
        positives=positives,
        negatives=negatives,
    ), ""


def _calibrate_classes(ctx: CheckContext) -> tuple[CalibratedScores | None, str]:
    """Return the predicted classes as cells, with the share of right rows in the reference."""
    prediction = ctx.schema.prediction
    column = ctx.current.columns.get(prediction.name) if prediction else None
    if ctx.reference is None:
        return None, "no reference yet"
    if not isinstance(column, CategoricalColumn) or not column.counts:
        return None, "the window has no predictions"
    right, wrong = _rows_by_prediction(ctx.reference.scores)
    known = {name: right.get(name, 0) + wrong.get(name, 0) for name in right.keys() | wrong.keys()}
    total = sum(known.values())
    if total < LEAST_LABELS:
        return None, f"fewer than {LEAST_LABELS} labelled rows in the reference"
    if not any(right.values()) or not any(wrong.values()):
        return None, "the labelled predictions of the reference are all right or all wrong"
    names = sorted(known)
    counts = np.array([column.counts.get(name, 0) for name in names], np.float64)
    new = 1 - float(counts.sum()) / sum(column.counts.values())
    if new > MOST_BEYOND:
        return None, f"{new:.0%} of predictions are classes that the labelled reference lacks"
    n = np.array([known[name] for name in names], np.int64)
    hits = np.array([right.get(name, 0) for name in names], np.float64)
    smooth = (hits + 0.5) / (n + 1)
    now_right, now_wrong = _rows_by_prediction(ctx.current.scores)
    return CalibratedScores(
        probability=hits / n,
        draws=list(ctx.rng().binomial(n, smooth, (REPEATS, len(n))) / n),
        rows=counts,
        predicted_positive=counts,
        positives=np.array([now_right.get(name, 0) for name in names], np.float64),
        negatives=np.array([now_wrong.get(name, 0) for name in names], np.float64),
    ), ""


def _rows_by_prediction(scores: Scores) -> tuple[dict[str, int], dict[str, int]]:
    """Return the labelled rows by predicted class that are right, and those that are wrong."""
    right: dict[str, int] = {}
    wrong: dict[str, int] = {}
    for (label, predicted), rows in scores.confusion.items():
        side = right if label == predicted else wrong
        side[predicted] = side.get(predicted, 0) + rows
    return right, wrong


def usable_scores(ctx: CheckContext) -> Scores:
    """Return the labelled scores of the window; empty where its labels tell no class."""
    scores = ctx.current.scores
    return Scores(rows=scores.rows) if label_use.unusable_reason(ctx) else scores


def _window_labels(ctx: CheckContext, cells: int) -> tuple[Floats, Floats]:
    """Return the rows of the window by cell that are labelled positive and negative."""
    scores = usable_scores(ctx)
    if len(scores.positives) != cells:
        return np.zeros(cells), np.zeros(cells)
    return scores.positives.astype(np.float64), scores.negatives.astype(np.float64)


def _share_without_prediction(ctx: CheckContext, scored: int) -> float:
    """Return the share of scored rows without a predicted class: nobody knows the decision."""
    prediction = ctx.schema.prediction
    if prediction is None:
        return 0.0
    column = ctx.current.columns.get(prediction.name)
    return 1 - min((0 if column is None else column.count) / scored, 1.0)


def _count_predicted(
    ctx: CheckContext, window: Window, counts: Floats, centres: Floats
) -> Floats | None:
    """Return the rows of each cell that are predicted positive; None where that is not known.

    Without a prediction column the threshold of the schema decides. With one, as many rows with the
    highest scores are taken as were predicted positive, if that is how the reference decides.
    """
    schema, reference = ctx.schema, ctx.reference
    if schema.task is Task.MULTICLASS:
        return counts
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
