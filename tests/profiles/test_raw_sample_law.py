"""Profiles with texts, images and embeddings are the same monoid: order, splits and batches don't
show.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.ingest.columns.canonical import Caster, take_rows
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.sample import RawSampleCollector
from driftline.profiles.spec import CategorySpec, ProfileSpec, SampledSpec, make_spec
from driftline.testing import assert_collector_contract
from driftline.types.model import Field, Kind, Schema
from driftline.types.times import from_micros

pytestmark = pytest.mark.system

SCHEMA = Schema(
    id=Field("id", "id"),
    features={
        "t": Field("t", "t", Kind.TEXT),
        "e": Field("e", "e", Kind.EMBEDDING, 3),
        "long": Field("long", "long", Kind.EMBEDDING, 70),
        "p": Field("p", "p", Kind.IMAGE),
        "secret": Field("secret", "secret", Kind.TEXT),
    },
    redact=frozenset({"secret"}),
)
COLLECTORS = ("numeric", "categories", "sample", "raw_sample")
SPEC = make_spec(
    SCHEMA,
    {"t.words": np.arange(5.0), "e.norm": np.linspace(0, 3, 9)},
    {"t.word": {"a": 2}},
    COLLECTORS,
    7,
)
FLOAT = st.floats(-2, 2, width=32)
ROW = st.tuples(
    st.one_of(st.none(), st.sampled_from(["", "a b", "a", "ü c d", "a b"])),
    st.one_of(
        st.none(),
        st.lists(FLOAT, min_size=3, max_size=3),
        st.lists(FLOAT, max_size=2),
        st.just([0.0, None, 1.0]),
    ),
    st.one_of(st.none(), FLOAT.map(lambda x: [x * n for n in range(70)])),
)
ROWS = st.lists(ROW, max_size=25)


def batch(rows, first=0):
    texts, vectors, long = ([row[place] for row in rows] for place in range(3))
    columns = {
        "id": pa.array([f"id-{first + place}" for place in range(len(rows))], pa.string()),
        "t": pa.array(texts, pa.string()),
        "e": pa.array(vectors, pa.list_(pa.float64())),
        "long": pa.array(long, pa.list_(pa.float64())),
        "p": pa.nulls(len(rows), pa.binary()),
        "secret": pa.array(texts, pa.string()),
    }
    return (
        Caster(
            schema=SCHEMA,
            default_time=from_micros(0),
            latest=10**18,
            object_hash=1,
            with_hashes=True,
        )
        .cast(pa.RecordBatch.from_pydict(columns))
        .batch
    )


def profile(*batches):
    made = Profile(SPEC, BUILT_IN)
    for item in batches:
        made.update(item)
    return made


@settings(max_examples=50, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_merging_in_any_order_gives_the_same_bytes(parts, random):
    """Profiles of several objects merge to the same bytes in whatever order and nesting they
    come.
    """
    starts = np.cumsum([0, *(len(part) for part in parts)])
    packed = [
        profile(batch(part, int(start))).to_bytes()
        for part, start in zip(parts, starts, strict=False)
    ]
    straight = Profile(SPEC, BUILT_IN)
    for content in packed:
        straight.merge(Profile.from_bytes(content, SPEC, BUILT_IN))
    heap = [Profile.from_bytes(content, SPEC, BUILT_IN) for content in packed] + [
        Profile(SPEC, BUILT_IN)
    ]
    while len(heap) > 1:
        random.shuffle(heap)
        left, right = heap.pop(), heap.pop()
        left.merge(right)
        heap.append(left)
    assert heap[0].to_bytes() == straight.to_bytes()


@settings(max_examples=50, deadline=None)
@given(ROWS, st.integers(0, 25), st.randoms(use_true_random=False))
def test_splits_and_order_of_rows_change_no_sample(rows, cut, random):
    """One window read in two pieces, or in another order, has the same sampled vectors and hashes,
    and the same counts.
    """
    whole = batch(rows)
    order = list(range(len(rows)))
    random.shuffle(order)
    cut = min(cut, len(rows))
    mixed = profile(take_rows(whole, np.array(order, np.int64))).window()
    split = profile(batch(rows[:cut]), batch(rows[cut:], cut)).window()
    window = profile(whole).window()
    for other in (mixed, split):
        assert other.summaries["raw_sample"] == window.summaries["raw_sample"]
        assert other.columns["t.word"] == window.columns["t.word"]
        assert np.array_equal(other.columns["e.norm"].counts, window.columns["e.norm"].counts)
        assert other.columns["e.norm"].invalid == window.columns["e.norm"].invalid


def test_the_raw_sample_holds_the_rows_of_the_sample():
    """Vectors and hashes come from the same rows as the plain sample, beside it: numbers and words
    don't mix with bytes.
    """
    rows = [(f"word{n}", [float(n), 0.0, 0.0], [float(n)] * 70) for n in range(1, 40)]
    summaries = profile(batch(rows)).window().summaries
    plain, raw = summaries["sample"], summaries["raw_sample"]
    assert set(raw) == {"t", "e", "long"}
    assert set(plain).isdisjoint(raw)
    assert not any(name.startswith("secret") for name in plain)
    assert [np.frombuffer(value, "<f4")[0] for value in raw["e"]] == plain["e.norm"]
    assert len(raw["t"]) == 7
    assert {len(value) for value in raw["long"]} == {256}


def test_the_size_of_a_profile_is_bounded_at_any_dimension():
    """500 vectors of 4,096 values take 128 kB, and a column more of anything else takes nothing of
    it.
    """
    schema = Schema(features={"e": Field("e", "e", Kind.EMBEDDING, 4096)})
    spec = make_spec(schema, {}, {}, ("raw_sample",))
    values = np.random.default_rng(0).normal(size=(700, 4096)).astype(np.float32)
    records = pa.RecordBatch.from_pydict(
        {"e": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 4096)}
    )
    made = Profile(spec, BUILT_IN)
    made.update(
        Caster(
            schema=schema,
            default_time=from_micros(0),
            latest=10**18,
            object_hash=1,
            with_hashes=True,
        )
        .cast(records)
        .batch
    )
    assert 100_000 < len(made.to_bytes()) < 150_000


def test_the_collector_keeps_its_contract():
    """The laws of collectors hold, also where there is nothing to sample."""
    assert_collector_contract(RawSampleCollector)
    spec = ProfileSpec(
        columns={"number": SampledSpec(), "word": CategorySpec(("a",))}, collectors=("raw_sample",)
    )
    assert_collector_contract(RawSampleCollector, spec)


def test_another_dimension_is_another_spec():
    """Samples of vectors of two dimensions never merge; a spec without vectors has the digest it
    always had.
    """
    specs = [ProfileSpec(columns={"e": SampledSpec(size)}) for size in (0, 3, 4)]
    assert len({spec.digest for spec in specs}) == 3
    assert [ProfileSpec.from_bytes(spec.to_bytes()) for spec in specs] == specs
    assert ProfileSpec(columns={"c": CategorySpec(("a", "b"))}).digest == "245ebecfeb3936f1"
