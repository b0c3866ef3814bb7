"""Windows whose rows have labels in part, summarised by the agent's own profiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from profile_builder import START

from driftline import Kind, Schema, Window
from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.spec import ProfileSpec, make_spec

Rows = Mapping[str, NDArray[Any]]
COLLECTORS = ("numeric", "categories", "scores", "sample", "prediction_errors")


def profile_spec(schema: Schema, rows: Rows, sample_rows: int = 500) -> ProfileSpec:
    """The spec of a reference with these rows."""
    kinds = schema.profile_columns
    return make_spec(
        schema,
        {name: v.astype(float) for name, v in rows.items() if kinds[name] is Kind.NUMERIC},
        {
            name: Counter(map(str, v.tolist()))
            for name, v in rows.items()
            if kinds[name] is Kind.CATEGORICAL
        },
        collectors=COLLECTORS,
        sample_rows=sample_rows,
    )


def profile_rows(
    schema: Schema, spec: ProfileSpec, rows: Rows, labels: int | None = None, hours: int = 0
) -> Window:
    """The window of `rows`; only the first `labels` of them have a label, all by default."""
    count = len(next(iter(rows.values())))
    columns = {}
    for name, values in rows.items():
        is_label = schema.label is not None and schema.label.name == name
        known = np.arange(count) < (count if labels is None or not is_label else labels)
        if schema.profile_columns[name] is Kind.NUMERIC:
            columns[name] = pa.array(values.astype(float), mask=~known)
        else:
            texts = pa.array([str(v) for v in values.tolist()], pa.string(), mask=~known)
            columns[name] = texts.dictionary_encode()
    # Any order of the rows is as good as a random one for the sample.
    hashes = np.random.default_rng(hours).integers(1, 2**63, count).astype(np.uint64)
    profile = Profile(spec, BUILT_IN)
    profile.update(Batch(rows=count, columns=columns, events=np.array([], np.int64), hashes=hashes))
    start = START + timedelta(hours=hours)
    return profile.window(start=start, end=start + timedelta(hours=1))
