"""Twenty secrets in every kind of setting, and receivers that echo them: none is shown anywhere."""

from __future__ import annotations

import base64
import io
import json
import random
import sqlite3
import string
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from click.testing import CliRunner
from echo_server import EchoServer, echo_server
from station import DIARY, START, Station

from driftline.agent import composition_root
from driftline.cli.daemon import _beat
from driftline.cli.main import cli
from driftline.telemetry.logs import make_log
from driftline.types.scrubbing import Scrubber
from driftline.types.secret import Secret
from driftline.web import create_app, serve

pytestmark = pytest.mark.system

BY_VARIABLE = (
    "ACT", "READ", "SLACK", "WEBHOOK", "HEADER", "PAGER", "DISCORD", "TEAMS", "CHAT", "GENIE",
    "BOT", "MAIL", "APPRISE", "AIRFLOW", "GITHUB", "SERIES", "SERIES_HEADER", "BEAT", "CLOUD_KEY",
)  # fmt: skip
BY_FILE = ("FLOW_PASSWORD", "OTLP")
LITERAL = ("ADDRESS_PASSWORD",)
NAMES = (*BY_VARIABLE, *BY_FILE, *LITERAL)
ADDRESSES = ("SLACK", "DISCORD", "TEAMS", "CHAT", "BEAT")
"""Secrets that are a part of an address."""
SIGNED = "whsec_"


def make_canaries() -> dict[str, str]:
    """A random value for each name, of characters that addresses and JSON encode."""
    rng = random.Random(23)
    signs = {name: "" if name in (*ADDRESSES, "APPRISE", *LITERAL) else "+/=" for name in NAMES}
    return {
        name: "".join(rng.choices(string.ascii_letters + string.digits + signs[name], k=32))
        for name in NAMES
    } | {"WEBHOOK": base64.b64encode(rng.randbytes(24)).decode()}


CANARIES = make_canaries()


def traces(value: str) -> set[str]:
    """What would show a secret: 9 characters of it in a row, as they are or in another form."""
    forms = {value, quote(value, safe=""), json.dumps(value)[1:-1]}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value.encode()).decode()
        forms.add(encoded[4:-4])
    return {form[place : place + 9] for form in forms for place in range(len(form) - 8)}


def find_leaks(text: str) -> list[str]:
    """The names of the secrets that a text shows."""
    return [name for name, value in CANARIES.items() if any(part in text for part in traces(value))]


MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema: {{timestamp: t, id: id, features: {{amount: numeric}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m}}
    first_report: false
    checks:
      drift: {{type: drift, for: 2, rule: {{measurement: psi, above: {{warning: 0.1, critical: 0.25}}}}}}
"""


def configure(station: Station, url: str) -> None:
    """A configuration with all of the secrets, each by a reference but the one in an address."""
    folder = station.folder
    series = {
        "source": {
            "type": "prometheus",
            "options": {
                "url": url,
                "queries": {"rate": "up"},
                "token": "${env:SERIES}",
                "headers": {"X-Key": "${env:SERIES_HEADER}"},
            },
        },
        "schema": {"timestamp": "time", "features": {"value": "numeric"}},
        "windows": {"length": "1h"},
    }
    sinks = {
        "diary": {"type": "diary", "options": {"path": f"{folder}/diary.jsonl"}},
        "slack": {"type": "slack", "options": {"webhook_url": "${env:SLACK}"}},
        "webhook": {
            "type": "webhook",
            "options": {
                "url": f"http://user:{CANARIES['ADDRESS_PASSWORD']}@{url.removeprefix('http://')}/hook",
                "secret": "${env:WEBHOOK}",
                "headers": {"X-Key": "${env:HEADER}"},
            },
        },
        "pager": {"type": "pagerduty", "options": {"routing_key": "${env:PAGER}", "url": url}},
        "discord": {"type": "discord", "options": {"webhook_url": "${env:DISCORD}"}},
        "teams": {"type": "teams", "options": {"webhook_url": "${env:TEAMS}"}},
        "chat": {"type": "google_chat", "options": {"webhook_url": "${env:CHAT}"}},
        "genie": {"type": "opsgenie", "options": {"api_key": "${env:GENIE}", "url": url}},
        "bot": {"type": "slack_bot", "options": {"token": "${env:BOT}", "channel": "C1", "url": url}},
        "mail": {
            "type": "email",
            "options": {
                "host": "127.0.0.1", "port": 9, "username": "robot", "password": "${env:MAIL}",
                "sender": "a@example.com", "to": ["b@example.com"],
            },
        },
        "apprise": {"type": "apprise", "options": {"url": "${env:APPRISE}", "services": ["json"]}},
    }  # fmt: skip
    for settings in sinks.values():
        if settings["type"] not in ("diary", "email"):
            settings["allow_private"] = True
    actions = {
        "flow": {
            "type": "airflow",
            "when": {"severity": "warning"},
            "enabled": True,
            "dry_run": False,
            "allow_private": True,
            "options": {"url": url, "dag": "retrain", "username": "robot", "password": f"${{file:{folder}/flow}}", "basic": True},
        },
        "hub": {
            "type": "github_dispatch",
            "when": {"severity": "warning"},
            "enabled": True,
            "dry_run": False,
            "allow_private": True,
            "options": {"repository": "acme/churn", "token": "${env:GITHUB}", "url": url},
        },
    }  # fmt: skip
    agent = {
        "state": f"sqlite:///{folder}/state.db",
        "http": None,
        "workers": 2,
        "token": "${env:ACT}",
        "http_token": "${env:READ}",
        "public_url": "https://watch.example",
        "heartbeat": {"url": "${env:BEAT}", "allow_private": True},
        "otlp": {"endpoint": f"{url}/v1/metrics", "headers": {"key": f"${{file:{folder}/otlp}}"}},
    }
    station.config.write_text(
        f"version: 1\nagent: {json.dumps(agent)}\nplugins: {{paths: [plugs]}}\n"
        f"models:\n  shop:{MODEL.format(folder=folder)}  series: {json.dumps(series)}\n"
        f"sinks: {json.dumps(sinks)}\nactions: {json.dumps(actions)}\n"
    )


@pytest.fixture(scope="module")
def server():
    with echo_server() as running:
        yield running


@pytest.fixture
def station(tmp_path: Path, server: EchoServer, monkeypatch: pytest.MonkeyPatch) -> Station:
    for name in BY_VARIABLE:
        value = CANARIES[name]
        if name in ADDRESSES:
            value = f"{server.url}/services/{value[:16]}/{value[16:]}?key={value}"
        if name == "APPRISE":
            value = f"json://robot:{value}@127.0.0.1:{server.server_port}/{value}"
        if name == "WEBHOOK":
            value = SIGNED + value
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARIES["CLOUD_KEY"])
    (tmp_path / "flow").write_text(CANARIES["FLOW_PASSWORD"])
    (tmp_path / "otlp").write_text(CANARIES["OTLP"])
    station = Station(tmp_path / "station", plugins=DIARY)
    (station.folder / "flow").write_text(CANARIES["FLOW_PASSWORD"])
    (station.folder / "otlp").write_text(CANARIES["OTLP"])
    configure(station, server.url)
    monkeypatch.setattr(composition_root, "system_clock", station.clock)
    return station


def invoke(*arguments: str) -> str:
    """Everything that a command prints, and its exception."""
    result = CliRunner().invoke(cli, list(arguments), standalone_mode=False)
    return f"{result.output}\n{result.stderr}\n{result.exception!r}"


def show_pages(station: Station) -> dict[str, str]:
    """The pages, the API and the metrics, as who shows the token sees them."""
    act, read = (Secret("${env:T}", CANARIES[name]) for name in ("ACT", "READ"))
    web = serve(create_app(station.agent, read, act, clock=station.clock), "127.0.0.1", 0)
    incident = station.sql("select id from incidents")[0][0]
    paths = (
        "/", "/readyz", "/metrics", "/messages", "/health", "/sources", "/models/shop",
        "/models/series", "/api/incidents?all=1", f"/api/incidents/{incident}", f"/i/{incident}",
        "/api/openapi.json",
    )  # fmt: skip
    try:
        with httpx.Client(
            base_url=f"http://{web.address}",
            headers={"authorization": f"Bearer {act.reveal()}"},
            timeout=60,
            trust_env=False,
        ) as client:
            return {path: client.get(path).text for path in paths}
    finally:
        web.stop()


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 500])
def test_no_secret_is_in_any_output(
    station: Station, server: EchoServer, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A whole agent that alarms, whose receivers, actions and sources refuse all and echo all."""
    server.status, before = status, len(server.seen)
    shown = {}
    for command in (
        ("validate",),
        ("validate", "--json"),
        ("config", "show"),
        ("config", "show", "--json"),
        ("routes", "test", "model=shop"),
        ("doctor",),
        ("doctor", "--json"),
        ("notify", "test", "slack"),
        ("notify", "test", "webhook"),
    ):
        shown[" ".join(command)] = invoke(*command, "-c", str(station.config))
    assert "a password stands in this address" in shown["validate"], shown["validate"][:3000]

    log, console = io.StringIO(), io.StringIO()
    config = composition_root.read_config(station.config)
    with composition_root.open_agent(
        config,
        clock=station.clock,
        log=make_log(log, human=False, verbose=True),
        console=console,
        seed=1,
    ) as agent:
        station.agent = agent
        agent.recover()
        for hour in range(4):
            station.hour(hour, amount=100.0)
        station.clock.now = START + timedelta(hours=4, minutes=20)
        for _ in range(14):
            for name in ("shop", "series"):
                agent.tick(name)
            for worker in agent.workers:
                worker.deliver_due(station.clock.now)
            station.clock.now += timedelta(hours=2)
        beat = _beat(agent, config, agent._services.log)
        assert beat is not None
        beat.stop()
        shown |= show_pages(station)
        incidents = [row[0] for row in station.sql("select id from incidents")]
        told = [message["title"] + str(message["alerts"]) for message in station.told()]
    station.agent = None
    for name in incidents:
        shown[f"explain {name}"] = invoke("explain", name, "-c", str(station.config))
    for command in (("status",), ("status", "--json"), ("incidents", "--all"), ("actions", "list")):
        shown[" ".join(command)] = invoke(*command, "-c", str(station.config))
    shown["log"] = log.getvalue()
    shown["console"] = console.getvalue()
    shown["messages"] = (station.folder / "diary.jsonl").read_text()
    shown["state"] = "\n".join(sqlite3.connect(station.folder / "state.db").iterdump()) + (
        station.folder / "state.db"
    ).read_bytes().decode("latin-1")
    shown["output"] = "".join(capsys.readouterr())

    requests = "\n".join(server.seen[before:])
    assert len(server.seen) - before > 20
    assert len(NAMES) >= 20
    for name in ("SLACK", "HEADER", "PAGER", "DISCORD", "TEAMS", "CHAT", "GENIE", "BOT", "SERIES"):
        assert CANARIES[name][:16] in requests, name
    assert {name: leaks for name, text in shown.items() if (leaks := find_leaks(text))} == {}
    # The other receivers learn that a sink fails, and nothing of what its receiver answered.
    assert "services" not in shown["messages"]
    if status == 400:  # others are tried for longer
        assert any("sink slack: HTTP 400 from http://127.0.0.1" in text for text in told)


def test_a_secret_is_found_in_each_form() -> None:
    """In whole, in parts of eight characters, in Base64 wherever it begins, with percent signs."""
    value = CANARIES["PAGER"]
    scrub = Scrubber([Secret("${env:PAGER}", value)]).scrub
    for text in ("key " + value, f"user:{value}", f"ab {value} c", f'{{"key": "{value}"}}'):
        encoded = base64.b64encode(text.encode()).decode()
        twice = base64.b64encode(f"Basic {encoded}".encode()).decode()
        for form in (text, encoded, twice, quote(text, safe=""), text[:-8], text[20:]):
            assert find_leaks(scrub(form)) == [], form
    assert scrub(f"x{value[5:13]}y") == "x${env:PAGER}y"
    assert scrub("no secret here") == "no secret here"


@pytest.mark.parametrize("command", ["validate", "doctor", "run --once", "config show", "status"])
@pytest.mark.parametrize(
    "database", ["postgresql://u:{}@127.0.0.1:9/d", "postgresql://u:{}@[::1/d"]
)
def test_the_password_of_the_database_is_not_shown(
    tmp_path: Path, command: str, database: str
) -> None:
    """It stands in the file, and the database can't be reached or its address can't be read."""
    password = CANARIES["ADDRESS_PASSWORD"]
    path = tmp_path / "driftline.yaml"
    state = database.format(password)
    path.write_text(
        f"version: 1\nagent: {{state: '{state}'}}\n"
        f"models: {{m: {{source: {{type: local, options: {{path: {tmp_path}}}}}}}}}\n"
    )
    text = invoke(*command.split(), "-c", str(path))
    assert password[:9] not in text
    assert text.strip()
