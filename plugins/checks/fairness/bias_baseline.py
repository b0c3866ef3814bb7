"""Checks from the bias baseline of SageMaker Clarify, `analysis.json`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from driftline import hookimpl
from driftline.kit.checks import ImportedChecks

from .metric_names import Clarify

PARTS = ("pre_training_bias_metrics", "post_training_bias_metrics")
WITH_INTERVAL = frozenset({"DPL", "DPPL", "DI", "RD", "DAR", "AD", "SD", "DRR", "TE"})
"""Metrics that have an interval: a bound for another one would be crossed by chance."""
CLOSEST = 0.03
"""The least distance from equal treatment of a bound."""
ABOVE = re.compile(r"\(\s*(-?[0-9.eE+-]+)\s*,")
Plain = dict[str, Any]


@hookimpl
def import_checks(document: Any, rename: Mapping[str, str]) -> ImportedChecks | None:
    """Return a check `fairness` for each facet; None for any other document.

    A metric may be as far from equal treatment as in the baseline, to either side.
    """
    parts = [document[name] for name in PARTS if name in document] if _is_mapping(document) else []
    facets: dict[tuple[str, str], dict[str, float | None]] = {}
    for part in parts:
        for facet, value, metrics in _facets(part):
            facets.setdefault((rename.get(facet, facet), value), {}).update(metrics)
    if not facets:
        return None
    checks: dict[str, Plain] = {}
    doubts: list[str] = []
    for (facet, value), metrics in facets.items():
        segment = _segment(facet, value, doubts)
        check = _make_check(segment, metrics, doubts)
        if check is not None:
            checks[f"bias_{segment}"] = check
    return ImportedChecks(checks=checks, needs_labels=True, doubts=tuple(dict.fromkeys(doubts)))


def _facets(part: Any) -> Iterator[tuple[str, str, dict[str, float | None]]]:
    """Yield each facet with its value and its metrics; what has another shape is left out."""
    facets: Plain = part.get("facets", {}) if _is_mapping(part) else {}
    for facet, values in facets.items() if _is_mapping(facets) else ():
        for item in values if isinstance(values, list) else ():
            if not _is_mapping(item) or not isinstance(item.get("metrics"), list):
                continue
            metrics = {
                str(metric.get("name")): _number(metric.get("value"))
                for metric in item["metrics"]
                if _is_mapping(metric)
            }
            yield str(facet), str(item.get("value_or_threshold", "")), metrics


def _segment(facet: str, value: str, doubts: list[str]) -> str:
    """Return the segment of a facet, and note what belongs in the schema."""
    match = ABOVE.match(value)
    if match is None:
        doubts.append(
            f"add {facet} to schema.segments; in the baseline the group is {value or 'not named'}"
        )
        return facet
    name = f"{facet}_above_{match[1]}"
    rule = f"{{name: {name}, where: '{facet} > {match[1]}'}}"
    doubts.append(f"add to schema.segments: {rule}; in the baseline the group is {value}")
    return name


def _make_check(
    segment: str, metrics: Mapping[str, float | None], doubts: list[str]
) -> Plain | None:
    known = [name for name in metrics if name in get_args(Clarify) and metrics[name] is not None]
    if "FT" in metrics:
        doubts.append("FT is measured by the check flip_test, and has no bound from the baseline")
    bounded = [name for name in known if name in WITH_INTERVAL]
    free = [name for name in known if name not in WITH_INTERVAL and not name.startswith("CDD")]
    if free:
        doubts.append(f"{', '.join(free)}: measured without a bound, for they have no interval")
    if any(name.startswith("CDD") for name in known):
        doubts.append("CDDL and CDDPL are left out: they need strata")
    if not bounded:
        return None
    rules: list[Plain] = []
    for name in bounded:
        value = metrics[name]
        assert value is not None
        low, high = _bounds(name, value)
        rules += [
            {"measurement": name, "above": {"warning": high}},
            {"measurement": name, "below": {"warning": low}},
        ]
    options = {"facets": [segment], "metrics": [*bounded, *free]}
    return {"type": "fairness", "options": options, "rule": rules}


def _bounds(name: str, value: float) -> tuple[float, float]:
    """Return how far a metric may be from equal treatment, to both sides."""
    if name == "DI":
        ratio = max(value, 1 / value) if value > 0 else math.inf
        ratio = max(ratio, 1 / (1 - CLOSEST))
        return (1 / ratio, ratio) if math.isfinite(ratio) else (0.0, 1e9)
    distance = max(abs(value), CLOSEST)
    return -distance, distance


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
