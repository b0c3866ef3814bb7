"""The rules that judge whether a metric is lastingly worse."""

from __future__ import annotations

from driftline import loss

LOSS_RULES = {
    "accuracy": loss(warning=0.03, critical=0.05),
    "recall": loss(warning=0.03, critical=0.05),
    "roc_auc": loss(warning=0.03, critical=0.05),
    "macro_recall": loss(warning=0.03, critical=0.05),
    "brier": loss(
        side="above",
        scale="relative",
        margins=(0.1, 0.2, 0.4),
        obvious=0.2,
        warning=0.1,
        critical=0.3,
    ),
    "calibration_gap": loss(side="both", warning=0.03, critical=0.1),
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
    "interval_coverage": loss(side="both", warning=0.03, critical=0.1),
    "micro_f1": loss(warning=0.03, critical=0.05),
    "ndcg": loss(warning=0.03, critical=0.05),
    "hit_rate": loss(warning=0.03, critical=0.05),
}
"""The rules of metrics, wherever they are measured."""
