"""Finds texts that a column may not hold, by a list of values or a pattern.

Does not check numeric columns: the `range` check does. Patterns are RE2, whose time grows only with
the length of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from driftline import (
    CategoricalColumn,
    Check,
    CheckContext,
    Column,
    Measurement,
    above,
    hookimpl,
    stats,
)
from driftline.kit.checks import ColumnName, canonical_value, expressions

if TYPE_CHECKING:
    import pyarrow as pa

FORMS = {
    "uuid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "date": r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])",
    "timestamp": r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?",
    "IPv4 address": r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}",
    "e-mail address": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "URL": r"[a-zA-Z][a-zA-Z0-9+.-]*://\S+",
    "digits": r"[0-9]+",
}
"""Forms that are recognised in a reference."""
LEARNT, ROWS, NAMES, FIRST = 0.999, 1000, 50, 20
"""The share, rows and distinct texts that a form needs; the number of texts that are tried first.

The texts that are tried first are the most frequent ones.
"""


def _word(value: object) -> object:
    return str(value) if isinstance(value, (bool, int, float)) else value


Word = Annotated[str, BeforeValidator(_word, json_schema_input_type=str | int | float | bool)]


class Domain(Check):
    """Measures the share of a column's texts that do not conform.

    nonconforming_rate has an exact interval (Clopper and Pearson). A text conforms when it is one
    of the allowed values and the whole text matches the pattern, as far as these are given. For a
    column without either, the check learns a form that at least 99.9% of the reference has (at
    least 1,000 rows and 50 different texts): UUID, date, timestamp, IPv4 or e-mail address, URL,
    digits. Each distinct text is checked once.

    Texts beyond the 10,000 that are counted for a column are not checked. The value is then that of
    the other texts, and the interval covers everything from none of them to all of them. 1, 1.0 and
    true are the same text, `1`. Texts are cut after 200 characters. Missing values and values of
    another type belong to the `missing` check.

    | input | answer |
    | --- | --- |
    | column absent, or without texts | no value, with the reason |
    | numeric column | no value, with the reason, when it is configured |
    | constant, one row, ties, a category never seen | counted like any other texts |
    | no reference, or less than 1,000 rows or 50 texts in it | configured columns only |
    | no rows | no value, with the reason |
    """

    type = "domain"
    cause = "quality"
    main = "nonconforming_rate"
    collectors: ClassVar = frozenset({"categories"})
    default_rules: ClassVar = {"nonconforming_rate": above(warning=0.01, critical=0.20)}
    min_rows = 30

    patterns: dict[ColumnName, expressions.Pattern] = Field(default_factory=dict)
    """The regular expression of each column, such as `zip: "[0-9]{5}"`.

    It must match the whole text. Look-around and back references are not supported.
    """
    allowed: dict[ColumnName, tuple[Word, ...]] = Field(default_factory=dict)
    """The allowed values of each column, by its name: `country: [DE, FR]`."""
    learn: bool = True
    """Whether to learn the forms of the other columns from the reference."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield one measurement for each configured column and each column whose form is learnt."""
        label = ctx.schema.label.name if ctx.schema.label else None
        configured_columns = dict.fromkeys([*self.patterns, *self.allowed])
        candidates = (
            [
                name
                for name in ctx.reference.columns
                if name not in configured_columns and name != label
            ]
            if ctx.reference
            else []
        )
        for name in [*configured_columns, *(candidates if self.learn else [])]:
            ref = ctx.reference.columns.get(name) if ctx.reference else None
            pattern, form = self.patterns.get(name), ""
            if name not in configured_columns:
                form = _form(ref)
                if not form:
                    continue
                pattern = FORMS[form]
            values = (
                frozenset(filter(None, map(canonical_value, self.allowed[name])))
                if name in self.allowed
                else None
            )
            now = _count_values(ctx.current.columns.get(name), pattern, values)
            before = _count_values(ref, pattern, values)
            if isinstance(now, str):
                yield Measurement(
                    None,
                    {"column": name},
                    name="nonconforming_rate",
                    rows=0,
                    reason=now,
                )
                continue
            show_values = name not in ctx.schema.redact
            yield _rate(
                name,
                now,
                None if isinstance(before, str) else before.rate,
                form,
                show_values=show_values,
            )


class _TextCounts(NamedTuple):
    wrong: int
    """Rows with texts that do not conform."""
    unchecked_rows: int
    """Rows with texts that were not checked."""
    rows: int
    examples: Sequence[str]
    """The most frequent texts that do not conform."""

    @property
    def rate(self) -> float:
        return (
            self.wrong / (self.rows - self.unchecked_rows)
            if self.rows > self.unchecked_rows
            else 0.5
        )


def _count_values(
    column: Column | None, pattern: str | None, allowed: frozenset[str] | None
) -> _TextCounts | str:
    """Return the rows that do not conform, or the reason why they are unknown."""
    import pyarrow as pa

    if not isinstance(column, CategoricalColumn):
        return (
            "a numeric column has no texts: make it categorical in the schema"
            if column
            else "the window has no such column"
        )
    if not column.count:
        return "no values in the window"
    names = pa.array(list(column.counts), pa.string())
    fits = _fitting(names, pattern) if pattern is not None else np.ones(len(names), bool)
    if allowed is not None:
        fits &= np.array([name in allowed for name in column.counts], bool)
    counts = np.fromiter(column.counts.values(), np.int64, len(names))
    examples = names.take(pa.array(np.flatnonzero(~fits)[:5])).to_pylist()
    return _TextCounts(int(counts[~fits].sum()), column.other, column.count, examples)


def _fitting(names: pa.Array, pattern: str) -> NDArray[np.bool_]:
    return np.array(expressions.match_whole(names, pattern).to_numpy(zero_copy_only=False), bool)


def _rate(
    name: str, cur: _TextCounts, ref_rate: float | None, form: str, *, show_values: bool
) -> Measurement:
    low, high = (
        stats.clopper_pearson(wrong, cur.rows) or (0.0, 1.0)
        for wrong in (cur.wrong, cur.wrong + cur.unchecked_rows)
    )
    reason = (
        f"{cur.unchecked_rows:,} rows have texts beyond those that are counted, "
        "which were not looked at"
        if cur.unchecked_rows
        else ""
    )
    detail: dict[str, str | float | int | None] = {"form": form} if form else {}
    if show_values and cur.examples:
        detail["outside"] = ", ".join(text[:60] for text in cur.examples)
    value, labels = cur.rate, {"column": name}
    return Measurement(
        value,
        labels,
        name="nonconforming_rate",
        rows=cur.rows,
        interval=(low[0], high[1]),
        reason=reason,
        was=ref_rate,
        unit="share",
        detail=detail,
    )


def _form(column: Column | None) -> str:
    """Return the form that a reference shows; empty when there is none."""
    import pyarrow as pa

    if (
        not isinstance(column, CategoricalColumn)
        or column.count < ROWS
        or len(column.counts) < NAMES
    ):
        return ""
    names = pa.array(list(column.counts), pa.string())
    counts = np.fromiter(column.counts.values(), np.int64, len(names))
    for form, pattern in FORMS.items():
        if (
            2 * _fitting(names[:FIRST], pattern).sum() >= FIRST
            and counts[_fitting(names, pattern)].sum() >= LEARNT * counts.sum()
        ):
            return form
    return ""


@hookimpl
def register_checks() -> list[type[Check]]:
    """The domain check."""
    return [Domain]
