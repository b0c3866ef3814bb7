"""The names of the metrics of fairness, and the rates that they compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Difference = Literal[
    "demographic_parity_difference",
    "disparate_impact",
    "label_difference",
    "equal_opportunity_difference",
    "predictive_equality_difference",
    "average_odds_difference",
    "predictive_parity_difference",
    "accuracy_difference",
    "treatment_equality_difference",
]
Clarify = Literal[
    "CI", "DPL", "KL", "JS", "LP", "TVD", "KS", "DPPL", "DI", "DCA", "DCR", "SD", "RD", "DAR",
    "DRR", "AD", "TE", "GE", "CDDL", "CDDPL",
]  # fmt: skip
Gap = Literal[
    "demographic_parity_gap",
    "demographic_parity_ratio",
    "equal_opportunity_gap",
    "equal_opportunity_ratio",
    "equalized_odds_gap",
    "equalized_odds_ratio",
]
RATE_OF: Mapping[str, str] = {
    "demographic_parity_difference": "selection_rate",
    "label_difference": "base_rate",
    "equal_opportunity_difference": "true_positive_rate",
    "predictive_equality_difference": "false_positive_rate",
    "predictive_parity_difference": "precision",
    "accuracy_difference": "accuracy",
    "disparate_impact": "selection_rate",
}
"""The rate of a group that each metric compares."""
PHRASES: Mapping[str, str] = {
    "selection_rate": "predicted positive in {}",
    "base_rate": "labelled positive in {}",
    "true_positive_rate": "predicted positive in {} of those labelled positive",
    "false_positive_rate": "predicted positive in {} of those labelled negative",
    "precision": "right in {} of the positive predictions",
    "accuracy": "right in {}",
}
"""What a rate says of a group, for people."""
