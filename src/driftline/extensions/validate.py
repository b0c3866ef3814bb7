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

PLAIN_FACTS = frozenset({str, int, bool, float, type(None)})
"""Types that a detail may have as it is."""


def validate_measurement(item: Any) -> Measurement:
    """Return the measurement with plain Python numbers. Raises ValueError that names the fault."""
    if not isinstance(item, Measurement):
        raise ValueError(f"yielded {type(item).__name__} instead of a Measurement")
    if _is_plain(item):
        return item
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
    p_value = None if item.p_value is None else _number(subject, "p_value", item.p_value)
    if p_value is not None and not 0 <= p_value <= 1:
        raise ValueError(f"{subject}: p_value lies outside 0 to 1")
    return replace(
        item,
        value=None if item.value is None else _number(subject, "value", item.value),
        rows=rows,
        interval=interval,
        p_value=p_value,
        was=None if item.was is None else _number(subject, "was", item.was),
        least=None if item.least is None else _number(subject, "least", item.least),
        most=None if item.most is None else _number(subject, "most", item.most),
        detail={str(key): _fact(subject, key, fact) for key, fact in item.detail.items()},
        decision=_decision(subject, item.decision),
    )


def _is_plain(item: Measurement) -> bool:
    """Whether nothing has to be converted, and nothing is wrong.

    Nearly all measurements are plain, and this takes a fraction of the time of a conversion.
    """
    p_value, rows, interval, detail = item.p_value, item.rows, item.interval, item.detail
    for number in (item.value, p_value, item.was, item.least, item.most):
        # Only a finite number has a difference of 0 from itself.
        if number is not None and not (type(number) is float and number - number == 0.0):
            return False
    if not (p_value is None or 0 <= p_value <= 1):
        return False
    if not (rows is None or (type(rows) is int and rows >= 0)):
        return False
    if interval is not None:
        if type(interval) is not tuple or len(interval) != 2:
            return False
        low, high = interval
        if not (type(low) is type(high) is float and -math.inf < low <= high < math.inf):
            return False
    if type(item.name) is not str or type(item.labels) is not dict or type(detail) is not dict:
        return False
    for key, text in item.labels.items():
        if type(key) is not str or type(text) is not str:
            return False
    for key, fact in detail.items():
        kind = type(fact)
        if type(key) is not str or kind not in PLAIN_FACTS:
            return False
        if kind is float and fact - fact != 0.0:
            return False
    return item.decision is None or type(item.decision) is Decision


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
    if type(fact) in PLAIN_FACTS and type(fact) is not float:
        return fact  # type: ignore[no-any-return]
    for plain in (str, int):
        if isinstance(fact, plain):
            return plain(fact)
    return _number(subject, f"detail '{key}'", fact)
