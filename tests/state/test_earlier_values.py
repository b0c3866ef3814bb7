"""The values before each window are the same, whether they are updated or read anew."""

from __future__ import annotations

import databases
import pytest
import sqlalchemy as sa

from driftline.state import models
from driftline.state.earlier_values import EarlierValues
from driftline.state.measurements import load_earlier_values, replace_measurements
from driftline.types.model import Judgement, Measurement, Severity, Verdict
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey

pytestmark = pytest.mark.postgres

HOUR = 3_600_000_000
COLUMN = {"column": "a\x00b"}


@pytest.fixture
def connection():
    with databases.opened() as store, store.write() as connection:
        models.add_model(connection, "m", 0)
        yield connection


def judged(value: float | None) -> JudgedMeasurement:
    return JudgedMeasurement(
        check="c",
        measurement=Measurement(value, COLUMN, name="x", reason="" if value else "no\x1avalue"),
        judgement=Judgement(verdict=Verdict.CHANGED, severity=Severity.WARNING, reason="far"),
        rows=3,
        trace=b"\x00\x01",
    )


def store_window(connection, hour: int, value: float | None) -> None:
    key = WindowKey("m", hour * HOUR, "", "")
    replace_measurements(connection, key, 1, [judged(value)], reference_id=None)


def both(connection, earlier: EarlierValues, hour: int, limit: int = 5):
    """The values before a window: updated, and read anew."""
    key = WindowKey("m", hour * HOUR, "", "")
    return (
        list(earlier.load(connection, key, "c", "x", COLUMN, limit)),
        list(load_earlier_values(connection, key, "c", "x", COLUMN, limit)),
    )


def test_windows_one_after_the_other(connection):
    """Windows without a value and windows that nobody asked about are no exception."""
    earlier = EarlierValues()
    for hour in range(20):
        if hour not in (4, 5, 11):
            updated, anew = both(connection, earlier, hour)
            assert updated == anew
        store_window(connection, hour, None if hour % 7 == 3 else hour / 8)
    assert [item.value for item in updated] == [13 / 8, 14 / 8, 15 / 8, 16 / 8, 18 / 8]
    assert {(item.rows, item.verdict) for item in updated} == {(3, "changed")}


def test_a_window_that_is_judged_again(connection):
    """Its new value is seen by the windows after it."""
    earlier = EarlierValues()
    for hour in range(8):
        both(connection, earlier, hour)
        store_window(connection, hour, float(hour + 1))
    assert both(connection, earlier, 5)[0] == both(connection, EarlierValues(), 5)[1]
    store_window(connection, 5, 99.0)
    updated, anew = both(connection, earlier, 8)
    assert updated == anew
    assert 99.0 in [item.value for item in updated]


def test_more_values_than_before(connection):
    """A larger limit reads what was not kept; a smaller one returns the newest."""
    earlier = EarlierValues()
    for hour in range(9):
        store_window(connection, hour, float(hour + 1))
    for limit in (2, 7, 3):
        updated, anew = both(connection, earlier, 9, limit)
        assert updated == anew
        assert len(updated) == limit


def test_values_that_were_judged_just_now_are_not_read(connection):
    """Windows that are handed over give the values that are stored, also across a gap."""
    earlier = EarlierValues()
    for hour in (0, 1, 2, 3, 7, 8):
        updated, anew = both(connection, earlier, hour)
        assert updated == anew
        value = None if hour == 2 else hour + 1.0
        store_window(connection, hour, value)
        key = WindowKey("m", hour * HOUR, "", "")
        earlier.add(DueWindow(key=key, end=(hour + 1) * HOUR, rows=3, revision=0), [judged(value)])
        if hour == 3:
            store_window(connection, 5, 55.0)
    statements: list[str] = []
    sa.event.listen(
        connection, "before_cursor_execute", lambda c, cursor, text, *_: statements.append(text)
    )
    key = WindowKey("m", 9 * HOUR, "", "")
    values = earlier.load(connection, key, "c", "x", COLUMN, 5)
    assert not statements
    assert [item.value for item in values] == [2.0, 4.0, 55.0, 8.0, 9.0]


def test_late_labels_of_a_window_are_no_reason_to_miss_its_other_checks(connection):
    """A window whose labels came later has new values of some checks only: all are read anew."""
    earlier = EarlierValues()
    both(connection, earlier, 0)
    store_window(connection, 0, 7.0)
    key = WindowKey("m", 0, "", "")
    due = DueWindow(key=key, end=HOUR, rows=3, revision=1, labels_only=True)
    earlier.add(due, [])
    updated, anew = both(connection, earlier, 1)
    assert updated == anew
    assert [item.value for item in updated] == [7.0]
