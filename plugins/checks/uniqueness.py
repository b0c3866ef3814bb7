"""Records that came twice, and columns whose values should occur once.

Refuses to look beyond a window: the same id in two windows is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from driftline import Check, CheckContext, Measurement, above, hookimpl, stats
from driftline.kit.checks import ColumnName

IDS = ""


class Uniqueness(Check):
    """duplicate_rate is the share of rows that repeat an id, or the value of a key column, that
    stands in another row of the window already; distinct_ratio is the distinct values over the rows
    with a value, for key columns.

    Both are exact up to 8,192 distinct values, where the rate has the interval of Clopper and
    Pearson. Beyond that they rest on the values with the smallest hashes, a uniform sample, with
    intervals that say so. One id that alone has very many rows may escape the sample, as long as it
    has less than about 3% of all rows. Rows without id, and missing values, don't count.

    | input | answer |
    | --- | --- |
    | no ids in the schema | no value for the ids, with the reason |
    | no rows; ids or key absent, or all null | no value, with the reason |
    | one row; no repeat | duplicate_rate 0 with the interval 0 to 0, distinct_ratio 1 |
    | constant key | duplicate_rate (n-1)/n, distinct_ratio 1/n |
    | a key that is not in the schema | no value, with the reason |
    | no reference | the same, without what the rate was |
    """

    type = "uniqueness"
    cause = "quality"
    main = "duplicate_rate"
    collectors: ClassVar = frozenset({"identities"})
    default_rules: ClassVar = {"duplicate_rate": above(warning=0.001)}
    min_rows = 30
    default_for: ClassVar = frozenset({"id"})
    default_place = 100

    keys: tuple[ColumnName, ...] = ()
    """Columns of which each value should occur once in a window, beside the ids of the schema."""

    def wants(self) -> Mapping[str, tuple[str, ...]]:
        """The key columns."""
        return {"identities": self.keys}

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """The ids, then each key."""
        sides = (ctx.current, ctx.reference)
        for key in (IDS, *dict.fromkeys(self.keys)):
            labels = {"column": key} if key else {}
            cur, ref = (
                dict(window.summaries.get("identities", {})).get(key) if window else None
                for window in sides
            )
            if not key and ctx.schema.id is None:
                reason = "the schema has no id"
            elif key and key not in ctx.schema.profiled:
                reason = "the schema has no such column"
            elif cur is None:
                reason = "these rows were summarised before there was this key"
            else:
                reason = "" if cur.rows else "no values in the window"
            if reason or cur is None:
                yield Measurement(None, labels, "duplicate_rate", 0, reason=reason)
                if key:
                    yield Measurement(None, labels, "distinct_ratio", 0, reason=reason)
                continue
            rate, before = stats.repeat_rate(cur), stats.repeat_rate(ref).value if ref else None
            basis = "" if cur.reach >= 1 else "from a sample of the distinct values"
            detail = {"repeats": cur.extra} if cur.reach >= 1 else {}
            yield Measurement(
                rate.value,
                labels,
                "duplicate_rate",
                cur.rows,
                rate.interval,
                None,
                basis,
                before,
                "share",
                detail,
            )
            if key:
                estimate = stats.distinct(cur)
                assert estimate.value is not None
                assert estimate.interval is not None
                ends = (estimate.interval[0] / cur.rows, estimate.interval[1] / cur.rows)
                yield Measurement(
                    estimate.value / cur.rows,
                    labels,
                    "distinct_ratio",
                    cur.rows,
                    ends,
                    reason=basis,
                    unit="share",
                )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The uniqueness check."""
    return [Uniqueness]
