"""docs/outage.md shows a day on which Slack is away: what the agent's own sinks sent, and when.
UPDATE_GOLDEN=1 writes the page anew.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mail_server import PASSWORD, USER, MailServer
from receivers import Fault, PagerDutyReceiver, SlackReceiver
from station import START, Station

pytestmark = pytest.mark.system

PAGE = Path(__file__).parent.parent.parent / "docs" / "outage.md"
HEAD = """# A day with an outage

What people get on a day on which Slack takes no messages from 06:00 to 20:00. Two models, `shop` and `stock`, have
hourly windows. Critical incidents go to Slack and PagerDuty; the route names a mailbox as its `fallback`:

```yaml
routes:
  sinks: [slack, pagerduty]
  fallback: [mail]
```

- `amount` of `shop` moves at 03:00, before the outage, and is back at 22:00.
- `plan` of `stock` is missing from 08:00 to 11:00, within the outage.
- `amount` of `stock` moves at 14:00, within the outage, and stays.

Slack's answer is `503` all the time. After the outage Slack gets one message for each incident: the newest state,
marked with the time at which it was written. PagerDuty misses nothing. The texts are made by a test from a run of the
agent, so they are what arrives. How this works stands in [Route notifications](notifications.md).

"""
CHECKS = """
    source: {{type: local, options: {{path: {folder}/NAME, format: jsonl}}}}
    schema: {{timestamp: t, id: id, features: {{amount: numeric, plan: categorical}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m}}
    first_report: false
    checks:
      drift: {{type: drift, for: 2, rule: {{measurement: psi, above: {{critical: 0.25}}}}}}
      missing: {{type: missing, rule: {{measurement: missing_rate, above: {{critical: 0.2}}}}}}
"""
MODELS = CHECKS.replace("NAME", "log") + "\n  stock:" + CHECKS.replace("NAME", "stock")
OUTAGE = range(6, 20)
HOUR = timedelta(hours=1)


def slack_text(message: dict[str, Any]) -> str:
    """The texts of the blocks, one under the other."""
    lines = []
    for block in message["attachments"][0]["blocks"]:
        parts = block.get("elements", [block.get("text")])
        lines += [part["text"] for part in parts if part and isinstance(part["text"], str)]
    return "\n".join(lines)


def pagerduty_text(body: bytes) -> str:
    """The action of the event, and the summary of a trigger."""
    event = json.loads(body)
    return f"{event['event_action']} {event.get('payload', {}).get('summary', '')}".strip()


class Day:
    """The agent, its three receivers, and what arrived so far with its time."""

    def __init__(self, station: Station, slack: Any, pager: Any, mail: MailServer) -> None:
        self.station, self.slack, self.pager, self.mail = station, slack, pager, mail
        self.arrivals: list[tuple[datetime, str, str]] = []
        self.counts = {"Slack": 0, "PagerDuty": 0, "Mail": 0}

    def play(self) -> None:
        """Let 24 hours pass, with a tick of each model in each hour."""
        with self.station.open():
            for hour in range(24):
                self.slack.faults.clear()
                if hour in OUTAGE:
                    self.slack.faults.extend([Fault(status=503)] * 50)
                self.write_logs(hour)
                self.deliver_until(START + (hour + 1) * HOUR + timedelta(minutes=20))
                for model in ("shop", "stock"):
                    self.station.tick(model)
                    self.collect()

    def deliver_until(self, end: datetime) -> None:
        """Send each message when it is due, as the agent does between two ticks."""
        clock, workers = self.station.clock, self.station.agent.workers
        while True:
            dues = [due for worker in workers if (due := worker.next_due(clock.now)) is not None]
            if not dues or max(clock.now, min(dues)) >= end:
                break
            clock.now = max(clock.now + timedelta(seconds=1), min(dues))
            for worker in workers:
                worker.deliver_due(clock.now)
            self.collect()
        clock.now = end

    def write_logs(self, hour: int) -> None:
        """Write the rows of both models for the window that begins at `hour`."""
        self.station.hour(hour, amount=lambda row: row["amount"] + 30 * (3 <= hour < 22))
        text = self.station.rows(
            START + hour * HOUR,
            HOUR,
            400,
            amount=lambda row: row["amount"] + 30 * (hour >= 14),
            plan=lambda row: None if 8 <= hour < 11 else row["plan"],
        )
        folder = self.station.folder / "stock"
        folder.mkdir(exist_ok=True)
        (folder / f"{hour:02}.jsonl").write_text("\n".join(text) + "\n")

    def collect(self) -> None:
        """Note what arrived since the last look."""
        texts = {
            "Slack": [slack_text(message) for message in self.slack.accepted],
            "PagerDuty": [pagerduty_text(seen.body) for seen in self.pager.requests],
            "Mail": [str(taken.message["Subject"]) for taken in self.mail.mails],
        }
        for sink, arrived in texts.items():
            for text in arrived[self.counts[sink] :]:
                self.arrivals.append((self.station.clock.now, sink, text))
            self.counts[sink] = len(arrived)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """The day, played to its end."""
    folder = tmp_path_factory.mktemp("outage")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("ROUTING", "e" * 32)
        monkeypatch.setenv("MAIL", PASSWORD)
        station = Station(folder / "agent", MODELS)
        with SlackReceiver() as slack, PagerDutyReceiver() as pager, MailServer(folder) as mail:
            monkeypatch.setenv("SLACK", slack.url)
            station.config.write_text(
                station.config.read_text()
                + f"""  slack: {{type: slack, allow_private: true, options: {{webhook_url: "${{env:SLACK}}"}}}}
  pagerduty:
    type: pagerduty
    allow_private: true
    options: {{routing_key: "${{env:ROUTING}}", url: "{pager.url}"}}
  mail:
    type: email
    allow_private: true
    options:
      {{host: 127.0.0.1, port: {mail.port}, trusted: "{mail.ca}", username: {USER},
        password: "${{env:MAIL}}", sender: robot@ml.example, to: [ann@example.org]}}
routes: {{sinks: [slack, pagerduty], fallback: [mail]}}
"""
            )
            played = Day(station, slack, pager, mail)
            played.play()
    return played


@pytest.mark.slow
def test_the_page_shows_a_day_with_an_outage(day: Day) -> None:
    """Every message of the page arrived at its time, and no other did."""
    parts = [HEAD]
    for at, sink, text in day.arrivals:
        parts.append(f"## {at:%H:%M} {sink}\n\n```text\n{text}\n```\n\n")
    page = "".join(parts)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(page, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page


@pytest.mark.slow
def test_slack_gets_one_message_for_each_incident_after_the_outage(day: Day) -> None:
    """The incident that opened and ended within the outage is one message, too."""
    late = [text for at, sink, text in day.arrivals if sink == "Slack" and at.hour >= 20]
    first = [text.splitlines()[0] for text in late]
    assert len([line for line in first if "stock" in line and "plan" in line]) == 1
    assert len([line for line in first if "stock" in line and "amount" in line]) == 1
