"""`driftline doctor`: reach every source, and send a test message through every sink."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import click

from driftline.cli.options import config_option, json_option
from driftline.types.errors import DriftlineError
from driftline.types.model import Severity
from driftline.types.notification import Event, Notification


@dataclass(frozen=True, slots=True)
class Finding:
    """What trying one part came to."""

    part: str
    ok: bool
    text: str


@click.command()
@config_option
@json_option
@click.option(
    "--send/--no-send", default=True, help="Whether to send a test message through every sink."
)
def doctor(config: Path, as_json: bool, send: bool) -> None:
    """Reach every source and sink, and say what is missing. Ends with 3 when something can't be
    reached.
    """
    from rich.console import Console
    from rich.markup import escape

    found = _examine(config, send, as_json)
    if as_json:
        click.echo(
            json.dumps({"findings": [asdict(item) for item in found]}, ensure_ascii=False, indent=2)
        )
    else:
        console = Console()
        for item in found:
            mark = "[green]ok  [/]" if item.ok else "[bold red]fail[/]"
            console.print(f"{mark}  {escape(item.part)}: {escape(item.text)}")
    raise SystemExit(0 if all(item.ok for item in found) else 3)


def _examine(path: Path, send: bool, as_json: bool) -> list[Finding]:
    from driftline.agent.outside import Outside
    from driftline.agent.start import make_guard, read_config, system_clock
    from driftline.contracts.context import StartContext
    from driftline.contracts.plugin import Plugin
    from driftline.telemetry.logs import make_log

    config = read_config(path)
    log, guard, now = make_log(), make_guard(system_clock), system_clock()
    outside = Outside(sys.stderr if as_json else sys.stdout, system_clock, 0)
    found: list[Finding] = []

    def attempt(part: str, plugin: Plugin, context: StartContext, test: bool) -> None:
        try:
            guard.call(f"{part}.start", plugin.start, context, timeout=30)
            text = guard.call(f"{part}.probe", plugin.probe, timeout=30)
            if test:
                guard.call(f"{part}.send", plugin.send, _test_message(part, now), timeout=30)  # type: ignore[attr-defined]
                text = "took a test message"
            found.append(Finding(part, True, text))
        except DriftlineError as error:
            rights = plugin.permissions()
            mend = f" (needs {', '.join(rights)})" if rights else ""
            found.append(Finding(part, False, f"{error}{mend}"))
        finally:
            guard.call(f"{part}.stop", plugin.stop, timeout=30)

    base = config.origin.parent
    for name, model in config.models.items():
        sources = {f"models.{name}.source": model.source}
        if model.reference is not None and model.reference.plugin is not None:
            sources[f"models.{name}.reference"] = model.reference.plugin
        if model.labels is not None:
            sources[f"models.{name}.labels"] = model.labels.plugin
        for part, source in sources.items():
            attempt(
                part, source, StartContext(name=name, log=log, clock=system_clock, base=base), False
            )
    for name, sink in config.sinks.items():
        context = outside.context(name, sink, log, base)
        attempt(f"sinks.{name}", sink.plugin, context, send)
    for name, action in config.actions.items():
        http = outside.http(action.allow_private, base / action.trusted if action.trusted else None)
        context = StartContext(name=name, log=log, clock=system_clock, http=http, base=base)
        attempt(f"actions.{name}", action.plugin, context, False)
    return found


def _test_message(part: str, now: datetime) -> Notification:
    key = sha256(f"{part}{now.isoformat()}".encode()).hexdigest()[:16]
    return Notification(
        id=f"msg_{key}",
        incident=f"inc_test_{key}",
        revision=1,
        event=Event.TEST,
        model="driftline",
        cause="monitoring",
        severity=Severity.INFO,
        title="driftline: this is a test message, nothing is wrong",
        since=now,
    )
