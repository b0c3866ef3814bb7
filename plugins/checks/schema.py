"""Finds columns that are missing, new, or of another type than in the reference.

Does not measure shares: the `missing` check reports columns that are missing in some rows. Columns
that the schema does not name are not seen, because only the columns of the schema are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import ClassVar

from driftline import (
    AlertFact,
    Check,
    CheckContext,
    Column,
    Measurement,
    NumericColumn,
    above,
    hookimpl,
    stats,
)
from driftline.kit.checks import Wording, phrasing

ALIKE = 1e-6
"""The chance below which a column without any value counts as missing.

It is the chance that as many rows of the reference would all be without a value.
"""
MOST, FEW = 0.9, 0.1
"""A type is a column's own from the first share of values on, and not its own up to the second."""
LOOKED_AT = 1_000
"""Categories whose texts are checked."""
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def _type_sentence(alert: AlertFact) -> str:
    now, before = alert.detail.get("type"), alert.detail.get("type_was")
    if not alert.value or not now or not before:
        return ""
    return f"{phrasing.clean(now, 30)} where {phrasing.clean(before, 30)} were"


def _past_type_sentence(alert: AlertFact) -> str:
    text = _type_sentence(alert)
    return text and f"it had {text}"


def _type_headline(alert: AlertFact) -> str:
    """Return the type of the values, now and usually."""
    now, before = alert.detail.get("type"), alert.detail.get("type_was")
    if not alert.value or not now or not before:
        return ""
    return f"the values are {phrasing.clean(now, 30)} (usually {phrasing.clean(before, 30)})"


def _all_rows(alert: AlertFact, amount: str = "all ") -> str:
    return f"{amount}{alert.rows:,} rows in the newest window" if alert.rows else ""


class SchemaChange(Check):
    """Finds columns that disappeared, appeared, or changed their type.

    missing_column is 1 when no row has a value (of any type) and the reference had some; a column
    that the records lack and a column that is always null look alike. new_column is 1 when there
    are values and the reference had none. type_changed is 1 when at least 90% of the values are of
    a type that at most 10% of the reference had: text instead of numbers, lists instead of texts,
    numbers instead of words, or words instead of numbers. The label is left out.

    | input | answer |
    | --- | --- |
    | no rows | no value, with the reason |
    | no reference, one without rows, or without the column | no value, with the reason |
    | column absent or all null in few rows: it may be chance | missing_column 0, with the reason |
    | column absent or all null on both sides | missing_column 0, new_column 0, no type_changed |
    | column of another kind than the reference's | type_changed without value, with the reason |
    | constant, one row, ties, a category never seen | 0 |
    """

    type = "schema"
    cause = "quality"
    main = "missing_column"
    default_rules: ClassVar = {
        "missing_column": above(critical=0.5),
        "type_changed": above(critical=0.5),
        "new_column": above(info=0.5),
    }
    min_rows = 10
    default_for: ClassVar = frozenset()
    default_place = 10
    schema_changes: ClassVar = frozenset({"missing_column", "type_changed", "new_column"})
    wordings: ClassVar = {
        "missing_column": Wording(
            sentence=lambda alert: "no value at all" if alert.value else "",
            headline=lambda alert: (
                "no value in any row (usually there are values)" if alert.value else ""
            ),
            extent=_all_rows,
            past=lambda alert: "it had no value at all",
        ),
        "type_changed": Wording(
            sentence=_type_sentence,
            headline=_type_headline,
            extent=lambda alert: _all_rows(alert, "almost all of "),
            past=_past_type_sentence,
        ),
        "new_column": Wording(
            sentence=lambda alert: "has values, it never had any before" if alert.value else "",
            past=lambda alert: "it had values",
        ),
    }

    columns: tuple[str, ...] = ()
    """The columns to check; when empty, all except the label."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield two or three measurements for each column."""
        label = ctx.schema.label.name if ctx.schema.label else None
        # Training data often lack the predictions and scores of the model.
        outputs = {
            field.name for field in (ctx.schema.prediction, ctx.schema.score) if field is not None
        }
        references = dict(ctx.reference.columns) if ctx.reference else {}
        for name in dict.fromkeys(
            self.columns
            or [name for name in dict(ctx.current.columns) | references if name != label]
        ):
            cur, ref = ctx.current.columns.get(name), references.get(name)
            reason = "" if ctx.current.rows else "no rows"
            if ref is None or not ref.rows:
                reason = reason or "no reference for this column yet"
            for measurement_name, answer in (
                ("missing_column", _missing_column),
                ("new_column", _new),
                ("type_changed", _type_change),
            ):
                if measurement_name == "new_column" and name in outputs:
                    continue
                value, no_value_reason, detail, chance = (
                    (None, reason, {}, None)
                    if reason or ref is None
                    else answer(cur, ref, ctx.current.rows)
                )
                yield Measurement(
                    value,
                    {"column": name},
                    name=measurement_name,
                    rows=ctx.current.rows,
                    p_value=chance,
                    reason=no_value_reason,
                    detail=detail,
                )


Answer = tuple[float | None, str, dict[str, str], float | None]
"""Value, reason, facts and chance."""


def _present(column: Column | None) -> int:
    """Return the rows with a value of any type."""
    return 0 if column is None else column.rows - column.missing + column.invalid


def _missing_column(cur: Column | None, ref: Column, rows: int) -> Answer:
    if _present(cur) or not _present(ref):
        return 0.0, "", {}, None
    most = (stats.clopper_pearson(ref.rows - _present(ref), ref.rows) or (0.0, 1.0))[1]
    chance = most**rows
    return (
        (1.0, "", {}, chance)
        if chance < ALIKE
        else (0.0, "so few rows may well be without value", {}, chance)
    )


def _new(cur: Column | None, ref: Column, rows: int) -> Answer:
    return float(_present(cur) > 0 and not _present(ref)), "", {}, None


def _type_change(cur: Column | None, ref: Column, rows: int) -> Answer:
    if cur is None or not _present(cur) or not _present(ref):
        return None, "no values to compare", {}, None
    if cur.kind != ref.kind:
        return None, f"{cur.kind} here, {ref.kind} in the reference", {}, None
    cur_types, ref_types = _types(cur), _types(ref)
    for kind, share in cur_types.items():
        if share >= MOST and ref_types[kind] <= FEW:
            usual = max(ref_types, key=lambda type_name: ref_types[type_name])
            return 1.0, "", {"type": kind, "type_was": usual}, None
    return 0.0, "", {}, None


@lru_cache(maxsize=100_000)
def _is_number(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None


def _types(column: Column) -> dict[str, float]:
    """Return the share of each type among the values."""
    total = _present(column)
    if isinstance(column, NumericColumn):
        return {
            "numbers": 1 - column.invalid / total,
            "values that are not numbers": column.invalid / total,
        }
    # The other categories are assumed to have the same types as the most frequent ones.
    categories = list(islice(column.counts.items(), LOOKED_AT))
    total_rows = sum(rows for _, rows in categories)
    numbers = (
        sum(rows for name, rows in categories if _is_number(name)) / total_rows
        if total_rows
        else 0.0
    )
    texts = column.count / total
    return {
        "numbers": texts * numbers,
        "words": texts * (1 - numbers),
        "lists or objects": column.invalid / total,
    }


@hookimpl
def register_checks() -> list[type[Check]]:
    """The schema check."""
    return [SchemaChange]
