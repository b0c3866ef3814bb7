"""Checks rules that every row should keep, written as expressions over its columns.

Does not read rows again: the expressions are evaluated once for each row, when rows are profiled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from driftline import Check, CheckContext, Measurement, above, hookimpl, stats
from driftline.kit.checks import expressions

Condition = expressions.Condition


class Rules(Check):
    """Measures the share of rows that break each rule, such as `start <= end`.

    A rule is a condition over columns: comparisons, `and`, `or`, `not`, `+ - * /`, `in [..]`, `is
    null`, abs, len, between, matches, near, present. broken_rate has an exact interval (Clopper and
    Pearson). When a missing value leaves the answer open, the row neither keeps nor breaks the
    rule: it is unknown. unknown_rate is the share of such rows. NaN, and a calculation without
    result, count as missing.

    | input | answer |
    | --- | --- |
    | no rows; every row unknown | broken_rate without value, with the reason |
    | column not in the schema, or of a kind that the rule cannot use | no value, with the reason |
    | column absent or all null | unknown_rate 1, unless the rule is about nulls |
    | constant, one row, ties, a category never seen | counted like any other rows |
    | no reference | the same, without the rate of the reference |
    | a reference or window from before the rule | no value, with the reason |
    """

    type = "rules"
    cause = "quality"
    main = "broken_rate"
    collectors: ClassVar = frozenset({"expressions"})
    default_rules: ClassVar = {"broken_rate": above(warning=0.01, critical=0.20)}
    min_rows = 30

    expressions: dict[str, Condition] = Field(default_factory=dict)
    """The rules, each under a name of your choice: `dates: "start <= end"`."""

    def collector_options(self) -> Mapping[str, tuple[str, ...]]:
        """Return the rules."""
        return {"expressions": tuple(self.expressions.values())}

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield two measurements for each rule."""
        for name, text in self.expressions.items():
            cur, ref = expressions.tally(ctx.current, text), expressions.tally(ctx.reference, text)
            labels, answer_count = {"rule": name}, cur.true + cur.false
            reason = cur.reason or ("" if cur.rows else "no rows")
            before = ref.false / (ref.true + ref.false) if ref.true + ref.false else None
            detail: dict[str, str | float | int | None] = {
                "rule": text[:200],
                "broken": cur.false,
                "unknown": cur.unknown,
            }
            yield Measurement(
                cur.false / answer_count if answer_count else None,
                labels,
                name="broken_rate",
                rows=answer_count,
                interval=stats.clopper_pearson(cur.false, answer_count),
                reason=reason
                or (
                    "" if answer_count else "unknown in every row: a value that decides is missing"
                ),
                was=before,
                unit="share",
                detail=detail,
            )
            share = None if reason else cur.unknown / cur.rows
            interval = None if reason else stats.wilson(cur.unknown, cur.rows)
            before = ref.unknown / ref.rows if ref.rows and not ref.reason else None
            yield Measurement(
                share,
                labels,
                name="unknown_rate",
                rows=cur.rows,
                interval=interval,
                reason=reason,
                was=before,
                unit="share",
            )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The rules check."""
    return [Rules]
