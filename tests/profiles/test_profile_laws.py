"""The profile is a monoid: order and splits don't show."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.rowhash import hash_strings
from driftline.profiles.spec import ProfileSpec, make_spec
from driftline.types.model import Field, Kind, Schema, Task

pytestmark = pytest.mark.system

SCHEMA = Schema(
    features={"x": Field("x", "x", Kind.NUMERIC), "c": Field("c", "c", Kind.CATEGORICAL)},
    prediction=Field("p", "p", Kind.CATEGORICAL),
    score=Field("s", "s", Kind.NUMERIC),
    label=Field("y", "y", Kind.CATEGORICAL),
    task=Task.BINARY,
)
ROW = st.tuples(
    st.one_of(
        st.none(),
        st.floats(allow_nan=True, allow_infinity=True),
        st.sampled_from([0.0, -0.0, 1.0, 1e9, -1e-9]),
    ),
    st.one_of(st.none(), st.sampled_from(["a", "b", "c", "d", "", "ü"])),
    st.sampled_from(["0", "1", None]),
    st.one_of(st.none(), st.floats(0, 1)),
    st.sampled_from(["0", "1", None]),
)
ROWS = st.lists(ROW, min_size=0, max_size=30)


def spec(**changes: object) -> ProfileSpec:
    grid = np.array([-1.0, 0.0, 0.5, 1.0, 3.0])
    return make_spec(
        SCHEMA,
        {"x": grid, "s": np.linspace(0, 1, 11)},
        {"c": {"a": 3, "b": 1}},
        ("numeric", "categories", "scores", "sample", "sizes"),
        7,
    )


SPEC = spec()


def batch(rows: list[tuple], first: int = 0) -> Batch:
    x, c, p, s, y = ([row[i] for row in rows] for i in range(5))
    text = lambda values: pa.array(values, pa.string()).dictionary_encode()  # noqa: E731
    ids = pa.array([f"id-{first + place}" for place in range(len(rows))], pa.string())
    columns = {
        "x": pa.array(x, pa.float64()),
        "c": text(c),
        "p": text(p),
        "s": pa.array(s, pa.float64()),
        "y": text(y),
    }
    return Batch(
        rows=len(rows),
        columns=columns,
        invalid={},
        events=np.arange(first, first + len(rows)),
        hashes=hash_strings(ids),
    )


def profile(*batches: Batch) -> Profile:
    made = Profile(SPEC, BUILT_IN)
    for item in batches:
        made.update(item)
    return made


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=6), st.randoms(use_true_random=False))
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


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 30), st.randoms(use_true_random=False))
def test_any_split_gives_the_same_counts_and_moments(rows, cut, random):
    """One window read in two pieces, in any order of rows, has the same counts, and moments to
    1e-12.
    """
    whole = profile(batch(rows)).window()
    split = profile(batch(rows[:cut]), batch(rows[cut:], min(cut, len(rows)))).window()
    mixed = list(rows)
    random.shuffle(mixed)
    for other in (split, profile(batch(mixed)).window()):
        assert whole.rows == other.rows
        mine, theirs = whole.columns["x"], other.columns["x"]
        assert (mine.nulls, mine.nans, mine.infinities, mine.minimum, mine.maximum) == (
            theirs.nulls,
            theirs.nans,
            theirs.infinities,
            theirs.minimum,
            theirs.maximum,
        )
        assert np.array_equal(mine.counts, theirs.counts)
        assert whole.columns["c"] == other.columns["c"]
        assert whole.scores.confusion == other.scores.confusion
        assert np.array_equal(whole.scores.positives, other.scores.positives)
        for name in ("mean", "variance"):
            ours, its = getattr(mine, name), getattr(theirs, name)
            assert ours == its or ours == pytest.approx(
                its, rel=1e-12, abs=1e-12 * max(abs(mine.maximum), abs(mine.minimum)) ** 2
            )
        assert whole.scores.sums.brier == pytest.approx(other.scores.sums.brier, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_bytes_keep_everything(rows):
    """A profile read back from its bytes is the same profile, and zero changes nothing."""
    made = profile(batch(rows))
    back = Profile.from_bytes(made.to_bytes(), SPEC, BUILT_IN)
    back.merge(Profile(SPEC, BUILT_IN))
    assert back.to_bytes() == made.to_bytes()


def test_profiles_of_different_specs_do_not_mix():
    """Merging or reading a profile of another grid is refused."""
    other = make_spec(SCHEMA, {"x": np.array([1.0, 2.0])}, {})
    with pytest.raises(ValueError, match="different specs"):
        Profile(SPEC, BUILT_IN).merge(Profile(other, BUILT_IN))
    with pytest.raises(ValueError, match="was made by spec"):
        Profile.from_bytes(Profile(other, BUILT_IN).to_bytes(), SPEC, BUILT_IN)


def test_a_million_strings_stay_within_the_bound():
    """A hostile column keeps at most the bound of names; the rest is counted as other, and distinct
    is estimated.
    """
    schema = Schema(features={"c": Field("c", "c", Kind.CATEGORICAL)})
    small = make_spec(schema, {}, {"c": {"known": 1}})
    made = Profile(small, BUILT_IN)
    for part in range(20):
        names = pa.array([f"{part}-{n}" for n in range(5000)] + ["known"]).dictionary_encode()
        made.update(Batch(rows=5001, columns={"c": names}, events=np.zeros(5001, np.int64)))
    column = made.window().columns["c"]
    assert column.counts["known"] == 20
    assert len(column.counts) <= 10_001
    assert sum(column.counts.values()) + column.other == column.count == 100_020
    assert column.distinct == pytest.approx(100_001, rel=0.05)


def test_overflowing_categories_merge_to_the_same_bytes_in_any_order():
    """Beyond the bound too, the order of merging doesn't show."""
    schema = Schema(features={"c": Field("c", "c", Kind.CATEGORICAL)})
    small = make_spec(schema, {}, {"c": {"7": 1}})
    parts = []
    for part in range(3):
        made = Profile(small, BUILT_IN)
        names = pa.array(
            [str(n) for n in range(part * 6000, part * 6000 + 9000)]
        ).dictionary_encode()
        made.update(Batch(rows=9000, columns={"c": names}, events=np.zeros(9000, np.int64)))
        parts.append(made.to_bytes())
    results = set()
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        merged = Profile(small, BUILT_IN)
        for place in order:
            merged.merge(Profile.from_bytes(parts[place], small, BUILT_IN))
        results.add(merged.to_bytes())
    assert len(results) == 1


def test_window_carries_the_span_of_its_events():
    """First and last event times are those of the rows."""
    window = profile(batch([(1.0, "a", "1", 0.5, "1")] * 3, first=1_000_000)).window()
    assert window.first_event == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert window.last_event == datetime(1970, 1, 1, 0, 0, 1, 2, tzinfo=UTC)
