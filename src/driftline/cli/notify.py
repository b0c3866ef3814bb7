"""`driftline notify test`: send made-up messages through a real sink, and say what its receiver
answered.

Refuses to touch the state: nothing of a test is kept.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.cli.notify_again import again
from driftline.cli.options import config_option, json_option
from driftline.types.errors import DriftlineError

if TYPE_CHECKING:
    from driftline.config import Config
    from driftline.contracts.context import Answer, Http
    from driftline.types.notification import Notification

NAMES = ("firing", "resolved", "storm", "hostile", "unsure", "trouble")


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one message."""

    title: str
    ok: bool
    said: str
    """The receiver's answers, or what went wrong."""
    reference: str = ""
    """By which the receiver knows the message."""


class Overheard:
    """The way out, which writes down what was answered."""

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
        """As the host's own."""
        return self._noted(self._http.post(url, json=json, content=content, headers=headers))

    def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """As the host's own."""
        return self._noted(self._http.request(method, url, content=content, headers=headers))

    def _noted(self, answer: Answer) -> Answer:
        from driftline.types.phrasing import clean

        self.answers.append(f"HTTP {answer.status} {clean(answer.text, 160)}".strip())
        return answer


@click.group()
def notify() -> None:
    """Messages to people."""


notify.add_command(again)


@notify.command()
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
def test(sink: str, scenario: str, config: Path, as_json: bool) -> None:
    """Send a made-up message through SINK, as it would be sent one day. Ends with 3 when it did not
    get through.
    """
    from driftline.agent.start import read_config

    loaded = read_config(config)
    if sink not in loaded.sinks:
        raise click.UsageError(f"no sink is called {sink}; there are: {', '.join(loaded.sinks)}")
    found = _send(loaded, sink, scenario, as_json)
    if as_json:
        click.echo(
            json.dumps(
                {"sink": sink, "messages": [asdict(one) for one in found]},
                ensure_ascii=False,
                indent=2,
            )
        )
    else:
        for one in found:
            reference = f"  (known there as {one.reference})" if one.reference else ""
            click.echo(f"{'sent' if one.ok else 'fail'}  {one.title}\n      {one.said}{reference}")
    raise SystemExit(0 if all(one.ok for one in found) else 3)


def _send(config: Config, name: str, scenario: str, as_json: bool) -> list[Sent]:
    from driftline.agent.outside import Outside
    from driftline.agent.start import make_guard, system_clock
    from driftline.delivery.rendering.scenarios import scenario as messages
    from driftline.delivery.secrets import scrub
    from driftline.telemetry.logs import make_log
    from driftline.types.phrasing import clean

    told, now, guard = config.sinks[name], system_clock(), make_guard(system_clock)
    outside = Outside(sys.stderr if as_json else sys.stdout, system_clock, 0)
    heard, kept = Overheard(outside.http(told.allow_private)), ""

    def earlier(notification: Notification) -> str:
        return kept

    context = replace(
        outside.context(name, told, make_log(), config.origin.parent, earlier), http=heard
    )
    token = sha256(f"{name}{now.isoformat()}".encode()).hexdigest()[:12]
    found: list[Sent] = []
    try:
        guard.call(f"{name}.start", told.plugin.start, context, timeout=30)
        for message in messages(scenario, token, now):
            title = clean(message.title, 100)
            heard.answers.clear()
            try:
                kept = guard.call(f"{name}.send", told.plugin.send, message, timeout=30) or kept
                said = "; ".join(scrub(answer, told.plugin) for answer in heard.answers) or "taken"
                found.append(Sent(title, True, said, kept))
            except DriftlineError as error:
                found.append(Sent(title, False, scrub(str(error), told.plugin)))
    except DriftlineError as error:
        found.append(Sent("(not started)", False, scrub(str(error), told.plugin)))
    finally:
        guard.call(f"{name}.stop", told.plugin.stop, timeout=30)
    return found
