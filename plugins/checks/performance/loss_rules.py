"""The rules that judge whether a metric is lastingly worse."""

from __future__ import annotations

from driftline import loss

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
