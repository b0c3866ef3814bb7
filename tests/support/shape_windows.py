"""Windows of columns of 40 shapes, over splits and merges, and what a check measures on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from column_shapes import NUMERIC, Rows
from driftline_plugins.checks.uniqueness import IdentityCollector

from driftline import Check, CheckContext, Kind, Measurement, Schema, Window
from driftline.ingest.columns.canonical import to_categorical
from driftline.ingest.columns.derived import derive
from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.spec import ProfileSpec, make_spec

COLLECTORS = {**BUILT_IN, IdentityCollector.name: IdentityCollector}
USUAL = {"normal", "one outlier before", "prices"}
SHAPES = [
    pytest.param(shape, marks=() if shape in USUAL else pytest.mark.slow) for shape in NUMERIC
]
PIECES = [1, 7]
Columns = dict[str, Sequence[Any]]
Arrays = dict[str, pa.Array]
Numbers = dict[str, float | None]


def read(columns: Columns, schema: Schema) -> Arrays:
    """The columns of a summary: numbers, categories, and those of texts and vectors."""
    arrays: Arrays = {}
    for name, values in columns.items():
        part = schema.features.get(name)
        if part is not None and part.kind in (Kind.TEXT, Kind.EMBEDDING):
            arrays |= derive(part, pa.array(list(values)))[0]
        elif schema.profile_columns[name] is Kind.CATEGORICAL:
            arrays[name] = to_categorical(pa.array(np.asarray(values).tolist()))[0]
        else:
            numbers = np.asarray(values).astype(float)
            arrays[name] = pa.array(numbers, pa.float64(), mask=np.isnan(numbers))
    return arrays


def summarise(arrays: Arrays, spec: ProfileSpec, pieces: int) -> Window:
    """The window of the rows: each part a profile of its own, stored, read back and merged."""
    rows = len(next(iter(arrays.values())))
    cuts = np.sort(np.random.default_rng(pieces).integers(0, rows, pieces - 1))
    total = Profile(spec, COLLECTORS)
    for places in np.split(np.arange(rows), cuts):
        batch = Batch(
            rows=len(places),
            columns={name: array.take(pa.array(places)) for name, array in arrays.items()},
            invalid={},
            events=places.astype(np.int64),
            hashes=places.astype(np.uint64) * np.uint64(2**40),
        )
        part = Profile(spec, COLLECTORS)
        part.update(batch)
        total.merge(Profile.from_bytes(part.to_bytes(), spec, COLLECTORS))
    return total.window()


def measure(
    check: Check, schema: Schema, was: Columns, now: Columns, pieces: int
) -> list[Measurement]:
    """The measurements of a check."""
    kinds, sides = schema.profile_columns, [read(side, schema) for side in (was, now)]
    spec = make_spec(
        schema,
        {n: _numbers(a) for n, a in sides[0].items() if kinds.get(n) is Kind.NUMERIC},
        {n: _counts(a) for n, a in sides[0].items() if kinds.get(n) is Kind.CATEGORICAL},
        sorted(check.collectors | {"numeric", "categories"}),
        options=dict(check.collector_options()),
    )
    reference, current = (summarise(arrays, spec, pieces) for arrays in sides)
    context = CheckContext(
        current=current, reference=reference, schema=schema, history=lambda *_: []
    )
    return list(check.evaluate(context))


def run(
    check: Check, schema: Schema, was: Columns, now: Columns, pieces: int
) -> dict[str, Measurement]:
    """The measurements of a check by name."""
    return {m.name: m for m in measure(check, schema, was, now, pieces)}


def _numbers(array: pa.Array) -> Rows:
    return np.asarray(array.drop_null().to_numpy(zero_copy_only=False), float)


def _counts(array: pa.Array) -> dict[str, int]:
    names = array.dictionary.to_pylist()
    counts = np.bincount(array.drop_null().indices.to_numpy(), minlength=len(names)).tolist()
    return dict(zip(names, counts, strict=True))


def assert_close(found: dict[str, Measurement], expected: Numbers, absolute: float = 1e-9) -> None:
    """Each number is within 1% of the expected one, or is absent with its reason."""
    wrong = []
    for name, value in expected.items():
        got = found[name]
        if got.value is None or value is None:
            if got.value is not None or not got.reason or value is not None:
                wrong.append(f"{name}: {got.value} ({got.reason}), not {value}")
        elif not math.isclose(got.value, value, rel_tol=0.01, abs_tol=absolute):
            wrong.append(f"{name}: {got.value}, not {value}")
    assert wrong == [], wrong


def with_gaps(rows: Rows, share: float) -> Rows:
    """The rows, a share of them missing."""
    gaps = np.random.default_rng(len(rows)).random(len(rows)) < share
    return np.where(gaps, np.nan, rows)


def same_values(was: Rows, now: Rows) -> tuple[Rows, Rows]:
    """The rows without differences by 32 bits alone, where the values are few."""
    values = np.unique(was)
    if len(values) > 100:
        return was, now
    nearest = values[np.abs(values[:, None] - now).argmin(axis=0)]
    return was, np.where(np.abs(nearest - now) <= 1e-6 * np.abs(now), nearest, now)
