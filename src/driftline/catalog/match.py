"""Evaluates an expression on one item: a version of a model, or a stored measurement.

As for rows, a value that is missing makes a comparison unknown, and an item is chosen only where
the expression is true.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from driftline.profiles.language import Node, match_whole

Value = str | float | bool | Sequence[str] | None
"""A value of an item; a sequence stands for any of its texts, such as the names of datasets."""
Lookup = Callable[[str], Value]
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right if right else math.nan,
}


def matches(node: Node, lookup: Lookup) -> bool:
    """Whether an item is surely chosen; `lookup` returns the values of its fields."""
    return evaluate(node, lookup) is True


def evaluate(node: Node, lookup: Lookup) -> Any:
    """Return the value of an expression: a text, a number, true, false, or None if unknown."""
    if node.op in ("and", "or"):
        return _connect(node, lookup)
    if node.op == "not":
        value = evaluate(node.args[0], lookup)
        return None if value is None else not value
    if node.op == "literal":
        return node.value
    if node.op == "column":
        return lookup(str(node.value))
    if node.op == "null":
        return _is_missing(evaluate(node.args[0], lookup))
    if node.op == "present":
        return not any(_is_missing(evaluate(arg, lookup)) for arg in node.args)
    if node.op == "in":
        options = [Node("==", (node.args[0], item)) for item in node.args[1].args]
        return _connect(Node("or", tuple(options)), lookup)
    values = [evaluate(arg, lookup) for arg in node.args]
    # Of several texts, such as no aliases, it is known that none is equal.
    if any(_is_missing(value) for value in values if not isinstance(value, (list, tuple))):
        return None
    if node.op in COMPARE:
        return _compare(node.op, values[0], values[1])
    if node.op == "matches":
        return _any(values[0], lambda text: _matches_text(_text(text), str(values[1])))
    return _calculate(node.op, values)


def _connect(node: Node, lookup: Lookup) -> bool | None:
    """Three-valued and, or."""
    decisive = node.op == "or"
    values = [evaluate(arg, lookup) for arg in node.args]
    if any(value is decisive for value in values):
        return decisive
    return None if any(value is None for value in values) else not decisive


def _is_missing(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, (list, tuple)) and not value)


def _any(value: Any, holds: Callable[[Any], bool | None]) -> bool | None:
    """Whether it holds of a value, or of one of several."""
    if isinstance(value, (list, tuple)):
        return any(holds(item) for item in value)
    return holds(value)


def _compare(operator: str, left: Any, right: Any) -> bool | None:
    if operator == "!=" and isinstance(left, (list, tuple)):
        return not _compare("==", left, right)
    return _any(left, lambda item: _compare_scalars(operator, item, right))


def _compare_scalars(operator: str, left: Any, right: Any) -> bool | None:
    """Compare as numbers where one side is a number and the other reads as one, else as texts.

    A registry of models has parameters as texts: "6" is 6.
    """
    if isinstance(left, bool) or isinstance(right, bool):
        return COMPARE[operator](_text(left).lower(), _text(right).lower())
    if isinstance(left, str) != isinstance(right, str):
        pair = _number(left), _number(right)
        if None in pair:
            return {"==": False, "!=": True}.get(operator)
        left, right = pair
    return COMPARE[operator](left, right)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _calculate(operator: str, values: Sequence[Any]) -> Any:
    if operator == "len":
        return float(len(values[0]))
    numbers = [_number(value) for value in values]
    if any(number is None for number in numbers):
        return None
    first, *others = (float(number) for number in numbers if number is not None)
    if operator == "abs":
        return abs(first)
    if operator == "near":
        other, share = others
        return abs(first - other) <= share * abs(other)
    result = ARITHMETIC[operator](first, others[0])
    return None if math.isnan(result) else result


@lru_cache(maxsize=10_000)
def _matches_text(text: str, pattern: str) -> bool:
    import pyarrow as pa

    return bool(match_whole(pa.array([text]), pattern)[0].as_py())
