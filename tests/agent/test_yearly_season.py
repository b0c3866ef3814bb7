"""A year's season: usual where the rows of the reference have times and show it themselves."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from station import Station

pytestmark = [pytest.mark.system, pytest.mark.slow]
START = datetime(2025, 1, 1, tzinfo=UTC)
MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: parquet}}}}
    schema:
      timestamp: ts
      features: {{temp: numeric, x: numeric}}
    reference: {{type: local, options: {{path: {folder}/reference.parquet, format: parquet}}}}
    windows: {{length: 1d, lateness: 15m, notify_within: null, backfill: 2000d}}
"""


def season_rows(rng: np.random.Generator, days: int, amplitude: float, rows: int = 300):
    """Rows of `days` days: temp moves by 2.5 sd over the year, x by `amplitude` sd."""
    day = np.repeat(np.arange(days), rows)
    wave = np.cos(2 * np.pi * day / 365.25)
    wobble = rng.normal(0, 0.05, (2, days))[:, day]
    noise = rng.normal(size=(3, len(day)))
    seconds = day * 86_400.0 + rng.random(len(day)) * 86_400
    return {
        "day": day,
        "ts": (START.timestamp() * 1e6 + seconds * 1e6).astype(np.int64),
        "temp": 10 - 10 * wave + 4 * noise[0] + 2 * (noise[1] + 6 * wobble[0]),
        "x": noise[2] + wobble[1] + amplitude * wave,
    }


def write_parquet(path: Path, rows: dict, places: np.ndarray, *, with_time: bool = True) -> None:
    columns = {name: pa.array(rows[name][places]) for name in ("temp", "x")}
    if with_time:
        columns["ts"] = pa.array(rows["ts"][places], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table(columns), path)


def run_season(folder: Path, amplitude: float, *, with_time: bool, days: int = 730, shift=None):
    """The messages about incidents of a whole run, with a reference of 10,000 rows of year one."""
    station = Station(folder, MODEL, start=START + timedelta(days=days, hours=1))
    rng = np.random.default_rng(16)
    rows = season_rows(rng, days, amplitude)
    chosen = np.sort(rng.choice(np.flatnonzero(rows["day"] < 365), 10_000, replace=False))
    write_parquet(folder / "reference.parquet", rows, chosen, with_time=with_time)
    if shift is not None:
        rows["x"] = rows["x"] + shift(rows["day"])
    order = np.argsort(rows["ts"], kind="stable")
    write_parquet(folder / "log" / "all.parquet", rows, order)
    with station.open():
        assert station.tick().error == ""
    return [message for message in station.told() if message["event"] != "report"]


def columns_of(messages: list[dict]) -> Counter[tuple[str, str]]:
    """How often each event came, by event and column of the first alert."""
    return Counter(
        (message["event"], message["alerts"][0]["labels"].get("column", "")) for message in messages
    )


@pytest.mark.parametrize("amplitude", [0.3, 0.6])
def test_a_season_that_the_reference_shows_itself_is_no_alarm(tmp_path, amplitude):
    messages = run_season(tmp_path, amplitude, with_time=True)
    assert messages == []
