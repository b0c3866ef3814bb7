"""Compares stored numbers with the same numbers as they are measured now."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from driftline.state.measurement_block import QUIET_PRECISION
from driftline.state.stored_measurement import StoredMeasurement
from driftline.types.model import Verdict
from driftline.types.records import JudgedMeasurement

Values = dict[str, Any]
SeriesKey = tuple[str, str, str]
"""Check, name and labels (JSON) of a measurement."""
RELATIVE_TOLERANCE = 1e-12
"""Relative difference up to which two numbers are the same, unless both are whole."""
JUDGEMENT_DETAILS = frozenset(
    {"usual", "offset", "smallest_seen", "now", "now_low", "now_high", "odds"}
)
"""Details of a measurement that its judgement adds, not the check."""
NOT_CONFIGURED = "is not in the configuration any more"


@dataclass(frozen=True, slots=True)
class NotReproducible:
    """A number that cannot be computed again."""

    reason: str
    """For people."""


Results = Mapping[SeriesKey, JudgedMeasurement | NotReproducible]
"""What the checks measure now, or why a number cannot be computed again."""


def compare_number(row: StoredMeasurement, results: Results) -> Values:
    """A stored number beside what is measured now; `same` is None where it cannot be measured."""
    stored_values = _number_values(
        value=row.value,
        was=row.was,
        interval=(row.low, row.high),
        rows=row.rows,
        detail=json.loads(row.detail),
    )
    comparison: Values = {
        "check": row.check,
        "measurement": row.name,
        "labels": json.loads(row.labels),
        "version": row.version,
        "segment": row.segment,
        "verdict": row.verdict,
        "unit": row.unit,
        "stored": stored_values,
        "now": None,
        "same": False,
        "why": "",
    }
    result = results.get((row.check, row.name, row.labels))
    if isinstance(result, NotReproducible):
        return comparison | {"same": None, "why": result.reason}
    if result is None:
        return comparison | {"why": _missing_reason(row.check, results)}
    measurement = result.measurement
    now = _number_values(
        value=measurement.value,
        was=measurement.was,
        interval=measurement.interval or (None, None),
        rows=result.rows,
        detail=measurement.detail,
    )
    differences = [
        name
        for name, value in stored_values.items()
        if not is_same_value(value, now.get(name), _tolerance(name, row))
    ]
    return comparison | {"now": now, "same": not differences, "why": ", ".join(differences)}


def _missing_reason(check: str, results: Results) -> str:
    """Why a check measures a number no more: it failed, or it measures other ones now."""
    for result in results.values():
        if (
            isinstance(result, JudgedMeasurement)
            and result.verdict == Verdict.ERROR
            and result.check == check
        ):
            return f"could not run: {result.reason}"
    return "is not measured now"


def _number_values(
    *,
    value: float | None,
    was: float | None,
    interval: tuple[float | None, float | None],
    rows: int,
    detail: Mapping[str, Any],
) -> Values:
    """The numbers of a measurement, by name, without what its judgement added."""
    low, high = interval
    details = {
        f"detail {name}": value for name, value in detail.items() if name not in JUDGEMENT_DETAILS
    }
    return {"value": value, "was": was, "low": low, "high": high, "rows": rows, **details}


def _tolerance(name: str, row: StoredMeasurement) -> float:
    """The relative difference up to which a number of a measurement is the same."""
    is_rounded = row.is_quiet and name.startswith("detail ")
    return QUIET_PRECISION if is_rounded else RELATIVE_TOLERANCE


def is_same_value(
    first: object, second: object, relative_tolerance: float = RELATIVE_TOLERANCE
) -> bool:
    """Whether two values are the same.

    Floats may differ by `relative_tolerance`, unless both are whole; all else must be equal.
    """
    if not (isinstance(first, (int, float)) and isinstance(second, (int, float))):
        return first == second
    if float(first).is_integer() and float(second).is_integer():
        return first == second
    return math.isclose(first, second, rel_tol=relative_tolerance, abs_tol=0.0)
