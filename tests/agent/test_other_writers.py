"""Logs whose values were written by another tool than those of the reference: the same values in
another width or form are no difference, and numbers that can't be computed are not given.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import databases
import measurement_sql
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from run_commands import configure, run_once

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(databases.ON_POSTGRES, reason="reads the file of SQLite"),
]
START = 1_793_491_200_000_000
"""Microseconds: 2026-11-01 00:00 UTC."""
HOUR = 3_600_000_000


@dataclass
class Report:
    """What one run stored."""

    measurements: dict[tuple[str, str], list[tuple[float | None, str, str]]]
    """(value, verdict, reason) of each window, by name and column."""
    incidents: list[str]
    """Titles of all incidents."""

    def values(self, name: str, column: str = "") -> list[float | None]:
        return [value for value, _, _ in self.measurements[name, column]]


def write(path: Path, columns: dict[str, Any]) -> None:
    """Write a table as CSV, Parquet or JSON lines, by the suffix."""
    table = pa.table(columns)
    if path.suffix == ".csv":
        pa.csv.write_csv(table, path)
    elif path.suffix == ".parquet":
        pa.parquet.write_table(table, path)
    else:
        path.write_text("".join(json.dumps(row, default=str) + "\n" for row in table.to_pylist()))


def times(rows: int) -> list[str]:
    """Times of `rows` rows, evenly over 2 hours."""
    moments = START + np.arange(rows) * (2 * HOUR // rows)
    return [str(np.datetime64(int(moment), "us")) + "Z" for moment in moments]


def watch(folder: Path, schema: dict[str, Any], reference: str, log: str, **model: Any) -> Report:
    """Read the log once and return what was stored."""
    config = configure(
        folder,
        {
            "m": {
                "source": {"type": "local", "options": {"path": str(folder / log)}},
                "reference": {"type": "local", "options": {"path": str(folder / reference)}},
                "schema": {"timestamp": "ts", **schema},
                "windows": {"length": "1h", "lateness": "0s", "notify_within": None},
                **model,
            }
        },
    )
    code, _ = run_once(config)
    assert code in (0, 1)  # 1: an incident is open
    (state,) = folder.glob("*.db")
    rows = measurement_sql.query_state(
        state, "select name, labels, value, verdict, reason from measurements order by start"
    )
    with sqlite3.connect(state) as database:
        titles = [title for (title,) in database.execute("select title from incidents")]
    measurements: dict[tuple[str, str], list[tuple[float | None, str, str]]] = {}
    for name, labels, value, verdict, reason in rows:
        key = name, json.loads(labels).get("column", "")
        measurements.setdefault(key, []).append((value, verdict, reason))
    return Report(measurements, titles)


PRICES = np.array([0.1, 0.99, 1.49, 2.95, 3.33, 4.2, 5.15, 7.7])
LEAVES = 1 / (1 + np.exp(-np.random.default_rng(6).normal(size=6)))
"""Scores of a tree with six leaves: no short decimals."""
NARROW = {
    "prices": (PRICES, np.array([0.3, 0.2, 0.15, 0.1, 0.1, 0.06, 0.05, 0.04])),
    "a constant": (np.array([0.1]), np.array([1.0])),
    "scores of a tree": (LEAVES, np.full(6, 1 / 6)),
    "large amounts": (np.array([1e9 / 3, 1e10 / 3, -1e9 / 7]), np.array([0.5, 0.3, 0.2])),
    "values close together": (5 + np.arange(5) / 3000, np.full(5, 0.2)),
    "tiny rates": (np.array([1e-12 / 3, 1e-9 / 7, 0.0]), np.array([0.5, 0.3, 0.2])),
}


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ("prices", "log.jsonl"),
        ("prices", "log.csv"),
        ("a constant", "log.parquet"),
        ("scores of a tree", "log.jsonl"),
        ("large amounts", "log.parquet"),
        ("values close together", "log.jsonl"),
        ("tiny rates", "log.csv"),
    ],
)
def test_floats_of_32_bits_are_no_drift(tmp_path, values, log):
    """A log in 32 bits and a reference in 64 bits have the same values, whatever the file."""
    (distinct, shares), random = NARROW[values], np.random.default_rng(1)
    write(tmp_path / "reference.csv", {"x": random.choice(distinct, 4000, p=shares)})
    rows = random.choice(distinct, 1600, p=shares).astype(np.float32)
    write(tmp_path / log, {"ts": times(1600), "x": rows})
    report = watch(tmp_path, {"features": {"x": "numeric"}}, "reference.csv", log)
    assert report.incidents == []
    assert max(report.values("psi", "x")) < 0.04
    assert report.values("outside_rate", "x") == [0.0, 0.0]
    assert all(
        verdict != "changed" for rows in report.measurements.values() for _, verdict, _ in rows
    )


def test_a_reference_of_both_widths_has_one_value(tmp_path):
    """Where some files of the reference are narrower, a value counts once all the same."""
    random = np.random.default_rng(2)
    rows = random.choice(LEAVES, 4000)
    rows[::2] = rows[::2].astype(np.float32)
    write(tmp_path / "reference.csv", {"x": rows})
    write(tmp_path / "log.csv", {"ts": times(1600), "x": random.choice(LEAVES, 1600)})
    report = watch(tmp_path, {"features": {"x": "numeric"}}, "reference.csv", "log.csv")
    assert report.incidents == []
    assert max(report.values("psi", "x")) < 0.04


def test_a_real_change_of_a_constant_is_reported(tmp_path):
    """A constant that changes by a hundredth of a percent is no rounding."""
    write(tmp_path / "reference.csv", {"x": np.full(4000, 0.1)})
    write(tmp_path / "log.csv", {"ts": times(1600), "x": np.full(1600, 0.10001)})
    report = watch(tmp_path, {"features": {"x": "numeric"}}, "reference.csv", "log.csv")
    assert report.values("outside_rate", "x") == [1.0, 1.0]
    assert len(report.incidents) == 1


FEES = [Decimal("1.00"), Decimal("0.10"), Decimal("100.50"), Decimal("20.00")]
FORMS = {
    "decimals": pa.array(FEES, pa.decimal128(10, 2)),
    "text with two digits": pa.array([f"{fee:.2f}" for fee in FEES]),
    "floats of 32 bits": pa.array([float(fee) for fee in FEES], pa.float32()),
    "text of widened floats": pa.array([repr(float(np.float32(fee))) for fee in FEES]),
}


@pytest.mark.parametrize(
    ("form", "log"),
    [
        ("decimals", "log.parquet"),
        ("decimals", "log.jsonl"),
        ("text with two digits", "log.jsonl"),
        ("floats of 32 bits", "log.parquet"),
        ("text of widened floats", "log.csv"),
    ],
)
def test_categories_of_numbers_are_the_same_in_every_form(tmp_path, form, log):
    """Fees that are categories: `0.10`, 0.1 and a decimal are one category."""
    random = np.random.default_rng(3)
    write(tmp_path / "reference.csv", {"fee": random.choice([float(fee) for fee in FEES], 3000)})
    rows = FORMS[form].take(pa.array(random.integers(0, 4, 1000)))
    write(tmp_path / log, {"ts": times(1000), "fee": rows})
    report = watch(tmp_path, {"features": {"fee": "categorical"}}, "reference.csv", log)
    assert report.incidents == []
    assert report.values("new_categories", "fee") == [0.0, 0.0]
    assert report.values("vanished_categories", "fee") == [0.0, 0.0]


SCALES = {
    "logits": lambda logit: logit,
    "percent": lambda logit: 100 / (1 + np.exp(-logit)),
    "a sentinel in some rows": lambda logit: np.where(logit > 1.5, -1.0, 1 / (1 + np.exp(-logit))),
}


@pytest.mark.parametrize("scale", SCALES)
def test_scores_that_are_no_probabilities_have_no_losses(tmp_path, scale):
    """Log loss, Brier score and calibration gap are not made from clipped scores; AUC stands."""
    random = np.random.default_rng(4)

    def rows(count: int) -> dict[str, Any]:
        logit = random.normal(size=count)
        y = (random.random(count) < 1 / (1 + np.exp(-2 * logit))).astype(int)
        return {"ts": times(count), "p": (logit > 0).astype(int), "s": SCALES[scale](logit), "y": y}

    write(tmp_path / "reference.jsonl", rows(3000))
    write(tmp_path / "log.jsonl", rows(1600))
    schema = {
        "prediction": {"kind": "binary", "column": "p", "score": "s"},
        "label": {"column": "y"},
    }
    report = watch(tmp_path, schema, "reference.jsonl", "log.jsonl")
    for name in ("log_loss", "brier", "calibration_gap"):
        assert report.values(name) == [None, None]
        reasons = [reason for _, _, reason in report.measurements[name, ""]]
        assert all("no probabilities from 0 to 1" in reason for reason in reasons)
    assert all(value > 0.5 for value in report.values("roc_auc"))
