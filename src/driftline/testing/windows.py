"""Windows and contexts from plain lists, made by the profiles that the agent uses itself.

Refuses shortcuts: what a check sees in its test is what it will see in the agent.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from driftline.contracts.check import Check, CheckContext, Earlier, History, no_history
from driftline.ingest.columns.canonical import to_categorical, to_numeric
from driftline.ingest.columns.derived import derive
from driftline.profiles.batch import Batch
from driftline.profiles.collector import Collector
from driftline.profiles.profile import BUILT_IN, Profile
from driftline.profiles.rowhash import hash_positions, hash_strings
from driftline.profiles.spec import (
    CategorySpec,
    ColumnSpec,
    NumericSpec,
    ProfileSpec,
    SampledSpec,
    grid,
)
from driftline.profiles.window import CategoricalColumn, NumericColumn, Window
from driftline.types.model import DERIVED, Field, Kind, Schema

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""A Monday. Windows of the tests are an hour long and start here, unless told otherwise."""
HOUR = timedelta(hours=1)
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
    """A window of these columns: `window(age=[31, None], plan=["gold", "free"])`.

    A column with text in it is categorical, any other one numeric; a `schema` says otherwise, and
    gives prediction, score and label their parts. `like` is the reference: the window is counted on
    its grid, as in the agent. None is a null. `check` is one whose collectors have something to do
    that it tells them, such as expressions; see `Check.wants`. Raises ValueError for columns of
    different lengths.
    """
    lists = {name: list(values) for name, values in columns.items()}
    return window_of(lists, like, schema, start, end or start + HOUR, version, segment, check)


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
    """As `window`, for columns whose names are no words of Python."""
    if len({len(values) for values in lists.values()}) > 1:
        raise ValueError(
            f"columns of different lengths: { {name: len(values) for name, values in lists.items()} }"
        )
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
    return profile.window(start=start, end=end, version=version, segment=segment)


def schema_of(
    like: Window | None = None, columns: Mapping[str, Sequence[Any]] | None = None
) -> Schema:
    """The schema of all columns of a window and of lists: each a feature."""
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
    """What a check is given. `history` may be earlier values by the name of the measurement, oldest
    first.
    """
    if schema is None:
        both = dict(schema_of(reference).features) | dict(schema_of(current).features)
        schema = Schema(features=both)
    asked: History = no_history
    if isinstance(history, Mapping):
        asked = _remembering(history, current)
    elif history is not None:
        asked = history
    return CheckContext(current, reference, schema, asked, seed)


def _remembering(values: Mapping[str, Sequence[float]], current: Window) -> History:
    begins = current.start or START

    def history(
        name: str, labels: Mapping[str, str] | None = None, limit: int = 100
    ) -> Sequence[Earlier]:
        found = list(values.get(name, ()))
        pasts = [
            Earlier(begins - HOUR * (len(found) - place), float(value), current.rows, "ok")
            for place, value in enumerate(found)
        ]
        return pasts[-limit:]

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
    """Of the ids where there are some, else of the places."""
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
    for name, kind in schema.profiled.items():
        known = like.columns.get(name) if like else None
        if kind is Kind.NUMERIC:
            columns[name] = (
                NumericSpec(known.edges)
                if isinstance(known, NumericColumn)
                else _grid(arrays.get(name))
            )
        elif kind is not Kind.CATEGORICAL:
            columns[name] = SampledSpec(schema.features[name].dimension)
        elif isinstance(known, CategoricalColumn):
            columns[name] = CategorySpec(tuple(sorted(known.counts)))
        else:
            found = arrays.get(name)
            columns[name] = CategorySpec(
                tuple(sorted(found.dictionary.to_pylist())) if found is not None else ()
            )
    return ProfileSpec(
        columns=columns,
        task=schema.task,
        prediction=schema.prediction.name if schema.prediction else None,
        score=schema.score.name if schema.score else None,
        label=schema.label.name if schema.label else None,
        positive=schema.positive,
        threshold=schema.threshold,
        collectors=tuple(
            dict.fromkeys(
                (
                    *COLLECTORS,
                    *(sorted(check.collectors & _collectors(check).keys()) if check else ()),
                )
            )
        ),
        redact=schema.redact,
        options=dict(check.wants()) if check else {},
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
