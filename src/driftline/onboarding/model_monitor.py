"""What SageMaker's `constraints.json` asks for, as checks of this configuration: data quality and
model quality.

Refuses to pass over in silence: what has no counterpart here is told as a doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    "mae": "mae", "rmse": "rmse", "accuracy": "accuracy", "precision": "precision", "recall": "recall",
    "true_positive_rate": "recall", "auc": "roc_auc", "f1": "f1",
}  # fmt: skip
WORDS = {"GreaterThanThreshold": "above", "LessThanThreshold": "below"}
R2 = "r2 is left out: SageMaker computes it with label and prediction exchanged, so its threshold means nothing here"


@dataclass(slots=True)
class Asked:
    """The checks that a file of constraints asks for."""

    constraints: Plain = field(default_factory=dict)
    """Options of a `constraints` check; empty where the file has none."""
    rules: list[Plain] = field(default_factory=list)
    """Rules of a `performance` check."""
    doubts: list[str] = field(default_factory=list)
    """What to look at, in sentences."""


def is_constraints(document: Any) -> bool:
    """Whether a JSON document has constraints in it."""
    if not isinstance(document, dict) or "dataset" in document:
        return False
    return isinstance(document.get("features"), list) or any(
        isinstance(document.get(part), dict) for part in QUALITY
    )


def understand(document: Plain, rename: Mapping[str, str]) -> Asked:
    """The checks for what `document` asks; `rename` gives features the names that the records
    have.
    """
    asked = Asked()
    if isinstance(document.get("features"), list):
        _data_quality(document, rename, asked)
    for part in QUALITY:
        if isinstance(document.get(part), dict):
            _model_quality(document[part], asked)
    return asked


def _data_quality(document: Plain, rename: Mapping[str, str], asked: Asked) -> None:
    config = _mapping(document, "monitoring_config")
    if not _enabled(config.get("evaluate_constraints")):
        asked.doubts.append(
            "evaluate_constraints is disabled in the file: its constraints are left out"
        )
        return
    shares, drift = _settings(config, "the file", asked)
    features: Plain = {}
    for place, told in enumerate(document["features"]):
        name = told.get("name") if isinstance(told, dict) else None
        if not isinstance(name, str):
            asked.doubts.append(f"feature {place} of the constraints has no name and is left out")
            continue
        made = _feature(told, rename.get(name, name), drift, asked)
        if made is not None:
            features[rename.get(name, name)] = made
    asked.constraints = {"features": features, **shares} | ({"drift": drift} if drift else {})


def _feature(told: Plain, name: str, drift: Plain | bool | None, asked: Asked) -> Plain | None:
    numbers, strings = _mapping(told, "num_constraints"), _mapping(told, "string_constraints")
    overrides: Plain = {}
    for holder in (told, numbers, strings):
        for key in ("monitoringConfigOverrides", "monitoring_config_overrides"):
            overrides |= _mapping(holder, key)
    if not _enabled(overrides.get("evaluate_constraints")):
        asked.doubts.append(f"{name}: its constraints are disabled in the file and left out")
        return None
    made: Plain = {}
    kind = told.get("inferred_type")
    if kind in TYPES:
        made["type"] = TYPES[kind]
    if (completeness := _share(told.get("completeness"))) is not None:
        made["completeness"] = completeness
    if numbers.get("is_non_negative") is True:
        made["non_negative"] = True
    domains = strings.get("domains")
    if isinstance(domains, list) and domains:
        made["domain"] = [to_text(value) for value in domains]
    shares, own = _settings(overrides, name, asked)
    made |= shares
    if own is not None:
        # An override names what differs; the rest is the file's.
        made["drift"] = {**drift, **own} if own and isinstance(drift, dict) else own
    return made


def _settings(config: Plain, where: str, asked: Asked) -> tuple[Plain, Any]:
    """The least shares that a monitoring_config sets, and how columns are compared: None unsaid,
    False not at all.
    """
    compare = _mapping(config, "distribution_constraints")
    shares: Plain = {}
    for name, value in (
        ("data_type_share", config.get("datatype_check_threshold")),
        ("domain_share", config.get("domain_content_threshold", compare.get("min_domain_mass"))),
    ):
        if (found := _share(value)) is not None:
            shares[name] = found
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
    for key, name, known in (
        ("comparison_method", "method", METHODS),
        ("categorical_drift_method", "categorical_method", CATEGORICAL),
    ):
        if key in compare and not (isinstance(compare[key], str) and compare[key] in known):
            asked.doubts.append(f"{where}: {key} {to_text(compare[key])} is unknown and left out")
        elif key in compare:
            drift[name] = known[compare[key]]
    return shares, drift or None


def _model_quality(constraints: Plain, asked: Asked) -> None:
    told: dict[tuple[str, str], float] = {}
    for name, constraint in constraints.items():
        value = constraint.get("threshold") if isinstance(constraint, dict) else None
        word = (
            WORDS.get(str(constraint.get("comparison_operator")))
            if isinstance(constraint, dict)
            else None
        )
        if name == "r2":
            asked.doubts.append(R2)
        elif not isinstance(value, int | float) or isinstance(value, bool) or word is None:
            asked.doubts.append(
                f"{name} is left out: its constraint has no threshold, or an operator that is unknown"
            )
        elif name == "mse" and value >= 0:
            told.setdefault(("rmse", word), value**0.5)
        elif name in METRICS:
            told[(METRICS[name], word)] = value
        else:
            asked.doubts.append(f"{name} is left out: the performance check has no such metric")
    asked.rules = [
        {"measurement": metric, word: {"warning": value}} for (metric, word), value in told.items()
    ]


def _mapping(node: Plain, name: str) -> Plain:
    found = node.get(name)
    return found if isinstance(found, dict) else {}


def _enabled(value: Any) -> bool:
    """Unsaid is enabled."""
    return value not in (False, "Disabled", "disabled", "DISABLED", "false")


def _share(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if known else None
