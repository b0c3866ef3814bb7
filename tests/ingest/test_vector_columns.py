"""Embeddings as columns: what each vector comes to, and what is no vector is counted and harms
nobody.
"""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.ingest.columns import vectors
from driftline.ingest.columns.canonical import Caster
from driftline.ingest.columns.derived import derive
from driftline.types.model import Field, Kind, Schema
from driftline.types.times import from_micros

pytestmark = pytest.mark.system

NAN, INF = float("nan"), float("inf")
VALUE = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-1e3, 1e3),
    st.integers(-5, 5).map(float),
    st.just(-0.0),
)
VECTOR = st.one_of(
    st.none(), st.lists(VALUE, max_size=4), st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3)
)


def embedding(dimension, name="e"):
    return Field(name, name, Kind.EMBEDDING, dimension)


def derived(array, dimension, name="e"):
    made, wrong = derive(embedding(dimension, name), array)
    rows = {
        what: wrong.get(f"{name}.{what}", np.zeros(len(array), bool)).tolist()
        for what in ("norm", "nan_share", "dimension")
    }
    columns = {
        what.removeprefix(f"{name}.") if what != name else "": column.to_pylist()
        for what, column in made.items()
    }
    return columns, rows


def plainly(vector, dimension):
    """norm, nan_share, dimension, sampled bytes; and whether norm, share and dimension are
    invalid.
    """
    if vector is None:
        return (None,) * 4, (False,) * 3
    if len(vector) != dimension:
        return (None, None, len(vector), None), (True, True, False)
    bad = [
        value for value in vector if value is None or not math.isfinite(value) or abs(value) > 1e18
    ]
    if bad:
        return (None, len(bad) / dimension, dimension, None), (True, False, False)
    norm = float(f"{math.sqrt(math.fsum(value * value for value in vector)):.6g}")
    return (norm, 0.0, dimension, np.array(vector, "<f4").tobytes()), (False,) * 3


@settings(max_examples=200, deadline=None)
@given(st.lists(VECTOR, max_size=10))
def test_each_vector_is_what_plain_python_says(rows):
    """Norm, holes, dimension and the sampled bytes of short vectors are theirs alone, as Arrow
    lists and as JSON text.
    """
    texts = [None if row is None else json.dumps(row) for row in rows]
    for array in (
        pa.array(rows, pa.list_(pa.float64())),
        pa.array(rows, pa.large_list(pa.float64())),
        pa.array(texts, pa.string()),
    ):
        columns, wrong = derived(array, 3)
        for place, row in enumerate(rows):
            values, flags = plainly(row, 3)
            got = [columns[what][place] for what in ("norm", "nan_share", "dimension", "")]
            assert got[0] == (None if values[0] is None else pytest.approx(values[0], rel=1e-5))
            assert tuple(got[1:]) == values[1:]
            assert tuple(wrong[what][place] for what in ("norm", "nan_share", "dimension")) == flags


def test_what_is_no_vector_is_invalid_in_every_way():
    """Text, truth values, objects, nested lists and numbers too large for floats are invalid; empty
    text is missing.
    """
    texts = [
        "hello",
        '"x"',
        "{}",
        "[true, 1]",
        '["1", "2"]',
        "[[1, 2]]",
        "[1, 2] [3]",
        "[1,",
        "NaN",
        "7",
        "",
        "  ",
        None,
    ]
    columns, wrong = derived(pa.array(texts), 2)
    assert wrong["norm"] == wrong["dimension"] == [True] * 10 + [False] * 3
    assert columns["dimension"] == [None] * 13
    columns, wrong = derived(pa.array(["[1" + "0" * 400 + ", 2]", "[NaN, Infinity]"]), 2)
    assert columns["nan_share"] == [0.5, 1.0]
    for odd in (
        [1, None],
        [True, None],
        [["a"], None],
        [[[1.0]], None],
        [{"a": 1}, None],
        [b"x", None],
    ):
        columns, wrong = derived(pa.array(odd), 2)
        assert wrong["norm"] == wrong["dimension"] == [True, False]
    assert derived(pa.nulls(2), 2)[1]["norm"] == [False, False]
    assert derived(pa.array([], pa.list_(pa.float32())), 2)[0]["norm"] == []
    assert derived(pa.array([[], [1.0]]), 0)[1]["norm"] == [True, True]


def test_vectors_of_other_types_are_vectors_too():
    """Halves, whole numbers and lists of a fixed size are read; a dictionary of texts too."""
    for kind in (pa.list_(pa.float16()), pa.list_(pa.int8()), pa.list_(pa.float32(), 2)):
        columns, _ = derived(pa.array([[3, 4], None], kind), 2)
        assert columns["norm"] == [5.0, None]
    assert derived(pa.array(["[3, 4]"] * 2).dictionary_encode(), 2)[0]["norm"] == [5.0, 5.0]


def test_rounding_of_unit_vectors_is_no_news():
    """The norm of vectors that were made 1 long is 1, whatever the last digits say."""
    rows = np.random.default_rng(0).normal(size=(200, 48))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    assert set(derived(pa.array(list(rows)), 48)[0]["norm"]) == {1.0}


def test_a_long_vector_is_projected_to_the_signs_of_its_hashes():
    """Beyond 64 values the sample holds 64 sums of all values with signs, over 8, to the precision
    of float32.
    """
    rows = np.random.default_rng(1).normal(size=(5, 300))
    sampled = np.array(
        [np.frombuffer(value, "<f4") for value in derived(pa.array(list(rows)), 300)[0][""]]
    )
    signs = vectors._signs("e", 300)
    assert np.allclose(sampled, rows @ signs / 8, rtol=1e-6, atol=1e-6)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert np.abs(signs.mean(axis=0)).max() < 0.25
    assert np.abs(signs.T @ signs - 300 * np.eye(64)).max() < 90
    other = np.frombuffer(derived(pa.array([rows[0]]), 300, "f")[0][""][0], "<f4")
    assert not np.allclose(other, sampled[0])


def test_distances_survive_the_projection():
    """Squared distances of vectors of 4,096 values are kept on average, and within about 18%
    each.
    """
    draw = np.random.default_rng(2)
    rows = draw.normal(size=(120, 4096)) * np.exp(-np.arange(4096) / 500)
    sampled = np.array(
        [np.frombuffer(value, "<f4") for value in derived(pa.array(list(rows)), 4096)[0][""]], float
    )
    before, after = (np.sum((side[:60] - side[60:]) ** 2, axis=1) for side in (rows, sampled))
    assert np.mean(after / before) == pytest.approx(1, abs=0.08)
    assert np.std(after / before) < 0.3


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10**6), st.sampled_from([1e-200, 1e-3, 1.0, 1e15]))
def test_a_vector_gives_the_same_bytes_in_any_batch(rows, seed, scale):
    """Neither the rows beside it, nor the parts in which a column is looked at, move a bit of the
    projection.
    """
    values = np.random.default_rng(seed).normal(size=(rows, 130)) * scale
    together = derived(pa.array(list(values)), 130)[0]
    alone = [derived(pa.array([row]), 130)[0] for row in values]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "VALUES", 130 * 7)
        parts = derived(pa.array(list(values)), 130)[0]
    for what in together:
        assert together[what] == parts[what] == [one[what][0] for one in alone]


def test_the_bytes_of_a_projection_are_those_of_every_machine():
    """The projection of a known vector is these bytes for ever: stored samples are compared with
    new ones.
    """
    vector = [float(n % 7) - 3 for n in range(100)]
    found = np.frombuffer(derived(pa.array([vector]), 100)[0][""][0], "<f4")
    assert found[:6].tolist() == [3.875, -0.375, -0.375, -0.625, 1.125, -0.375]


def test_columns_of_a_run_make_one_vector():
    """`emb_{00..03}` gathers four columns, whatever types they come in; a row without any value is
    null, a hole is a hole.
    """
    part = Field("emb", "emb_{00..03}", Kind.EMBEDDING, 4)
    assert [piece.path for piece in part.input_fields] == ["emb_00", "emb_01", "emb_02", "emb_03"]
    schema = Schema(features={"emb": part})
    assert schema.fields == part.input_fields
    raw = {
        "emb[0]": pa.array([1.0, None, 0.5]),
        "emb[1]": pa.array(["2", None, "x"]),
        "emb[2]": pa.array([2, None, 3]),
        "emb[3]": pa.array([0, None, 1]),
    }
    caster = Caster(schema=schema, default_time=from_micros(0), latest=10**18, object_hash=1)
    batch = caster.cast(pa.RecordBatch.from_pydict(raw)).batch
    assert batch.columns["emb.norm"].to_pylist() == [3.0, None, None]
    assert batch.columns["emb.nan_share"].to_pylist() == [0.0, None, 0.25]
    assert batch.invalid["emb.norm"].tolist() == [False, False, True]
    assert np.frombuffer(batch.columns["emb"][0].as_py(), "<f4").tolist() == [1, 2, 2, 0]
    del raw["emb[3]"]
    assert caster.cast(pa.RecordBatch.from_pydict(raw)).batch.columns[
        "emb.nan_share"
    ].to_pylist() == [0.25, None, 0.5]
    assert "emb" not in caster.cast(pa.RecordBatch.from_pydict({"other": [1]})).batch.columns


def test_the_likeliest_dimension():
    """Most vectors decide, of equally many the shorter; without vectors there is none."""
    assert (
        vectors.most_frequent_dimension(
            [pa.array([[1.0, 2], [3.0, 4], [5.0]]), pa.array(["[1, 2, 3]", None])]
        )
        == 2
    )
    assert vectors.most_frequent_dimension([pa.array([[1.0], [1.0, 2.0]])]) == 1
    assert (
        vectors.most_frequent_dimension(
            [pa.array(["x", None]), pa.array([[], None], pa.list_(pa.float32()))]
        )
        == 0
    )
