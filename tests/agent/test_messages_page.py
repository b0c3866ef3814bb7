"""docs/messages.md shows what arrives: each message is made by a run of the agent and sent by the
real sinks. UPDATE_GOLDEN=1 writes the page anew.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from driftline_plugins.sinks.email import Email
from driftline_plugins.sinks.pagerduty import PagerDuty
from driftline_plugins.sinks.slack import Slack
from station import MODEL, START, Station

from driftline import Event, Notification, Secret, StartContext
from driftline.delivery.rendering.renderer import Renderer
from driftline.state.notification_json import parse_notification
from driftline.testing import FakeHttp, FakeLog

pytestmark = [pytest.mark.postgres, pytest.mark.system]

PAGE = Path(__file__).parent.parent.parent / "docs" / "messages.md"
HEAD = """# Messages

What an incident of each family looks like at its beginning, in between and at the end. The first line says what is
wrong, how much and since when; the second says what to do. These texts are made by a test from runs of the agent, so
they are what arrives. The statistics behind them stand in `driftline explain` and on the page of the incident. The
PSI says how far the values of a window are from those of the reference: 0 is no difference, 0.25 a large one.

"""
INTRODUCTIONS = {
    "drift": "The prices 0.99 and 1.49 lose most of their share; four hours later the plans move, too.",
    "correlation": "`tax` follows `amount` less closely, then not at all.",
    "missing values": "A job leaves `plan` empty in a third of the rows, later `amount` as well.",
    "schema": "The column `plan` is gone, then `amount` holds text.",
    "range": "A fifth of the amounts are beyond all of the reference, then most of them.",
    "statistics": "The mean of `amount`, which has bounds in the configuration, rises.",
    "labels": "A tenth of the labels are `pending`, then a half.",
    "performance": "Labels show that fewer predictions are right, then still fewer.",
    "calibration": "More cases are positive than the scores say: the calibration gap is the share of positive labels less "
    "the mean score.",
    "estimates": "No labels are there yet, and the scores become less sure.",
    "fairness": "One plan gets fewer positive decisions than the others.",
    "business value": "The model misses more of the cases that are worth most.",
    "volume": "More than half of the requests are gone, then all of them.",
    "freshness": "No rows come for four hours.",
    "service health": "A tenth of the calls fail, then a half.",
    "monitoring": "The folder of the log is gone; it is there again at the next look.",
}
DRIFT_CHECK = MODEL[MODEL.index("      drift:") : MODEL.index("      volume:")]
ONLY_CHECKS = MODEL[: MODEL.index("      drift:")]
FORBIDDEN = re.compile(
    r"would be seen|odds about|against chance|quality trouble|\bupstream: the schema|: now "
    r"|missing increase|outside excess|mean (\S+) → \1(?![\d.,])"
)


def play(station: Station, hours: range, **changes: object) -> None:
    """Some hours of the log, with a look after each."""
    for hour in hours:
        station.hour(hour, 400, **changes)
        look(station, hour)


def look(station: Station, hour: int) -> None:
    """A look twenty minutes after the end of an hour."""
    station.clock.now = START + timedelta(hours=hour + 1, minutes=20)
    station.tick()


def drift(folder: Path) -> Station:
    station = Station(folder, ONLY_CHECKS + DRIFT_CHECK)

    def price(share: float) -> Callable[[dict[str, object]], float]:
        def draw(row: dict[str, object]) -> float:
            if station.rng.random() < share:
                return station.rng.choice([0.99, 1.49])
            return round(station.rng.uniform(1.0, 1.5), 3)

        return draw

    usual = price(0.4)
    station.write(
        "reference.jsonl", START - timedelta(days=1), timedelta(days=1), 3000, amount=usual
    )
    with station.open():
        play(station, range(3), amount=usual)
        play(station, range(3, 7), amount=price(0.04))
        play(station, range(7, 10), amount=price(0.04), plan="a")
        play(station, range(10, 14), amount=usual)
    return station


def quality(folder: Path) -> Station:
    check = (
        "      missing: {{type: missing, "
        "rule: {{measurement: missing_rate, above: {{warning: 0.05}}}}}}\n"
    )
    station = Station(folder, ONLY_CHECKS + check)

    def sometimes(row: dict[str, object]) -> object:
        return None if station.rng.random() < 0.36 else "a"

    with station.open():
        play(station, range(2))
        play(station, range(2, 4), plan=sometimes)
        play(station, range(4, 5), plan=sometimes, amount=None)
        play(station, range(5, 9))
    return station


def performance(folder: Path) -> Station:
    checks = (
        "      performance: {{type: performance, "
        "rule: {{measurement: drop, above: {{warning: 0.03, critical: 0.15}}}}}}\n"
    )
    model = ONLY_CHECKS.replace(
        "      features:",
        "      prediction: {{column: p, kind: binary}}\n      label: {{column: y}}\n      features:",
    )
    station = Station(folder, model + checks)

    def labels(right: float) -> dict[str, object]:
        truth: list[int] = []

        def label(row: dict[str, object]) -> int:
            truth.append(station.rng.choice([0, 1]))
            return truth[-1]

        def prediction(row: dict[str, object]) -> int:
            return truth[-1] if station.rng.random() < right else 1 - truth[-1]

        return {"y": label, "p": prediction}

    station.write(
        "reference.jsonl", START - timedelta(days=1), timedelta(days=1), 3000, **labels(0.85)
    )
    with station.open():
        play(station, range(2), **labels(0.85))
        play(station, range(2, 4), **labels(0.74))
        play(station, range(4, 6), **labels(0.55))
        play(station, range(6, 9), **labels(0.87))
    return station


def service(folder: Path) -> Station:
    check = (
        "      volume: {{type: volume, "
        "rule: {{measurement: rows, below: {{warning: 60, critical: 5}}}}}}\n"
    )
    station = Station(folder, ONLY_CHECKS + check)
    with station.open():
        for hour in range(3):
            station.hour(hour, 100)
        look(station, 2)
        for hour, rows in enumerate([40, 40, 0, 0, 100, 100, 100], 3):
            station.hour(hour, rows) if rows else None
            look(station, hour)
    return station


def monitoring(folder: Path) -> Station:
    station = Station(folder, ONLY_CHECKS + DRIFT_CHECK)
    with station.open():
        play(station, range(2))
        (folder / "log").rename(folder / "away")
        look(station, 2)
        (folder / "away").rename(folder / "log")
        play(station, range(3, 5))
    return station


def staged(folder: Path, model: str, check: str, stages: list[dict[str, object]]) -> Station:
    """Two hours as in the reference, two of each change, then as before.

    The first of `stages` is what is usual; a change adds to it.
    """
    usual, *changes = stages
    station = Station(folder, model + f"      check: {check}\n")
    station.write(
        "reference.jsonl",
        START - timedelta(days=1),
        timedelta(days=1),
        3000,
        **bind(station, usual),
    )
    with station.open():
        play(station, range(2), **bind(station, usual))
        for place, change in enumerate(changes):
            begin = 2 + 2 * place
            play(station, range(begin, begin + 2), **bind(station, usual | change))
        end = 2 + 2 * len(changes)
        play(station, range(end, end + 3), **bind(station, usual))
    return station


def bind(station: Station, columns: dict[str, object]) -> dict[str, object]:
    """Columns whose functions take the random generator of the station and the row."""

    def draw(function: Callable[[Random, dict[str, Any]], object]) -> object:
        def column(row: dict[str, Any]) -> object:
            row[name] = function(station.rng, row)
            return row[name]

        name = next(key for key, value in columns.items() if value is function)
        return column

    return {key: draw(value) if callable(value) else value for key, value in columns.items()}


def with_schema(features: str, more: str = "") -> str:
    """The model with other features, and more parts of its schema."""
    return ONLY_CHECKS.replace("{{amount: numeric, plan: categorical}}", features + more)


SCORED = with_schema(
    "{{amount: numeric, plan: categorical}}",
    "\n      prediction: {{column: p, score: s, kind: binary}}\n      label: {{column: y}}",
)


def freshness(folder: Path) -> Station:
    check = (
        "      freshness: {{type: freshness, options: {{limit: 3600}}, "
        "rule: {{measurement: staleness, above: {{warning: 1, critical: 3}}}}}}\n"
    )
    station = Station(folder, ONLY_CHECKS + check)
    with station.open():
        play(station, range(3))
        for hour in range(3, 7):
            look(station, hour)
        play(station, range(7, 10))
    return station


def schema(folder: Path) -> Station:
    return staged(
        folder,
        ONLY_CHECKS,
        "{{type: schema}}",
        [{}, {"plan": None}, {"plan": None, "amount": "n/k"}],
    )


def value_range(folder: Path) -> Station:
    def amount(share: float) -> Callable[[Random, dict[str, Any]], float]:
        return lambda rng, _: 5000.0 if rng.random() < share else rng.uniform(20, 80)

    check = (
        "{{type: range, rule: {{measurement: outside_rate, "
        "above: {{warning: 0.05, critical: 0.5}}}}}}"
    )
    return staged(
        folder, ONLY_CHECKS, check, [{"amount": amount(share)} for share in (0.0, 0.2, 0.8)]
    )


def correlation(folder: Path) -> Station:
    def tax(noise: float) -> Callable[[Random, dict[str, Any]], float]:
        return lambda rng, row: round(row["amount"] + rng.gauss(0, noise), 2)

    check = (
        "{{type: correlation, rule: {{measurement: correlation, "
        "below: {{warning: 0.8, critical: 0.4}}}}}}"
    )
    model = with_schema("{{amount: numeric, tax: numeric, plan: categorical}}")
    return staged(folder, model, check, [{"tax": tax(noise)} for noise in (2.0, 12.0, 100.0)])


def scored(truth: float, spread: float = 0.3) -> dict[str, object]:
    """Scores around one half, decisions by them, and labels more frequent than they say."""

    def score(rng: Random, _: dict[str, Any]) -> float:
        middle = 0.5 + (spread if rng.random() < 0.5 else -spread)
        return round(min(max(rng.gauss(middle, 0.05), 0.01), 0.99), 3)

    return {
        "s": score,
        "p": lambda _, row: int(row["s"] >= 0.5),
        "y": lambda rng, row: int(rng.random() < row["s"] + truth),
    }


def calibration(folder: Path) -> Station:
    check = (
        "{{type: performance, rule: {{measurement: calibration_gap, "
        "above: {{warning: 0.05, critical: 0.15}}}}}}"
    )
    return staged(folder, SCORED, check, [scored(truth) for truth in (0.0, 0.12, 0.3)])


def labels(folder: Path) -> Station:
    def pending(share: float) -> Callable[[Random, dict[str, Any]], object]:
        return lambda rng, row: "pending" if rng.random() < share else int(rng.random() < row["s"])

    stages = [scored(0.0), {"y": pending(0.1)}, {"y": pending(0.5)}]
    check = (
        "{{type: label_classes, rule: {{measurement: unknown_class_rate, "
        "above: {{warning: 0, critical: 0.2}}}}}}"
    )
    return staged(folder, SCORED, check, stages)


def statistics(folder: Path) -> Station:
    def amount(mean: float) -> Callable[[Random, dict[str, Any]], float]:
        return lambda rng, _: rng.gauss(mean, 10)

    check = (
        "{{type: statistics, options: {{columns: [amount], statistics: [mean_value]}}, "
        "rule: {{measurement: mean_value, above: {{warning: 60, critical: 80}}}}}}"
    )
    return staged(folder, ONLY_CHECKS, check, [{"amount": amount(mean)} for mean in (50, 65, 90)])


def estimates(folder: Path) -> Station:
    check = (
        "{{type: estimated_performance, rule: {{measurement: estimated_accuracy, "
        "below: {{warning: 0.75, critical: 0.65}}}}}}"
    )
    stages = [scored(0.0), scored(0.0, 0.18) | {"y": None}, scored(0.0, 0.06) | {"y": None}]
    return staged(folder, SCORED, check, stages)


def fairness(folder: Path) -> Station:
    def decision(less: float) -> Callable[[Random, dict[str, Any]], int]:
        return lambda rng, row: int(rng.random() < 0.6 - (less if row["plan"] == "a" else 0))

    check = (
        "{{type: fairness, options: {{facets: [plan], metrics: [demographic_parity_difference]}}, "
        "rule: {{measurement: demographic_parity_difference, "
        "below: {{warning: -0.1, critical: -0.35}}}}}}"
    )
    model = with_schema(
        "{{amount: numeric, plan: categorical}}",
        "\n      segments: [plan]\n      prediction: {{column: p, kind: binary}}",
    )
    return staged(folder, model, check, [{"p": decision(less)} for less in (0.0, 0.25, 0.55)])


def business(folder: Path) -> Station:
    check = (
        "{{type: business_value, options: {{unit: EUR, values: {{tp: 50, fp: -10, fn: -100}}}}, "
        "rule: {{measurement: value_per_prediction, below: {{warning: 0, critical: -15}}}}}}"
    )

    def decision(kept: float) -> Callable[[Random, dict[str, Any]], int]:
        return lambda rng, row: int(row["s"] >= 0.5 and rng.random() < kept)

    stages = [scored(0.0), {"p": decision(0.7)}, {"p": decision(0.4)}]
    return staged(folder, SCORED, check, stages)


def service_health(folder: Path) -> Station:
    def status(errors: float) -> Callable[[Random, dict[str, Any]], int]:
        return lambda rng, _: 503 if rng.random() < errors else 200

    check = (
        "{{type: service_health, rule: {{measurement: error_rate, "
        "above: {{warning: 0.02, critical: 0.2}}}}}}"
    )
    model = with_schema(
        "{{amount: numeric, plan: categorical}}", "\n      service: {{status: status}}"
    )
    return staged(folder, model, check, [{"status": status(errors)} for errors in (0.0, 0.1, 0.5)])


RUNS = {
    "drift": drift,
    "correlation": correlation,
    "missing values": quality,
    "schema": schema,
    "range": value_range,
    "statistics": statistics,
    "labels": labels,
    "performance": performance,
    "calibration": calibration,
    "estimates": estimates,
    "fairness": fairness,
    "business value": business,
    "volume": service,
    "freshness": freshness,
    "service health": service_health,
    "monitoring": monitoring,
}
USUAL = ("drift", "missing values", "performance", "volume", "monitoring")
"""Families whose runs are among the usual tests; the others are slow."""


def messages(station: Station, family: str) -> dict[str, Notification]:
    """The opening, the first update and the end of the first incident of a family."""
    with station.open():
        rows = station.sql("select payload from outbox")
    found = [
        note
        for note in map(
            parse_notification, (row[0].replace(str(station.folder), "/srv") for row in rows)
        )
        if (note.cause == "monitoring") is (family == "monitoring")
    ]
    found.sort(key=lambda note: (note.since, note.revision))
    life = [note for note in found if note.incident == found[0].incident]
    chosen: dict[str, Notification] = {}
    for note in sorted(life, key=lambda note: note.revision):
        chosen.setdefault(note.event.value, note)
    return chosen


def context(name: str, **parts: Any) -> StartContext:
    """What a sink gets when it starts."""
    return StartContext(name=name, log=FakeLog(), clock=lambda: START, render=Renderer(), **parts)


def slack_text(note: Notification) -> str:
    """The texts of the blocks that Slack shows, one under the other."""
    http = FakeHttp()
    sink = Slack(webhook_url=Secret("${env:X}", "https://hooks.slack.example/x"))
    sink.start(context("chat", http=http))
    sink.send(note)
    body = http.posts[0].json
    texts = []
    for block in body["attachments"][0]["blocks"]:
        parts = block.get("elements", [block.get("text")])
        texts += [f"[{block['type']}] {part['text']}" for part in parts if part]
    return "\n".join(texts)


def pagerduty_text(note: Notification) -> str:
    """The event that PagerDuty gets, without the key."""
    http = FakeHttp()
    sink = PagerDuty(routing_key=Secret("${env:X}", "k" * 32))
    sink.start(context("pager", http=http))
    sink.send(note)
    event = {name: value for name, value in http.posts[0].json.items() if name != "routing_key"}
    return json.dumps(event, indent=1, ensure_ascii=False)


def email_text(note: Notification) -> str:
    """Subject and plain text of the mail."""
    sink = Email(host="mail.example", sender="robot@ml.example", to=("ann@example.org",))
    sink.start(context("mail", chart=lambda _: None, find_earlier_result=lambda _: ""))
    _, mail = sink._mail(note)
    part = mail.get_body(("plain",))
    assert part is not None
    return f"Subject: {mail['Subject']}\n\n{part.get_content()}".strip()


SINKS = {"Slack": slack_text, "PagerDuty": pagerduty_text, "E-mail": email_text}
NAMES = {"opened": "Opening", "updated": "Update", "resolved": "End"}


def section(family: str, life: dict[str, Notification]) -> str:
    """The part of the page about one family."""
    lines = [f"## {family.capitalize()}", "", INTRODUCTIONS[family], ""]
    for event, name in NAMES.items():
        if event not in life:
            continue
        lines += [f"### {name} ({family})", ""]
        for sink, write in SINKS.items():
            language = "json" if sink == "PagerDuty" else "text"
            lines += [f"{sink}:", "", f"```{language}", write(life[event]), "```", ""]
    return "\n".join(lines)


def play_lives(families: Iterable[str]) -> dict[str, dict[str, Notification]]:
    """The messages of each family; the folders have short names, which no text cuts."""
    found = {}
    for family in families:
        with tempfile.TemporaryDirectory() as folder:
            found[family] = messages(RUNS[family](Path(folder)), family)
    return found


@pytest.fixture(scope="module")
def usual_lives() -> dict[str, dict[str, Notification]]:
    """The messages of some families."""
    return play_lives(USUAL)


@pytest.fixture(scope="module")
def all_lives(
    usual_lives: dict[str, dict[str, Notification]],
) -> dict[str, dict[str, Notification]]:
    """The messages of all families, in the order of the page."""
    found = usual_lives | play_lives(family for family in RUNS if family not in usual_lives)
    return {family: found[family] for family in RUNS}


@pytest.fixture(params=["usual_lives", pytest.param("all_lives", marks=pytest.mark.slow)])
def lives(request: pytest.FixtureRequest) -> dict[str, dict[str, Notification]]:
    """The messages of some families; among the slow tests those of all."""
    found: dict[str, dict[str, Notification]] = request.getfixturevalue(request.param)
    return found


def test_the_page_shows_what_arrives(lives: dict[str, dict[str, Notification]]) -> None:
    """Every text on the page is that of a run, and each family has its section."""
    sections = {family: section(family, life) for family, life in lives.items()}
    if os.environ.get("UPDATE_GOLDEN") and sections.keys() == RUNS.keys():
        PAGE.write_text(HEAD + "\n".join(sections.values()), encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    assert [text for text in sections.values() if text not in page] == []
    headings = [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]
    assert headings == [family.capitalize() for family in RUNS]


def test_each_family_has_an_opening_and_an_end(lives: dict[str, dict[str, Notification]]) -> None:
    """And an update, but for the agent's own trouble, which is there or not."""
    for family, life in lives.items():
        events = {"opened", "resolved"} | ({"updated"} if family != "monitoring" else set())
        assert events <= life.keys(), family


def test_messages_hold_no_statistics_of_the_trade(
    lives: dict[str, dict[str, Notification]],
) -> None:
    """None of the phrases that readers stumbled over, and no bound on what is over."""
    for life in lives.values():
        for note in life.values():
            for write in SINKS.values():
                assert not FORBIDDEN.search(write(note))
                assert note.event is not Event.RESOLVED or "(limit" not in write(note)
