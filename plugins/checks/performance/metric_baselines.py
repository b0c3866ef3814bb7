"""What a prediction without a model scores, beside the metrics of the model."""

from __future__ import annotations

import math
from collections.abc import Mapping

from driftline.kit.checks import Scores, baselines

from .metric_names import MetricName

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


def measure_baseline(metric: MetricName, scores: Scores) -> float | None:
    """The metric of a prediction without a model; None where there is none."""
    if metric not in BASELINES:
        return None
    value = BASELINES[metric][0](scores)
    return value if value is not None and math.isfinite(value) else None
