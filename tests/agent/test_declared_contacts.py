"""Runbook, owner, dashboard and tags, ten lines of YAML, stand in what every sink sends, and the
tags of a check route its incidents.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from chat_receivers import DiscordReceiver, GoogleChatReceiver, OpsgenieReceiver, TeamsReceiver
from mail_server import PASSWORD, USER, MailServer
from receivers import PagerDutyReceiver, Receiver, SlackReceiver, WebhookReceiver, parsed
from slack_service import TOKEN, SlackService
from station import MODEL, START, Station

pytestmark = pytest.mark.system

CHECK = """
      drift:
        type: drift
        for: 2
        rule: {{measurement: psi, above: {{warning: 0.1, critical: 0.25}}}}
        runbook: https://wiki.example/drift
        owner: feature team
        tags: {{tier: gold}}
"""
CONTACTS = (
    MODEL[: MODEL.index("      drift:")].rstrip()
    + CHECK
    + MODEL[MODEL.index("      volume:") :]
    + """    runbook: https://wiki.example/shop
    owner: growth team
    dashboard: https://grafana.example/shop
    tags: {{cost-centre: c17}}
"""
)
WANTED = {
    "https://wiki.example/drift",
    "feature team",
    "https://grafana.example/shop",
    "gold",
    "c17",
}
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class AppriseReceiver(Receiver):
    """What Apprise posts to a service of the kind `json://`."""

    def serves(self, path: str) -> bool:
        return path.startswith("/")

    def accept(self, headers: object, body: bytes) -> tuple[int, bytes]:
        self.accepted.append(parsed(body, AssertionError))
        return 200, b"ok"


def sink_lines(name: str, url: str) -> str:
    """The configuration of one sink, with its address and keys in the environment."""
    options = {
        "slack": "webhook_url: '${env:URL_slack}'",
        "slack_bot": f"token: '${{env:TOKEN}}', channel: C0123456789, url: '{url}'",
        "pagerduty": f"routing_key: '${{env:ROUTING}}', url: '{url}'",
        "webhook": "url: '${env:URL_webhook}', secret: '${env:SIGNING}'",
        "teams": "webhook_url: '${env:URL_teams}'",
        "google_chat": "webhook_url: '${env:URL_google_chat}'",
        "discord": "webhook_url: '${env:URL_discord}'",
        "opsgenie": f"api_key: '${{env:GENIE}}', url: '{url}'",
        "apprise": "url: '${env:URL_apprise}', services: [json]",
    }
    return f"  {name}: {{type: {name}, allow_private: true, options: {{{options[name]}}}}}\n"


def test_ten_lines_of_yaml_stand_in_the_message_of_every_sink(tmp_path: Path, monkeypatch) -> None:
    """Each of the twelve sinks shows them: those of the check first, else those of the model."""
    station = Station(tmp_path / "agent", CONTACTS)
    for name, value in {
        "TOKEN": TOKEN,
        "ROUTING": "e" * 32,
        "SIGNING": SIGNING,
        "GENIE": OpsgenieReceiver.key,
        "MAIL": PASSWORD,
    }.items():
        monkeypatch.setenv(name, value)
    kinds = {
        "slack": SlackReceiver,
        "slack_bot": SlackService,
        "pagerduty": PagerDutyReceiver,
        "webhook": lambda: WebhookReceiver(SIGNING, lambda: station.clock.now.timestamp()),
        "teams": TeamsReceiver,
        "google_chat": GoogleChatReceiver,
        "discord": DiscordReceiver,
        "opsgenie": OpsgenieReceiver,
        "apprise": AppriseReceiver,
    }
    with ExitStack() as stack:
        servers = {name: stack.enter_context(kind()) for name, kind in kinds.items()}
        mail = stack.enter_context(MailServer(tmp_path))
        text = station.config.read_text()
        for name, server in servers.items():
            url = server.url
            monkeypatch.setenv(
                f"URL_{name}", url.replace("http:", "json:") if name == "apprise" else url
            )
            text += sink_lines(name, url)
        text += (
            f"  file: {{type: file, options: {{path: {tmp_path}/told.jsonl}}}}\n"
            "  console: {type: console}\n"
            f"  email: {{type: email, allow_private: true, options: {{host: 127.0.0.1, port: {mail.port}, "
            f"trusted: '{mail.ca}', username: {USER}, password: '${{env:MAIL}}', "
            "sender: robot@ml.example, to: [ann@example.org]}}\n"
        )
        station.config.write_text(text)
        for hour in range(6):
            station.hour(hour, amount=lambda row, hour=hour: row["amount"] + 30 * (hour > 3))
        station.clock.now = START + timedelta(hours=6, minutes=20)
        with station.open():
            for _ in range(4):
                station.tick()
                station.clock.now += timedelta(seconds=20)
            screen = station.screen.getvalue()
        messages = {
            name: [unquote_plus(seen.body.decode(errors="replace")) for seen in server.requests]
            for name, server in servers.items()
        }
        messages["file"] = (tmp_path / "told.jsonl").read_text().splitlines()
        messages["console"] = [screen]
        messages["email"] = [
            part.get_content()
            for taken in mail.mails
            for part in taken.message.walk()
            if part.get_content_maintype() == "text"
        ]
    missing = {
        name: sorted(WANTED)
        for name, texts in messages.items()
        if not any(all(word in text for word in WANTED) for text in texts)
    }
    assert len(messages) == 12
    assert not missing, {name: messages[name] for name in missing}


def test_the_tags_of_a_check_route_its_incidents(tmp_path: Path) -> None:
    """An incident of the check goes to the team of the check, others to that of the model."""
    station = Station(tmp_path, CONTACTS)
    station.config.write_text(
        station.config.read_text()
        + f"""  features: {{type: file, options: {{path: {tmp_path}/features.jsonl}}}}
routes:
  sinks: [diary]
  routes:
    - {{match: {{tags: {{owner: feature team, tier: gold}}}}, sinks: [features]}}
"""
    )
    for hour in range(6):
        station.hour(hour, amount=lambda row, hour=hour: row["amount"] + 30 * (hour > 3))
    with station.open():
        for hours in (6, 9):
            station.clock.now = START + timedelta(hours=hours, minutes=20)
            station.tick()
            station.clock.now += timedelta(seconds=20)
            station.tick()
    routed = [json.loads(line) for line in (tmp_path / "features.jsonl").read_text().splitlines()]
    assert {message["cause"] for message in routed} == {"drift"}
    others = {message["cause"] for message in station.told()}
    assert others
    assert "drift" not in others
