"""Forecasts from configuration to message: horizons, segments, labels that come later."""

from __future__ import annotations

import csv
import json
from datetime import timedelta

import pytest
from station import START, Station

pytestmark = pytest.mark.system

MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: FORMAT}}}}
    LABELS
    schema:
      timestamp: t
      id: id
      features: {{plan: categorical, days: numeric, amount: numeric}}
      prediction: {{kind: regression, column: forecast, lower: low, upper: high, coverage: 0.8}}
      label: {{column: sales}}
      series: plan
      horizon: days
      season: 2
      segments: [plan]
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 12h}}
    checks:
      performance: {{type: performance}}
"""


class Forecasts(Station):
    """A station whose model forecasts sales one and two days ahead."""

    def __init__(self, folder, *, labels="", format="jsonl") -> None:
        super().__init__(folder, MODEL.replace("LABELS", labels).replace("FORMAT", format))
        (folder / "truth").mkdir()
        self.noise = 1.0
        rows = self.rows(START - timedelta(days=1), timedelta(days=1), 3000)
        (folder / "reference.jsonl").write_text("\n".join(rows))

    def rows(self, start, span, count, **changes):
        lines = []
        for line in super().rows(start, span, count, **changes):
            row = json.loads(line)
            days = self.rng.choice([1, 2])
            sales = self.rng.gauss(50, 5)
            forecast = sales + self.rng.gauss(0, getattr(self, "noise", 1.0) * days)
            row |= {"days": days, "forecast": forecast, "sales": sales}
            lines.append(json.dumps({**row, "low": forecast - 2, "high": forecast + 2}))
        return lines

    def measured(self, hour, segment=""):
        """Value and rows of each measurement of a window, by name and horizon."""
        start = int((START + timedelta(hours=hour)).timestamp() * 1_000_000)
        rows = self.sql(
            "select name, labels, value, rows from measurements "
            f"where start = {start} and segment = '{segment}'"
        )
        found = {}
        for name, labels, value, count in rows:
            plain = json.loads(labels) if isinstance(labels, str) else dict(labels)
            found[name, plain.get("horizon", "")] = value, count
        return found

    def until(self, hours):
        self.clock.now = START + timedelta(hours=hours)
        self.tick()


def test_metrics_of_a_forecast_by_horizon_and_segment(tmp_path):
    """Each horizon and segment has its metrics; a worse model is named with its horizon."""
    station = Forecasts(tmp_path)
    with station.open():
        for hour in range(14):
            station.noise = 1.0 if hour < 6 else 4.0
            station.hour(hour, 200)
            station.until(hour + 1.5)
        good, bad = station.measured(3), station.measured(12)
        part = station.measured(12, "plan=a")
    assert good["mae", "1"][0] < good["mae", ""][0] < good["mae", "2"][0]
    assert good["mae", "1"][1] + good["mae", "2"][1] == good["mae", ""][1] == 200
    assert 0 < good["mase", ""][0] < 0.5
    assert good["interval_coverage", ""][0] > 0.7 > bad["interval_coverage", ""][0]
    assert bad["mae", "2"][0] > 3 * good["mae", "2"][0]
    assert part["mae", ""][1] < 200
    messages = (tmp_path / "diary.jsonl").read_text()
    assert "horizon" in messages


def test_late_labels_of_a_forecast_keep_their_horizon(tmp_path):
    """Labels in files of their own give the metrics of each horizon and of the intervals."""
    labels = "labels: {{type: local, options: {{path: {folder}/truth}}, label: sales}}"
    station = Forecasts(tmp_path, labels=labels)
    path = station.hour(0, 200)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({**row, "sales": None}) + "\n" for row in rows))
    with station.open():
        station.until(1.5)
        assert station.measured(0)["mae", ""][0] is None
        with (tmp_path / "truth" / "day.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "sales"])
            writer.writerows([row["id"], row["sales"]] for row in rows)
        station.until(2.5)
        found = station.measured(0)
    errors = {days: [] for days in (1, 2)}
    for row in rows:
        errors[row["days"]].append(abs(row["forecast"] - row["sales"]))
    for days, sizes in errors.items():
        value, count = found["mae", str(days)]
        assert count == len(sizes)
        assert value == pytest.approx(sum(sizes) / len(sizes))
    covered = [row for row in rows if row["low"] <= row["sales"] <= row["high"]]
    assert found["interval_coverage", ""] == (len(covered) / 200, 200)
    assert found["mase", ""][1] == 200
