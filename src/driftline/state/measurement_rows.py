"""Reads the measurements of a model that questions are asked about, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import measurements, windows


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRow:
    """One stored measurement; times are microseconds."""

    start: int
    end: int
    version: str
    segment: str
    check: str
    name: str
    labels: dict[str, str]
    value: float | None
    low: float | None
    high: float | None
    was: float | None
    rows: int
    verdict: str
    severity: str
    reason: str
    unit: str


_FIELDS = [name for name in MeasurementRow.__dataclass_fields__ if name != "end"]


def load_measurement_rows(
    connection: Connection, model: str, name: str, since: int | None, until: int | None
) -> Iterator[MeasurementRow]:
    """Yield the measurements of one name in windows that start in [since, until), oldest first."""
    c = measurements.c
    w = windows.c
    query = (
        sa.select(*(c[field] for field in _FIELDS), w.end)
        .join(
            windows,
            sa.and_(
                w.model == c.model,
                w.start == c.start,
                w.version == c.version,
                w.segment == c.segment,
            ),
        )
        .where(c.model == model, c.name == name)
        .order_by(c.start, c.version, c.segment, c.check, c.labels)
    )
    if since is not None:
        query = query.where(c.start >= since)
    if until is not None:
        query = query.where(c.start < until)
    for row in connection.execute(query).mappings():
        yield MeasurementRow(**{**row, "labels": msgspec.json.decode(row["labels"])})


def load_metric_names(connection: Connection, model: str) -> list[str]:
    """Load the names of the measurements of a model, sorted."""
    c = measurements.c
    query = sa.select(c.name).where(c.model == model).distinct()
    return sorted(connection.execute(query).scalars())


def load_measured_models(connection: Connection) -> list[str]:
    """Load the names of the models that have measurements, sorted."""
    return sorted(connection.execute(sa.select(measurements.c.model).distinct()).scalars())
