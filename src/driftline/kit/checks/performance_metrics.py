"""The performance metrics by name, each computed from the scores of a window or a reference.

Names are those of scikit-learn where it has the metric. `METRIC_ALIASES` has the names that other
tools use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from driftline import stats
from driftline.profiles.window import Counts, Scores
from driftline.types.arrays import Floats
from driftline.types.model import Task

EACH_CLASS = 10
"""Positive and negative labels that a metric of the order of scores needs."""
DEPTH = 0.1
"""Share of rows with the highest scores that gain and lift look at."""
ECE_BINS = 15

MetricName = Literal[
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "bias",
    "brier",
    "calibration_gap",
    "calibration_intercept",
    "calibration_slope",
    "cohen_kappa",
    "expected_calibration_error",
    "f0_5",
    "f1",
    "f2",
    "false_negative_rate",
    "false_positive_rate",
    "gain",
    "jaccard",
    "lift",
    "log_loss",
    "macro_f1",
    "macro_precision",
    "macro_recall",
    "mae",
    "mcc",
    "mse",
    "precision",
    "r2",
    "recall",
    "rmse",
    "roc_auc",
    "separation",
    "specificity",
    "spiegelhalter_z",
    "wape",
    "weighted_f1",
    "weighted_precision",
    "weighted_recall",
]

METRIC_ALIASES: Mapping[str, MetricName] = {
    # SageMaker Model Monitor
    "auc": "roc_auc",
    "true_positive_rate": "recall",
    "true_negative_rate": "specificity",
    # Arize
    "ACCURACY": "accuracy",
    "PRECISION": "precision",
    "RECALL": "recall",
    "F_1": "f1",
    "AUC": "roc_auc",
    "PR_AUC": "average_precision",
    "LOG_LOSS": "log_loss",
    "FALSE_POSITIVE_RATE": "false_positive_rate",
    "FALSE_NEGATIVE_RATE": "false_negative_rate",
    "SENSITIVITY": "recall",
    "SPECIFICITY": "specificity",
    "CALIBRATION": "calibration_gap",
    "MACRO_AVERAGED_PRECISION": "macro_precision",
    "MACRO_AVERAGED_RECALL": "macro_recall",
    "MAE": "mae",
    "MSE": "mse",
    "RMSE": "rmse",
    "R_SQUARED": "r2",
    "WAPE": "wape",
    "MEAN_ERROR": "bias",
    # Evidently
    "Accuracy": "accuracy",
    "Precision": "precision",
    "Recall": "recall",
    "F1Score": "f1",
    "TPR": "recall",
    "TNR": "specificity",
    "FPR": "false_positive_rate",
    "FNR": "false_negative_rate",
    "RocAuc": "roc_auc",
    "LogLoss": "log_loss",
    "MeanError": "bias",
    "R2Score": "r2",
    # NannyML and Azure Machine Learning
    "f1_score": "f1",
    # scikit-learn, where a shorter name is usual here
    "matthews_corrcoef": "mcc",
    "brier_score_loss": "brier",
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
    "r2_score": "r2",
    "roc_auc_score": "roc_auc",
}
"""Names of other tools for the same metric."""


@dataclass(frozen=True, slots=True)
class PerformanceMetric:
    """One metric of a task."""

    tasks: frozenset[Task]
    estimate: Callable[[Scores], stats.Estimate]
    is_loss: bool = False
    """Whether lower values are better."""
    noun: str = ""
    """What people call it; its name with spaces when empty."""


BINARY, CLASSES = frozenset({Task.BINARY}), frozenset({Task.BINARY, Task.MULTICLASS})
SEVERAL, REGRESSION = frozenset({Task.MULTICLASS}), frozenset({Task.REGRESSION})


def confusion_of(s: Scores) -> stats.Confusion:
    """The four cells of a binary model; class `1` is the positive one."""
    return stats.one_against_rest(s.confusion, "1")


def score_cells(s: Scores) -> stats.ScoreCells:
    """The labelled scores on the cells of their grid; a cell between two edges lies in its middle.

    The outer cells reach to 0 and 1.
    """
    ends = np.concatenate(([0.0], s.edges, [1.0]))
    middle: Floats = np.clip((ends[:-1] + ends[1:]) / 2, 0.0, 1.0)
    centres = np.empty(2 * len(s.edges) + 1)
    centres[::2], centres[1::2] = middle, np.clip(s.edges, 0.0, 1.0)
    return stats.ScoreCells.of(centres, s.positives, s.negatives)


def _of_order(
    metric: Callable[[Counts, Counts], stats.Estimate],
) -> Callable[[Scores], stats.Estimate]:
    """A metric of the order of scores, which needs enough labels of both classes."""

    def estimate(s: Scores) -> stats.Estimate:
        auc = stats.roc_auc(s.negatives, s.positives, EACH_CLASS)
        return auc if auc.value is None else metric(s.negatives, s.positives)

    return estimate


def _of_calibration(
    metric: Callable[[stats.ScoreCells], stats.Estimate],
) -> Callable[[Scores], stats.Estimate]:
    """A metric of calibration, which needs scores that are probabilities."""

    def estimate(s: Scores) -> stats.Estimate:
        brier = stats.brier(s.sums.n, s.sums.brier, s.sums.brier2, s.sums.outside)
        return brier if brier.value is None else metric(score_cells(s))

    return estimate


def _separation(negatives: Counts, positives: Counts) -> stats.Estimate:
    rows = int(negatives.sum() + positives.sum())
    return stats.Estimate(stats.separation(negatives, positives), n=rows)


def _spiegelhalter(cells: stats.ScoreCells) -> stats.Estimate:
    test, rows = stats.spiegelhalter(cells), int(cells.rows.sum())
    if test is None:
        return stats.Estimate(None, n=rows, reason="every score is 0, 0.5 or 1")
    return stats.Estimate(test.z, 1.0, n=rows)


def _wape(s: Scores) -> stats.Estimate:
    """WAPE, with the interval of the MAE: the labels are what they are."""
    r = s.regression
    mae = stats.mae(r.n, r.abs_e, r.e2)
    if mae.value is None:
        return mae
    value = stats.wape(r.abs_e, r.abs_y)
    if value is None:
        return stats.Estimate(None, n=r.n, reason="every label is 0")
    scale = r.n / r.abs_y
    interval = None if mae.interval is None else (mae.interval[0] * scale, mae.interval[1] * scale)
    return stats.Estimate(value, None if mae.se is None else mae.se * scale, interval, r.n)


PERFORMANCE_METRICS: Mapping[MetricName, PerformanceMetric] = {
    "accuracy": PerformanceMetric(CLASSES, lambda s: stats.accuracy(s.confusion)),
    "balanced_accuracy": PerformanceMetric(
        BINARY, lambda s: stats.balanced_accuracy(confusion_of(s))
    ),
    "precision": PerformanceMetric(BINARY, lambda s: stats.precision(confusion_of(s))),
    "recall": PerformanceMetric(BINARY, lambda s: stats.recall(confusion_of(s))),
    "specificity": PerformanceMetric(BINARY, lambda s: stats.specificity(confusion_of(s))),
    "false_positive_rate": PerformanceMetric(
        BINARY, lambda s: stats.false_positive_rate(confusion_of(s)), is_loss=True
    ),
    "false_negative_rate": PerformanceMetric(
        BINARY, lambda s: stats.false_negative_rate(confusion_of(s)), is_loss=True
    ),
    "f1": PerformanceMetric(BINARY, lambda s: stats.f1(confusion_of(s)), noun="F1"),
    "f0_5": PerformanceMetric(BINARY, lambda s: stats.f_beta(confusion_of(s), 0.5), noun="F0.5"),
    "f2": PerformanceMetric(BINARY, lambda s: stats.f_beta(confusion_of(s), 2.0), noun="F2"),
    "jaccard": PerformanceMetric(BINARY, lambda s: stats.jaccard(confusion_of(s))),
    "mcc": PerformanceMetric(CLASSES, lambda s: stats.mcc(s.confusion), noun="MCC"),
    "cohen_kappa": PerformanceMetric(
        CLASSES, lambda s: stats.cohen_kappa(s.confusion), noun="Cohen's kappa"
    ),
    "roc_auc": PerformanceMetric(
        BINARY,
        lambda s: stats.roc_auc(s.negatives, s.positives, EACH_CLASS),
        noun="ROC AUC",
    ),
    "average_precision": PerformanceMetric(BINARY, _of_order(stats.average_precision)),
    "gain": PerformanceMetric(BINARY, _of_order(lambda n, p: stats.gain(n, p, DEPTH))),
    "lift": PerformanceMetric(BINARY, _of_order(lambda n, p: stats.lift(n, p, DEPTH))),
    "separation": PerformanceMetric(BINARY, _of_order(_separation)),
    "log_loss": PerformanceMetric(
        BINARY,
        lambda s: stats.log_loss(s.sums.n, s.sums.log_loss, s.sums.log_loss2, s.sums.outside),
        is_loss=True,
    ),
    "brier": PerformanceMetric(
        BINARY,
        lambda s: stats.brier(s.sums.n, s.sums.brier, s.sums.brier2, s.sums.outside),
        is_loss=True,
    ),
    "calibration_gap": PerformanceMetric(
        BINARY,
        lambda s: stats.calibration_gap(
            s.sums.n, int(s.positives.sum()), s.sums.score, s.sums.brier, s.sums.outside
        ),
    ),
    "expected_calibration_error": PerformanceMetric(
        BINARY,
        _of_calibration(lambda cells: stats.expected_calibration_error(cells, ECE_BINS)),
        is_loss=True,
    ),
    "calibration_intercept": PerformanceMetric(
        BINARY, _of_calibration(lambda cells: stats.calibration_line(cells).intercept)
    ),
    "calibration_slope": PerformanceMetric(
        BINARY, _of_calibration(lambda cells: stats.calibration_line(cells).slope)
    ),
    "spiegelhalter_z": PerformanceMetric(
        BINARY, _of_calibration(_spiegelhalter), noun="Spiegelhalter's z"
    ),
    "macro_precision": PerformanceMetric(SEVERAL, lambda s: stats.macro(s.confusion, "precision")),
    "macro_recall": PerformanceMetric(SEVERAL, lambda s: stats.macro(s.confusion, "recall")),
    "macro_f1": PerformanceMetric(
        SEVERAL, lambda s: stats.macro(s.confusion, "f1"), noun="macro F1"
    ),
    "weighted_precision": PerformanceMetric(
        SEVERAL, lambda s: stats.weighted(s.confusion, None, by_label=False)
    ),
    "weighted_recall": PerformanceMetric(SEVERAL, lambda s: stats.weighted(s.confusion, None)),
    "weighted_f1": PerformanceMetric(
        SEVERAL, lambda s: stats.weighted(s.confusion, 1.0), noun="weighted F1"
    ),
    "mae": PerformanceMetric(
        REGRESSION,
        lambda s: stats.mae(s.regression.n, s.regression.abs_e, s.regression.e2),
        is_loss=True,
        noun="MAE",
    ),
    "mse": PerformanceMetric(
        REGRESSION,
        lambda s: stats.mse(s.regression.n, s.regression.e2, s.regression.e4),
        is_loss=True,
        noun="MSE",
    ),
    "rmse": PerformanceMetric(
        REGRESSION,
        lambda s: stats.rmse(s.regression.n, s.regression.e2, s.regression.e4),
        is_loss=True,
        noun="RMSE",
    ),
    "wape": PerformanceMetric(REGRESSION, _wape, is_loss=True, noun="WAPE"),
    "r2": PerformanceMetric(
        REGRESSION,
        lambda s: stats.r2(
            s.regression.n, s.regression.e2, s.regression.e4, s.regression.y, s.regression.y2
        ),
        noun="R²",
    ),
    "bias": PerformanceMetric(
        REGRESSION, lambda s: stats.bias(s.regression.n, s.regression.e, s.regression.e2)
    ),
}
"""Every metric that the scores of a window give."""
