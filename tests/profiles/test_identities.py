"""Counting ids within a bound: exact where all fit, a uniform sample of them beyond, the same in
any order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from driftline_plugins.checks import uniqueness
from driftline_plugins.checks.uniqueness import IDS, IdentityCollector
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.ingest.columns.canonical import to_categorical
from driftline.profiles.batch import Batch
from driftline.profiles.rowhash import hash_numbers, hash_strings
from driftline.testing import assert_collector_contract
from driftline.testing.collector_contract import sample_spec

SPEC = replace(sample_spec("identities"), options={"identities": ("number", "word")})


def batch(ids, numbers=None, words=None):
    columns = {}
    if numbers is not None:
        columns["number"] = pa.array(numbers, pa.float64())
    if words is not None:
        columns["word"] = to_categorical(pa.array(words, pa.string()))[0]
    return Batch(rows=len(ids), columns=columns, hashes=hash_strings(pa.array(ids, pa.string())))


def collected(*batches):
    made = IdentityCollector.zero(SPEC)
    for each in batches:
        made.update(each)
    return made


def test_ids_and_keys_are_counted_exactly():
    """Repeats across batches count; rows without id, null, NaN or column don't; 0.0 and -0.0 are
    one value.
    """
    found = collected(
        batch(["a", "b", None, ""], [0.0, float("nan"), None, 3.0], ["x", "x", None, ""]),
        batch(["a", "a", "c", "d"], [-0.0] * 4),
    ).summary()
    assert found[IDS] == (6, 4, 1, 2, 4, 1.0)
    assert found["number"] == (6, 2, 1, 4, 16, 1.0)
    assert found["word"] == (2, 1, 1, 1, 1, 1.0)


def test_the_laws_of_collectors_hold_within_and_beyond_the_bound(monkeypatch):
    """Merging in any order gives the same bytes, whether values were dropped or not."""
    assert_collector_contract(IdentityCollector, SPEC)
    monkeypatch.setattr(uniqueness, "BOUND", 20)
    assert_collector_contract(IdentityCollector, SPEC)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.lists(st.integers(0, 40), max_size=30), min_size=1, max_size=5), st.integers(1, 12)
)
def test_what_is_kept_are_the_smallest_hashes_with_exact_counts(parts, bound):
    """However rows come in batches and profiles, the counts are those of the values with the
    smallest hashes.
    """
    before, uniqueness.BOUND = uniqueness.BOUND, bound
    try:
        merged = IdentityCollector.zero(SPEC)
        for part in parts:
            merged.merge(collected(batch([f"id-{number}" for number in part])))
        key = merged._keys[IDS]
    finally:
        uniqueness.BOUND = before
    names = [f"id-{number}" for part in parts for number in part]
    truth = sorted(Counter(hash_strings(pa.array(names, pa.string())).tolist()).items())
    assert list(zip(key.hashes.tolist(), key.counts.tolist(), strict=True)) == truth[:bound]
    assert (key.rows, key.is_truncated) == (len(names), len(truth) > bound)


def test_hashes_of_numbers_spread_evenly():
    """Whole numbers in a row hash to a uniform law, so that the smallest hashes are a fair
    sample.
    """
    shares = np.sort(hash_numbers(np.arange(100_000, dtype=float))) / 2**64
    assert np.abs(shares - np.arange(100_000) / 100_000).max() < 0.006
    assert len(np.unique(shares)) == pytest.approx(100_000, abs=2)
