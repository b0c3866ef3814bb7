"""Rows that are inserted together are those that SQLAlchemy would insert one by one."""

from __future__ import annotations

import databases
import numpy as np
import pytest
import sqlalchemy as sa

from driftline.state import models
from driftline.state.bulk_insert import insert_columns
from driftline.state.tables import measurements
from driftline.types.model import Verdict

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
        "revision": 1,
        "value": float(np.float64(number) / 3),
        "low": None,
        "high": 1e300,
        "p_value": 0.0,
        "was": -0.0,
        "rows": 2**40,
        "verdict": Verdict.OK,
        "severity": "",
        "reason": "100% of it",
        "unit": "%",
        "detail": "{}",
        "reference_id": None,
        "trace": bytes(range(256)),
        "bound_side": None,
        "bound_value": None,
    }


def insert_together(
    connection: sa.Connection, table: sa.Table, rows: list[dict[str, object]]
) -> None:
    insert_columns(connection, table, {name: [row[name] for row in rows] for name in rows[0]})


def test_the_rows_are_the_same():
    """Text with NUL, placeholders and percent signs, enumerations, bytes, and no value."""
    rows = [row(number) for number in range(5)]
    stored = []
    with databases.opened() as store, store.write() as connection:
        models.add_model(connection, "m", 0)
        for insert in (insert_together, lambda c, table, rows: c.execute(table.insert(), rows)):
            connection.execute(measurements.delete())
            insert(connection, measurements, rows)
            query = sa.select(measurements).order_by(measurements.c.start)
            stored.append([tuple(found) for found in connection.execute(query)])
    assert len(stored[0]) == 5
    assert stored[0] == stored[1]


def test_no_rows():
    """Nothing is sent to the database."""
    with databases.opened() as store, store.write() as connection:
        insert_columns(connection, measurements, dict.fromkeys(measurements.c.keys(), ()))
        assert (
            connection.execute(sa.select(sa.func.count()).select_from(measurements)).scalar() == 0
        )
