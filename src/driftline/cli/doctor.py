"""`driftline doctor`: connect to every source, and send a test message through every sink."""

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
    """The result of trying one source, sink or action."""

    part: str
    ok: bool
    text: str


@click.command()
@config_option
@json_option
@click.option(
    "--send/--no-send", default=True, help="Send a test message through every sink, or not."
)
def doctor(config: Path, as_json: bool, send: bool) -> None:
    """Connect to every source, sink and action once, and report what fails.

    Exits with 3 when one of them fails.
    """
    from rich.console import Console
    from rich.markup import escape

    findings = _examine(config, send, as_json)
    if as_json:
        document = {"findings": [asdict(finding) for finding in findings]}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        console = Console()
        for finding in findings:
            mark = "[green]ok  [/]" if finding.ok else "[bold red]fail[/]"
            console.print(f"{mark}  {escape(finding.part)}: {escape(finding.text)}")
    raise SystemExit(0 if all(finding.ok for finding in findings) else 3)


def _examine(path: Path, send: bool, as_json: bool) -> list[Finding]:
    from driftline.agent.composition_root import make_guard, read_config, system_clock
    from driftline.agent.context_factory import ContextFactory
    from driftline.agent.model_settings import phrasebook_for
    from driftline.contracts.context import StartContext
    from driftline.contracts.plugin import Plugin
    from driftline.telemetry.logs import make_log

    config = read_config(path)
    log, guard, now = make_log(), make_guard(system_clock), system_clock()
    contexts = ContextFactory(
        console=sys.stderr if as_json else sys.stdout,
        clock=system_clock,
        base=config.origin.parent,
        phrasebook=phrasebook_for(config),
    )
    findings: list[Finding] = []

    def attempt(part: str, plugin: Plugin, context: StartContext, test: bool) -> None:
        try:
            guard.call(f"{part}.start", plugin.start, context, timeout=30)
            text = guard.call(f"{part}.probe", plugin.probe, timeout=30)
            if test:
                send = plugin.send  # type: ignore[attr-defined]
                guard.call(f"{part}.send", send, _test_message(part, now), timeout=30)
                text = "took a test message"
            findings.append(Finding(part, True, text))
        except DriftlineError as error:
            rights = plugin.permissions()
            needs = f" (needs {', '.join(rights)})" if rights else ""
            findings.append(Finding(part, False, f"{error}{needs}"))
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
                part,
                source,
                StartContext(name=name, log=log, clock=system_clock, config_folder=base),
                False,
            )
    for name, sink in config.sinks.items():
        context = contexts.sink_context(name, sink, log)
        attempt(f"sinks.{name}", sink.plugin, context, send)
    for name, action in config.actions.items():
        context = contexts.action_context(name, action, log)
        attempt(f"actions.{name}", action.plugin, context, False)
    return findings


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
