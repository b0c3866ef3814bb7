"""A part of the rows that nobody declared becomes worse: the slice search names it in a title."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from station import DIARY, START, Station

from driftline.cli.main import _run

pytestmark = pytest.mark.system

MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema:
      timestamp: t
      id: id
      features: {{amount: numeric, age: numeric, plan: categorical, region: categorical}}
      prediction: {{kind: binary, column: p, score: s}}
      label: {{column: y}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1d, lateness: 15m}}
"""
DAY = timedelta(days=1)
REGIONS = ["north", "south", "east", "west", "centre", "coast", "hills", "lakes", "isles", "moors"]


class Shop(Station):
    """A station whose predictions are wrong in 15% of rows, or in more of one region."""

    def __init__(self, folder, model=MODEL):
        super().__init__(folder, model, plugins=DIARY)
        self.day(-10, 6000, name=folder / "reference.jsonl")

    def day(self, number, count=1000, worse=None, name=None):
        lines = []
        for line in self.rows(START + number * DAY, DAY, count):
            row = json.loads(line)
            row |= {"age": self.rng.gauss(40, 10), "region": self.rng.choice(REGIONS)}
            label = self.rng.randrange(2)
            rate = 0.3 if row["region"] == worse else 0.15
            row["p"] = 1 - label if self.rng.random() < rate else label
            row["s"] = round(0.5 + (row["p"] - 0.5) * self.rng.uniform(0.1, 0.9), 3)
            row["y"] = label
            lines.append(json.dumps(row))
        path = name or self.folder / f"log/{number:04d}.jsonl"
        path.write_text("\n".join(lines) + "\n")


def test_a_region_that_errs_twice_as_often_is_named_in_the_title_of_an_incident(tmp_path):
    shop = Shop(tmp_path)
    for number in range(8):
        shop.day(number, worse="west" if number >= 5 else None)
    shop.clock.now = START + timedelta(days=8, hours=2)
    with shop.open():
        shop.tick()
        notes = [note for note in shop.told() if note["cause"] == "performance"]
    [opened] = [note for note in notes if note["event"] == "opened"]
    assert "region = west" in opened["title"]
    assert opened["facts"]["likely cause"].startswith("errors rose where region = west")
    assert opened["window"][0] >= (START + 5 * DAY).strftime("%Y-%m-%d")


def test_explain_says_where_when_and_what_to_do(tmp_path, capsys):
    shop = Shop(tmp_path)
    for number in range(15):
        shop.day(number, worse="west" if number >= 12 else None)
    shop.clock.now = START + timedelta(days=15, hours=2)
    with shop.open():
        shop.tick()
        incident = next(note for note in shop.told() if note["cause"] == "performance")["incident"]
    assert _run(["explain", incident, "-c", str(shop.config)]) == 0
    text = capsys.readouterr().out
    assert "region = west" in text
    assert "to do: retrain" in text
    assert "it began with window 2026-05-1" in text
