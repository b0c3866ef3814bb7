"""Validates what a check yields, so that it can be judged and stored.

Does not repair a value: NaN is an error of the check, not a missing value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Any

from driftline.types.model import Decision, Measurement

MOST = 100_000
"""The most measurements of one check and window; a check that yields more would not end."""


def validate_measurement(item: Any) -> Measurement:
    """Return the measurement with plain Python numbers. Raises ValueError that names the fault."""
    if not isinstance(item, Measurement):
        raise ValueError(f"yielded {type(item).__name__} instead of a Measurement")
    name = item.name
    if not isinstance(name, str):
        raise ValueError(f"the name of a measurement is {type(name).__name__}, not text")
    subject = f"measurement '{name}'" if name else "the measurement"
    if not (
        isinstance(item.labels, Mapping)
        and all(isinstance(part, str) for pair in item.labels.items() for part in pair)
    ):
        raise ValueError(f"{subject}: labels map text to text")
    rows = item.rows
    if rows is not None:
        if not hasattr(rows, "__index__") or isinstance(rows, bool) or rows < 0:
            raise ValueError(f"{subject}: rows is no count")
        rows = int(rows)
    interval = item.interval
    if interval is not None:
        try:
            low, high = interval
        except (TypeError, ValueError):
            raise ValueError(f"{subject}: an interval is two numbers") from None
        interval = (_number(subject, "interval", low), _number(subject, "interval", high))
        if interval[0] > interval[1]:
            raise ValueError(f"{subject}: the interval ends before it begins")
    plain: dict[str, Any] = {
        "rows": rows,
        "interval": interval,
        "decision": _decision(subject, item.decision),
    }
    for part in ("value", "p_value", "was", "least", "most"):
        number = getattr(item, part)
        plain[part] = None if number is None else _number(subject, part, number)
    if plain["p_value"] is not None and not 0 <= plain["p_value"] <= 1:
        raise ValueError(f"{subject}: p_value lies outside 0 to 1")
    plain["detail"] = {str(key): _fact(subject, key, fact) for key, fact in item.detail.items()}
    # Most measurements are plain already, and a copy takes longer than all of this.
    if all(_is_same(getattr(item, part), value) for part, value in plain.items()):
        return item
    return replace(item, **plain)


def _is_same(value: Any, plain: Any) -> bool:
    """Whether a value has the types of the plain one, too."""
    if type(value) is not type(plain):
        return False
    if isinstance(plain, tuple):
        return all(map(_is_same, value, plain))
    if isinstance(plain, dict):
        return all(map(_is_same, value, plain)) and all(
            map(_is_same, value.values(), plain.values())
        )
    return bool(value == plain)


def _decision(subject: str, decision: Any) -> Decision | None:
    try:
        return None if decision is None else Decision(decision)
    except ValueError:
        raise ValueError(f"{subject}: a decision is one of {', '.join(Decision)}") from None


def _number(subject: str, part: str, value: Any) -> float:
    if type(value) is not float and (isinstance(value, bool) or not isinstance(value, Real)):
        raise ValueError(f"{subject}: {part} is {type(value).__name__}, not a number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(
            f"{subject}: {part} is {number}; give None and a reason where there is no number"
        )
    return number


def _fact(subject: str, key: object, fact: Any) -> str | float | int | None:
    if fact is None or isinstance(fact, (str, int)):
        return fact
    return _number(subject, f"detail '{key}'", fact)
