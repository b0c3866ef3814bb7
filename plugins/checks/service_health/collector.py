"""Counts the latencies, outcomes and costs of calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from driftline import Collector
from driftline.kit.checks import ProfileSpec
from driftline.kit.checks.call_outcomes import (
    FAILURE_WORDS,
    RPC_CODES,
    Outcome,
    outcome_of_error,
    outcome_of_status,
)
from driftline.kit.checks.collecting import pack, unpack
from driftline.kit.checks.service_calls import (
    MISSING,
    NEGATIVE,
    NOT_A_NUMBER,
    UNREADABLE,
    ColumnValues,
    ServiceCalls,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.kit.checks.collecting import Batch

LATENCY, STATUS, ERROR, COST = "#latency", "#status", "#error", "#cost"
"""The columns of `schema.service` in a batch."""
LARGEST = 1e140


class ServiceCollector(Collector):
    """Counts latencies, statuses and costs of calls."""

    name = "service"

    def __init__(self, spec: ProfileSpec) -> None:
        options = spec.options.get(self.name, ())
        self._errors = _options(options, "error ")
        self._timeouts = _options(options, "timeout ")
        self._limits = {text: float(text) for text in _options(options, "slow ")}
        self._calls = ServiceCalls(slow=dict.fromkeys(self._limits, 0))

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """Return the collector of no rows."""
        return cls(spec)

    def update(self, batch: Batch) -> None:
        """Add the calls of a batch."""
        calls = self._calls
        calls.rows += batch.rows
        latencies = _usable_numbers(batch, LATENCY, calls.latency)
        calls.latency.count += len(latencies)
        calls.latency.histogram.add(latencies)
        for text, limit in self._limits.items():
            calls.slow[text] += int((latencies > limit).sum())
        costs = _usable_numbers(batch, COST, calls.cost)
        calls.cost.count += len(costs)
        calls.cost.total.add(float(costs.sum()))
        calls.cost.squares.add(float((costs * costs).sum()))
        self._add_outcomes(batch)

    def _add_outcomes(self, batch: Batch) -> None:
        calls, outcomes = self._calls, np.full(batch.rows, Outcome.UNKNOWN)
        array = batch.columns.get(STATUS)
        if array is not None:
            names, codes = _categories(array)
            classes = np.array([self._outcome(name) for name in names] + [Outcome.UNKNOWN])
            outcomes = np.maximum(outcomes, classes[codes])
            counts = np.bincount(codes[codes < len(names)], minlength=len(names))
            for name, kind, count in zip(names, classes[:-1], counts, strict=True):
                if kind >= Outcome.FAILURE and count:
                    key = self._status_name(name)
                    calls.failed_statuses[key] = calls.failed_statuses.get(key, 0) + int(count)
        error = batch.columns.get(ERROR)
        if error is not None:
            names, codes = _categories(error)
            classes = np.array([outcome_of_error(name) for name in names] + [Outcome.ANSWER])
            error_outcomes = classes[codes]
            if ERROR in batch.invalid:
                error_outcomes[batch.invalid[ERROR]] = Outcome.UNKNOWN
            outcomes = np.maximum(outcomes, error_outcomes)
        totals = np.bincount(outcomes, minlength=len(Outcome))
        for place in Outcome:
            calls.outcomes[place] += int(totals[place])
        unknown = int(totals[Outcome.UNKNOWN])
        invalid = batch.invalid.get(STATUS, np.zeros(batch.rows, bool))
        nulls = int(((outcomes == Outcome.UNKNOWN) & _nulls(array, batch.rows) & ~invalid).sum())
        calls.status.count += batch.rows - unknown
        calls.status.add_faults(**{MISSING: nulls, UNREADABLE: unknown - nulls})

    def _outcome(self, status: str) -> int:
        """Return the outcome that a status means."""
        if status in self._timeouts:
            return Outcome.TIMEOUT
        return Outcome.FAILURE if status in self._errors else outcome_of_status(status)

    def _status_name(self, status: str) -> str:
        """Return a status of a bounded number of them: a long text is named by its outcome."""
        word = status.strip().upper()
        is_standard = status.isdecimal() or word in RPC_CODES or word in FAILURE_WORDS
        is_option = status in self._errors or status in self._timeouts
        return status if is_standard or is_option else "time-out"

    def merge(self, other: Self) -> None:
        """Add the calls of `other`."""
        self._calls.merge(other._calls)

    def summary(self) -> ServiceCalls:
        """Return what the calls say."""
        return self._calls

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        calls = self._calls
        return pack(
            (
                calls.rows,
                calls.latency.plain(),
                calls.status.plain(),
                calls.cost.plain(),
                sorted(calls.slow.items()),
                calls.outcomes,
                sorted(calls.failed_statuses.items()),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """Return the collector from the bytes of `to_bytes`."""
        rows, latency, status, cost, slow, outcomes, statuses = unpack(data)
        collector = cls(spec)
        collector._calls = ServiceCalls(
            rows=rows,
            latency=ColumnValues.from_plain(latency),
            status=ColumnValues.from_plain(status),
            cost=ColumnValues.from_plain(cost),
            slow=dict(slow),
            outcomes=list(outcomes),
            failed_statuses=dict(statuses),
        )
        return collector


def _options(texts: Sequence[str], start: str) -> tuple[str, ...]:
    return tuple(text.removeprefix(start) for text in texts if text.startswith(start))


def _categories(array: pa.Array) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names, and the place of each row's name, that of a null being after the last."""
    names = [str(name) for name in array.dictionary.to_pylist()]
    codes = array.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    return names, codes.astype(np.int64)


def _nulls(array: pa.Array | None, rows: int) -> NDArray[np.bool_]:
    if array is None:
        return np.ones(rows, bool)
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False), bool)


def _usable_numbers(batch: Batch, name: str, values: ColumnValues) -> NDArray[np.float64]:
    """Return the numbers of a column that are finite and not negative; count the others."""
    array = batch.columns.get(name)
    if array is None:
        values.add_faults(**{MISSING: batch.rows})
        return np.empty(0)
    invalid = int(batch.invalid[name].sum()) if name in batch.invalid else 0
    numbers = np.asarray(array.drop_null().to_numpy(zero_copy_only=False), np.float64)
    with np.errstate(invalid="ignore"):
        is_finite = np.abs(numbers) <= LARGEST
        negative = is_finite & (numbers < 0)
    values.add_faults(
        **{
            MISSING: batch.rows - len(numbers) - invalid,
            UNREADABLE: invalid,
            NOT_A_NUMBER: int((~is_finite).sum()),
            NEGATIVE: int(negative.sum()),
        }
    )
    return numbers[is_finite & ~negative]
