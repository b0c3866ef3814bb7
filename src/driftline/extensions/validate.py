"""Whether what a check yielded can be judged and stored.

Refuses repairs that change a meaning: NaN is an error of the check, never a missing value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Any

from driftline.types.model import Decision, Measurement

MOST = 100_000
"""Measurements of one check and window; more would be a check that never ends."""


def fit(item: Any) -> Measurement:
    """The measurement with plain numbers in it. Raises ValueError that says what is wrong with
    it.
    """
    if not isinstance(item, Measurement):
        raise ValueError(f"yielded {type(item).__name__} instead of a Measurement")
    name = item.name
    if not isinstance(name, str):
        raise ValueError(f"the name of a measurement is {type(name).__name__}, not text")
    what = f"measurement '{name}'" if name else "the measurement"
    if not (
        isinstance(item.labels, Mapping)
        and all(isinstance(part, str) for pair in item.labels.items() for part in pair)
    ):
        raise ValueError(f"{what}: labels map text to text")
    rows = item.rows
    if rows is not None:
        if not hasattr(rows, "__index__") or isinstance(rows, bool) or rows < 0:
            raise ValueError(f"{what}: rows is no count")
        rows = int(rows)
    interval = item.interval
    if interval is not None:
        try:
            low, high = interval
        except (TypeError, ValueError):
            raise ValueError(f"{what}: an interval is two numbers") from None
        interval = (_number(what, "interval", low), _number(what, "interval", high))
        if interval[0] > interval[1]:
            raise ValueError(f"{what}: the interval ends before it begins")
    p_value = None if item.p_value is None else _number(what, "p_value", item.p_value)
    if p_value is not None and not 0 <= p_value <= 1:
        raise ValueError(f"{what}: p_value lies outside 0 to 1")
    return replace(
        item,
        value=None if item.value is None else _number(what, "value", item.value),
        rows=rows,
        interval=interval,
        p_value=p_value,
        was=None if item.was is None else _number(what, "was", item.was),
        least=None if item.least is None else _number(what, "least", item.least),
        most=None if item.most is None else _number(what, "most", item.most),
        detail={str(key): _fact(what, key, fact) for key, fact in item.detail.items()},
        decision=_decision(what, item.decision),
    )


def _decision(what: str, decision: Any) -> Decision | None:
    try:
        return None if decision is None else Decision(decision)
    except ValueError:
        raise ValueError(f"{what}: a decision is one of {', '.join(Decision)}") from None


def _number(what: str, part: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{what}: {part} is {type(value).__name__}, not a number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(
            f"{what}: {part} is {number}; give None and a reason where there is no number"
        )
    return number


def _fact(what: str, key: object, fact: Any) -> str | float | int | None:
    if fact is None or isinstance(fact, (str, int)):
        return fact
    return _number(what, f"detail '{key}'", fact)
