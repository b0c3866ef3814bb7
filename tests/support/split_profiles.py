"""Windows whose rows came in random parts: profiles of the parts, stored, restored and merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
from profile_builder import START

from driftline import Window
from driftline.ingest.columns.canonical import Caster, take_rows
from driftline.profiles.batch import Batch, LabelledRows
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.spec import ProfileSpec, make_spec
from driftline.types.model import Schema


def cast(schema: Schema, columns: Mapping[str, object]) -> Batch:
    """The canonical batch of raw columns, by the names of the schema."""
    records = pa.RecordBatch.from_pydict(
        {name: pa.array(values) for name, values in columns.items()}
    )
    caster = Caster(schema=schema, default_time=START, latest=2**62, object_hash=1)
    return caster.cast(records).batch


def spec_of(schema: Schema, batch: Batch, **more: object) -> ProfileSpec:
    """The spec of a reference that has these rows."""
    numeric, categorical = {}, {}
    for name in schema.profile_columns:
        array = batch.columns[name]
        if pa.types.is_dictionary(array.type):
            values = array.cast(pa.string()).drop_null().to_pylist()
            categorical[name] = {value: values.count(value) for value in set(values)}
        else:
            numbers = array.drop_null().to_numpy(zero_copy_only=False)
            numeric[name] = numbers[np.abs(numbers) <= 1e150]
    return make_spec(schema, numeric, categorical, **more)


def split_window(
    schema: Schema,
    columns: Mapping[str, object],
    seed: int = 0,
    *,
    spec: ProfileSpec | None = None,
    is_late: bool = False,
    parts: int = 4,
) -> Window:
    """The window of these rows, profiled in random parts that are merged in random order.

    With `is_late`, the labels of most rows come later.
    """
    rng = np.random.default_rng(seed)
    whole = cast(schema, columns)
    spec = spec or spec_of(schema, whole)
    owners = rng.integers(0, parts, whole.rows)
    packed = []
    for part in range(parts):
        batch, profile = take_rows(whole, np.flatnonzero(owners == part)), Profile(spec, BUILT_IN)
        if is_late and part:
            label = schema.label.name
            unlabelled = {name: array for name, array in batch.columns.items() if name != label}
            profile.update(replace(batch, columns=unlabelled))
            packed.append(profile.to_bytes())
            profile, zero = Profile(spec, BUILT_IN), np.zeros(batch.rows, np.int64)
            profile.label(LabelledRows(batch, zero, zero > 0, zero > 0))
        else:
            profile.update(batch)
        packed.append(profile.to_bytes())
    total = Profile(spec, BUILT_IN)
    for place in rng.permutation(len(packed)):
        total.merge(Profile.from_bytes(packed[place], spec, BUILT_IN))
    return total.window(start=START)
