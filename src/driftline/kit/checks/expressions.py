"""Offers expressions over the columns of a row as settings of a check, and reads their results.

Does not evaluate expressions: the collector `expressions` does that once, when rows are profiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import AfterValidator

from driftline.contracts.check import ColumnNames
from driftline.profiles.language import (
    CONDITIONS,
    column_names,
    match_whole,
    parse,
    pattern_trouble,
    quote_column,
)
from driftline.profiles.tallies import Tally
from driftline.profiles.window import Window

__all__ = [
    "Condition",
    "Expression",
    "ExpressionColumn",
    "Pattern",
    "Tally",
    "match_whole",
    "quote_column",
    "tally",
]


def _condition(text: str) -> str:
    if parse(text).op not in CONDITIONS:
        raise ValueError("should be a condition, such as `amount > 0`")
    return text


def _parsed(text: str) -> str:
    parse(text)
    return text


def _columns_of(text: str) -> Iterable[str]:
    return dict.fromkeys(column_names(parse(text)))


def _nameable(column: str) -> str:
    quote_column(column)
    return column


def _pattern(text: str) -> str:
    if trouble := pattern_trouble(text):
        raise ValueError(trouble)
    return text


Condition = Annotated[str, AfterValidator(_condition), ColumnNames(_columns_of)]
"""A setting that is a condition: an expression that is true or false for a row.

The configuration reports where it stands when it is not a condition.
"""
Expression = Annotated[str, AfterValidator(_parsed), ColumnNames(_columns_of)]
"""A setting that is a condition or a calculation over the columns of a row."""
ExpressionColumn = Annotated[str, AfterValidator(_nameable), ColumnNames()]
"""A setting that is the name of a column, for use in an expression."""
Pattern = Annotated[str, AfterValidator(_pattern)]
"""A setting that is a regular expression (RE2)."""


def tally(window: Window | None, text: str) -> Tally:
    """Return the result of an expression that a check wants, for the rows of a window.

    When the expression was not evaluated, the result is all unknown and holds the reason.
    """
    if window is None:
        return Tally(reason="no reference yet")
    tallies: Mapping[str, Tally] = window.summaries.get("expressions", {})
    return tallies.get(text) or Tally(
        reason="these rows were summarised before this was asked of them"
    )
