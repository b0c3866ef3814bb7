"""The contract of collectors: merging in any order gives the same bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from driftline.ingest.columns.canonical import to_categorical
from driftline.profiles.batch import Batch
from driftline.profiles.collector import Collector
from driftline.profiles.rowhash import hash_positions
from driftline.profiles.spec import CategorySpec, ProfileSpec, grid


def assert_collector_contract(kind: type[Collector], spec: ProfileSpec | None = None) -> None:
    """Assert the contract of collectors.

    Merging is associative and commutative to the same bytes, merging zero changes nothing, and
    `from_bytes` restores what `to_bytes` gave. `spec` needs columns `number` and `word`; without
    it, one is made.
    """
    spec = spec or sample_spec(kind.name)

    def collect(*numbers: int) -> Collector:
        collector = kind.zero(spec)
        for number in numbers:
            collector.update(sample_batch(number))
        return collector

    def merge(*parts: Collector) -> bytes:
        collector = kind.zero(spec)
        for part in parts:
            collector.merge(part)
        return collector.to_bytes()

    a, b, c = collect(0), collect(1, 2), collect(3)
    before = b.to_bytes()
    assert merge(a, b, c) == merge(c, b, a) == merge(b, a, c), (
        f"{kind.name}: the order of merging shows"
    )
    left, right = collect(0), collect(1, 2)
    left.merge(b)
    left.merge(c)
    right.merge(c)
    assert merge(a, right) == left.to_bytes(), f"{kind.name}: merging is not associative"
    assert b.to_bytes() == before, f"{kind.name}: merging changes the other one"
    assert merge(a) == a.to_bytes(), f"{kind.name}: zero changes something"
    assert kind.from_bytes(a.to_bytes(), spec).to_bytes() == a.to_bytes(), (
        f"{kind.name}: bytes don't come back"
    )
    assert kind.zero(spec).to_bytes() == kind.zero(spec).to_bytes(), (
        f"{kind.name}: two zeros differ"
    )
    try:
        kind.from_bytes(b"of another version", spec)
    except ValueError:
        return
    raise AssertionError(
        f"{kind.name}: from_bytes takes anything; it raises ValueError for bytes of another version"
    )


def sample_spec(name: str) -> ProfileSpec:
    """Return the spec of a numeric and a categorical column."""
    numbers = np.random.default_rng(7).normal(size=500)
    return ProfileSpec(
        columns={"number": grid(numbers), "word": CategorySpec(("a", "b"))}, collectors=(name,)
    )


def sample_batch(number: int) -> Batch:
    """Return 50 rows, which differ by `number`, with nulls, NaN, infinities and new words."""
    rng = np.random.default_rng(number)
    values = [None if value > 2 else float(value) for value in rng.normal(size=47)]
    numbers = pa.array([*values, float("nan"), float("inf"), 1e300], pa.float64())
    words, _ = to_categorical(
        pa.array(
            [f"w{value}" if value > 7 else "ab"[value % 2] for value in rng.integers(0, 10, 50)]
        )
    )
    events = np.arange(50, dtype=np.int64) + number * 50
    return Batch(50, {"number": numbers, "word": words}, {}, events, hash_positions(number, 0, 50))
