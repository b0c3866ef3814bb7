"""Measurements of a database of version 0009, one row each, become blocks with the same numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import databases
import numpy as np
import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from driftline.state import migrations
from driftline.state.factory import open_store
from driftline.state.measurement_reader import Selection, read_measurements
from driftline.state.measurements import count_verdicts
from driftline.state.migrations.versions import v0010_blocks
from driftline.state.store import Store
from driftline.state.stored_measurement import StoredMeasurement
from driftline.state.traces import load_traces

pytestmark = [pytest.mark.postgres, pytest.mark.system]

HOUR = 3_600_000_000
VERDICTS = ("", "ok", "changed", "unsure", "error")


def earlier_rows(model: str) -> list[dict[str, Any]]:
    """Rows as version 0009 and those before wrote them, in three windows and two segments."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(120):
        verdict = VERDICTS[number % 5]
        some = bool(number % 3)
        detail = {"mean": float(rng.normal()), "cells": number, "moved": "a\x1ab", "none": None}
        rows.append(
            {
                "model": model,
                "start": HOUR * (number % 3),
                "version": "v\x001",
                "segment": "" if number % 2 else "plan=ü",
                "check": "drift",
                "name": f"n{number}",
                "labels": json.dumps({"column": f"a\x00{number // 6}"}),
                "revision": 1 + number % 4,
                "value": float(rng.normal()) if some else None,
                "low": -0.0 if some else None,
                "high": math.pi * 1e300 if some else None,
                "p_value": float(rng.random()) * 1e-200 if some else None,
                "was": float(rng.normal()) if some else None,
                "rows": 2**40 + number,
                "verdict": verdict,
                "severity": "critical" if verdict == "changed" else "",
                "reason": "above 0.25\x00" if verdict == "changed" else "",
                "unit": "%" if some else "",
                "detail": json.dumps(detail) if some else "{}",
                "reference_id": 1 + number % 2 if some else None,
                "trace": rng.bytes(8 * (number % 7) + number % 2) if number % 4 else None,
                "bound_side": (None, "", "above", "below")[number % 4],
                "bound_value": 0.25 if some else None,
            }
        )
    return rows


def migrate_to(store: Any, version: str) -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    with store.write() as connection:
        context = MigrationContext.configure(
            connection, opts={"fn": lambda revision, _: scripts._upgrade_revs(version, revision)}
        )
        with Operations.context(context):
            context.run_migrations()


def test_every_number_is_kept(tmp_path):
    """Of two models; also those of quiet measurements, which new windows keep shorter."""
    url = (
        databases.server().empty("before_blocks")
        if databases.ON_POSTGRES
        else f"sqlite:///{tmp_path}/state.db"
    )
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg") if databases.ON_POSTGRES else url
    )
    earlier = Store(engine)
    migrate_to(earlier, "0009")
    rows = {model: earlier_rows(model) for model in ("first", "second")}
    with earlier.write() as connection:
        for some in rows.values():
            connection.execute(v0010_blocks.rows_table().insert(), some)
    earlier.close()

    store = open_store(url)
    with store.read() as connection:
        assert not sa.inspect(connection).has_table("measurements")
        for model, before in rows.items():
            after = {row.name: row for row in read_measurements(connection, Selection(model=model))}
            assert len(after) == len(before)
            for row in before:
                found = after[row["name"]]
                for name in StoredMeasurement.__struct_fields__:
                    if name != "detail":
                        assert getattr(found, name) == row[name], name
                assert json.loads(found.detail) == json.loads(row["detail"])
            for reference in (None, 1, 2):
                expected = {
                    row["name"]: row["trace"]
                    for row in before
                    if row["reference_id"] == reference and row["trace"] is not None
                }
                traces = load_traces(connection, model, reference, 100)
                assert {trace.name: trace.trace for trace in traces} == expected
            assert count_verdicts(connection, model).verdicts["changed"] == 24
    store.close()
