"""`driftline reproduce MODEL`: stored numbers of every family of checks, computed again."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from station import DIARY, START, Station
from test_pairs import MODEL as PAIRED

from driftline.agent import composition_root
from driftline.cli.main import cli
from driftline.config import load_config

pytestmark = [pytest.mark.postgres, pytest.mark.system]

HOUR = timedelta(hours=1)
EVERY_CHECK = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    labels: {{type: local, options: {{path: {folder}/truth}}, label: truth, time: given}}
    schema:
      timestamp: t
      id: id
      version: v
      features: {{amount: numeric, fee: numeric, plan: categorical, note: text}}
      prediction: {{kind: binary, score: s, column: p}}
      label: {{column: y}}
      segments: [plan]
      service: {{latency: ms, status: code}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 12h}}
    checks:
      drift: {{type: drift}}
      missing: {{type: missing}}
      domain: {{type: domain, options: {{patterns: {{plan: "[ab]"}}}}}}
      schema: {{type: schema}}
      range: {{type: range}}
      uniqueness: {{type: uniqueness, options: {{keys: [plan, fee]}}}}
      completeness: {{type: completeness, options: {{sets: {{both: [amount, plan]}}}}}}
      rules: {{type: rules, options: {{expressions: {{positive: "amount > 0"}}}}}}
      statistics: {{type: statistics}}
      correlation: {{type: correlation}}
      skew: {{type: skew, options: {{pairs: {{amount: fee}}}}}}
      other_tool: {{type: other_tool, options: {{like: evidently}}}}
      stale: {{type: stale}}
      text: {{type: text}}
      units: {{type: units}}
      mmd: {{type: mmd}}
      domain_classifier: {{type: domain_classifier}}
      reconstruction: {{type: reconstruction}}
      volume: {{type: volume}}
      freshness: {{type: freshness}}
      service: {{type: service_health}}
      labels: {{type: labels}}
      label_classes: {{type: label_classes}}
      performance: {{type: performance}}
      estimate: {{type: estimated_performance}}
      attribution: {{type: attribution}}
      slices: {{type: slices}}
      fairness: {{type: fairness, options: {{facets: [plan]}}}}
      flip_test: {{type: flip_test, options: {{facets: [plan]}}}}
      value: {{type: business_value, options: {{values: {{tp: 5.0, fp: -1.0}}}}}}
      challenger: {{type: challenger, options: {{champion: v1, challenger: v2}}}}
"""
PAIRS = PAIRED + "      drift: {{type: drift}}\n      volume: {{type: volume}}\n"


def reproduce(station: Station, *args: str) -> dict:
    command = ["reproduce", "shop", *args, "--json", "-c", str(station.config)]
    done = CliRunner().invoke(cli, command)
    assert done.output.startswith("{"), done.output + repr(done.exception)
    return json.loads(done.output)


def windows_of(station: Station) -> dict[str, list[tuple]]:
    """The stored measurements by the start of their window, each once."""
    with station.open():
        rows = station.sql(
            'select start, version, segment, "check", name, labels from measurements'
        )
    found = defaultdict(list)
    for start, *rest in rows:
        found[f"{datetime.fromtimestamp(start / 1e6, UTC):%Y-%m-%dT%H:%M}"].append(tuple(rest))
    return found


def key(number: dict) -> tuple:
    labels = json.dumps(number["labels"], sort_keys=True, separators=(",", ":"))
    return number["version"], number["segment"], number["check"], number["measurement"], labels


def differing(report: dict) -> list[tuple]:
    return [
        (*key(number), number["why"], number["stored"], number["now"])
        for number in report["numbers"]
        if number["same"] is not True
    ]


def record(station: Station, at: datetime, place: int, shift: float = 0.0) -> dict:
    rng = station.rng
    score = round(rng.random(), 3)
    return {
        "t": at.isoformat(),
        "id": f"{at.timestamp()}-{place}",
        "v": rng.choice(["v1", "v2"]),
        "amount": rng.gauss(50 + shift, 10),
        "fee": rng.gauss(5, 1),
        "plan": rng.choice("abc"),
        "note": f"some words of number {rng.randrange(50)}",
        "s": score,
        "p": int(score > 0.5),
        "ms": rng.expovariate(0.01),
        "code": rng.choice([200] * 30 + [500]),
    }


def write_labelled(station: Station, name: str, records: list[dict], given: datetime) -> None:
    lines = ["id,truth,given"]
    lines += [
        f"{row['id']},{int(station.rng.random() < row['s'])},{given.isoformat()}" for row in records
    ]
    (station.folder / "truth" / name).write_text("\n".join(lines) + "\n")


def every_check(folder: Path, monkeypatch: pytest.MonkeyPatch, hours: int) -> Station:
    """A stopped agent that measured each family; the labels of each hour came three hours late."""
    station = Station(folder, EVERY_CHECK, plugins=DIARY)
    monkeypatch.setattr(composition_root, "system_clock", station.clock)
    (folder / "truth").mkdir()
    before = [
        record(station, START - 24 * HOUR + 24 * HOUR * place / 3000, place)
        for place in range(3000)
    ]
    rows = [{**row, "y": int(station.rng.random() < row["s"])} for row in before]
    (folder / "reference.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with station.open():
        records = {}
        for hour in range(hours):
            start, shift = START + hour * HOUR, 30.0 * (hour >= 4)
            records[hour] = [
                record(station, start + HOUR * place / 300, place, shift) for place in range(300)
            ]
            path = folder / f"log/{hour:04d}.jsonl"
            path.write_text("\n".join(map(json.dumps, records[hour])) + "\n")
            station.clock.now = start + HOUR + timedelta(minutes=20)
            station.tick()
            if hour >= 3:
                write_labelled(station, f"{hour:04d}.csv", records[hour - 3], station.clock.now)
                station.tick()
    return station


@pytest.mark.slow
def test_a_hundred_numbers_of_each_family_are_the_same(tmp_path, monkeypatch):
    """Whatever the family: with labels that came later, several versions, segments, and rows that
    are read again.
    """
    station = every_check(tmp_path, monkeypatch, 6)
    stored = windows_of(station)
    config = load_config(station.config)
    families = {name: check.plugin.cause for name, check in config.models["shop"].checks.items()}
    assert {"drift", "quality", "service", "performance", "business", "fairness"} == set(
        families.values()
    )
    by_family = defaultdict(list)
    for start, rows in stored.items():
        for row in rows:
            by_family[families[row[2]]].append((start, row))
    assert {row[2] for rows in stored.values() for row in rows} == set(families)
    rng = random.Random(7)
    chosen = {name: rng.sample(rows, min(100, len(rows))) for name, rows in by_family.items()}
    reports = {start: reproduce(station, "--window", start) for start in stored}
    same = {
        (start, key(number)): number["same"]
        for start, report in reports.items()
        for number in report["numbers"]
    }
    wrong = {
        (start, row) for rows in chosen.values() for start, row in rows if not same[start, row]
    }
    assert not wrong, [differing(report)[:3] for report in reports.values()]
    assert all(len(rows) == 100 for rows in chosen.values()), {
        name: len(rows) for name, rows in by_family.items()
    }


def test_late_labels_are_joined_again(tmp_path, monkeypatch):
    """The performance of a window whose labels came hours later is the same; an overwritten file of
    labels is named.
    """
    model = EVERY_CHECK[: EVERY_CHECK.index("    checks:")]
    monkeypatch.setattr(
        f"{__name__}.EVERY_CHECK",
        f"{model}    checks: {{{{performance: {{{{type: performance}}}}}}}}\n",
    )
    station = every_check(tmp_path, monkeypatch, 4)
    first = f"{START:%Y-%m-%dT%H:%M}"
    report = reproduce(station, "--window", first)
    assert not differing(report)
    assert any(number["stored"]["value"] is not None for number in report["numbers"])
    labels = tmp_path / "truth/0003.csv"
    labels.write_text(labels.read_text().replace(",0,", ",1,"))
    report = reproduce(station, "--window", first)
    assert not report["same"]
    replaced = [item["uri"] for item in report["objects"] if item["replaced"]]
    assert [Path(uri).name for uri in replaced] == ["0003.csv"]


def test_pairs_logged_apart_are_paired_again(tmp_path, monkeypatch):
    """Requests and responses of one window in several files make the same numbers."""
    station = Station(tmp_path, PAIRS)
    monkeypatch.setattr(composition_root, "system_clock", station.clock)
    reference = [
        {"event_time": (START - HOUR).isoformat(), "amount": float(n), "churned": n % 2}
        for n in range(500)
    ]
    (tmp_path / "reference.jsonl").write_text("\n".join(map(json.dumps, reference)))
    with station.open():
        for hour in range(3):
            for minute in range(60):
                _log_pair(tmp_path, hour * 60 + minute)
            station.clock.now = START + (hour + 1) * HOUR + timedelta(minutes=20)
            station.tick()
    stored = windows_of(station)
    assert len(stored) == 3
    for start in stored:
        report = reproduce(station, "--window", start)
        assert not differing(report)
        assert max(number["now"]["rows"] for number in report["numbers"]) == 60


def _log_pair(folder: Path, number: int) -> None:
    moment = START + timedelta(minutes=number)
    for collection, row in (
        ("model_inputs", {"amount": float(number)}),
        ("model_outputs", {"churned": number % 2, "sure": 0.5}),
    ):
        file = folder / f"log/shop/blue/{collection}/{moment:%Y/%m/%d/%H}/a.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        line = {
            "specversion": "1.0",
            "type": "azureml.inference.inputs",
            "time": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "data": [row],
            "correlationid": f"c-{number}",
        }
        with file.open("a") as lines:
            lines.write(json.dumps(line) + "\n")
