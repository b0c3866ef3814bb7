"""Windows and contexts from plain lists, made by the same profiles as in the agent."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from driftline.contracts.check import Check, CheckContext, History, PastValue, no_history
from driftline.ingest.columns.canonical import to_categorical, to_numeric
from driftline.ingest.columns.derived import derive
from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.collector import Collector
from driftline.profiles.profile import Profile
from driftline.profiles.rowhash import hash_positions, hash_strings
from driftline.profiles.spec import (
    CategorySpec,
    ColumnSpec,
    NumericSpec,
    ProfileSpec,
    SampledSpec,
    classes_of,
    grid,
)
from driftline.profiles.window import CategoricalColumn, NumericColumn, Window
from driftline.types.model import DERIVED, Field, Kind, Schema
from driftline.types.times import HOUR

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""A Monday. By default windows start here and are an hour long."""
COLLECTORS = ("numeric", "categories", "scores", "sample", "raw_sample", "sizes")


def window(
    like: Window | None = None,
    /,
    *,
    schema: Schema | None = None,
    start: datetime = START,
    end: datetime | None = None,
    version: str = "",
    segment: str = "",
    check: Check | None = None,
    **columns: Iterable[Any],
) -> Window:
    """Return a window of these columns: `window(age=[31, None], plan=["gold", "free"])`.

    Without `schema`, a column with text is categorical, any other is a numeric feature, and there
    is no prediction, score or label. `like` is the reference: the window is counted on its grid,
    as in the agent. None is a null. `check` is the check to test: it is needed where the check
    has a collector of its own, or options for its collectors (see `Check.collector_options`).
    Raises ValueError for columns of different lengths.
    """
    lists = {name: list(values) for name, values in columns.items()}
    return window_of(
        lists,
        like,
        schema,
        start=start,
        end=end or start + HOUR,
        version=version,
        segment=segment,
        check=check,
    )


def window_of(
    lists: Mapping[str, list[Any]],
    like: Window | None = None,
    schema: Schema | None = None,
    start: datetime = START,
    end: datetime = START + HOUR,
    version: str = "",
    segment: str = "",
    check: Check | None = None,
) -> Window:
    """Return a window as `window` does, for columns whose names are no Python names."""
    if len({len(values) for values in lists.values()}) > 1:
        lengths = {name: len(values) for name, values in lists.items()}
        raise ValueError(f"columns of different lengths: {lengths}")
    rows = max((len(values) for values in lists.values()), default=0)
    schema = schema or schema_of(like, lists)
    arrays: dict[str, Any] = {}
    invalid: dict[str, Any] = {}
    for part in schema.parts:
        if part.kind is not None and part.name in lists:
            columns, wrong = _cast(lists[part.name], part)
            arrays, invalid = arrays | columns, invalid | wrong
    spec = _spec(schema, arrays, like, check)
    first = int(start.timestamp() * 1e6)
    step = int((end - start).total_seconds() * 1e6) // max(rows, 1)
    batch = Batch(
        rows=rows,
        columns=arrays,
        invalid=invalid,
        events=first + np.arange(rows, dtype=np.int64) * step,
        hashes=_hashes(schema, lists, rows),
    )
    profile = Profile(spec, _collectors(check))
    profile.update(batch)
    made = profile.window(start=start, end=end, version=version, segment=segment)
    return replace(made, summaries=_Summaries(made.summaries))


class _Summaries(dict[str, Any]):
    """Summaries by collector, with an error that says how to get a summary that is absent."""

    def __missing__(self, name: str) -> Any:
        raise KeyError(
            f"the window has no summary of the collector '{name}'; pass the check that names it in "
            "`collectors`: window(..., check=check)"
        )


def schema_of(
    like: Window | None = None, columns: Mapping[str, Sequence[Any]] | None = None
) -> Schema:
    """Return the schema of all columns of a window and of lists: each a feature."""
    kinds = {name: column.kind for name, column in like.columns.items()} if like else {}
    for name, values in (columns or {}).items():
        texts = any(isinstance(value, str) for value in values)
        kinds.setdefault(name, Kind.CATEGORICAL if texts else Kind.NUMERIC)
    return Schema(features={name: Field(name, name, kind) for name, kind in kinds.items()})


def context(
    current: Window,
    reference: Window | None = None,
    *,
    schema: Schema | None = None,
    history: History | Mapping[str, Sequence[float]] | None = None,
    seed: int = 0,
) -> CheckContext:
    """Return the context of a check.

    `history` may be earlier values by the name of the measurement, oldest first.
    """
    if schema is None:
        features = dict(schema_of(reference).features) | dict(schema_of(current).features)
        schema = Schema(features=features)
    if history is None:
        history = no_history
    elif isinstance(history, Mapping):
        history = _history_of(history, current)
    return CheckContext(
        current=current, reference=reference, schema=schema, history=history, seed=seed
    )


def _history_of(values: Mapping[str, Sequence[float]], current: Window) -> History:
    start = current.start or START

    def history(
        name: str, labels: Mapping[str, str] | None = None, limit: int = 100
    ) -> Sequence[PastValue]:
        numbers = list(values.get(name, ()))
        rows = [
            PastValue(start - HOUR * (len(numbers) - place), float(number), current.rows, "ok")
            for place, number in enumerate(numbers)
        ]
        return rows[-limit:]

    return history


def _cast(values: list[Any], part: Field) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        array = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # Values of several types, as a careless log has them.
        array = pa.array([None if value is None else str(value) for value in values])
    if part.kind in DERIVED:
        return derive(part, array)
    cast, wrong = to_numeric(array) if part.kind is Kind.NUMERIC else to_categorical(array)
    return {part.name: cast}, {} if wrong is None else {part.name: wrong}


def _hashes(schema: Schema, lists: Mapping[str, list[Any]], rows: int) -> Any:
    """Return hashes of the ids, or of the positions where there are no ids."""
    ids = lists.get(schema.id.name) if schema.id else None
    if ids is None:
        return hash_positions(1, 0, rows)
    return hash_strings(
        pa.array([None if value is None else str(value) for value in ids], pa.string())
    )


def _spec(
    schema: Schema, arrays: Mapping[str, Any], like: Window | None, check: Check | None
) -> ProfileSpec:
    columns: dict[str, ColumnSpec] = {}
    for name, kind in schema.profile_columns.items():
        column = like.columns.get(name) if like else None
        if kind is Kind.NUMERIC:
            columns[name] = (
                NumericSpec(column.edges)
                if isinstance(column, NumericColumn)
                else _grid(arrays.get(name))
            )
        elif kind is not Kind.CATEGORICAL:
            columns[name] = SampledSpec(schema.features[name].dimension)
        elif isinstance(column, CategoricalColumn):
            columns[name] = CategorySpec(tuple(sorted(column.counts)))
        else:
            array = arrays.get(name)
            columns[name] = CategorySpec(
                tuple(sorted(array.dictionary.to_pylist())) if array is not None else ()
            )
    classes = classes_of(
        schema,
        {
            name: dict.fromkeys(column.known, 1)
            for name, column in columns.items()
            if isinstance(column, CategorySpec)
        },
    )
    return ProfileSpec(
        columns=columns,
        task=schema.task,
        prediction=schema.prediction.name if schema.prediction else None,
        score=schema.score.name if schema.score else None,
        label=schema.label.name if schema.label else None,
        positive=classes.positive,
        negative=classes.negative,
        class_reason=classes.reason,
        threshold=schema.threshold,
        task_columns=schema.task_columns,
        collectors=tuple(
            dict.fromkeys(
                (
                    *COLLECTORS,
                    *(sorted(check.collectors & _collectors(check).keys()) if check else ()),
                )
            )
        ),
        redact=schema.redact,
        options=dict(check.collector_options()) if check else {},
    )


def _collectors(check: Check | None) -> Mapping[str, type[Collector]]:
    """Return the built-in collectors, and those that the module of the check registers."""
    module = sys.modules[type(check).__module__] if check else None
    register = getattr(module, "register_collectors", None)
    own = {collector.name: collector for collector in register()} if register else {}
    return {**BUILT_IN, **own}


def _grid(array: Any) -> NumericSpec:
    if array is None:
        return NumericSpec(np.empty(0))
    values = np.asarray(array.drop_null().to_numpy(zero_copy_only=False), np.float64)
    return grid(values[np.isfinite(values) & (np.abs(values) <= 1e150)])
