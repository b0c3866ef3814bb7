"""Rankings from configuration to message: items of a query in several files, labels in the log."""

from __future__ import annotations

import csv
import json
from datetime import timedelta

import pytest
from station import START, Station

pytestmark = pytest.mark.system

MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: csv}}}}
    schema:
      timestamp: t
      features: {{amount: numeric}}
      prediction: {{kind: ranking, column: score}}
      label: {{column: clicked}}
      group: query
    reference: {{type: local, options: {{path: {folder}/train.csv}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 12h}}
"""
NAMES = ("t", "query", "amount", "score", "clicked")


def test_a_worse_ranking_is_told_with_its_numbers(tmp_path):
    """Without a list of checks, NDCG and hit rate are measured and judged; items of a query that
    come in two files are ranked together.
    """
    station = Station(tmp_path, MODEL)
    rng = station.rng

    def write(path, start, queries, quality):
        rows = []
        for query in range(queries):
            clicked = rng.randrange(12)
            for item in range(12):
                is_clicked = int(item == clicked)
                score = rng.gauss(quality * is_clicked, 1)
                rows.append(
                    (start.isoformat(), f"{start:%d%H}-{query}", rng.gauss(5, 1), score, is_clicked)
                )
        rng.shuffle(rows)
        for part, name in enumerate(("a", "b")):
            with path.with_name(f"{path.stem}{name}.csv").open("w", newline="") as file:
                csv.writer(file).writerows([NAMES, *rows[part::2]])

    write(tmp_path / "all.csv", START - timedelta(days=1), 400, 2.0)
    lines = (tmp_path / "allb.csv").read_text().splitlines(keepends=True)[1:]
    (tmp_path / "train.csv").write_text((tmp_path / "alla.csv").read_text() + "".join(lines))
    with station.open():
        for hour in range(10):
            at = START + timedelta(hours=hour, minutes=5)
            write(tmp_path / "log" / f"{hour:02d}.csv", at, 60, 2.0 if hour < 4 else 0.3)
            station.clock.now = START + timedelta(hours=hour + 1.5)
            station.tick()
        found = station.sql(
            "select name, value, rows from measurements where \"check\" = 'performance' "
            "order by start"
        )
    ndcgs = [(value, rows) for name, value, rows in found if name == "ndcg"]
    assert [rows for _, rows in ndcgs] == [60] * 10
    assert min(value for value, _ in ndcgs[:4]) > max(value for value, _ in ndcgs[4:])
    messages = [json.loads(line) for line in (tmp_path / "diary.jsonl").read_text().splitlines()]
    titles = [message["title"] for message in messages if message["cause"] == "performance"]
    assert titles
    assert "NDCG fell from 0." in titles[0] or "hit rate fell from 0." in titles[0]
