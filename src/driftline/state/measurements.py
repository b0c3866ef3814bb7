"""Stores measurements: all numbers of the newest revision of each window, with their verdicts.

A new revision of a window replaces all measurements of the older one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.contracts.check import PastValue
from driftline.state.bulk_insert import insert_columns
from driftline.state.earlier_bounds import parse_earlier_bound
from driftline.state.tables import measurements
from driftline.types.labels import labels_json
from driftline.types.model import Bound, BoundSide
from driftline.types.records import JudgedMeasurement, WindowKey
from driftline.types.times import from_micros


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """Sums over a model's measurements."""

    measurements: int = 0
    verdicts: Mapping[str, int] = field(default_factory=dict)


def replace_measurements(
    connection: Connection,
    key: WindowKey,
    revision: int,
    judged_measurements: Sequence[JudgedMeasurement],
    reference_id: int | None,
    checks: Sequence[str] | None = None,
) -> None:
    """Replace the measurements of one window, those of all checks or of `checks` alone."""
    window = {
        "model": key.model,
        "start": key.start,
        "version": key.version,
        "segment": key.segment,
    }
    if checks is None:
        connection.execute(_DELETE_WINDOW, {f"of_{name}": value for name, value in window.items()})
    else:
        c = measurements.c
        connection.execute(
            measurements.delete().where(
                *(c[name] == value for name, value in window.items()), c.check.in_(checks)
            )
        )
    same = {**window, "revision": revision, "reference_id": reference_id}
    count = len(judged_measurements)
    insert_columns(
        connection,
        measurements,
        {name: [value] * count for name, value in same.items()} | _columns(judged_measurements),
    )


def _columns(rows: Sequence[JudgedMeasurement]) -> dict[str, list[Any]]:
    """The values of each column that differs between the measurements of a window."""
    numbers = [row.measurement for row in rows]
    intervals = [m.interval or (None, None) for m in numbers]
    bounds = [None if row.judgement is None else row.judgement.bound for row in rows]
    return {
        "check": [row.check for row in rows],
        "name": [m.name for m in numbers],
        "labels": [labels_json(m.labels) for m in numbers],
        "value": [m.value for m in numbers],
        "low": [low for low, _ in intervals],
        "high": [high for _, high in intervals],
        "p_value": [m.p_value for m in numbers],
        "was": [m.was for m in numbers],
        "rows": [row.rows for row in rows],
        "verdict": [row.verdict for row in rows],
        "severity": [row.severity for row in rows],
        "reason": [row.reason or row.measurement.reason for row in rows],
        "unit": [m.unit for m in numbers],
        "detail": [_detail_json(m.detail) for m in numbers],
        "trace": [row.trace for row in rows],
        "bound_side": ["" if bound is None else bound.side.value for bound in bounds],
        "bound_value": [None if bound is None else bound.value for bound in bounds],
    }


def _detail_json(detail: Mapping[str, str | float | int | None]) -> str:
    return _encoder.encode(detail).decode() if detail else "{}"


def _plain(fact: object) -> str | float | int:
    """A number or text as a type that JSON has; numpy's and enumerations' are of other types."""
    for plain in (float, int, str):
        if isinstance(fact, plain):
            return plain(fact)
    raise TypeError(f"a detail that is {type(fact).__name__}")


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def load_bound(side: str | None, value: float | None, reason: str) -> Bound | None:
    """Load the bound from the columns of a row; rows of earlier versions have it in the reason."""
    if side is None:
        return parse_earlier_bound(reason)
    return None if not side or value is None else Bound(BoundSide(side), value)


class Interval(NamedTuple):
    """A value and its 95% interval."""

    start: int
    value: float
    low: float | None
    high: float | None


def load_earlier_values(
    connection: Connection,
    key: WindowKey,
    check: str,
    name: str,
    labels: Mapping[str, str],
    limit: int,
) -> Sequence[PastValue]:
    """Load the values of one series before the window `key`, oldest first."""
    parameters = _series_values(key, check=check, name=name, labels=labels) | {"limit": limit}
    rows = connection.execute(_EARLIER_VALUES, parameters)
    return [_past_value(*row) for row in rows][::-1]


def load_values_since(
    connection: Connection,
    key: WindowKey,
    check: str,
    name: str,
    labels: Mapping[str, str],
    since: int,
) -> Sequence[PastValue]:
    """Load the values of one series from `since` to the window `key`, oldest first."""
    parameters = _series_values(key, check=check, name=name, labels=labels) | {"since": since}
    return [_past_value(*row) for row in connection.execute(_VALUES_SINCE, parameters)]


def _past_value(start: int, value: float, rows: int, verdict: str) -> PastValue:
    return PastValue(from_micros(start), value, rows, verdict)


def load_intervals(
    connection: Connection,
    key: WindowKey,
    check: str,
    name: str,
    labels: Mapping[str, str],
    limit: int,
) -> Sequence[Interval]:
    """Load the values of one series with their intervals, oldest first."""
    parameters = _series_values(key, check=check, name=name, labels=labels) | {"limit": limit}
    return [Interval(*row) for row in connection.execute(_INTERVALS, parameters)][::-1]


def _select_series(*columns: sa.Column[Any]) -> sa.Select[Any]:
    c = measurements.c
    equal_columns = (c.model, c.version, c.segment, c.check, c.name, c.labels)
    return (
        sa.select(*columns)
        .where(
            *(column == sa.bindparam(column.name) for column in equal_columns),
            c.start < sa.bindparam("start"),
            c.value.is_not(None),
        )
        .order_by(c.start.desc())
    )


# The statements that run for each window are made once.
_DELETE_WINDOW = measurements.delete().where(
    *(
        measurements.c[name] == sa.bindparam(f"of_{name}")
        for name in ("model", "start", "version", "segment")
    )
)
_PAST_VALUES = _select_series(
    measurements.c.start, measurements.c.value, measurements.c.rows, measurements.c.verdict
)
_EARLIER_VALUES = _PAST_VALUES.limit(sa.bindparam("limit"))
_VALUES_SINCE = (
    _PAST_VALUES.where(measurements.c.start >= sa.bindparam("since"))
    .order_by(None)
    .order_by(measurements.c.start)
)
_INTERVALS = _select_series(
    measurements.c.start, measurements.c.value, measurements.c.low, measurements.c.high
).limit(sa.bindparam("limit"))


def _series_values(
    key: WindowKey, *, check: str, name: str, labels: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "model": key.model,
        "version": key.version,
        "segment": key.segment,
        "check": check,
        "name": name,
        "labels": labels_json(labels),
        "start": key.start,
    }


def count_verdicts(connection: Connection, model: str) -> VerdictCounts:
    """Count the measurements, in all and for each verdict."""
    c = measurements.c
    query = sa.select(c.verdict, sa.func.count()).where(c.model == model).group_by(c.verdict)
    counts = {row[0]: int(row[1]) for row in connection.execute(query)}
    verdicts = {name: counts.get(name, 0) for name in ("ok", "changed", "unsure", "error")}
    return VerdictCounts(sum(counts.values()), verdicts)


class TraceRow(NamedTuple):
    """The trace of one series in one window: what judging later windows needs of it."""

    start: int
    version: str
    segment: str
    check: str
    name: str
    labels: str
    trace: bytes


def load_traces(
    connection: Connection, model: str, reference_id: int | None, count: int
) -> Iterator[TraceRow]:
    """Load the traces of the newest `count` windows with one reference, oldest first."""
    c = measurements.c
    condition = sa.and_(
        c.model == model, c.trace.is_not(None), c.reference_id.is_not_distinct_from(reference_id)
    )
    starts = (
        sa.select(c.start)
        .where(condition)
        .distinct()
        .order_by(c.start.desc())
        .limit(count)
        .subquery()
    )
    since = connection.execute(sa.select(sa.func.min(starts.c.start))).scalar()
    if since is None:
        return
    query = sa.select(*(c[field] for field in TraceRow._fields))
    for row in connection.execute(query.where(condition, c.start >= since).order_by(c.start)):
        yield TraceRow(*row)
