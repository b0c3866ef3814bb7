"""Asks for the stored measurements of a model, chosen by an expression and summarised by a field.

The names in an expression are the fields of a row, and the labels of the measurement.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from driftline.catalog.match import Value, matches
from driftline.catalog.search import suggest
from driftline.profiles.language import ExpressionError, Node, parse, walk
from driftline.state.measurement_rows import (
    MeasurementRow,
    load_measured_models,
    load_measurement_rows,
    load_metric_names,
)
from driftline.state.store import Store
from driftline.types.errors import DriftlineError
from driftline.types.times import as_micros, from_micros

FIELDS = (
    "start",
    "end",
    "version",
    "segment",
    "check",
    "metric",
    "value",
    "low",
    "high",
    "was",
    "rows",
    "verdict",
    "severity",
    "unit",
    "reason",
)
"""The fields of a row, beside its labels."""
ALIASES = {"name": "metric", "reference": "was", "lower": "low", "upper": "high"}
NUMBERS = frozenset({"value", "low", "high", "was", "rows"})


class QueryError(DriftlineError):
    """A question that can't be answered, with the reason for its author."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which measurements are asked for."""

    model: str
    metric: str
    """The name of a measurement, such as `psi`."""
    where: str = ""
    """An expression; empty for all."""
    by: str = ""
    """The field or label whose values are compared; empty for one row a measurement."""
    since: datetime | None = None
    """Windows that start here or later."""
    until: datetime | None = None
    """Windows that start before."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """A table: the names of its columns, and its rows."""

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]


def ask(store: Store, question: Question) -> QueryResult:
    """Return the measurements, oldest first, or their summary by a field.

    Raises ExpressionError for a mistake in `where`, and QueryError for unknown names.
    """
    node = parse(question.where) if question.where.strip() else None
    since = None if question.since is None else as_micros(question.since)
    until = None if question.until is None else as_micros(question.until)
    with store.read() as connection:
        rows = list(
            load_measurement_rows(connection, question.model, question.metric, since, until)
        )
        names = [] if rows else load_metric_names(connection, question.model)
        models = [] if rows or names else load_measured_models(connection)
    if not rows and question.metric not in names:
        if names:
            text = f"{question.model} has no metric '{question.metric}'"
            raise QueryError(suggest(question.metric, names, text))
        text = f"no model '{question.model}' has measurements"
        raise QueryError(suggest(question.model, models, text))
    labels = list(dict.fromkeys(label for row in rows for label in row.labels))
    if node is not None:
        _check_names(node, labels)
        rows = [row for row in rows if matches(node, partial(_value, row))]
    if question.by:
        by = ALIASES.get(question.by, question.by).removeprefix("labels.")
        if by not in FIELDS and by not in labels:
            text = f"there is no field '{question.by}'"
            raise QueryError(suggest(question.by, [*FIELDS, *labels], text))
        return _summarise(rows, by)
    columns = (*FIELDS[:6], *labels, *FIELDS[6:])
    return QueryResult(columns, [_as_values(row, labels) for row in rows])


def _value(row: MeasurementRow, name: str) -> Value:
    name = ALIASES.get(name, name)
    if name == "metric":
        return row.name
    if name in ("start", "end"):
        return from_micros(getattr(row, name)).strftime("%Y-%m-%dT%H:%M:%SZ")
    if name in FIELDS:
        value: Value = getattr(row, name)
        return value
    return row.labels.get(name.removeprefix("labels."))


def _check_names(node: Node, labels: Sequence[str]) -> None:
    for part in walk(node):
        if part.op == "column":
            name = ALIASES.get(str(part.value), str(part.value)).removeprefix("labels.")
            if name not in FIELDS and name not in labels and name != "column":
                text = f"there is no field '{part.value}'"
                raise ExpressionError(suggest(name, [*FIELDS, *labels], text), part.place)
        elif part.op in ("==", "!=", "<", "<=", ">", ">="):
            _check_number(part)


def _check_number(node: Node) -> None:
    has_number = any(side.op == "column" and side.value in NUMBERS for side in node.args)
    for side in node.args:
        if has_number and side.op == "literal" and isinstance(side.value, str):
            try:
                float(side.value)
            except ValueError:
                text = "a number is compared with text"
                raise ExpressionError(text, side.place) from None


def _as_values(row: MeasurementRow, labels: Iterable[str]) -> dict[str, Any]:
    values: dict[str, Any] = {
        "start": from_micros(row.start),
        "end": from_micros(row.end),
        "version": row.version,
        "segment": row.segment,
        "check": row.check,
        "metric": row.name,
    }
    values |= {label: row.labels.get(label) for label in labels}
    return values | {name: getattr(row, name) for name in FIELDS[6:]}


def _summarise(rows: Sequence[MeasurementRow], by: str) -> QueryResult:
    """Return one row for each value of a field: its windows, rows, mean, ends and newest value."""
    groups: dict[Any, list[MeasurementRow]] = {}
    for row in rows:
        groups.setdefault(_value(row, by), []).append(row)
    columns = (by, "windows", "rows", "mean", "min", "max", "newest", "newest_start", "changed")
    ordered = sorted(groups.items(), key=lambda group: (group[0] is None, str(group[0])))
    return QueryResult(columns, [{by: value, **_summary(group)} for value, group in ordered])


def _summary(rows: Sequence[MeasurementRow]) -> Mapping[str, Any]:
    valued = [row for row in rows if row.value is not None]
    values = [row.value for row in valued if row.value is not None]
    weights = [row.rows for row in valued]
    total = math.fsum(weights)
    products = (value * weight for value, weight in zip(values, weights, strict=True))
    mean = math.fsum(products) / total if total else None
    return {
        "windows": len({row.start for row in rows}),
        "rows": sum(row.rows for row in rows),
        "mean": mean,
        "min": min(values, default=None),
        "max": max(values, default=None),
        "newest": values[-1] if values else None,
        "newest_start": from_micros(valued[-1].start) if valued else None,
        "changed": sum(row.verdict == "changed" for row in rows),
    }
