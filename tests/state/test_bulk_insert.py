"""Rows that are inserted together are those that SQLAlchemy would insert one by one."""

from __future__ import annotations

import databases
import numpy as np
import pytest
import sqlalchemy as sa

from driftline.state import models
from driftline.state.bulk_insert import insert_columns
from driftline.state.tables import changed_measurements, windows
from driftline.types.model import Severity

pytestmark = pytest.mark.postgres


def row(number: int) -> dict[str, object]:
    return {
        "model": "m",
        "start": number,
        "version": "v\x00\x1a",
        "segment": "",
        "check": "c",
        "name": "Größe",
        "labels": '{"a":"%s %(b)s ? :c"}',
        "value": float(np.float64(number) / 3) if number else None,
        "was": -0.0 if number % 2 else 1e300,
        "rows": 2**40,
        "severity": Severity.INFO,
        "reason": "100% of it",
        "unit": "%",
    }


def window_row(number: int) -> dict[str, object]:
    return {
        "model": "m",
        "start": number,
        "version": "v\x00\x1a",
        "segment": "",
        "end": number + 1,
        "rows": 2**40,
        "revision": 1,
        "dirty": 0,
        "settled": 0,
        "profile": bytes(range(256)),
        "labelled": None,
        "quiet": 0,
        "reference_id": None,
        "config_digest": "100% of it",
    }


def insert_together(
    connection: sa.Connection, table: sa.Table, rows: list[dict[str, object]]
) -> None:
    insert_columns(connection, table, {name: [row[name] for row in rows] for name in rows[0]})


@pytest.mark.parametrize(
    ("table", "row"), [(changed_measurements, row), (windows, window_row)], ids=["texts", "bytes"]
)
def test_the_rows_are_the_same(table, row):
    """Text with NUL, placeholders and percent signs, enumerations, bytes, and no value."""
    rows = [row(number) for number in range(5)]
    stored = []
    with databases.opened() as store, store.write() as connection:
        models.add_model(connection, "m", 0)
        for insert in (insert_together, lambda c, table, rows: c.execute(table.insert(), rows)):
            connection.execute(table.delete())
            insert(connection, table, rows)
            query = sa.select(table).order_by(table.c.start)
            stored.append([tuple(found) for found in connection.execute(query)])
    assert len(stored[0]) == 5
    assert stored[0] == stored[1]


def test_no_rows():
    """Nothing is sent to the database."""
    with databases.opened() as store, store.write() as connection:
        table = changed_measurements
        insert_columns(connection, table, dict.fromkeys(table.c.keys(), ()))
        assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0
