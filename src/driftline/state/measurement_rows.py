"""Reads the measurements of a model that questions are asked about, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.measurement_dictionaries import load_series_entries
from driftline.state.measurement_reader import Selection, read_measurements
from driftline.state.tables import measurement_dictionaries, windows
from driftline.types.records import WindowKey


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


def load_measurement_rows(
    connection: Connection, model: str, name: str, since: int | None, until: int | None
) -> Iterator[MeasurementRow]:
    """Yield the measurements of one name in windows that start in [since, until), oldest first."""
    selection = Selection(model=model, names=(name,), since=since, until=until)
    ends = _load_ends(connection, selection)
    for row in read_measurements(connection, selection):
        end = ends.get(WindowKey(row.model, row.start, row.version, row.segment))
        if end is not None:
            fields = {name: getattr(row, name) for name in _FIELDS}
            labels = msgspec.json.decode(row.labels)
            yield MeasurementRow(end=end, labels=labels, **fields)


def _load_ends(connection: Connection, selection: Selection) -> dict[WindowKey, int]:
    """The ends of the windows of a model, by window."""
    c = windows.c
    query = sa.select(c.start, c.version, c.segment, c.end).where(c.model == selection.model)
    if selection.since is not None:
        query = query.where(c.start >= selection.since)
    if selection.until is not None:
        query = query.where(c.start < selection.until)
    return {
        WindowKey(selection.model, start, version, segment): end
        for start, version, segment, end in connection.execute(query)
    }


def load_metric_names(connection: Connection, model: str) -> list[str]:
    """Load the names of the measurements of a model, sorted."""
    return sorted({entry.name for entry in load_series_entries(connection, model)})


def load_measured_models(connection: Connection) -> list[str]:
    """Load the names of the models that have measurements, sorted."""
    c = measurement_dictionaries.c
    return sorted(connection.execute(sa.select(c.model).distinct()).scalars())


_FIELDS = [name for name in MeasurementRow.__dataclass_fields__ if name not in ("end", "labels")]
