"""Finds repeated records, and repeated values of columns whose values should be unique.

Does not compare windows: the same id in two windows is not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from driftline import Check, CheckContext, Collector, Measurement, above, hookimpl, stats
from driftline.kit.checks import ColumnName, ProfileSpec
from driftline.kit.checks.collecting import (
    NO_TEXT,
    Hashes,
    hash_numbers,
    hash_strings,
    narrow,
    pack,
    unpack,
    widen,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.kit.checks.collecting import Batch

IDS = ""
"""The key of the row ids, which are no column."""
BOUND = 8192
"""Distinct values that are counted for each key."""


class Uniqueness(Check):
    """Measures how often ids and key values repeat within a window.

    duplicate_rate is the share of rows whose id, or value of a key column, another row of the
    window already has. distinct_ratio, for key columns only, is the distinct values over the rows
    with a value.

    Both are exact up to 8,192 distinct values; the rate then has the interval of Clopper and
    Pearson. Beyond that they use the values with the smallest hashes, a uniform sample, with wider
    intervals. A single id with very many rows may not be in the sample, as long as it has less than
    about 3% of all rows. Rows without id, and missing values, are not counted.

    | input | answer |
    | --- | --- |
    | no ids in the schema | no value for the ids, with the reason |
    | no rows; ids or key absent, or all null | no value, with the reason |
    | one row; no repeat | duplicate_rate 0 with the interval 0 to 0, distinct_ratio 1 |
    | constant key | duplicate_rate (n-1)/n, distinct_ratio 1/n |
    | a key that is not in the schema | no value, with the reason |
    | no reference | the same, without the rate of the reference |
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
    """Columns whose values should be unique in a window, in addition to the ids of the schema."""

    def collector_options(self) -> Mapping[str, tuple[str, ...]]:
        """Return the key columns."""
        return {"identities": self.keys}

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the measurements of the ids, then of each key."""
        sides = (ctx.current, ctx.reference)
        for key in (IDS, *dict.fromkeys(self.keys)):
            labels = {"column": key} if key else {}
            cur, ref = (
                dict(window.summaries.get("identities", {})).get(key) if window else None
                for window in sides
            )
            if not key and ctx.schema.id is None:
                reason = "the schema has no id"
            elif key and key not in ctx.schema.profile_columns:
                reason = "the schema has no such column"
            elif cur is None:
                reason = "these rows were summarised before there was this key"
            else:
                reason = "" if cur.rows else "no values in the window"
            if reason or cur is None:
                yield Measurement(
                    None,
                    labels,
                    name="duplicate_rate",
                    rows=0,
                    reason=reason,
                )
                if key:
                    yield Measurement(
                        None,
                        labels,
                        name="distinct_ratio",
                        rows=0,
                        reason=reason,
                    )
                continue
            rate, before = stats.repeat_rate(cur), stats.repeat_rate(ref).value if ref else None
            basis = "" if cur.reach >= 1 else "from a sample of the distinct values"
            detail = {"repeats": cur.extra} if cur.reach >= 1 else {}
            yield Measurement(
                rate.value,
                labels,
                name="duplicate_rate",
                rows=cur.rows,
                interval=rate.interval,
                reason=basis,
                was=before,
                unit="share",
                detail=detail,
            )
            if key:
                estimate = stats.distinct(cur)
                assert estimate.value is not None
                assert estimate.interval is not None
                ends = (estimate.interval[0] / cur.rows, estimate.interval[1] / cur.rows)
                yield Measurement(
                    estimate.value / cur.rows,
                    labels,
                    name="distinct_ratio",
                    rows=cur.rows,
                    interval=ends,
                    reason=basis,
                    unit="share",
                )


class _Key:
    __slots__ = ("counts", "hashes", "is_truncated", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self.hashes: Hashes = np.empty(0, np.uint64)
        """The smallest hashes, ascending; uint64, shape (k,)."""
        self.counts: NDArray[np.int64] = np.empty(0, np.int64)
        """Rows of each hash; int64, shape (k,)."""
        self.is_truncated = False
        """Whether greater hashes were left out."""

    def add(self, hashes: Hashes) -> None:
        self.rows += len(hashes)
        self._add_counts(hashes, np.ones(len(hashes), np.int64))

    def merge(self, other: _Key) -> None:
        self.rows += other.rows
        self.is_truncated |= other.is_truncated
        self._add_counts(other.hashes, other.counts)

    def _add_counts(self, hashes: Hashes, counts: NDArray[np.int64]) -> None:
        if self.is_truncated and len(self.hashes) == BOUND:
            small = hashes <= self.hashes[-1]
            hashes, counts = hashes[small], counts[small]
        distinct, places = np.unique(np.concatenate((self.hashes, hashes)), return_inverse=True)
        totals = np.bincount(places, np.concatenate((self.counts, counts)), len(distinct))
        self.is_truncated |= len(distinct) > BOUND
        self.hashes, self.counts = distinct[:BOUND], totals.astype(np.int64)[:BOUND]

    def repeats(self) -> stats.Repeats:
        extra = self.counts - 1
        reach = (int(self.hashes[-1]) + 1) / 2**64 if self.is_truncated else 1.0
        return stats.Repeats(
            rows=self.rows,
            kept=len(extra),
            repeated=int((extra > 0).sum()),
            extra=int(extra.sum()),
            extra_squares=int((extra * extra).sum()),
            reach=reach,
        )


class IdentityCollector(Collector):
    """Counts the ids of rows, and the values of the key columns.

    `Check.collector_options` names the key columns. When there are more distinct values than BOUND,
    it keeps those with the smallest hashes. Every part that has such a value keeps it, so its
    merged count is exact, and the kept values are a uniform sample of all.
    """

    name = "identities"
    needs_hashes: ClassVar[bool] = True

    def __init__(self, spec: ProfileSpec) -> None:
        self._keys = {name: _Key() for name in (IDS, *spec.options.get(self.name, ()))}

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """Return the collector of no rows."""
        return cls(spec)

    def update(self, batch: Batch) -> None:
        """Add the hashes of the rows of a batch."""
        for name, key in self._keys.items():
            if name != IDS:
                array = batch.columns.get(name)
                if array is not None:
                    key.add(_hash_values(array))
            elif batch.hashes is not None:
                key.add(batch.hashes[batch.hashes != NO_TEXT])

    def merge(self, other: Self) -> None:
        """Add the counts of `other`, and keep the smallest hashes."""
        for name, key in self._keys.items():
            key.merge(other._keys[name])

    def summary(self) -> dict[str, stats.Repeats]:
        """Return the repeats of each key column; those of the ids are under IDS."""
        return {name: key.repeats() for name, key in self._keys.items()}

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        return pack(
            [
                (k.rows, k.is_truncated, k.hashes.astype("<u8").tobytes(), narrow(k.counts))
                for k in self._keys.values()
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """Return the collector from the bytes of `to_bytes`."""
        collector = cls(spec)
        for key, (rows, is_truncated, hashes, counts) in zip(
            collector._keys.values(), unpack(data), strict=True
        ):
            key.rows, key.is_truncated = rows, is_truncated
            key.hashes, key.counts = np.frombuffer(hashes, "<u8").astype(np.uint64), widen(counts)
        return collector


def _hash_values(array: pa.Array) -> Hashes:
    """Return a hash of each value, without nulls and NaN; shape (k,)."""
    import pyarrow as pa

    values = array.drop_null()
    if isinstance(values, pa.DictionaryArray):
        codes = values.indices.to_numpy(zero_copy_only=False)
        hashes: Hashes = hash_strings(values.dictionary)[codes]
        return hashes
    numbers = values.to_numpy(zero_copy_only=False)
    return hash_numbers(numbers[~np.isnan(numbers)])


@hookimpl
def register_checks() -> list[type[Check]]:
    """The uniqueness check."""
    return [Uniqueness]


@hookimpl
def register_collectors() -> list[type[Collector]]:
    """The collector that the uniqueness check needs."""
    return [IdentityCollector]
