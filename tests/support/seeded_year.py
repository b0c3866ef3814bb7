"""A year of hourly windows with measurements, written straight into a state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.measurement_dictionaries import OpenDictionary
from driftline.state.measurements import write_block
from driftline.state.stored_measurement import StoredMeasurement
from driftline.state.tables import windows
from driftline.types.records import WindowKey

HOUR = 3_600_000_000
SERIES = (
    ("drift", "psi", "ok"),
    ("drift", "ks", ""),
    ("drift", "mean_shift", "ok"),
    ("missing", "missing_rate", "ok"),
    ("range", "outside_rate", "ok"),
)
"""Check, measurement and verdict of each number of a column in a window without a change."""
METRICS = ("accuracy", "precision", "recall", "roc_auc")


def add_windows(connection: Connection, model: str, starts: Sequence[int], rows: int) -> None:
    """Add judged hourly windows that start at `starts`, in microseconds."""
    connection.execute(
        windows.insert(),
        [
            {
                "model": model,
                "start": start,
                "version": "",
                "segment": "",
                "end": start + HOUR,
                "rows": rows,
                "revision": 1,
                "dirty": 0,
                "settled": 1,
                "quiet": 0,
                "config_digest": "",
            }
            for start in starts
        ],
    )


def add_measurements(
    connection: Connection,
    model: str,
    starts: Sequence[int],
    columns: Sequence[str],
    *,
    changed: range = range(0),
    seed: int = 1,
) -> int:
    """Add the measurements of these windows: five of each column and four of the performance.

    The first column is changed in the windows with the places `changed`. Returns how many.
    """
    rng = np.random.default_rng(seed)
    dictionary = OpenDictionary.load(connection, model)
    count = 0
    for place, start in enumerate(starts):
        rows = list(_measure(rng, model, start, columns, is_changed=place in changed))
        write_block(connection, WindowKey(model, start, "", ""), rows, dictionary)
        count += len(rows)
    dictionary.save(connection)
    return count


def _measure(
    rng: np.random.Generator, model: str, start: int, columns: Sequence[str], *, is_changed: bool
) -> Iterator[StoredMeasurement]:
    values = rng.random((len(columns), len(SERIES)))
    for column, of_column in zip(columns, values.tolist(), strict=True):
        labels = json.dumps({"column": column}, separators=(",", ":"))
        for (check, name, verdict), value in zip(SERIES, of_column, strict=True):
            moved = is_changed and column == columns[0] and name == "psi"
            yield _stored(
                model,
                start,
                check,
                name,
                labels,
                value=0.5 if moved else value * 0.05,
                verdict="changed" if moved else verdict,
            )
    for name, value in zip(METRICS, rng.random(len(METRICS)).tolist(), strict=True):
        yield _stored(
            model, start, "performance", name, "{}", value=0.8 + 0.1 * value, verdict="ok", was=0.85
        )


def _stored(
    model: str,
    start: int,
    check: str,
    name: str,
    labels: str,
    *,
    value: float,
    verdict: str,
    was: float | None = None,
) -> StoredMeasurement:
    is_changed = verdict == "changed"
    return StoredMeasurement(
        model=model,
        start=start,
        version="",
        segment="",
        check=check,
        name=name,
        labels=labels,
        revision=1,
        value=value,
        low=value * 0.9,
        high=value * 1.1,
        p_value=None,
        was=was,
        rows=1000,
        verdict=verdict,
        severity="warning" if is_changed else "",
        reason="above 0.25" if is_changed else "",
        unit="",
        detail="{}",
        reference_id=1,
        bound_side="above" if is_changed else "",
        bound_value=0.25 if is_changed else None,
    )


def count_blocks(connection: Connection) -> int:
    """The measurements that the state holds."""
    text = "select coalesce(sum(measurements), 0) from measurement_blocks"
    return int(connection.execute(sa.text(text)).scalar_one())
