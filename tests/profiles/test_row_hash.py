"""Hashes of ids: the whole id counts, however long."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from driftline.ingest.columns.canonical import hash_ids
from driftline.profiles.rowhash import hash_strings

GOLDEN = [
    "e220a8397b1dcdaf",
    "0e923f8917a0f75e",
    "1a470afa62f46e69",
    "9a392405730b0782",
    "f15106b91951993d",
    "e220a8397b1dcdaf",
]


def test_hashes_are_what_they_always_were():
    """Stored hashes stay valid: these are of the first version."""
    found = hash_strings(pa.array(["", "a", "12345678", "ü" * 20, "x" * 64, None]))
    assert [f"{value:016x}" for value in found.tolist()] == GOLDEN


def test_long_ids_that_differ_at_the_end_differ():
    """Two ids of equal length with the same first 64 bytes are two ids; a long id hashes the same
    in any company.
    """
    head = "x" * 64
    found = hash_strings(pa.array([f"{head}a", f"{head}b", "a"]))
    assert len(set(found.tolist())) == 3
    assert hash_strings(pa.array([f"{head}b"]))[0] == found[1]


@given(st.lists(st.text(max_size=90), unique=True, max_size=30))
def test_distinct_ids_have_distinct_hashes(ids):
    """Wherever they differ."""
    assert len(set(hash_strings(pa.array(ids, pa.string())).tolist())) == len(ids)


def test_ids_of_every_type_are_one():
    """7, 7.0 and "7" name the same record; nothing, empty text and lists name none."""
    seven = {
        int(hash_ids(array)[0])
        for array in (
            pa.array([7]),
            pa.array([7.0]),
            pa.array(["7"]),
            pa.array(["7"]).dictionary_encode(),
        )
    }
    assert len(seven) == 1
    assert hash_ids(pa.array([None, ""])).tolist() == [0, 0]
    assert hash_ids(pa.array([[1]])).tolist() == [0]
