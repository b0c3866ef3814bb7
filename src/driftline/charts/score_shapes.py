"""The shapes of a model's scores against labels: confusion, reliability, and curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from driftline import stats
from driftline.kit.checks import score_metrics
from driftline.profiles.window import Scores
from driftline.types.arrays import Floats

CLASSES = 12
"""The most frequent classes that a confusion table shows; all others share a line."""
POINTS = 60
"""Points of a curve."""
OTHERS = "all others"
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreShapes:
    """What the labelled rows of some windows say of the scores."""

    labelled: int
    """Rows with a label."""
    classes: Sequence[str]
    """The classes of the confusion table, in its order."""
    confusion: Sequence[Sequence[int]]
    """Rows by label (outer) and predicted class (inner)."""
    reliability: Sequence[tuple[float, float, int]]
    """Mean score, share of positives, and rows of each tenth of the rows."""
    roc: Sequence[Point]
    """False positive rate and true positive rate."""
    precision_recall: Sequence[Point]
    """Recall and precision."""
    gain: Sequence[Point]
    """Share of the rows, those with the highest scores, and share of the positives among them.

    The second divided by the first is the lift.
    """


def shape_scores(scores: Scores) -> ScoreShapes | None:
    """The shapes of scores; None without labels.

    Curves are empty where the scores or one of the classes are missing.
    """
    if not scores.labelled:
        return None
    classes, table = _confusion(scores)
    reliability: list[tuple[float, float, int]] = []
    roc: list[Point] = []
    precision_recall: list[Point] = []
    gain: list[Point] = []
    if len(scores.edges) and scores.negatives.any() and scores.positives.any():
        means, shares, rows = stats.reliability(score_metrics.score_cells(scores))
        reliability = [
            (float(mean), float(share), int(count))
            for mean, share, count in zip(means, shares, rows, strict=True)
        ]
        curve = stats.score_curve(scores.negatives, scores.positives)
        roc = _points(curve.false_positive_rate, curve.recall)
        precision_recall = _points(curve.recall[1:], curve.precision[1:])
        gain = _points(curve.depth, curve.recall)
    return ScoreShapes(
        labelled=scores.labelled,
        classes=classes,
        confusion=table,
        reliability=reliability,
        roc=roc,
        precision_recall=precision_recall,
        gain=gain,
    )


def _confusion(scores: Scores) -> tuple[list[str], list[list[int]]]:
    totals: dict[str, int] = {}
    for (label, predicted), count in scores.confusion.items():
        totals[label] = totals.get(label, 0) + count
        totals[predicted] = totals.get(predicted, 0) + count
    shown = sorted(sorted(totals, key=lambda name: (-totals[name], name))[:CLASSES])
    classes = [*shown, OTHERS] if len(totals) > len(shown) else shown
    places = {name: place for place, name in enumerate(shown)}
    table = [[0] * len(classes) for _ in classes]
    for (label, predicted), count in scores.confusion.items():
        table[places.get(label, len(shown))][places.get(predicted, len(shown))] += count
    return classes, table


def _points(across: Floats, up: Floats) -> list[Point]:
    places = np.unique(np.linspace(0, len(across) - 1, min(len(across), POINTS)).round())
    return [(float(across[int(place)]), float(up[int(place)])) for place in places]
