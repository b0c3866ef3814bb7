"""Finds columns that stand still: their counts equal those of the window before.

Does not store windows. It measures a fingerprint of the counts and compares it with those in the
history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import pairwise
from math import exp, log, pi
from typing import ClassVar

import numpy as np

from driftline import (
    AlertFact,
    Check,
    CheckContext,
    Column,
    Measurement,
    NumericColumn,
    above,
    hookimpl,
)
from driftline.kit.checks import PastValue, Wording, phrasing

ALIKE = 1e-6
"""The chance below which equal counts are not chance.

It is the chance that two samples have the same counts.
"""
MEMORY, LEARNING, OFTEN = 32, 3, 0.2
"""Windows to compare; those that must have differed; the share of repeats that is normal."""
GROUP = 5
"""Rows of a group at least, for the chance of equal counts."""


def _stale_sentence(alert: AlertFact) -> str:
    if not alert.value:
        return ""
    if alert.value > 1:
        return f"the same counts as in the {phrasing.number(alert.value)} windows before"
    return "stands still"


class Stale(Check):
    """Counts the windows right before this one with exactly the same counts of a column.

    stale compares the counts of every cell of the grid, of every category, and of missing values.
    It is 0 where equal counts may be chance, which means that two samples of the distribution would
    agree more than once in a million times. It is also 0 where windows of the column often repeat.
    fingerprint is 48 bits of a hash of the counts. The label is left out.

    | input | answer |
    | --- | --- |
    | no rows | no value, with the reason |
    | no earlier window | stale 0 |
    | the same counts; fewer than 3 earlier windows that differ | no stale, with the reason |
    | constant, one row, all null, few rows, one class | stale 0, with the reason |
    | column absent | no value, with the reason |
    | another number of rows, a new category, other ties | another fingerprint, stale 0 |
    | no reference | the same |
    """

    type = "stale"
    cause = "quality"
    main = "stale"
    default_rules: ClassVar = {"stale": above(warning=0.5)}
    min_rows = 30
    wordings: ClassVar = {
        "stale": Wording(sentence=_stale_sentence, past=lambda alert: "it stood still")
    }

    columns: tuple[str, ...] = ()
    """The columns to check; when empty, all except the label."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield two measurements for each column."""
        label = ctx.schema.label.name if ctx.schema.label else None
        for name in dict.fromkeys(
            self.columns or [name for name in ctx.current.columns if name != label]
        ):
            labels, column = {"column": name}, ctx.current.columns.get(name)
            if column is None or not column.rows:
                reason = "no rows" if column else "the window has no such column"
                yield Measurement(
                    None,
                    labels,
                    name="fingerprint",
                    rows=0,
                    reason=reason,
                )
                yield Measurement(
                    None,
                    labels,
                    name="stale",
                    rows=0,
                    reason=reason,
                )
                continue
            mark = _fingerprint(column)
            yield Measurement(
                mark,
                labels,
                name="fingerprint",
                rows=column.rows,
            )
            yield _stale(mark, ctx.history("fingerprint", labels, MEMORY), column, labels)


def _stale(
    mark: float, past: Sequence[PastValue], column: Column, labels: dict[str, str]
) -> Measurement:
    def measurement(
        value: float | None, reason: str = "", chance: float | None = None
    ) -> Measurement:
        return Measurement(
            value,
            labels,
            name="stale",
            rows=column.rows,
            p_value=chance,
            reason=reason,
            unit="windows alike before",
        )

    marks = [earlier.value for earlier in past]
    alike = next(
        (place for place, earlier_mark in enumerate(reversed(marks)) if earlier_mark != mark),
        len(marks),
    )
    if not alike:
        return measurement(0.0)
    chance = _chance(column)
    if chance >= ALIKE:
        return measurement(0.0, "such counts may well be the same by chance", chance)
    before = marks[: len(marks) - alike]
    if len(before) < LEARNING:
        return measurement(
            None, f"learning: {len(before)} of {LEARNING} earlier windows that differ"
        )
    repeats = sum(mark_before == next_ for mark_before, next_ in pairwise(before))
    if repeats > OFTEN * (len(before) - 1):
        return measurement(0.0, "windows of this column often repeat")
    return measurement(float(alike), chance=chance)


def _fingerprint(column: Column) -> float:
    if isinstance(column, NumericColumn):
        ends = np.array([column.minimum or 0.0, column.maximum or 0.0]).tobytes()
        fingerprint = repr(
            (column.rows, column.nulls, column.nans, column.infinities, column.invalid)
        ).encode()
        content = fingerprint + ends + column.counts.astype("<i8").tobytes()
    else:
        content = repr(
            (column.rows, column.nulls, column.invalid, column.other, sorted(column.counts.items()))
        ).encode()
    return float(int.from_bytes(blake2b(content, digest_size=6).digest(), "big"))


def _chance(column: Column) -> float:
    """Return an upper bound of the chance that two samples of the column have the same counts.

    For multinomial counts n p_i in k groups it is (4 pi n)^(-(k-1)/2) / sqrt(p_1 ... p_k), by their
    normal law.
    """
    cells = (
        column.counts
        if isinstance(column, NumericColumn)
        else np.array([*column.counts.values(), column.other])
    )
    groups = _groups(np.append(cells, column.rows - cells.sum()))
    n = column.rows
    return exp(
        min(
            0.0,
            -(len(groups) - 1) / 2 * log(4 * pi * n) - sum(log(count / n) for count in groups) / 2,
        )
    )


def _groups(counts: np.ndarray) -> list[int]:
    """Add up neighbouring counts until each group has enough rows.

    The last group takes the remainder.
    """
    depths, open_ = [], 0
    for count in counts[counts > 0].tolist():
        open_ += count
        if open_ >= GROUP:
            depths.append(open_)
            open_ = 0
    if open_:
        depths[-1:] = [sum(depths[-1:]) + open_]
    return depths


@hookimpl
def register_checks() -> list[type[Check]]:
    """The stale check."""
    return [Stale]
