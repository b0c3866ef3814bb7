"""Measures complete rows, and whether as many rows arrived as were promised.

A row is complete when it has a value in all columns of a set. Does not look at single columns: the
`missing` check does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from driftline import Check, CheckContext, Measurement, Window, above, below, hookimpl, stats
from driftline.kit.checks import expressions

ALL = "all"


class Completeness(Check):
    """Measures the share of complete rows, and the rows received.

    complete_rate is the share of rows with a usable value in every column of a set, with Wilson's
    interval. Null, NaN and values of another type are not usable. incomplete_increase is the share
    of incomplete rows less that of the reference (0.05 is five points more), with Newcombe's
    interval. received is the number of rows over `rows_promised`, where that is set.

    | input | answer |
    | --- | --- |
    | no rows | received 0 where rows were promised, and nothing else |
    | column absent or all null | complete_rate 0 |
    | column not in the schema | no value, with the reason |
    | no reference, or one without rows | incomplete_increase without value, with the reason |
    | the same counts on both sides | incomplete_increase 0, with the interval 0 to 0 |
    | constant, one row, ties, a category never seen, another kind | counted like any other rows |
    | a segment | no received: promises are for all rows |
    """

    type = "completeness"
    cause = "quality"
    main = "complete_rate"
    collectors: ClassVar = frozenset({"expressions"})
    default_rules: ClassVar = {
        "incomplete_increase": above(warning=0.05, critical=0.20),
        "received": below(warning=0.99, critical=0.5),
    }
    min_rows = 30
    on_empty = True

    sets: dict[str, tuple[expressions.ExpressionColumn, ...]] = Field(default_factory=dict)
    """The sets of columns, each under a name of your choice: `address: [street, city]`.

    When empty, all columns except the label are one set.
    """
    rows_promised: int | None = Field(default=None, gt=0)
    """The number of rows that each window of a model version should have.

    Set it where the number is known, such as for a nightly run over all customers.
    """

    def collector_options(self) -> Mapping[str, tuple[str, ...]]:
        """Return one condition for each set."""
        return {"expressions": tuple(self._conditions().values())}

    def _conditions(self) -> dict[str, str]:
        sets = self.sets or {ALL: ()}
        return {
            name: f"present({', '.join(map(expressions.quote_column, columns))})"
            for name, columns in sets.items()
        }

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield `received` first, then two measurements for each set."""
        rows = ctx.current.rows
        if self.rows_promised is not None and not ctx.current.segment:
            # Judged by the promise, so that few received rows are not called too few to judge.
            detail = {"rows": rows, "promised": self.rows_promised}
            yield Measurement(
                rows / self.rows_promised,
                name="received",
                rows=max(self.rows_promised, self.min_rows),
                unit="of the rows promised",
                detail=detail,
            )
        if not rows:
            return
        for name, text in self._conditions().items():
            labels, cur, ref = (
                {"set": name},
                _complete(ctx.current, text),
                _complete(ctx.reference, text),
            )
            if isinstance(cur, str):
                yield Measurement(
                    None,
                    labels,
                    name="complete_rate",
                    rows=0,
                    reason=cur,
                )
                yield Measurement(
                    None,
                    labels,
                    name="incomplete_increase",
                    rows=0,
                    reason=cur,
                )
                continue
            before = None if isinstance(ref, str) else ref[0] / ref[1]
            interval = stats.wilson(*cur)
            yield Measurement(
                cur[0] / cur[1],
                labels,
                name="complete_rate",
                rows=cur[1],
                interval=interval,
                was=before,
                unit="share",
            )
            if isinstance(ref, str) or before is None:
                yield Measurement(
                    None,
                    labels,
                    name="incomplete_increase",
                    rows=cur[1],
                    reason=f"nothing to compare with: {ref}",
                )
                continue
            # The increase of incomplete rows is the decrease of complete ones.
            interval = (0.0, 0.0) if cur == ref else stats.newcombe(*ref, *cur)
            shares = {"complete": cur[0] / cur[1], "complete_was": before}
            yield Measurement(
                before - cur[0] / cur[1],
                labels,
                name="incomplete_increase",
                rows=cur[1],
                interval=interval,
                detail=shares,
            )


def _complete(window: Window | None, text: str) -> tuple[int, int] | str:
    """Return the complete rows and all rows, or the reason why these are unknown."""
    tally = expressions.tally(window, text)
    return tally.reason or ("no rows" if not tally.rows else (tally.true, tally.rows))


@hookimpl
def register_checks() -> list[type[Check]]:
    """The completeness check."""
    return [Completeness]
