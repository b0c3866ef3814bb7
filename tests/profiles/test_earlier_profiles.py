"""Profiles that an earlier version stored can be read, and merged with new ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from driftline import stats
from driftline.profiles.batch import Batch
from driftline.profiles.categories import CategoryCollector
from driftline.profiles.numeric import NumericCollector
from driftline.profiles.packing import pack, unpack
from driftline.profiles.spec import make_spec
from driftline.types.model import Field, Kind, Schema

SCHEMA = Schema(
    features={"x": Field("x", "x", Kind.NUMERIC), "c": Field("c", "c", Kind.CATEGORICAL)}
)


def test_numbers_without_sums_of_cells_count_as_evenly_spread():
    """The first half of a window was stored before cells had sums: distances stay near."""
    random = np.random.default_rng(5)
    was, now = random.normal(size=5000), random.normal(0.5, 1, 2000)
    spec = make_spec(SCHEMA, {"x": was}, {})
    parts = []
    for rows in (was, now[:1000], now[1000:]):
        part = NumericCollector.zero(spec)
        part.update(Batch(rows=len(rows), columns={"x": pa.array(rows)}))
        parts.append(part)
    stored = [content[:6] for content in unpack(parts[1].to_bytes())]
    earlier = NumericCollector.from_bytes(pack(stored), spec)
    earlier.merge(parts[2])
    reference = parts[0].summary()["x"].side
    parts[1].merge(parts[2])
    exact = stats.grid_wasserstein(reference, parts[1].summary()["x"].side)
    found = stats.grid_wasserstein(reference, earlier.summary()["x"].side)
    assert found == pytest.approx(exact, rel=0.01)
    assert NumericCollector.from_bytes(earlier.to_bytes(), spec).to_bytes() == earlier.to_bytes()


def test_categories_get_their_canonical_names():
    """A stored `0.10` is the category 0.1 of a new window."""
    spec = make_spec(SCHEMA, {}, {"c": {"0.10": 3}})
    stored = pack([(9, 0, 0, ({"0.10": 5, "0.1": 1, "v1.0": 3}, 9, None))])
    column = CategoryCollector.from_bytes(stored, spec).summary()["c"]
    assert dict(column.counts) == {"0.1": 6, "v1.0": 3}
