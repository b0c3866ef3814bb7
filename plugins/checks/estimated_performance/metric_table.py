"""The metrics that are estimated: how each follows from rates, classes or labelled rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from driftline import stats
from driftline.kit.checks import Scores, Task, class_estimates, score_metrics

EstimatedMetric = Literal[
    "accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "mae",
    "rmse",
]

METRICS_OF_RATES: Mapping[EstimatedMetric, Callable[[stats.DecisionRates], stats.Estimate]] = {
    "accuracy": stats.accuracy_of_rates,
    "precision": stats.precision_of_rates,
    "recall": stats.recall_of_rates,
    "f1": stats.f1_of_rates,
}
METRICS_OF_CLASSES: Mapping[str, class_estimates.ConfusionMetric] = {
    "macro_precision": lambda confusion: stats.macro(confusion, "precision"),
    "macro_recall": lambda confusion: stats.macro(confusion, "recall"),
    "macro_f1": lambda confusion: stats.macro(confusion, "f1"),
}
USUAL_METRICS: Mapping[Task, tuple[EstimatedMetric, ...]] = {
    Task.BINARY: ("accuracy", "precision", "recall", "f1", "roc_auc"),
    Task.MULTICLASS: ("accuracy", "macro_precision", "macro_recall", "macro_f1"),
    Task.REGRESSION: ("mae", "rmse"),
}
ERRORS: tuple[EstimatedMetric, ...] = USUAL_METRICS[Task.REGRESSION]
LABELLED_METRICS: Mapping[EstimatedMetric, Callable[[Scores], stats.Estimate]] = {
    "accuracy": lambda s: stats.accuracy(s.confusion),
    "precision": lambda s: stats.precision(score_metrics.confusion_of(s)),
    "recall": lambda s: stats.recall(score_metrics.confusion_of(s)),
    "f1": lambda s: stats.f1(score_metrics.confusion_of(s)),
    "roc_auc": score_metrics.roc_auc,
    "macro_precision": lambda s: stats.macro(s.confusion, "precision"),
    "macro_recall": lambda s: stats.macro(s.confusion, "recall"),
    "macro_f1": lambda s: stats.macro(s.confusion, "f1"),
    "mae": lambda s: stats.mae(s.regression.n, s.regression.abs_e, s.regression.e2),
    "rmse": lambda s: stats.rmse(s.regression.n, s.regression.e2, s.regression.e4),
}
NOUNS: Mapping[EstimatedMetric, str] = {
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
    "macro_f1": "macro F1",
    "mae": "MAE",
    "rmse": "RMSE",
}
