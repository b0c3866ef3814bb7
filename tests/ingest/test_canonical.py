"""Casting records to canonical columns."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from driftline.ingest.columns.canonical import (
    Caster,
    split_by_segment,
    split_by_window,
    to_categorical,
    to_numeric,
)
from driftline.ingest.columns.timestamps import to_micros
from driftline.types.model import Field, Kind, Schema

AT = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
MICROS = int(AT.timestamp() * 1_000_000)


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["2026-05-01T12:00:00Z"]),
        pa.array(["2026-05-01 12:00:00"]),
        pa.array(["2026-05-01T14:00:00+02:00"]),
        pa.array(["2026-05-01T12:00:00Z", "2026-05-01 12:00:00", "1777636800"]),
        pa.array([1777636800]),
        pa.array([1777636800.0]),
        pa.array([1777636800000]),
        pa.array([1777636800000000]),
        pa.array([1777636800000000000]),
        pa.array([AT], pa.timestamp("ns", "UTC")),
        pa.array([AT.replace(tzinfo=None)], pa.timestamp("s")),
        pa.array(["2026-05-01T12:00:00Z"]).dictionary_encode(),
    ],
    ids=str,
)
def test_times_are_read_in_every_form(values):
    """Seconds, milliseconds, microseconds, nanoseconds and ISO texts with and without zone mean the
    same moment.
    """
    events, usable = to_micros(values)
    assert usable.all()
    assert set(events.tolist()) == {MICROS}


def test_unreadable_times_are_not_usable():
    """Nulls, words and not-a-number are marked, and the times beside them stand."""
    assert to_micros(pa.array(["yesterday", None, "2026-05-01T12:00:00Z"]))[1].tolist() == [
        False,
        False,
        True,
    ]
    assert to_micros(pa.array([float("nan"), None, 1777636800.0]))[1].tolist() == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("values", "expected", "wrong"),
    [
        (pa.array(["0.10", "0.1", " 1e5 ", "", None]), [0.1, 0.1, 1e5, None, None], None),
        (pa.array(["1", "x", "1_000"]), [1.0, None, None], [False, True, True]),
        (pa.array([True, False, None]), [1.0, 0.0, None], None),
        (pa.array([1, 2**60]), [1.0, float(2**60)], None),
        (pa.array([[1.0], None]), [None, None], [True, False]),
        (pa.array(["1", "a", "1"]).dictionary_encode(), [1.0, None, 1.0], [False, True, False]),
    ],
    ids=str,
)
def test_numbers_are_cast_and_misfits_counted(values, expected, wrong):
    """Text that reads as a number is that number; anything else becomes null and is marked."""
    cast, marked = to_numeric(values)
    assert cast.to_pylist() == expected
    assert (None if marked is None else marked.tolist()) == wrong


def test_not_a_number_stays_what_it_is():
    """The text NaN is a value that is not a number, no misfit."""
    cast, marked = to_numeric(pa.array(["NaN", "Infinity"]))
    assert marked is None
    assert np.isnan(cast[0].as_py())
    assert cast[1].as_py() == float("inf")


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, None, 0]),
        pa.array([1.0, None, 0.0]),
        pa.array([True, None, False]),
        pa.array(["1.0", None, "0"]),
        pa.array(["true", "", "False"]),
    ],
    ids=str,
)
def test_one_category_has_one_name(values):
    """1, 1.0, true and their texts are one category; the empty text is a missing value."""
    cast, wrong = to_categorical(values)
    assert cast.to_pylist() == ["1", None, "0"]
    assert wrong is None


def test_long_categories_are_cut_and_told_apart():
    """Two texts of 5,000 characters with different ends stay two categories of bounded length."""
    cast, _ = to_categorical(pa.array(["a" * 5000 + "1", "a" * 5000 + "2"]))
    first, second = cast.to_pylist()
    assert first != second
    assert len(first) < 250


SCHEMA = Schema(
    features={"x": Field("x", "x", Kind.NUMERIC), "plan": Field("plan", "plan", Kind.CATEGORICAL)},
    timestamp=Field("t", "t"),
    version=Field("v", "v"),
    segments=("plan",),
)


def cast(**columns):
    caster = Caster(schema=SCHEMA, default_time=AT, latest=MICROS + 1, object_hash=7)
    return caster.cast(pa.RecordBatch.from_pydict(columns))


def test_rows_of_the_future_and_without_time_are_held_back():
    """A row whose time is unreadable or yet to come enters no window, and is counted."""
    found = cast(
        t=["2026-05-01T12:00:00Z", "2031-01-01T00:00:00Z", "never"],
        x=[1.0, 2.0, 3.0],
        v=["a", "a", "a"],
    )
    assert found.rows_held_back == 2
    assert found.batch.columns["x"].to_pylist() == [1.0]


def test_rows_are_split_by_window_and_version():
    """Each row lands in the window of its time and the version it names, whatever the order."""
    times = [
        "2026-05-01T11:59:59Z",
        "2026-05-01T10:00:00Z",
        "2026-05-01T11:00:00Z",
        "2026-05-01T10:59:59Z",
    ]
    found = cast(
        t=times, x=[1.0, 2.0, 3.0, 4.0], v=["b", "a", "a", "b"], plan=["p", "q", "p", None]
    )
    hour = 3_600_000_000
    ten = int(datetime(2026, 5, 1, 10, tzinfo=UTC).timestamp() * 1_000_000)
    split = {
        (start, version): batch.columns["x"].to_pylist()
        for start, version, batch in split_by_window(found, hour)
    }
    assert split == {
        (ten, "a"): [2.0],
        (ten, "b"): [4.0],
        (ten + hour, "a"): [3.0],
        (ten + hour, "b"): [1.0],
    }
    parts = {
        name: part.columns["x"].to_pylist()
        for name, part in split_by_segment(found.batch, ("plan",), {"plan": frozenset({"p"})})
    }
    assert parts == {"plan=p": [1.0, 3.0]}


def test_without_a_timestamp_rows_count_at_the_objects_last_change():
    """A log without times is placed by when its object was written."""
    caster = Caster(
        schema=Schema(features=SCHEMA.features), default_time=AT, latest=MICROS + 1, object_hash=7
    )
    found = caster.cast(pa.RecordBatch.from_pydict({"x": [1.0, 2.0]}))
    assert set(found.batch.events.tolist()) == {MICROS}


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["1.1", "1.10", "2.0", "2"]),
        pa.array(["1.1", "1.10", "2.0", "2"]).dictionary_encode(),
    ],
    ids=["text", "dictionary"],
)
def test_versions_are_no_decimals(values):
    """1.10 comes after 1.9, it is not 1.1."""
    caster = Caster(
        schema=SCHEMA, default_time=datetime(2026, 1, 1, tzinfo=UTC), latest=2**62, object_hash=0
    )
    times = pa.array(["2026-01-01T00:00:00Z"] * 4)
    cast = caster.cast(pa.RecordBatch.from_arrays([times, values], ["t", "v"]))
    assert cast.versions.to_pylist() == ["1.1", "1.10", "2", "2"]
