"""Measurements are packed window by window, and read back as they were."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import databases
import msgspec
import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state import measurements, traces
from driftline.state.measurement_block import QUIET_PRECISION
from driftline.state.measurement_dictionaries import OpenDictionary
from driftline.state.measurement_reader import (
    Selection,
    find_newest_changed,
    find_newest_start,
    read_measurement_blocks,
    read_measurements,
)
from driftline.state.stored_measurement import StoredMeasurement
from driftline.state.tables import measurement_blocks, measurement_dictionaries
from driftline.types.model import Judgement, Measurement, Severity, Verdict
from driftline.types.records import JudgedMeasurement, WindowKey

pytestmark = pytest.mark.postgres

HOUR = 3_600_000_000
KEY = WindowKey("m", 0, "", "")


@pytest.fixture
def connection() -> Iterator[Connection]:
    with databases.opened() as store, store.write() as connection:
        yield connection


def stored(**changes: Any) -> StoredMeasurement:
    """A measurement of a window, all of whose fields are set."""
    measurement = StoredMeasurement(
        model="m",
        start=0,
        version="",
        segment="",
        check="drift",
        name="psi",
        labels='{"column":"age"}',
        revision=3,
        value=1 / 3,
        low=0.1,
        high=0.7,
        p_value=1e-300,
        was=-0.0,
        rows=2**40,
        verdict="changed",
        severity="warning",
        reason="above 0.25",
        unit="%",
        detail='{"mean":0.1,"cells":7,"moved":"<b>","none":null,"usual":0.1}',
        reference_id=4,
        bound_side="above",
        bound_value=0.25,
    )
    return msgspec.structs.replace(measurement, **changes)


EMPTY = {
    "value": None,
    "low": None,
    "high": None,
    "p_value": None,
    "was": None,
    "reference_id": None,
    "bound_side": None,
    "bound_value": None,
    "detail": "{}",
    "reason": "",
    "severity": "",
    "unit": "",
}


def write(connection: Connection, rows: list[StoredMeasurement], key: WindowKey = KEY) -> None:
    dictionary = OpenDictionary.load(connection, key.model)
    measurements.write_block(connection, key, rows, dictionary)
    dictionary.save(connection)


def test_what_needs_a_look_is_read_back_exactly(connection):
    """Missing numbers, the largest and smallest ones, and texts that databases find hard."""
    rows = [
        stored(),
        stored(name="a", verdict="error", **EMPTY),
        stored(name="b", verdict="unsure", value=math.inf, low=-1.7e308, high=5e-324, was=None),
        stored(name="c", labels='{"column":"a\x00\x1a%s"}', reason="ü\x00", bound_side="below"),
        stored(name="d", verdict="unsure", detail='{"mean":3,"cells":7.0}', bound_side=""),
    ]
    write(connection, rows)
    assert read_measurements(connection, Selection(model="m")) == sorted(
        rows, key=lambda row: row.name
    )


def test_a_window_without_measurements_is_read_as_one(connection):
    """It has a block, so that the window counts as judged; nothing is in it."""
    write(connection, [])
    assert read_measurements(connection, Selection(model="m")) == []
    assert measurements.count_verdicts(connection, "m").measurements == 0


def test_of_quiet_measurements_only_details_and_p_values_are_rounded(connection):
    """Values, intervals, the reference and whole numbers are exact."""
    rng = np.random.default_rng(1)
    rows = [
        stored(
            name=f"n{number:03}",
            verdict="ok" if number % 2 else "",
            value=rng.normal(),
            p_value=float(rng.random()) * 10.0 ** -(number * 5),
            detail=json.dumps({"mean": rng.normal(), "cells": number}, separators=(",", ":")),
        )
        for number in range(60)
    ]
    write(connection, rows)
    read = read_measurements(connection, Selection(model="m"))
    rounded = {"p_value", "detail"}
    for before, after in zip(rows, read, strict=True):
        for name in set(StoredMeasurement.__struct_fields__) - rounded:
            assert getattr(after, name) == getattr(before, name)
        assert after.p_value == pytest.approx(before.p_value, rel=QUIET_PRECISION, abs=0)
        was, now = json.loads(before.detail), json.loads(after.detail)
        assert now["mean"] == pytest.approx(was["mean"], rel=QUIET_PRECISION, abs=0)
        assert now["cells"] == was["cells"]


def quiet_window(rng: np.random.Generator, start: int, columns: int) -> list[StoredMeasurement]:
    """What checks find in a window without a change: five measurements of each column."""
    rows = []
    for place in range(columns):
        mean = float(rng.normal())
        means = {"mean_was": float(place), "mean": mean, "shift_sd": mean / 3}
        kinds: dict[str, dict[str, Any]] = {
            "psi": {"detail": means | {"raw": float(rng.random())}, "verdict": "ok"},
            "ks": {"detail": means, "p_value": float(rng.random())},
            "mean_shift": {"detail": means, "verdict": "ok"},
            "missing_rate": {"value": 0.0, "low": 0.0, "high": 0.01, "was": 0.0, "verdict": "ok"},
            "constant": {"value": 0.0, "low": None, "high": None, "verdict": "ok"},
        }
        for name, changes in kinds.items():
            value = float(rng.random())
            plain = {**EMPTY, "value": value, "low": value / 2, "high": value * 2} | changes
            plain["detail"] = json.dumps(changes.get("detail", {}))
            row = {"bound_side": "", "revision": 1, "rows": 1000, "reference_id": 1} | plain
            rows.append(
                stored(start=start, name=name, labels=f'{{"column":"column {place}"}}', **row)
                if "verdict" in changes
                else stored(
                    start=start,
                    name=name,
                    labels=f'{{"column":"column {place}"}}',
                    verdict="",
                    **row,
                )
            )
    return rows


def test_a_quiet_measurement_costs_at_most_20_bytes(connection):
    """With its share of the dictionary, over 50 windows of 20 columns with five numbers each."""
    rng = np.random.default_rng(2)
    for hour in range(50):
        key = WindowKey("m", hour * HOUR, "", "")
        write(connection, quiet_window(rng, key.start, 20), key)
    sums = [
        sa.func.sum(sa.func.length(measurement_blocks.c[name]))
        for name in ("places", "figures", "details")
    ]
    count = sa.func.sum(measurement_blocks.c.measurements)
    *sizes, measured = connection.execute(sa.select(*sums, count)).one()
    content = measurement_dictionaries.c.content
    dictionary = connection.execute(sa.select(sa.func.sum(sa.func.length(content)))).scalar_one()
    assert measured == 50 * 100
    assert (sum(sizes) + dictionary) / measured <= 20


def test_the_month_of_a_column_reads_at_most_720_blocks(connection):
    """Three months of hourly windows of two columns; the column's own numbers alone come back."""
    first, last = 720 * HOUR, 1440 * HOUR
    for hour in range(2160):
        key = WindowKey("m", hour * HOUR, "", "")
        rows = [stored(start=key.start, labels=f'{{"column":"{name}"}}') for name in ("a", "b")]
        write(connection, rows, key)
    read: list[int] = []
    sa.event.listen(
        connection, "after_cursor_execute", lambda *arguments: read.append(len(arguments))
    )
    month = Selection(model="m", since=first, until=last, column="b")
    blocks = list(read_measurement_blocks(connection, month))
    assert len(blocks) == 720
    assert {block.key.start for block in blocks} == set(range(first, last, HOUR))
    assert all(
        [entry.labels for entry in block.selected_entries] == ['{"column":"b"}'] for block in blocks
    )


@pytest.mark.parametrize("newest_first", [False, True])
def test_blocks_are_read_page_by_page_in_order(connection, newest_first):
    """More windows, versions and segments than one query reads; each comes once."""
    keys = [
        WindowKey("m", hour * HOUR, version, segment)
        for hour in range(100)
        for version in ("1", "2")
        for segment in ("", "plan=a", "plan=b")
    ]
    for key in keys:
        write(connection, [stored(start=key.start, version=key.version, segment=key.segment)], key)
    read = [
        block.key
        for block in read_measurement_blocks(
            connection, Selection(model="m"), newest_first=newest_first
        )
    ]
    sign = -1 if newest_first else 1
    assert read == sorted(keys, key=lambda key: (sign * key.start, key.version, key.segment))


def judged(
    check: str, value: float, *, verdict: str = "ok", trace: bytes | None = None
) -> JudgedMeasurement:
    return JudgedMeasurement(
        check=check,
        measurement=Measurement(value, name="n"),
        judgement=Judgement(
            verdict=Verdict(verdict), severity=Severity.INFO if verdict == "changed" else None
        ),
        rows=5,
        trace=trace,
    )


def test_other_checks_keep_their_measurements_and_traces(connection):
    """Labels that come later replace the measurements of the checks that use them, and no others."""
    first = [judged("drift", 1.0, trace=b"drift 1"), judged("performance", 2.0, trace=b"old")]
    measurements.replace_measurements(connection, KEY, 1, first, 7)
    later = [judged("performance", 3.0, trace=b"new")]
    measurements.replace_measurements(connection, KEY, 2, later, 8, checks=["performance"])
    read = read_measurements(connection, Selection(model="m"))
    assert [(row.check, row.value, row.revision, row.reference_id) for row in read] == [
        ("drift", 1.0, 1, 7),
        ("performance", 3.0, 2, 8),
    ]
    assert [row.trace for row in traces.load_traces(connection, "m", 7, 10)] == [b"drift 1"]
    assert [row.trace for row in traces.load_traces(connection, "m", 8, 10)] == [b"new"]


def test_a_revision_leaves_nothing_of_the_one_before(connection):
    """Neither in the block nor among the changed rows and the traces."""
    before = [judged("drift", 1.0, verdict="changed", trace=b"12345678")]
    measurements.replace_measurements(connection, KEY, 1, before, None)
    series = (KEY, "drift", "n", "{}")
    assert find_newest_changed(connection, *series) == 0
    measurements.replace_measurements(connection, KEY, 2, [judged("drift", 2.0)], None)
    assert [row.value for row in read_measurements(connection, Selection(model="m"))] == [2.0]
    assert find_newest_changed(connection, *series) is None
    assert list(traces.load_traces(connection, "m", None, 10)) == []


def test_what_expires_takes_its_dictionary_along(connection, monkeypatch):
    """A full dictionary is followed by a new one, and goes with the last block that uses it."""
    monkeypatch.setattr("driftline.state.series_dictionary.MOST_ENTRIES", 1)
    dictionary = None
    for hour in range(3):
        key = WindowKey("m", hour * HOUR, "", "")
        dictionary = measurements.replace_measurements(
            connection, key, 1, [judged("drift", hour, trace=b"12345678")], 1, dictionary=dictionary
        )
    ids = sa.select(sa.func.count()).select_from(measurement_dictionaries)
    assert connection.execute(ids).scalar() == 3
    assert [row.value for row in read_measurements(connection, Selection(model="m"))] == [0, 1, 2]
    measurements.expire_measurements(connection, "m", 2 * HOUR)
    assert connection.execute(ids).scalar() == 1
    assert [row.value for row in read_measurements(connection, Selection(model="m"))] == [2]
    assert find_newest_start(connection, Selection(model="m")) == 2 * HOUR
    assert len(list(traces.load_traces(connection, "m", 1, 10))) == 1


def test_traces_of_the_newest_windows_are_kept(connection):
    """Judging looks back no further."""
    for hour in range(5):
        key = WindowKey("m", hour * HOUR, "", "")
        rows = [judged("drift", hour, trace=bytes([hour]) * (8 + hour))]
        measurements.replace_measurements(connection, key, 1, rows, 1)
    traces.expire_traces(connection, "m", 2)
    kept = list(traces.load_traces(connection, "m", 1, 10))
    assert [row.trace for row in kept] == [bytes([3]) * 11, bytes([4]) * 12]


def test_a_series_with_a_moving_reference_does_not_swell_the_dictionary(connection):
    """The value in the reference is in the block from the ninth on, and is read like the others."""
    for hour in range(30):
        key = WindowKey("m", hour * HOUR, "", "")
        write(connection, [stored(start=key.start, was=hour / 7)], key)
    dictionary = OpenDictionary.load(connection, "m")
    assert len(dictionary.content.entries) == 9
    read = read_measurements(connection, Selection(model="m"))
    assert [row.was for row in read] == [hour / 7 for hour in range(30)]
