"""`driftline doctor`: try the state, every source with a few of its rows, and every sink."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.cli.options import config_option, json_option
from driftline.types.errors import DriftlineError
from driftline.types.model import Severity
from driftline.types.notification import Event, Notification

if TYPE_CHECKING:
    from driftline.config import Config
    from driftline.extensions.guard import Guard


@dataclass(frozen=True, slots=True)
class Examination:
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
    """Try the state, every source, sink and action once, and report what fails.

    Of each model a few rows are decoded: how many, from when to when, with which columns. Exits
    with 3 when one of them fails.
    """
    from rich.console import Console
    from rich.markup import escape

    examinations = _examine(config, send, as_json)
    if as_json:
        document = {"findings": [asdict(finding) for finding in examinations]}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        console = Console()
        for finding in examinations:
            mark = "[green]ok  [/]" if finding.ok else "[bold red]fail[/]"
            console.print(f"{mark}  {escape(finding.part)}: {escape(finding.text)}")
    raise SystemExit(0 if all(finding.ok for finding in examinations) else 3)


def _examine(path: Path, send: bool, as_json: bool) -> list[Examination]:
    from driftline.agent.composition_root import make_guard, read_config, system_clock
    from driftline.agent.context_factory import ContextFactory
    from driftline.agent.model_settings import phrasebook_for
    from driftline.contracts.context import StartContext
    from driftline.contracts.plugin import Plugin
    from driftline.telemetry.logs import make_log
    from driftline.types.scrubbing import Scrubber

    config = read_config(path)
    scrub = Scrubber(config).scrub
    log, guard, now = make_log(), make_guard(system_clock, scrub=scrub), system_clock()
    log.scrub_with(scrub)
    contexts = ContextFactory(
        console=sys.stderr if as_json else sys.stdout,
        clock=system_clock,
        base=config.origin.parent,
        scrub=scrub,
        phrasebook=phrasebook_for(config),
    )
    examinations: list[Examination] = [_examine_state(config)]

    def attempt(
        part: str,
        plugin: Plugin,
        context: StartContext,
        test: bool,
        examine: Callable[[], Examination] | None = None,
    ) -> None:
        try:
            guard.call(f"{part}.start", plugin.start, context, timeout=30)
            text = guard.call(f"{part}.probe", plugin.probe, timeout=30)
            if test:
                send = plugin.send  # type: ignore[attr-defined]
                guard.call(f"{part}.send", send, _test_message(part, now), timeout=30)
                text = "took a test message"
            examinations.append(Examination(part, True, text))
            if examine is not None:
                examinations.append(examine())
        except DriftlineError as error:
            rights = plugin.permissions()
            needs = f" (needs {', '.join(rights)})" if rights else ""
            examinations.append(Examination(part, False, f"{error}{needs}"))
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
            examine_rows = partial(_examine_rows, config, name, guard, now, part)
            attempt(
                part,
                source,
                StartContext(name=name, log=log, clock=system_clock, config_folder=base),
                False,
                None if part.endswith(".labels") else examine_rows,
            )
    for name, sink in config.sinks.items():
        context = contexts.sink_context(name, sink, log)
        attempt(f"sinks.{name}", sink.plugin, context, send)
    for name, action in config.actions.items():
        context = contexts.action_context(f"actions.{name}", action, log)
        attempt(f"actions.{name}", action.plugin, context, False)
    return [replace(examination, text=scrub(examination.text)) for examination in examinations]


def _examine_state(config: Config) -> Examination:
    from driftline.state.probe import probe_state

    try:
        return Examination("state", True, probe_state(config.agent.state, config.origin.parent))
    except DriftlineError as error:
        return Examination("state", False, str(error))


def _examine_rows(
    config: Config, model: str, guard: Guard, now: datetime, source_part: str
) -> Examination:
    """Decode a few rows of a model's log or reference, whose source is started."""
    from driftline.agent.model_settings import make_settings
    from driftline.extensions.hooks import transformer
    from driftline.ingest.read.sample_rows import sample_rows
    from driftline.profiles.built_in import BUILT_IN
    from driftline.profiles.spec import ProfileSpec
    from driftline.types.model import Schema

    settings = make_settings(config, model, config.registry, patience_ticks=1)
    job = settings.make_job(
        settings.schema or Schema(),
        ProfileSpec(columns={}),
        now,
        collectors=BUILT_IN,
        base=config.origin.parent,
        transform=transformer(config.registry, model),
    )
    part = f"models.{model}.rows"
    origin = settings.origin
    if source_part.endswith(".reference") and origin.source is not None:
        # A reference need not have the times, ids and labels of a log.
        features = Schema(features=job.schema.features)
        job = replace(job, source=origin.source, formats=origin.formats, schema=features)
        part = f"{source_part}.rows"
    try:
        sample = guard.call(part, lambda: sample_rows(job, now, settings.schema), timeout=60)
    except DriftlineError as error:
        return Examination(part, False, str(error))
    if job.schema.timestamp is None:
        sample.first_event = sample.last_event = None
    return Examination(part, not sample.problem, sample.problem or sample.sentence)


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
