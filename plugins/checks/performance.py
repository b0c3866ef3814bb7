"""Measures how well the model predicts, and judges whether it lastingly predicts worse.

Needs labels; rows without a label are left out. An undefined metric has no value and a reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar, Literal

from pydantic import PositiveInt, field_validator

from driftline import (
    AlertFact,
    Check,
    CheckContext,
    Measurement,
    NumericColumn,
    Schema,
    hookimpl,
    loss,
    stats,
)
from driftline.kit.checks import (
    Decision,
    Scores,
    Task,
    Wording,
    baselines,
    class_metrics,
    error_metrics,
    label_use,
    phrasing,
    ranking_metrics,
    score_metrics,
)
from driftline.kit.checks.comparison import absent_values

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
    "class_f1",
    "class_precision",
    "class_recall",
    "cohen_kappa",
    "debiased_calibration_error",
    "expected_calibration_error",
    "f0_5",
    "f1",
    "f1_at_k",
    "f2",
    "false_negative_rate",
    "false_positive_rate",
    "gain",
    "hamming_loss",
    "hit_rate",
    "interval_coverage",
    "interval_width",
    "jaccard",
    "lift",
    "log_loss",
    "macro_f1",
    "macro_precision",
    "macro_recall",
    "mae",
    "mape",
    "mase",
    "max_error",
    "mcc",
    "mean_average_precision",
    "median_error",
    "micro_f1",
    "micro_precision",
    "micro_recall",
    "mrr",
    "mse",
    "msle",
    "ndcg",
    "p90_error",
    "p99_error",
    "pinball",
    "precision",
    "precision_at_k",
    "r2",
    "recall",
    "recall_at_k",
    "rmse",
    "rmsle",
    "roc_auc",
    "roc_auc_ovr",
    "separation",
    "smape",
    "specificity",
    "spiegelhalter_z",
    "subset_accuracy",
    "top_k_accuracy",
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
    "MICRO_AVERAGED_PRECISION": "micro_precision",
    "MICRO_AVERAGED_RECALL": "micro_recall",
    "MAE": "mae",
    "MSE": "mse",
    "RMSE": "rmse",
    "R_SQUARED": "r2",
    "WAPE": "wape",
    "MAPE": "mape",
    "SMAPE": "smape",
    "MASE": "mase",
    "MEAN_ERROR": "bias",
    "NDCG": "ndcg",
    "MRR": "mrr",
    "RANKING_MAP": "mean_average_precision",
    "RANKING_PRECISION": "precision_at_k",
    "RANKING_RECALL": "recall_at_k",
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
    "AbsMaxError": "max_error",
    "MAP": "mean_average_precision",
    "HitRate": "hit_rate",
    "PrecisionTopK": "precision_at_k",
    "RecallTopK": "recall_at_k",
    "FBetaTopK": "f1_at_k",
    "PrecisionByLabel": "class_precision",
    "RecallByLabel": "class_recall",
    "F1ByLabel": "class_f1",
    # NannyML and Azure Machine Learning
    "f1_score": "f1",
    # scikit-learn, where a shorter name is usual here
    "matthews_corrcoef": "mcc",
    "brier_score_loss": "brier",
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
    "r2_score": "r2",
    "ndcg_score": "ndcg",
    "top_k_accuracy_score": "top_k_accuracy",
    "exact_match": "subset_accuracy",
    "mean_squared_log_error": "msle",
    "root_mean_squared_log_error": "rmsle",
    "mean_absolute_percentage_error": "mape",
    "median_absolute_error": "median_error",
    "mean_pinball_loss": "pinball",
    "roc_auc_score": "roc_auc",
}
"""Names of other tools for the same metric."""


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

Headline = Literal[
    "accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "log_loss",
    "brier",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "mae",
    "rmse",
    "r2",
    "mape",
    "smape",
    "wape",
    "mase",
    "ndcg",
    "mean_average_precision",
    "mrr",
    "hit_rate",
    "subset_accuracy",
    "hamming_loss",
    "micro_f1",
    "roc_auc_ovr",
    "top_k_accuracy",
]

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


CLASS = "the most frequent class for every row"
POSITIVE = "the positive class for every row"
SHARES = "the share of each class for every row"
NUMBER = "one number for every row"
SEASON = "the value of the season before"
USUAL = "the classes that most rows have"
ORDER = "a random order"
BASELINES: Mapping[MetricName, tuple[baselines.Baseline, str]] = {
    "accuracy": (baselines.most_frequent_class, CLASS),
    "f1": (baselines.always_positive_f1, POSITIVE),
    "hamming_loss": (baselines.usual_classes, USUAL),
    "log_loss": (baselines.log_loss_of_shares, SHARES),
    "macro_f1": (baselines.one_class_macro_f1, CLASS),
    "macro_recall": (baselines.one_class_macro_recall, CLASS),
    "mae": (baselines.of_errors(baselines.middle_label), NUMBER),
    "mase": (baselines.of_errors(baselines.seasonal_naive), SEASON),
    "mse": (baselines.of_errors(baselines.mean_label_squared), NUMBER),
    "ndcg": (baselines.random_items, ORDER),
    "precision": (baselines.always_positive_precision, POSITIVE),
    "r2": (baselines.of_errors(baselines.no_explanation), NUMBER),
    "rmse": (baselines.of_errors(baselines.mean_label), NUMBER),
    "roc_auc": (baselines.random_order, ORDER),
    "roc_auc_ovr": (baselines.random_order, ORDER),
    "wape": (baselines.of_errors(baselines.middle_label_share), NUMBER),
    "brier": (
        lambda s: (
            baselines.brier_of_shares(s)
            if s.probabilities.classes
            else baselines.binary_brier_of_shares(s)
        ),
        SHARES,
    ),
}
"""What a prediction without a model scores on the labels of the window, and what it predicts."""
OF_BASELINE = "_of_baseline"


def _noun(metric: str) -> str:
    return NOUNS.get(metric) or phrasing.clean(metric.replace("_", " "), 60)


def _drop_numbers(alert: AlertFact) -> tuple[str, float, float] | None:
    """The metric that `drop` compares: its noun, its value now and in the reference."""
    metric = alert.detail.get("metric")
    if not isinstance(metric, str):
        return None
    now, before = alert.detail.get(metric), alert.detail.get(f"{metric}_was")
    if not isinstance(now, (int, float)) or not isinstance(before, (int, float)):
        return None
    return _noun(metric), now, before


def _drop_sentence(alert: AlertFact) -> str:
    """Return the metric itself, now and in the reference."""
    if (numbers := _drop_numbers(alert)) is None:
        return ""
    noun, now, before = numbers
    return f"{noun} by labels {phrasing.number(before)} → {phrasing.number(now)}"


def _past_drop_sentence(alert: AlertFact) -> str:
    if (numbers := _drop_numbers(alert)) is None:
        return ""
    noun, now, before = numbers
    return f"{noun} by labels was {phrasing.number(now)} (usually {phrasing.number(before)})"


def _loss_sentence(alert: AlertFact) -> str:
    """Return the usual metric and its mean since the loss began, with the interval of that."""
    usual, now, low, high = (
        alert.detail.get(name) for name in ("usual", "now", "now_low", "now_high")
    )
    if not isinstance(usual, (int, float)) or not isinstance(now, (int, float)):
        return ""
    text = f"{_noun(alert.measurement)} by labels {_figure(usual)} → {_figure(now)}"
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        text = f"{text} (95%: {_figure(low)} to {_figure(high)})"
    baseline = alert.detail.get("baseline")
    if not isinstance(baseline, (int, float)):
        return text
    return f"{text}, no better than {_baseline_text(alert.measurement)} ({_figure(baseline)})"


def _baseline_text(metric: str) -> str:
    return next((text for name, (_, text) in BASELINES.items() if name == metric), "a constant")


def _figure(value: float) -> str:
    """Return the value with two decimals where it is a share that these show."""
    return f"{value:.2f}" if 0.1 <= abs(value) < 1 else phrasing.number(float(f"{value:.2g}"))


def _loss_wording(metric: str) -> Wording:
    return Wording(noun=NOUNS.get(metric, ""), sentence=_loss_sentence, hides_value=True)


_RATE = loss(warning=0.03, critical=0.05, limits=(0, 1))
LOSS_RULES = {
    "accuracy": _RATE,
    "recall": _RATE,
    "roc_auc": _RATE,
    "macro_recall": _RATE,
    "brier": loss(
        side="above",
        scale="relative",
        margins=(0.1, 0.2, 0.4),
        obvious=0.2,
        warning=0.1,
        critical=0.3,
        limits=(0, 1),
    ),
    "calibration_gap": loss(side="both", warning=0.03, critical=0.1, limits=(-1, 1)),
    "calibration_slope": loss(
        side="both",
        scale="log",
        margins=(0.2, 0.4, 0.8),
        obvious=0.4,
        warning=0.2,
        critical=0.8,
    ),
    "mae": loss(
        side="above", scale="log", margins=(0.1, 0.2, 0.4), obvious=0.2, warning=0.1, critical=0.3
    ),
    "rmse": loss(
        side="above", scale="log", margins=(0.1, 0.2, 0.4), obvious=0.2, warning=0.1, critical=0.3
    ),
    "interval_coverage": loss(side="both", warning=0.03, critical=0.1, limits=(0, 1)),
    "micro_f1": _RATE,
    "ndcg": _RATE,
    "hit_rate": _RATE,
}
"""The rules of metrics, wherever they are measured."""


class Performance(Check):
    """Measures the metrics of the model's task on labelled rows, and their loss.

    By default accuracy, recall, ROC AUC, Brier score and calibration gap are judged for a binary
    model, accuracy and macro recall for several classes, MAE, RMSE and the coverage of prediction
    intervals for regression, NDCG and hit rate for rankings (the rows are groups), and micro F1 for
    sets of classes: each is
    compared with the reference, and `loss` adds up the evidence over windows. The calibration gap
    is the mean label less the mean score: it moves when the scores stay and the labels change. The
    slope of the calibration, which is judged where `metrics` names it, also moves where high scores
    mean less than they did and low ones more. The debiased calibration error is the squared one
    less what chance adds, below 0 by chance (Kumar, Liang and Ma 2019).

    drop has no rule by default. It says how much worse the headline metric is: above 0 the model is
    worse than in the reference. For accuracy, AUC and similar metrics it is in the metric's own
    units (0.03 is three points), for errors such as MAE a share of the reference's value. Its
    interval combines the intervals of both sides (MOVER; for errors on the log scale). The rows of
    precision are those predicted positive, of recall those labelled positive, of F1 both.

    METRIC_of_baseline is the headline metric of a prediction without a model: the most frequent
    class, the shares of the classes, one number, a random order. A metric that is no better says
    so, in messages, too.

    | input | answer |
    | --- | --- |
    | no labelled rows | no value, with the reason |
    | nothing predicted positive | no precision, with the reason |
    | no positive label in the window | no recall, with the reason |
    | none in the reference either, or no two known classes | no metric, with the reason |
    | fewer than 10 positive or negative labels, or no scores | no roc_auc, with the reason |
    | scores that the reference does not have | no metric of their order, with the reason |
    | one row | errors and calibration gap without interval |
    | scores below 0 or above 1 | no log_loss, brier and calibration_gap, with the reason |
    | such scores without a prediction or threshold | no metric of classes, with the reason |
    | a class that is only labelled or only predicted | 0 for it in the macro averages |
    | all labels the same | r2 without value, with the reason |
    | an infinite label or prediction | no metric of errors, with the reason |
    | a label of 0 | no mape, with the reason |
    | a label or prediction of -1 or below | no msle and rmsle, with the reason |
    | a lower end above the upper one | no metric of prediction intervals, with the reason |
    | probabilities outside of 0 to 1, or whose sum is not 1 | no log_loss, brier and roc_auc_ovr |
    | a label of a class without probability | the same; a miss for top_k_accuracy |
    | fewer than 10 labels of a class | no roc_auc_ovr, with the reason |
    | a group of one item | it is left out of ndcg, mrr and mean_average_precision |
    | no relevant item in any group | no metric of rankings but precision_at_k |
    | a label of a ranking below 0 | no metric, with the reason |
    | series without labels in the reference | they are left out of mase; without any, no value |
    | no reference, or one without labels | drop without value, with the reason |
    | the same numbers on both sides | drop 0, with the interval 0 to 0 |
    """

    type = "performance"
    cause = "performance"
    main = "drop"
    collectors: ClassVar = frozenset({"scores"})
    default_rules: ClassVar = LOSS_RULES
    remedies: ClassVar = {
        "calibration_gap": Decision.RECALIBRATE,
        "calibration_slope": Decision.RECALIBRATE,
        "calibration_intercept": Decision.RECALIBRATE,
        "brier": Decision.RECALIBRATE,
    }
    min_rows = 30
    default_for: ClassVar = frozenset({"label"})
    uses_labels = True
    default_place = 80
    wordings: ClassVar = {
        **{metric: Wording(noun=noun) for metric, noun in NOUNS.items()},
        **{metric: _loss_wording(metric) for metric in PERFORMANCE_METRICS if metric != "bias"},
        **{
            f"{metric}{OF_BASELINE}": Wording(noun=f"{_noun(metric)} without a model")
            for metric in BASELINES
        },
        "drop": Wording(sentence=_drop_sentence, past=_past_drop_sentence, hides_value=True),
    }

    metrics: tuple[MetricName, ...] = ()
    """The metrics to measure; when empty, the usual ones of the model's task.

    Gain and lift are those of the tenth of rows with the highest scores. The names that SageMaker,
    Arize, Evidently and scikit-learn use are accepted, too.
    """
    headline: Headline | None = None
    """The metric that `drop` compares. It plays no part in what is judged by default.

    When absent: roc_auc where there are scores, else accuracy; mae for regression, ndcg for
    rankings.
    """

    k: PositiveInt | None = None
    """The first items of a ranking that count (default 10), or the likeliest classes (2)."""

    decision: Decision | None = None
    """What should happen when a judged metric has changed, for actions that are bound to it."""

    @field_validator("metrics", "headline", mode="before")
    @classmethod
    def _use_own_names(cls, names: object) -> object:
        if isinstance(names, str):
            return METRIC_ALIASES.get(names, names)
        if isinstance(names, Sequence):
            return tuple(dict.fromkeys(METRIC_ALIASES.get(name, name) for name in names))
        return names

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield every metric, then the drop."""
        scores = ctx.current.scores
        ref_scores = ctx.reference.scores if ctx.reference else Scores()
        task = ctx.schema.task or _task(scores if scores.labelled else ref_scores)
        problem = label_use.unusable_reason(ctx)
        if problem:
            scores = Scores(rows=scores.rows)
        undecided = score_metrics.undecided_reason(ctx.schema, scores)
        if undecided:
            scores = replace(scores, confusion={})
        if score_metrics.undecided_reason(ctx.schema, ref_scores):
            ref_scores = replace(ref_scores, confusion={})
        if ctx.schema.score is not None:
            column = ctx.current.columns.get(ctx.schema.score.name)
            scores = score_metrics.check_order(scores, column)
        if self.k is not None:
            scores, ref_scores = replace(scores, k=self.k), replace(ref_scores, k=self.k)
        missing = _missing_rows(ctx, task, scores)
        for metric in self.metrics or _usual_metrics(task, ctx.schema):
            reason = problem or missing or (undecided if metric in DECISION_METRICS else "")
            is_of_class = PERFORMANCE_METRICS[metric].of_class is not None
            if is_of_class and ctx.schema.label and ctx.schema.label.name in ctx.schema.redact:
                reason = reason or "the names of the classes are redacted"
            if is_of_class and not reason:
                yield from self._by_class(metric, task, scores, ref_scores)
            else:
                yield self._measure(metric, task, scores, ref_scores, reason)
        yield from self._of_horizons(ctx, task, scores, ref_scores, problem or missing)
        yield self._drop(task, scores, ref_scores, problem or missing)
        yield from self._baseline_of_headline(task, scores, ref_scores, problem or missing)

    def _of_horizons(
        self,
        ctx: CheckContext,
        task: Task,
        scores: Scores,
        ref_scores: Scores,
        problem: str,
    ) -> Iterator[Measurement]:
        """The metrics of each horizon of the window or the reference, with the label `horizon`."""
        part = ctx.schema.task_columns.horizon
        if part is None or part.path in ctx.schema.redact:
            return
        current, reference = (error_metrics.by_horizon(s) for s in (scores, ref_scores))
        for horizon in {**reference, **current}:
            sides = current.get(horizon, Scores()), reference.get(horizon, Scores())
            for metric in self.metrics or _usual_metrics(task, ctx.schema):
                measurement = self._measure(metric, task, *sides, problem)
                yield replace(measurement, labels={"horizon": horizon})

    def _by_class(
        self, metric: MetricName, task: Task, scores: Scores, ref_scores: Scores
    ) -> Iterator[Measurement]:
        """The metric of each class, with the label `class`."""
        definition = PERFORMANCE_METRICS[metric]
        if definition.of_class is None or task not in definition.tasks:
            yield self._measure(metric, task, scores, ref_scores, "")
            return
        references = class_metrics.confusion_by_class(ref_scores)
        for name, confusion in class_metrics.confusion_by_class(scores).items():
            cur = definition.of_class(confusion)
            ref = definition.of_class(references[name]) if name in references else None
            yield Measurement(
                cur.value,
                {"class": name},
                name=metric,
                rows=cur.n,
                interval=cur.interval,
                reason=cur.reason,
                was=ref.value if ref else None,
                was_interval=ref.interval if ref else None,
            )

    def _measure(
        self, metric: MetricName, task: Task, scores: Scores, ref_scores: Scores, problem: str
    ) -> Measurement:
        """One metric of the window; `problem` says why its labels can't be used."""
        definition = PERFORMANCE_METRICS[metric]
        if task not in definition.tasks:
            tasks = " and ".join(sorted(definition.tasks))
            reason = f"{metric} is a metric of {tasks} models, not of {task} ones"
            return Measurement(None, name=metric, rows=scores.labelled, reason=reason)
        cur, ref = definition.estimate(scores), definition.estimate(ref_scores)
        value, reason, detail = _finite(cur.value), cur.reason, {}
        if value is None:
            return Measurement(
                None,
                name=metric,
                rows=scores.labelled,
                reason=problem or reason or "too large a number",
            )
        baseline = _baseline(metric, scores)
        if baseline is not None and (
            value >= baseline if definition.is_loss else value <= baseline
        ):
            reason = reason or f"no better than {BASELINES[metric][1]}: {baseline:.3g}"
            detail = {"baseline": baseline}
        return Measurement(
            value,
            name=metric,
            rows=cur.n,
            interval=_require_interval(cur.interval),
            reason=reason,
            detail=detail,
            was=_finite(ref.value),
            was_interval=_require_interval(ref.interval),
            decision=self.decision if metric in LOSS_RULES else None,
        )

    def _headline(self, task: Task, scores: Scores, ref_scores: Scores) -> MetricName:
        """The metric that `drop` compares."""
        has_scores = scores.sums.n > 0 or ref_scores.sums.n > 0
        usual: MetricName = (
            "mae"
            if task == Task.REGRESSION
            else "ndcg"
            if task == Task.RANKING
            else "subset_accuracy"
            if task == Task.MULTILABEL
            else "roc_auc"
            if task == Task.BINARY and has_scores
            else "accuracy"
        )
        return self.headline or usual

    def _baseline_of_headline(
        self, task: Task, scores: Scores, ref_scores: Scores, problem: str
    ) -> Iterator[Measurement]:
        """The headline metric of a prediction without a model, where it exists."""
        metric = self._headline(task, scores, ref_scores)
        if metric not in BASELINES:
            return
        value = None if problem else _baseline(metric, scores)
        was = _baseline(metric, ref_scores)
        yield Measurement(
            value,
            name=f"{metric}{OF_BASELINE}",
            rows=scores.labelled,
            reason=f"of {BASELINES[metric][1]}"
            if value is not None
            else problem or "the labels have no such prediction",
            was=was if value is not None else None,
        )

    def _drop(self, task: Task, scores: Scores, ref_scores: Scores, problem: str) -> Measurement:
        metric = self._headline(task, scores, ref_scores)
        definition = PERFORMANCE_METRICS[metric]
        cur, ref = definition.estimate(scores), definition.estimate(ref_scores)
        value, interval = (
            stats.growth(cur, ref) if metric in RELATIVE_METRICS else stats.change(cur, ref)
        )
        if value is None or interval is None:
            reason = problem or (
                f"the reference has no {metric}: {ref.reason}" if ref.value is None else cur.reason
            )
            reason = reason or f"{metric} has no interval here or in the reference"
            return Measurement(
                None, name="drop", rows=scores.labelled, reason=reason, detail={"metric": metric}
            )
        low, high = interval
        if not definition.is_loss:
            value, low, high = -value, -high, -low
        detail = {"metric": metric, f"{metric}_was": ref.value, metric: cur.value}
        if (shown := _require_interval(cur.interval)) is not None:
            detail |= {"shown_low": shown[0], "shown_high": shown[1]}
        return Measurement(
            value + 0.0,
            name="drop",
            rows=cur.n,
            interval=(low + 0.0, high + 0.0),
            detail=detail,
            decision=self.decision,
        )


def _baseline(metric: MetricName, scores: Scores) -> float | None:
    """The metric of a prediction without a model; None where there is none."""
    if metric not in BASELINES:
        return None
    value = BASELINES[metric][0](scores)
    return None if value is None else _finite(value)


def _usual_metrics(task: Task, schema: Schema) -> tuple[MetricName, ...]:
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


def _task(scores: Scores) -> Task:
    if scores.regression.n:
        return Task.REGRESSION
    classes = {name for pair in scores.confusion for name in pair}
    return Task.BINARY if classes <= {"0", "1"} else Task.MULTICLASS


def _missing_rows(ctx: CheckContext, task: Task, scores: Scores) -> str:
    """Return why no row has a usable prediction and label; "" where one has."""
    if scores.labelled:
        return ""
    fields = (ctx.schema.prediction, ctx.schema.label)
    for field in fields if task is Task.REGRESSION else ():
        column = ctx.current.columns.get(field.name) if field else None
        if isinstance(column, NumericColumn) and column.infinities and not column.count:
            return f"{column.name} has {absent_values(column)}"
    return "no labelled rows"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _require_interval(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return interval if interval is not None and all(map(math.isfinite, interval)) else None


@hookimpl
def register_checks() -> list[type[Check]]:
    """The performance check."""
    return [Performance]
