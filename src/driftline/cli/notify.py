"""`driftline notify`: send test messages through a real sink, or resend its dead letters."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.cli.options import config_option, json_option
from driftline.cli.state import open_state
from driftline.types.errors import DriftlineError

if TYPE_CHECKING:
    from driftline.config import Config
    from driftline.contracts.context import Answer, Http
    from driftline.types.notification import Notification

NAMES = ("firing", "resolved", "storm", "hostile", "unsure", "trouble")
"""The scenarios of a test message."""
MOST_LETTERS = 1000
"""Dead letters that one call resends, newest first."""


@dataclass(frozen=True, slots=True)
class TestDelivery:
    """What became of one test message."""

    title: str
    ok: bool
    answer: str
    """The receiver's answers, or the error."""
    reference: str = ""
    """The id by which the receiver knows the message."""

    def to_json_values(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "title": self.title,
            "ok": self.ok,
            "said": self.answer,
            "reference": self.reference,
        }


class RecordingHttp:
    """Passes requests on to `http` and keeps the answers."""

    def __init__(self, http: Http) -> None:
        self.answers: list[str] = []
        self._http = http

    def post(
        self,
        url: str,
        *,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a POST request, as `Http.post` does."""
        return self._keep(self._http.post(url, json=json, content=content, headers=headers))

    def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request, as `Http.request` does."""
        return self._keep(self._http.request(method, url, content=content, headers=headers))

    def _keep(self, answer: Answer) -> Answer:
        from driftline.types.phrasing import clean

        self.answers.append(f"HTTP {answer.status} {clean(answer.text, 160)}".strip())
        return answer


@click.group("notify")
def notify() -> None:
    """Send test messages through a sink, or resend its dead letters."""


@notify.command("test")
@click.argument("sink")
@click.option(
    "--scenario",
    type=click.Choice(NAMES),
    default="firing",
    show_default=True,
    help="What the message is about.",
)
@config_option
@json_option
def send_test(sink: str, scenario: str, config: Path, as_json: bool) -> None:
    """Send an invented message through SINK, in the form of a real one. Stores nothing.

    Exits with 3 when the message was not delivered.
    """
    from driftline.agent.composition_root import read_config

    settings = read_config(config)
    _check_sink(settings, sink)
    deliveries = _send(settings, sink, scenario, as_json)
    if as_json:
        document = {
            "sink": sink,
            "messages": [delivery.to_json_values() for delivery in deliveries],
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        for delivery in deliveries:
            reference = f"  (known there as {delivery.reference})" if delivery.reference else ""
            click.echo(f"{'sent' if delivery.ok else 'fail'}  {delivery.title}")
            click.echo(f"      {delivery.answer}{reference}")
    raise SystemExit(0 if all(delivery.ok for delivery in deliveries) else 3)


def _check_sink(config: Config, sink: str) -> None:
    if sink not in config.sinks:
        raise click.UsageError(f"no sink is called {sink}; there are: {', '.join(config.sinks)}")


def _send(config: Config, name: str, scenario: str, as_json: bool) -> list[TestDelivery]:
    from driftline.agent.composition_root import make_guard, system_clock
    from driftline.agent.context_factory import ContextFactory
    from driftline.agent.model_settings import phrasebook_for
    from driftline.delivery.redaction import redact_secrets
    from driftline.delivery.rendering.scenarios import scenario as messages
    from driftline.telemetry.logs import make_log
    from driftline.types.phrasing import clean
    from driftline.types.scrubbing import Scrubber

    scrub = Scrubber(config).scrub
    sink, now, guard = config.sinks[name], system_clock(), make_guard(system_clock, scrub=scrub)
    contexts = ContextFactory(
        console=sys.stderr if as_json else sys.stdout,
        clock=system_clock,
        base=config.origin.parent,
        scrub=scrub,
        phrasebook=phrasebook_for(config),
    )
    http, reference = RecordingHttp(contexts.http_client(sink.allow_private)), ""

    def earlier(notification: Notification) -> str:
        return reference

    context = replace(contexts.sink_context(name, sink, make_log(), earlier=earlier), http=http)
    token = sha256(f"{name}{now.isoformat()}".encode()).hexdigest()[:12]
    deliveries: list[TestDelivery] = []
    try:
        guard.call(f"{name}.start", sink.plugin.start, context, timeout=30)
        for message in messages(scenario, token, now):
            title = clean(message.title, 100)
            http.answers.clear()
            try:
                answer = guard.call(f"{name}.send", sink.plugin.send, message, timeout=30)
                reference = answer or reference
                text = (
                    "; ".join(redact_secrets(answer, sink.plugin) for answer in http.answers)
                    or "taken"
                )
                deliveries.append(TestDelivery(title, True, text, reference))
            except DriftlineError as error:
                deliveries.append(
                    TestDelivery(title, False, redact_secrets(str(error), sink.plugin))
                )
    except DriftlineError as error:
        deliveries.append(
            TestDelivery("(not started)", False, redact_secrets(str(error), sink.plugin))
        )
    finally:
        guard.call(f"{name}.stop", sink.plugin.stop, timeout=30)
    return deliveries


@notify.command("again")
@click.argument("sink")
@config_option
@json_option
def resend(sink: str, config: Path, as_json: bool) -> None:
    """Send the dead letters of SINK again, after you have fixed the cause.

    The leading agent sends them within a minute. A dead letter stays unsent where a newer message
    of its incident was delivered.
    """
    from driftline.agent.composition_root import system_clock
    from driftline.agent.discovery import load_known_config
    from driftline.state import outbox

    settings = load_known_config(config)
    _check_sink(settings, sink)
    with open_state(settings) as store, store.note() as connection:
        letters = outbox.list_dead_letters(connection, sink, MOST_LETTERS)
        resent = [
            letter
            for letter in letters
            if outbox.rearm_dead_letter(connection, letter.id, system_clock())
        ]
    outdated_count = len(letters) - len(resent)
    if as_json:
        document = {
            "sink": sink,
            "again": [letter.title for letter in resent],
            "out_of_date": outdated_count,
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for letter in resent:
        click.echo(f"again  {letter.title}")
    note = (
        f"; {outdated_count} out of date, a newer message was delivered" if outdated_count else ""
    )
    click.echo(f"{len(resent)} to send again{note}")
