"""Settled windows: what counts in them stays, and nothing is added."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import databases
import pytest
import sqlalchemy as sa
from database_dump import dump

from driftline.state import accounts, ledger, models
from driftline.state.tables import windows
from driftline.types.model import LogObject
from driftline.types.records import GONE, ReadOutcome, Share

pytestmark = pytest.mark.postgres

HOUR = 3_600_000_000
OBJECT = LogObject(uri="file:///a", version="1", size=10, modified=datetime(2026, 5, 1, tzinfo=UTC))
REFERENCE = {
    "spec": b"",
    "schema_json": "",
    "columns_json": "[]",
    "config_digest": "",
    "origin": "",
    "digest": "",
    "rows": 0,
}


@pytest.fixture
def connection():
    """A database of one model."""
    with databases.opened() as store, store.write() as made:
        models.add_model(made, "m", 0)
        models.adopt_reference(made, "m", spec_digest="old", profile=None, **REFERENCE)
        yield made


def outcome(*hours: int, rows: int = 3, **changes: object) -> ReadOutcome:
    shares = [
        Share(start=hour * HOUR, version="v", segment="", rows=rows, profile=b"x") for hour in hours
    ]
    return replace(ReadOutcome(object=OBJECT, rows=rows * len(hours), shares=shares), **changes)


def judge(connection, hour: int) -> None:
    connection.execute(
        windows.update().where(windows.c.start == hour * HOUR).values(revision=1, dirty=0)
    )


def rows_of(connection) -> list[tuple[int, int, int]]:
    return [
        (start // HOUR, rows, dirty)
        for start, rows, dirty in connection.execute(
            sa.select(windows.c.start, windows.c.rows, windows.c.dirty).order_by(windows.c.start)
        )
    ]


def test_a_new_spec_leaves_settled_windows_between_open_ones_alone(connection):
    """A window that was judged keeps its rows and their provenance when its objects are read again
    for others, older ones.
    """
    ledger.record_outcomes(connection, "m", [outcome(0, 1)], "old", HOUR)
    judge(connection, 1)
    models.adopt_reference(connection, "m", spec_digest="new", profile=None, **REFERENCE)
    again = outcome(0, 1, cutoff=models.find_cutoff(connection, "m"))
    assert again.cutoff == 0
    ledger.record_outcomes(connection, "m", [again], "new", HOUR)
    assert rows_of(connection) == [(0, 3, 1), (1, 3, 0)]
    shares = dump(connection)["shares"]
    assert [row[2] // HOUR for row in shares] == [0, 1]
    assert accounts.load_totals(connection, "m").held_rows == 0


def test_an_object_that_comes_back_is_not_late(connection):
    """Rows that settled windows hold already are neither counted again nor told as held back; more
    of them are.
    """
    ledger.record_outcomes(connection, "m", [outcome(0, 1)], "old", HOUR)
    judge(connection, 0)
    judge(connection, 1)
    models.adopt_reference(connection, "m", spec_digest="new", profile=None, **REFERENCE)
    for again, held in ((outcome(state=GONE), 0), (outcome(0, 1), 0), (outcome(0, 1, rows=5), 4)):
        ledger.record_outcomes(connection, "m", [again], "new", HOUR)
        assert rows_of(connection) == [(0, 3, 0), (1, 3, 0)]
        assert accounts.load_totals(connection, "m").held_rows == held
