"""Converts the `constraints.json` of SageMaker Model Monitor to checks of the configuration.

Covers data quality and model quality. A constraint without a counterpart here becomes a doubt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from driftline import hookimpl
from driftline.kit.checks import ImportedChecks
from driftline.kit.decoding.json_values import to_text

Plain = dict[str, Any]

TYPES = {"Integral": "integral", "Fractional": "fractional", "String": "string"}
METHODS = {"Robust": "robust", "Simple": "simple"}
CATEGORICAL = {"LInfinity": "linfinity", "ChiSquared": "chi_squared"}
QUALITY = (
    "regression_constraints",
    "binary_classification_constraints",
    "multiclass_classification_constraints",
)
METRICS = {
    "mae": "mae",
    "rmse": "rmse",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "true_positive_rate": "recall",
    "auc": "roc_auc",
    "f1": "f1",
}
WORDS = {"GreaterThanThreshold": "above", "LessThanThreshold": "below"}
SAME = 1e-3
"""The relative difference up to which two thresholds of one metric are the same."""
R2 = (
    "r2 is left out: SageMaker computes it with label and prediction exchanged, so its threshold "
    "means nothing here"
)


@dataclass(slots=True)
class MonitorChecks:
    """The checks that a file of constraints asks for."""

    constraints: Plain = field(default_factory=dict)
    """Options of a `constraints` check; empty where the file has none."""
    rules: list[Plain] = field(default_factory=list)
    """Rules of a `performance` check."""
    doubts: list[str] = field(default_factory=list)
    """Problems for people to check, in sentences."""


def is_constraints(document: Any) -> bool:
    """Return whether a JSON document has constraints in it."""
    if not isinstance(document, dict) or "dataset" in document:
        return False
    return isinstance(document.get("features"), list) or any(
        isinstance(document.get(part), dict) for part in QUALITY
    )


def convert_constraints(document: Plain, rename: Mapping[str, str]) -> MonitorChecks:
    """Return the checks that `document` asks for.

    `rename` maps the names of features in the document to those in the records.
    """
    checks = MonitorChecks()
    if isinstance(document.get("features"), list):
        _data_quality(document, rename, checks)
    for part in QUALITY:
        if isinstance(document.get(part), dict):
            _model_quality(document[part], checks)
    return checks


def _data_quality(document: Plain, rename: Mapping[str, str], checks: MonitorChecks) -> None:
    config = _mapping(document, "monitoring_config")
    if not _enabled(config.get("evaluate_constraints")):
        checks.doubts.append(
            "evaluate_constraints is disabled in the file: its constraints are left out"
        )
        return
    shares, drift = _settings(config, "the file", checks)
    features: Plain = {}
    for place, feature in enumerate(document["features"]):
        name = feature.get("name") if isinstance(feature, dict) else None
        if not isinstance(name, str):
            checks.doubts.append(f"feature {place} of the constraints has no name and is left out")
            continue
        options = _feature_options(feature, rename.get(name, name), drift, checks)
        if options is not None:
            features[rename.get(name, name)] = options
    checks.constraints = {"features": features, **shares} | ({"drift": drift} if drift else {})


def _feature_options(
    feature: Plain, name: str, drift: Plain | bool | None, checks: MonitorChecks
) -> Plain | None:
    numbers = _mapping(feature, "num_constraints")
    strings = _mapping(feature, "string_constraints")
    overrides: Plain = {}
    for holder in (feature, numbers, strings):
        for key in ("monitoringConfigOverrides", "monitoring_config_overrides"):
            overrides |= _mapping(holder, key)
    if not _enabled(overrides.get("evaluate_constraints")):
        checks.doubts.append(f"{name}: its constraints are disabled in the file and left out")
        return None
    options: Plain = {}
    kind = feature.get("inferred_type")
    if isinstance(kind, str) and kind in TYPES:
        options["type"] = TYPES[kind]
    if (completeness := _share(feature.get("completeness"))) is not None:
        options["completeness"] = completeness
    if numbers.get("is_non_negative") is True:
        options["non_negative"] = True
    domains = strings.get("domains")
    if isinstance(domains, list) and domains:
        options["domain"] = [to_text(value) for value in domains]
    shares, own = _settings(overrides, name, checks)
    options |= shares
    if own is not None:
        # An override holds only what differs from the settings of the file.
        options["drift"] = {**drift, **own} if own and isinstance(drift, dict) else own
    return options


def _settings(config: Plain, where: str, checks: MonitorChecks) -> tuple[Plain, Any]:
    """Return the smallest shares that a monitoring_config sets, and how columns are compared.

    The second is None where the config does not set it, False where columns are not compared.
    """
    compare = _mapping(config, "distribution_constraints")
    shares: Plain = {}
    for name, value in (
        ("data_type_share", config.get("datatype_check_threshold")),
        ("domain_share", config.get("domain_content_threshold", compare.get("min_domain_mass"))),
    ):
        if (share := _share(value)) is not None:
            shares[name] = share
    if not _enabled(compare.get("perform_comparison", compare.get("enable_comparisons"))):
        return shares, False
    drift: Plain = {}
    for key, name in (
        ("comparison_threshold", "threshold"),
        ("categorical_comparison_threshold", "categorical_threshold"),
    ):
        value = compare.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            drift[name] = value
    for key, name, choices in (
        ("comparison_method", "method", METHODS),
        ("categorical_drift_method", "categorical_method", CATEGORICAL),
    ):
        if key in compare and not (isinstance(compare[key], str) and compare[key] in choices):
            checks.doubts.append(f"{where}: {key} {to_text(compare[key])} is unknown and left out")
        elif key in compare:
            drift[name] = choices[compare[key]]
    return shares, drift or None


def _model_quality(constraints: Plain, checks: MonitorChecks) -> None:
    thresholds: dict[tuple[str, str], tuple[str, float]] = {}
    for name, constraint in constraints.items():
        value = constraint.get("threshold") if isinstance(constraint, dict) else None
        word = (
            WORDS.get(str(constraint.get("comparison_operator")))
            if isinstance(constraint, dict)
            else None
        )
        if name == "r2":
            checks.doubts.append(R2)
        elif not isinstance(value, int | float) or isinstance(value, bool) or word is None:
            checks.doubts.append(
                f"{name} is left out: its constraint has no threshold, or an operator that is "
                "unknown"
            )
        elif name == "mse" and value < 0:
            checks.doubts.append("mse is left out: its threshold is below 0")
        elif name == "mse" or name in METRICS:
            key = (METRICS.get(name, "rmse"), word)
            bound = value**0.5 if name == "mse" else value
            if key in thresholds:
                thresholds[key] = _stricter(key, thresholds[key], (name, bound), checks)
            else:
                thresholds[key] = (name, bound)
        else:
            checks.doubts.append(f"{name} is left out: the performance check has no such metric")
    checks.rules = [
        {"measurement": metric, word: {"warning": value}}
        for (metric, word), (_, value) in thresholds.items()
    ]


def _stricter(
    key: tuple[str, str], first: tuple[str, float], second: tuple[str, float], checks: MonitorChecks
) -> tuple[str, float]:
    """Return the stricter of two constraints, name and bound, of one metric.

    A window that violates the other one violates it as well.
    """
    metric, word = key
    if math.isclose(first[1], second[1], rel_tol=SAME):
        return first
    choose = min if word == "above" else max
    strict = choose((first, second), key=lambda constraint: constraint[1])
    other = second if strict is first else first
    checks.doubts.append(
        f"{first[0]} and {second[0]} both bound {metric}: {strict[0]} is the stricter one and is "
        f"kept as {metric} not {word} {strict[1]:.6g}; {other[0]} would be {other[1]:.6g}"
    )
    return strict


def _mapping(node: Plain, name: str) -> Plain:
    value = node.get(name)
    return value if isinstance(value, dict) else {}


def _enabled(value: Any) -> bool:
    """Return whether a switch is on; a missing switch counts as on."""
    return value not in (False, "Disabled", "disabled", "DISABLED", "false")


def _share(value: Any) -> float | None:
    is_share = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if is_share else None


def summarise(constraints: Plain) -> str:
    """Return the constraints of one feature in a few words."""
    parts = [str(constraints["type"])] if "type" in constraints else []
    if "completeness" in constraints:
        parts.append(f"at least {100 * constraints['completeness']:.6g}% complete")
    if constraints.get("non_negative"):
        parts.append("not below 0")
    if "domain" in constraints:
        parts.append(f"one of {len(constraints['domain'])} values")
    if any(name in constraints for name in ("data_type_share", "domain_share", "drift")):
        parts.append("thresholds of its own")
    return ", ".join(parts)


@hookimpl
def import_checks(document: Any, rename: Mapping[str, str]) -> ImportedChecks | None:
    """Return the checks for a file of constraints; None for any other document."""
    if not is_constraints(document):
        return None
    monitor_checks = convert_constraints(document, rename)
    features = monitor_checks.constraints.get("features", {})
    checks: dict[str, Plain] = {}
    if monitor_checks.constraints:
        checks["model_monitor"] = {"type": "constraints", "options": monitor_checks.constraints}
    if monitor_checks.rules:
        checks["model_quality"] = {"type": "performance", "rule": monitor_checks.rules}
    return ImportedChecks(
        checks=checks,
        features=features,
        summaries={name: summarise(constraints) for name, constraints in features.items()},
        needs_labels=bool(monitor_checks.rules),
        doubts=tuple(monitor_checks.doubts),
    )
