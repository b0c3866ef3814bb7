"""Requests and responses end as the same rows, however they came."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_record_store import Halves, Line, batch

from driftline.ingest.pairs import match_pairs, pairing
from driftline.ingest.pairs.match_pairs import pack_batches, pair_batches, unpack_batch

pytestmark = [pytest.mark.slow, pytest.mark.system]

lines = st.lists(
    st.builds(
        Line,
        st.sampled_from(["request", "response"]),
        st.sampled_from(["a", "b", "c", "d", "e", "f" * 80]),
        st.integers(0, 2),
        st.integers(0, 9).map(float),
    ),
    max_size=6,
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from(["1", "2", "3"]), lines),
        st.tuples(st.just("overwrite"), st.sampled_from(["1", "2", "3"]), lines),
        st.tuples(st.sampled_from(["tick", "read"])),
        st.tuples(st.just("cut"), st.integers(0, 4)),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(steps, st.sampled_from([1, 3, pairing.HALVES_AT_A_TIME]))
def test_the_windows_are_those_of_a_plain_recount(taken, at_once):
    """Split over objects, in any order, with ids that come twice, overwritten, cut off anywhere
    between two transactions.
    """
    world = Halves()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairing, "HALVES_AT_A_TIME", at_once)
        patch.setattr(pairing, "UNITS_PER_COMMIT", 1)
        _assert_recount(world, taken)


def _assert_recount(world, taken):
    for name, *told in taken:
        if name in ("append", "overwrite"):
            getattr(world, name)(*told)
        elif name == "read":
            world.read()
        elif name == "cut":
            world.read()
            left = iter(range(*told))
            pairing.pair_halves(
                world.store, "m", world.job, lambda left=left: next(left, None) is None
            )
        else:
            world.tick()
    assert world.tick() == []
    assert world.found() == world.expected()
    requests = sum(rows for rows, *_ in world.expected().values())
    answered = sum(answers for _, _, answers, _ in world.expected().values())
    assert world.alone()["request"] == requests - answered
    asked = {line.id for lines in world.lines.values() for line in lines if line.side == "request"}
    strangers = [
        line
        for lines in world.lines.values()
        for line in lines
        if line.side == "response" and line.id not in asked
    ]
    assert world.alone()["response"] == len(strangers)
    before = world.kept()
    assert world.tick() == []
    assert world.kept() == before
    assert all(joined and not removed for *_, joined, removed in before)


@settings(max_examples=25, deadline=None)
@given(lines, st.integers(1, 4))
def test_pairs_within_memory_are_the_same(given_lines, size):
    """What is read at once, for a reference, is paired as what comes object by object is."""
    world = Halves()
    world.append("1", given_lines)
    world.tick()
    batches = []
    for first in range(0, len(given_lines), size):
        for side in ("request", "response"):
            some = [line for line in given_lines[first : first + size] if line.side == side]
            if some:
                values = {"x" if side == "request" else "y": [line.value for line in some]}
                batches.append((side, batch(side, [line.id for line in some], **values)))
    rows = [row for side, found in pair_batches(batches) for row in found.to_pylist()]
    assert len(rows) == sum(found[0] for found in world.expected().values())
    assert sum("y" in row for row in rows) == sum(found[2] for found in world.expected().values())


def test_a_column_is_the_requests_unless_it_is_null_there():
    """Nulls are filled from the response, whatever its type; the rest of it adds its columns."""
    asked = batch("request", ["a", "b", "c"], x=[1, 2, 3], z=["p", None, None])
    given_ = batch("response", ["b", "a"], z=[7, 8], y=[0.5, 0.25])
    rows = [
        row for _, found in pair_batches([(0, given_), (0, asked)]) for row in found.to_pylist()
    ]
    assert rows == [
        {"x": 1, "z": "p", "y": 0.25},
        {"x": 2, "z": "7", "y": 0.5},
        {"x": 3, "z": None},
    ]


def test_equal_hashes_are_not_enough(monkeypatch):
    """Ids that only look alike by their hash stay alone, and so do rows without an id."""
    monkeypatch.setattr(match_pairs, "hash_strings", lambda ids: np.zeros(len(ids), np.uint64))
    asked, given_ = (
        batch("request", ["a", None], x=[1, 3]),
        batch("response", ["b", None], y=[2, 4]),
    )
    assert [
        row for _, found in pair_batches([(0, asked), (0, given_)]) for row in found.to_pylist()
    ] == [
        {"x": 1},
        {"x": 3},
    ]


def test_packed_halves_come_back_whole():
    """Dictionaries that differ from batch to batch included."""
    parts = [
        pa.RecordBatch.from_pydict({"p": pa.array(values).dictionary_encode(), "n": [1, None]})
        for values in (["a", None], ["b", "a"])
    ]
    assert unpack_batch(pack_batches(parts)).to_pylist() == [
        row for part in parts for row in part.to_pylist()
    ]
