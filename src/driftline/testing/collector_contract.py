"""The contract of collectors: batches add up, and merging in any order gives the same bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from driftline.ingest.columns.canonical import to_categorical
from driftline.profiles.batch import Batch
from driftline.profiles.collector import Collector
from driftline.profiles.rowhash import hash_positions
from driftline.profiles.spec import CategorySpec, ProfileSpec, grid

OTHER_VERSIONS = (b"", b"of another version", b'{"version": 9999}', b"[9999]", b"9999", b"null")
"""Bytes that no version of a collector has written."""


def assert_collector_contract(kind: type[Collector], spec: ProfileSpec | None = None) -> None:
    """Assert the contract of collectors.

    Merging is associative and commutative to the same bytes, and merging zero changes nothing. One
    collector that is updated with two batches equals two collectors that are merged. Equal content
    gives equal bytes, whatever the order of batches and columns. `from_bytes` restores what
    `to_bytes` gave, and raises ValueError for bytes of another version. `spec` needs columns
    `number` and `word`; without it, one is made.
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

    def assert_version(data: bytes) -> None:
        try:
            kind.from_bytes(data, spec)
        except ValueError:
            return
        except Exception as error:
            raise AssertionError(
                f"{kind.name}: from_bytes raises {type(error).__name__} for {data!r}; "
                "it raises ValueError for bytes of another version"
            ) from error
        raise AssertionError(
            f"{kind.name}: from_bytes takes {data!r}; "
            "it raises ValueError for bytes of another version"
        )

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
    assert collect(1, 2).to_bytes() == merge(collect(1), collect(2)), (
        f"{kind.name}: two batches in one collector differ from two collectors merged; "
        "update adds one batch and is called many times"
    )
    assert collect(1, 2).to_bytes() == collect(2, 1).to_bytes(), (
        f"{kind.name}: the order of batches shows in to_bytes"
    )
    turned = kind.zero(spec)
    turned.update(_reverse_columns(sample_batch(0)))
    assert turned.to_bytes() == a.to_bytes(), f"{kind.name}: the order of columns shows in to_bytes"
    assert kind.from_bytes(a.to_bytes(), spec).to_bytes() == a.to_bytes(), (
        f"{kind.name}: bytes don't come back"
    )
    assert kind.zero(spec).to_bytes() == kind.zero(spec).to_bytes(), (
        f"{kind.name}: two zeros differ"
    )
    for data in OTHER_VERSIONS:
        assert_version(data)


def _reverse_columns(batch: Batch) -> Batch:
    return replace(batch, columns=dict(reversed(batch.columns.items())))


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
    return Batch(
        rows=50,
        columns={"number": numbers, "word": words},
        invalid={},
        events=events,
        hashes=hash_positions(number, 0, 50),
    )
