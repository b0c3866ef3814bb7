"""docs/messages.md shows what arrives: each message is made by a run of the agent and sent by the
real sinks. UPDATE_GOLDEN=1 writes the page anew.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
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
    "quality": "A job leaves `plan` empty in a third of the rows, later `amount` as well.",
    "performance": "Labels show that fewer predictions are right, then still fewer.",
    "service": "More than half of the requests are gone, then all of them.",
    "monitoring": "The folder of the log is gone; it is there again at the next look.",
}
DRIFT_CHECK = MODEL[MODEL.index("      drift:") : MODEL.index("      volume:")]
ONLY_CHECKS = MODEL[: MODEL.index("      drift:")]
FORBIDDEN = re.compile(
    r"would be seen|odds about|against chance|quality trouble|\bupstream: the schema|: now "
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


RUNS = {
    "drift": drift,
    "quality": quality,
    "performance": performance,
    "service": service,
    "monitoring": monitoring,
}


def messages(station: Station, family: str) -> dict[str, Notification]:
    """The opening, the first update and the end of the first incident of a family."""
    with station.open():
        rows = station.sql("select payload from outbox")
    found = [
        note
        for note in map(
            parse_notification, (row[0].replace(str(station.folder), "/srv") for row in rows)
        )
        if note.cause == family
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


@pytest.fixture(scope="module")
def lives() -> dict[str, dict[str, Notification]]:
    """The messages of each family; the folders have short names, which no text cuts."""
    found = {}
    for family, run in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            found[family] = messages(run(Path(folder)), family)
    return found


def test_the_page_shows_what_arrives(lives: dict[str, dict[str, Notification]]) -> None:
    """Every text on the page is that of a run."""
    page = HEAD + "\n".join(section(family, life) for family, life in lives.items())
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(page, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page


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
