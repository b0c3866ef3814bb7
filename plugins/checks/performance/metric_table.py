"""The table of metrics: the tasks of each, and how it follows from the scores of a window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass

from driftline import Schema, stats
from driftline.kit.checks import (
    Scores,
    Task,
    class_metrics,
    error_metrics,
    ranking_metrics,
    score_metrics,
)

from .metric_names import MetricName

DEPTH = 0.1
"""Share of rows with the highest scores that gain and lift look at."""
ECE_BINS = 15


@dataclass(frozen=True, slots=True)
class PerformanceMetric:
    """One metric of a task."""

    tasks: frozenset[Task]
    estimate: Callable[[Scores], stats.Estimate]
    _: KW_ONLY
    is_loss: bool = False
    """Whether lower values are better."""
    noun: str = ""
    """What people call it; its name with spaces when empty."""
    of_class: Callable[[stats.Confusion], stats.Estimate] | None = None
    """For a metric of each class, from its confusion with the rest."""


BINARY, CLASSES = frozenset({Task.BINARY}), frozenset({Task.BINARY, Task.MULTICLASS})
MULTICLASS, REGRESSION = frozenset({Task.MULTICLASS}), frozenset({Task.REGRESSION})
MULTILABEL = frozenset({Task.MULTILABEL})
SEVERAL = MULTICLASS | MULTILABEL


def _error(
    metric: error_metrics.ErrorMetric,
    *,
    is_loss: bool = True,
    noun: str = "",
    is_of_base_sums: bool = False,
) -> PerformanceMetric:
    wrap = error_metrics.of_base_sums if is_of_base_sums else error_metrics.of_scores
    return PerformanceMetric(REGRESSION, wrap(metric), is_loss=is_loss, noun=noun)


def _by_class(
    of_class: Callable[[stats.Confusion], stats.Estimate], *, noun: str
) -> PerformanceMetric:
    return PerformanceMetric(
        SEVERAL,
        lambda s: stats.Estimate(None, reason=class_metrics.NO_ROWS),
        noun=noun,
        of_class=of_class,
    )


def _ranking(
    score: ranking_metrics.GroupScore, *, is_of_order: bool = False, noun: str = ""
) -> PerformanceMetric:
    estimate = ranking_metrics.of_groups(score, is_of_order=is_of_order)
    return PerformanceMetric(frozenset({Task.RANKING}), estimate, noun=noun)


PERFORMANCE_METRICS: Mapping[MetricName, PerformanceMetric] = {
    "accuracy": PerformanceMetric(CLASSES, lambda s: stats.accuracy(s.confusion)),
    "balanced_accuracy": PerformanceMetric(
        BINARY, lambda s: stats.balanced_accuracy(score_metrics.confusion_of(s))
    ),
    "precision": PerformanceMetric(
        BINARY, lambda s: stats.precision(score_metrics.confusion_of(s))
    ),
    "recall": PerformanceMetric(BINARY, lambda s: stats.recall(score_metrics.confusion_of(s))),
    "specificity": PerformanceMetric(
        BINARY, lambda s: stats.specificity(score_metrics.confusion_of(s))
    ),
    "false_positive_rate": PerformanceMetric(
        BINARY, lambda s: stats.false_positive_rate(score_metrics.confusion_of(s)), is_loss=True
    ),
    "false_negative_rate": PerformanceMetric(
        BINARY, lambda s: stats.false_negative_rate(score_metrics.confusion_of(s)), is_loss=True
    ),
    "f1": PerformanceMetric(BINARY, lambda s: stats.f1(score_metrics.confusion_of(s)), noun="F1"),
    "f0_5": PerformanceMetric(
        BINARY, lambda s: stats.f_beta(score_metrics.confusion_of(s), 0.5), noun="F0.5"
    ),
    "f2": PerformanceMetric(
        BINARY, lambda s: stats.f_beta(score_metrics.confusion_of(s), 2.0), noun="F2"
    ),
    "jaccard": PerformanceMetric(
        BINARY | MULTILABEL,
        lambda s: (
            class_metrics.jaccard(s)
            if s.label_sets.n
            else stats.jaccard(score_metrics.confusion_of(s))
        ),
    ),
    "mcc": PerformanceMetric(CLASSES, lambda s: stats.mcc(s.confusion), noun="MCC"),
    "cohen_kappa": PerformanceMetric(
        CLASSES, lambda s: stats.cohen_kappa(s.confusion), noun="Cohen's kappa"
    ),
    "roc_auc": PerformanceMetric(
        BINARY,
        score_metrics.roc_auc,
        noun="ROC AUC",
    ),
    "average_precision": PerformanceMetric(
        BINARY, score_metrics.order_metric(stats.average_precision, score_metrics.MAX_HEAD_ERROR)
    ),
    "gain": PerformanceMetric(
        BINARY,
        score_metrics.order_metric(
            lambda n, p: stats.gain(n, p, DEPTH), score_metrics.MAX_HEAD_ERROR
        ),
    ),
    "lift": PerformanceMetric(
        BINARY,
        score_metrics.order_metric(
            lambda n, p: stats.lift(n, p, DEPTH), score_metrics.MAX_HEAD_ERROR
        ),
    ),
    "separation": PerformanceMetric(BINARY, score_metrics.order_metric(score_metrics.separation)),
    "log_loss": PerformanceMetric(
        CLASSES,
        lambda s: (
            class_metrics.log_loss(s)
            if s.probabilities.classes
            else stats.log_loss(s.sums.n, s.sums.log_loss, s.sums.log_loss2, s.sums.outside)
        ),
        is_loss=True,
    ),
    "brier": PerformanceMetric(
        CLASSES,
        lambda s: (
            class_metrics.brier(s)
            if s.probabilities.classes
            else stats.brier(s.sums.n, s.sums.brier, s.sums.brier2, s.sums.outside)
        ),
        is_loss=True,
        noun="Brier score",
    ),
    "calibration_gap": PerformanceMetric(
        BINARY,
        lambda s: stats.calibration_gap(
            s.sums.n, int(s.positives.sum()), s.sums.score, s.sums.brier, s.sums.outside
        ),
    ),
    "expected_calibration_error": PerformanceMetric(
        BINARY,
        score_metrics.calibration_metric(
            lambda cells: stats.expected_calibration_error(cells, ECE_BINS)
        ),
        is_loss=True,
    ),
    "debiased_calibration_error": PerformanceMetric(
        BINARY,
        score_metrics.calibration_metric(
            lambda cells: stats.debiased_calibration_error(cells, ECE_BINS)
        ),
        is_loss=True,
    ),
    "calibration_intercept": PerformanceMetric(
        BINARY,
        score_metrics.calibration_metric(lambda cells: stats.calibration_line(cells).intercept),
    ),
    "calibration_slope": PerformanceMetric(
        BINARY, score_metrics.calibration_metric(lambda cells: stats.calibration_line(cells).slope)
    ),
    "spiegelhalter_z": PerformanceMetric(
        BINARY,
        score_metrics.calibration_metric(score_metrics.spiegelhalter),
        noun="Spiegelhalter's z",
    ),
    "macro_precision": PerformanceMetric(
        SEVERAL,
        class_metrics.average("precision", lambda s: stats.macro(s.confusion, "precision")),
    ),
    "macro_recall": PerformanceMetric(
        SEVERAL, class_metrics.average("recall", lambda s: stats.macro(s.confusion, "recall"))
    ),
    "macro_f1": PerformanceMetric(
        SEVERAL,
        class_metrics.average("f1", lambda s: stats.macro(s.confusion, "f1")),
        noun="macro F1",
    ),
    "weighted_precision": PerformanceMetric(
        SEVERAL,
        class_metrics.average(
            "precision",
            lambda s: stats.weighted(s.confusion, None, by_label=False),
            weighted=True,
        ),
    ),
    "weighted_recall": PerformanceMetric(
        SEVERAL,
        class_metrics.average("recall", lambda s: stats.weighted(s.confusion, None), weighted=True),
    ),
    "weighted_f1": PerformanceMetric(
        SEVERAL,
        class_metrics.average("f1", lambda s: stats.weighted(s.confusion, 1.0), weighted=True),
        noun="weighted F1",
    ),
    "micro_precision": PerformanceMetric(SEVERAL, class_metrics.micro("precision")),
    "micro_recall": PerformanceMetric(SEVERAL, class_metrics.micro("recall")),
    "micro_f1": PerformanceMetric(SEVERAL, class_metrics.micro("f1"), noun="micro F1"),
    "subset_accuracy": PerformanceMetric(MULTILABEL, class_metrics.subset_accuracy),
    "hamming_loss": PerformanceMetric(
        MULTILABEL, class_metrics.hamming_loss, is_loss=True, noun="Hamming loss"
    ),
    "roc_auc_ovr": PerformanceMetric(
        MULTICLASS, class_metrics.roc_auc_ovr, noun="ROC AUC of one class against the rest"
    ),
    "top_k_accuracy": PerformanceMetric(
        MULTICLASS, class_metrics.top_k_accuracy, noun="top-k accuracy"
    ),
    "mae": _error(lambda e: stats.mae(e.n, e.abs_e, e.e2), noun="MAE", is_of_base_sums=True),
    "mse": _error(lambda e: stats.mse(e.n, e.e2, e.e4), noun="MSE", is_of_base_sums=True),
    "rmse": _error(lambda e: stats.rmse(e.n, e.e2, e.e4), noun="RMSE", is_of_base_sums=True),
    "r2": _error(
        lambda e: stats.r2(e.n, e.e2, e.e4, e.y, e.y2),
        is_loss=False,
        noun="R²",
        is_of_base_sums=True,
    ),
    "bias": _error(lambda e: stats.bias(e.n, e.e, e.e2), is_loss=False, is_of_base_sums=True),
    "wape": _error(error_metrics.wape, noun="WAPE", is_of_base_sums=True),
    "msle": _error(error_metrics.msle, noun="MSLE"),
    "rmsle": _error(error_metrics.rmsle, noun="RMSLE"),
    "mape": _error(error_metrics.mape, noun="MAPE"),
    "smape": _error(error_metrics.smape, noun="sMAPE"),
    "mase": _error(error_metrics.mase, noun="MASE"),
    "median_error": _error(error_metrics.error_quantile(0.5)),
    "p90_error": _error(error_metrics.error_quantile(0.9), noun="90% quantile of the error"),
    "p99_error": _error(error_metrics.error_quantile(0.99), noun="99% quantile of the error"),
    "max_error": _error(error_metrics.max_error, noun="largest error"),
    "pinball": _error(error_metrics.pinball, noun="pinball loss"),
    "interval_coverage": _error(error_metrics.interval_coverage, is_loss=False),
    "interval_width": _error(error_metrics.interval_width),
    "ndcg": _ranking(lambda g: g.ndcg, is_of_order=True, noun="NDCG"),
    "mean_average_precision": _ranking(lambda g: g.average_precision, is_of_order=True, noun="MAP"),
    "mrr": _ranking(lambda g: g.reciprocal_rank, is_of_order=True, noun="MRR"),
    "hit_rate": _ranking(lambda g: g.hit),
    "precision_at_k": _ranking(lambda g: g.precision, noun="precision at k"),
    "recall_at_k": _ranking(lambda g: g.recall, noun="recall at k"),
    "f1_at_k": _ranking(lambda g: g.f1, noun="F1 at k"),
    "class_precision": _by_class(stats.precision, noun="precision"),
    "class_recall": _by_class(stats.recall, noun="recall"),
    "class_f1": _by_class(stats.f1, noun="F1"),
}
"""Every metric that the scores of a window give."""

USUAL_METRICS: Mapping[Task, tuple[MetricName, ...]] = {
    Task.BINARY: (
        "accuracy",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "log_loss",
        "brier",
        "calibration_gap",
    ),
    Task.MULTICLASS: ("accuracy", "macro_precision", "macro_recall", "macro_f1"),
    Task.REGRESSION: ("mae", "rmse", "r2", "bias"),
    Task.MULTILABEL: (
        "subset_accuracy",
        "hamming_loss",
        "jaccard",
        "micro_f1",
        "macro_precision",
        "macro_recall",
        "macro_f1",
    ),
    Task.RANKING: (
        "ndcg",
        "mean_average_precision",
        "mrr",
        "hit_rate",
        "precision_at_k",
        "recall_at_k",
        "f1_at_k",
    ),
}
"""The metrics that are measured where the settings name none."""
PROBABILITY_METRICS: tuple[MetricName, ...] = ("log_loss", "brier", "roc_auc_ovr")
"""Measured as well where each of several classes has a probability."""
INTERVAL_METRICS: tuple[MetricName, ...] = ("interval_coverage", "interval_width", "pinball")
"""Measured as well where there is a prediction interval."""
FORECAST_METRICS: tuple[MetricName, ...] = ("wape", "mase")
"""Measured as well for a forecast."""
RELATIVE_METRICS = frozenset({"mae", "rmse", "mape", "smape", "wape", "mase"})
DECISION_METRICS = frozenset(
    {
        "accuracy",
        "balanced_accuracy",
        "cohen_kappa",
        "f0_5",
        "f1",
        "f2",
        "false_negative_rate",
        "false_positive_rate",
        "jaccard",
        "mcc",
        "precision",
        "recall",
        "specificity",
    }
)
"""The metrics of the predicted classes of a binary model."""
NOUNS: Mapping[str, str] = {
    name: metric.noun for name, metric in PERFORMANCE_METRICS.items() if metric.noun
}
"""The name that people use for a metric, where it differs."""


def usual_metrics(task: Task, schema: Schema) -> tuple[MetricName, ...]:
    """The metrics that are measured where the settings name none."""
    columns = schema.task_columns
    metrics = USUAL_METRICS[task]
    if columns.probabilities:
        metrics += PROBABILITY_METRICS
    if columns.lower is not None:
        metrics += INTERVAL_METRICS
    if columns.series is not None or columns.horizon is not None:
        metrics += FORECAST_METRICS
    return metrics
