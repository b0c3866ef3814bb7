"""The first report of a model version: once, without an incident, when there is something to say."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import databases
import pytest
import sqlalchemy as sa
from driftline_plugins.sinks.pagerduty import PagerDuty
from driftline_plugins.sinks.slack import Slack
from driftline_plugins.sinks.webhook import Webhook
from station import START, Station

from driftline import Secret, Sink
from driftline.delivery.rendering.renderer import Renderer
from driftline.state.notification_json import parse_notification
from driftline.testing import start_context
from driftline.testing.fakes import FakeHttp

GOLDEN = Path(__file__).parent / "golden"
pytestmark = [pytest.mark.system]
MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema:
      timestamp: t
      id: id
      features: {{amount: numeric, plan: categorical}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 12h}}
    first_report: true
"""
OFF = MODEL.replace("first_report: true", "first_report: false")
LABELLED = """id: id
      prediction: {{{{column: made, kind: {kind}}}}}
      label: {{{{column: label}}}}"""
VERSIONED = MODEL.replace("      id: id\n", "      id: id\n      version: version\n")


def reports(station: Station) -> list[dict]:
    return [message for message in station.told() if message["event"] == "report"]


def run_hours(station: Station, hours: range, count: int = 200, **changes: object) -> None:
    for hour in hours:
        station.hour(hour, count, **changes)
        station.clock.now = START + timedelta(hours=hour + 1, minutes=20)
        station.tick()


def test_a_live_model_is_reported_once_after_its_first_day(tmp_path):
    """Nothing is reported after 23 hours, one report comes after 24, and none after it. It names
    the column that differs by less than an alarm needs, and opens no incident.
    """
    station = Station(tmp_path, MODEL)
    shifted = {"amount": lambda row: station.rng.gauss(53, 10)}
    with station.open():
        run_hours(station, range(23), **shifted)
        assert reports(station) == []
        run_hours(station, range(23, 30), **shifted)
        [report] = reports(station)
        assert station.summary()["incidents"] == []
        print(report)
    assert report["title"] == (
        "shop: first day read: 4,800 rows; 1 of 2 columns differs from the reference"
    )
    assert report["severity"] == "info"
    assert [(alert["labels"], alert["state"]) for alert in report["alerts"]] == [
        ({"column": "amount"}, "reported")
    ] * 2


@pytest.mark.slow
def test_a_backlog_is_reported_once_at_its_end(tmp_path):
    """Ten days that are read at once bring one report, of all rows; one day later none comes."""
    station = Station(tmp_path, MODEL)
    for hour in range(240):
        station.hour(hour, 20)
    station.clock.now = START + timedelta(hours=240, minutes=20)
    with station.open():
        station.tick()
        [report] = reports(station)
        run_hours(station, range(240, 265), 20)
        assert reports(station) == [report]
        assert station.summary()["report"]["title"] == report["title"]
    assert report["title"] == (
        "shop: 10 days read: 4,800 rows; none of 2 columns differs from the reference; "
        "windows are too short to judge drift, correlation and 4 more"
    )
    assert report["facts"]["too few rows"] == (
        "a window of 1 h has about 20 rows, and 100 are needed to judge drift, correlation and "
        "4 more; with windows.length: 1d it has about 480"
    )
    assert report["facts"]["read"].startswith("4,800 rows in 240 windows, 2026-05-01 00:00 to ")


@pytest.mark.parametrize(
    ("kind", "share", "metric"),
    [
        ("binary", 0.7, "accuracy"),
        pytest.param("binary", 0.9, "", marks=pytest.mark.slow),
        pytest.param("regression", 0.5, "mae", marks=pytest.mark.slow),
    ],
    ids=["less accurate", "as accurate", "larger errors"],
)
def test_a_model_with_labels_is_reported(tmp_path, kind, share, metric):
    """The metrics are compared with those of the reference, and none stops the judging."""
    station = Station(tmp_path)
    station.configure(MODEL.replace("id: id", LABELLED.format(kind=kind)))
    rng = station.rng

    def outcome(right: float) -> dict[str, object]:
        if kind == "regression":
            return {
                "made": lambda row: row["amount"],
                "label": lambda row: row["amount"] + rng.gauss(0, 3 / right),
            }
        return {
            "made": lambda row: int(row["amount"] > 50),
            "label": lambda row: int((row["amount"] > 50) == (rng.random() < right)),
        }

    day = timedelta(days=1)
    station.write("reference.jsonl", START - day, day, 2000, **outcome(0.9))
    with station.open():
        run_hours(station, range(26), 60, **outcome(share))
        [report] = reports(station)
        assert [text for text in station.told() if text["cause"] == "monitoring"] == []
    names = {alert["measurement"] for alert in report["alerts"]}
    assert names.isdisjoint({"accuracy", "mae"}) if not metric else metric in names


def test_a_short_log_that_ended_long_ago_is_reported(tmp_path):
    """Three hours of records from last week are all there is: they are reported at once."""
    station = Station(tmp_path, MODEL)
    for hour in range(3):
        station.hour(hour)
    station.clock.now = START + timedelta(days=8)
    with station.open():
        station.tick()
    [report] = reports(station)
    assert report["title"].startswith("shop: 3 h read: 1,200 rows; ")


@pytest.mark.slow
def test_a_new_version_is_reported_after_its_first_day_but_a_week_after_the_last(tmp_path):
    """Two versions that come within one week bring one report, then one more when it is over."""
    station = Station(tmp_path, VERSIONED)
    with station.open():
        run_hours(station, range(48), 20, version="v1")
        run_hours(station, range(48, 24 * 8 - 1), 20, version="v2")
        assert [report["model_version"] for report in reports(station)] == ["v1"]
        run_hours(station, range(24 * 8 - 1, 24 * 9), 20, version="v2")
    titles = [report["title"] for report in reports(station)]
    assert [report["model_version"] for report in reports(station)] == ["v1", "v2"]
    assert titles[1].startswith("shop: 6 days of version v2 read: ")


def test_the_setting_switches_it_off(tmp_path):
    station = Station(tmp_path, OFF)
    with station.open():
        run_hours(station, range(26), 20)
        assert "report" not in station.summary()
    assert reports(station) == []


@pytest.mark.skipif(databases.ON_POSTGRES, reason="a trigger of SQLite")
def test_a_report_and_its_window_are_one_transaction(tmp_path):
    """Where the message can't be written, the window stays due; then both are written, once."""
    station = Station(tmp_path, MODEL)
    refusal = (
        "create trigger refusal before insert on outbox when new.event = 'report' "
        "begin select raise(abort, 'no'); end"
    )
    with station.open():
        run_hours(station, range(23), 20)
        with station.agent.store.write() as connection:
            connection.execute(sa.text(refusal))
        run_hours(station, range(23, 24), 20)
        assert station.sql("select count(*) from reports") == [(0,)]
        assert station.sql("select count(*) from windows where revision = 1") == [(23,)]
        with station.agent.store.write() as connection:
            connection.execute(sa.text("drop trigger refusal"))
        run_hours(station, range(24, 26), 20)
    assert len(reports(station)) == 1


@pytest.mark.slow
def test_a_mute_time_puts_it_off(tmp_path):
    """While all messages are muted none is written; the first window after it brings the report."""
    station = Station(tmp_path, MODEL)
    mute = "mute_times: {night: {cron: '0 22 * * *', for: 6h}}\n"
    station.config.write_text(station.config.read_text() + mute)
    with station.open():
        run_hours(station, range(27), 20)
        assert reports(station) == []
        run_hours(station, range(27, 30), 20)
    assert len(reports(station)) == 1


@pytest.fixture(scope="module")
def notification(tmp_path_factory):
    """The report of a run of the agent: one column moved by 0.3 sd."""
    station = Station(tmp_path_factory.mktemp("report"), MODEL)
    with station.open():
        run_hours(station, range(24), amount=lambda row: station.rng.gauss(53, 10))
        [[payload]] = station.sql("select payload from reports")
    return parse_notification(payload)


def golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def pretty(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def started(sink: Sink) -> tuple[Sink, FakeHttp]:
    http = FakeHttp()
    sink.start(start_context(http=http))
    return sink, http


def test_slack_shows_it(notification):
    sink, http = started(Slack(webhook_url=Secret("${env:X}", "https://hooks.example/x")))
    sink.send(notification)
    [post] = http.posts
    golden("first_report_slack.json", pretty(post.json))


def test_a_webhook_gets_it(notification):
    """The type says that it is a report, and Alertmanager's form has nothing that fires."""
    secret = Secret("${env:X}", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    for body in ("driftline", "alertmanager"):
        sink, http = started(Webhook(url="https://hooks.example/x", secret=secret, body=body))
        sink.send(notification)
        [post] = http.posts
        golden(f"first_report_webhook_{body}.json", pretty(json.loads(post.content)))


def test_pagerduty_gets_a_change_event_only(notification):
    """Change events call nobody and have nothing to resolve; `changes: false` sends none."""
    key = Secret("${env:X}", "e93facc04764012d7bfb002500d5d1a6")
    sink, http = started(PagerDuty(routing_key=key))
    sink.send(notification)
    [post] = http.posts
    assert post.url == "https://events.pagerduty.com/v2/change/enqueue"
    golden("first_report_pagerduty.json", pretty(post.json))
    sink, http = started(PagerDuty(routing_key=key, changes=False))
    sink.send(notification)
    assert http.posts == []


def test_a_mail_shows_it(notification):
    """The text of the mail, from the same pieces that the HTML is made of."""
    message = Renderer()(notification)
    golden("first_report_mail.txt", f"{message.title}\n\n{message.body}\n")


def test_the_report_compares_performance_with_the_reference(tmp_path):
    """Accuracy is 6 points lower than in the reference: the report says so, and nothing fails."""
    model = MODEL.replace(
        "      features:",
        "      prediction: {{column: p, kind: binary}}\n      label: {{column: y}}\n      features:",
    )
    station = Station(tmp_path, model)

    def labels(right: float) -> dict[str, object]:
        truth = lambda row: int(row["id"][-1]) % 2  # noqa: E731
        return {
            "y": truth,
            "p": lambda row: truth(row) if station.rng.random() < right else 1 - truth(row),
        }

    reference_day = START - timedelta(days=1)
    station.write("reference.jsonl", reference_day, timedelta(days=1), 3000, **labels(0.85))
    with station.open():
        run_hours(station, range(25), **labels(0.79))
        [report] = reports(station)
    measured = {alert["measurement"] for alert in report["alerts"]}
    assert "accuracy" in measured
    assert [message for message in station.told() if message["cause"] == "monitoring"] == []
