"""Compares two versions of a model: what is recorded of them, and what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from driftline.catalog.catalog import Catalog, RecordError
from driftline.catalog.search import load_items, suggest
from driftline.state.measurement_rows import (
    MeasurementRow,
    load_measurement_rows,
    load_metric_names,
)
from driftline.state.records import load_monitored_versions
from driftline.types.times import as_micros

GROUPS = ("params", "metrics", "tags", "links")


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One field or measurement that differs."""

    name: str
    first: Any
    """None where the first version has none."""
    second: Any


@dataclass(frozen=True, slots=True)
class NewestValue:
    """The newest value of a measurement of one version."""

    value: float
    low: float | None
    high: float | None
    rows: int


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What differs between two versions."""

    recorded: list[FieldDifference]
    measured: list[FieldDifference]
    """Of `NewestValue`s: their 95% intervals do not overlap, or one version has none."""
    alike: int
    """Measurements whose intervals overlap."""


def compare_versions(
    catalog: Catalog, model: str, first: str, second: str, since: datetime | None = None
) -> VersionDiff:
    """Compare two versions, each named by itself or by an alias.

    Measurements are those of all rows, in the newest window of each version that starts at `since`
    or later. Raises RecordError for an unknown version.
    """
    names = [_resolve(catalog, model, name) for name in (first, second)]
    fields = {item.version: item.as_json() for item in load_items(catalog, model)}
    first_fields, second_fields = (fields.get(name, {}) for name in names)
    estimates = _load_estimates(catalog, model, names, since)
    measured, alike = [], 0
    for series in sorted({key for side in estimates for key in side}):
        left, right = (side.get(series) for side in estimates)
        if left is not None and right is not None and _overlap(left, right):
            alike += 1
        else:
            measured.append(FieldDifference(series, left, right))
    return VersionDiff(list(_differences(first_fields, second_fields)), measured, alike)


def _resolve(catalog: Catalog, model: str, name: str) -> str:
    version = catalog.resolve_version(model, name)
    known = [record.name for record in catalog.records(model, "version")]
    with catalog.store.read() as connection:
        known += load_monitored_versions(connection, model)
    if version not in known:
        raise RecordError(suggest(version, known, f"{model} has no version '{version}'"))
    return version


def _differences(
    first_fields: Mapping[str, Any], second_fields: Mapping[str, Any]
) -> Iterable[FieldDifference]:
    for name in ("created", "description", "owner", "aliases"):
        if first_fields.get(name) != second_fields.get(name):
            yield FieldDifference(name, first_fields.get(name), second_fields.get(name))
    for group in GROUPS:
        left, right = first_fields.get(group, {}), second_fields.get(group, {})
        for key in sorted({*left, *right}):
            if left.get(key) != right.get(key):
                yield FieldDifference(f"{group}.{key}", left.get(key), right.get(key))
    left, right = (
        [item["name"] for item in side.get("datasets", ())]
        for side in (first_fields, second_fields)
    )
    if left != right:
        yield FieldDifference("datasets", left, right)


def _load_estimates(
    catalog: Catalog, model: str, names: list[str], since: datetime | None
) -> list[dict[str, NewestValue]]:
    """Return the newest value of each series, for each of the versions."""
    newest_values: dict[str, dict[str, NewestValue]] = {name: {} for name in names}
    start = None if since is None else as_micros(since)
    with catalog.store.read() as connection:
        for metric in load_metric_names(connection, model):
            for row in load_measurement_rows(connection, model, metric, start, None):
                if row.version in newest_values and not row.segment and row.value is not None:
                    estimate = NewestValue(row.value, row.low, row.high, row.rows)
                    newest_values[row.version][_series(row)] = estimate
    return [newest_values[name] for name in names]


def _series(row: MeasurementRow) -> str:
    labels = ", ".join(f"{name}={text}" for name, text in row.labels.items() if text)
    return f"{row.check}.{row.name}" + (f" {labels}" if labels else "")


def _overlap(left: NewestValue, right: NewestValue) -> bool:
    low, high = (left.value if end is None else end for end in (left.low, left.high))
    other_low, other_high = (right.value if end is None else end for end in (right.low, right.high))
    return low <= other_high and other_low <= high
