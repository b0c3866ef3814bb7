"""A comparison gives the numbers that the agent stores for a window of the same rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import databases
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from comparison_tables import make_table
from run_commands import configure, run_once

import driftline


def test_numbers_equal_those_of_the_agent(tmp_path):
    """Value and interval of each judged measurement of a window are those of the comparison."""
    reference, current = make_table(1), make_table(3, drift=True)
    pq.write_table(reference, tmp_path / "reference.parquet")
    start = datetime(2026, 3, 2, tzinfo=UTC)
    times = pa.array([start + timedelta(seconds=30 * row) for row in range(current.num_rows)])
    pq.write_table(current.append_column("time", times), tmp_path / "log.parquet")
    model = {
        "source": {"type": "local", "options": {"path": "log.parquet"}},
        "reference": {"type": "local", "options": {"path": "reference.parquet"}},
        "windows": {"length": "1d"},
    }
    run_once(configure(tmp_path, {"m": model}))
    result = driftline.compare(tmp_path / "reference.parquet", tmp_path / "log.parquet")
    found = {
        (finding.check, finding.measurement, tuple(sorted(finding.labels.items()))): finding
        for record in (*result.columns, *result.model)
        for finding in record.findings
    }
    query = 'select "check", name, labels, value, low, high from measurements'
    rows = [tuple(row.values()) for row in databases.rows(tmp_path, query)]
    compared = 0
    for check, name, labels, value, low, high in rows:
        key = check, name, tuple(sorted(json.loads(labels).items()))
        if key not in found or value is None:
            continue
        compared += 1
        assert found[key].value == pytest.approx(value, rel=1e-9, abs=1e-12)
        if low is not None:
            assert found[key].interval == pytest.approx((low, high), rel=1e-9, abs=1e-12)
    assert compared >= 20
