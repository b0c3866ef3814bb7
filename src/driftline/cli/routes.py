"""`driftline routes`: where an incident goes, and why.

Refuses to send anything.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import config_option, json_option

if TYPE_CHECKING:
    from driftline.config import Config
    from driftline.delivery.routing import Subject

SEVERITIES = ("info", "warning", "critical")


@click.group()
def routes() -> None:
    """Who is told of which incident."""


@routes.command()
@click.argument("what", metavar="MODEL|INCIDENT")
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    help="Of the incident; critical for a model when absent.",
)
@click.option(
    "--family",
    help="drift, quality, service, performance or monitoring; drift for a model when absent.",
)
@click.option(
    "--segment",
    multiple=True,
    metavar="NAME=VALUE",
    help="A segment that an alert is about. Repeatable.",
)
@click.option("--check", multiple=True, metavar="NAME", help="The check of an alert. Repeatable.")
@click.option(
    "--tag", multiple=True, metavar="NAME=VALUE", help="In place of a tag of the model. Repeatable."
)
@config_option
@json_option
def explain(
    what: str,
    severity: str | None,
    family: str | None,
    segment: tuple[str, ...],
    check: tuple[str, ...],
    tag: tuple[str, ...],
    config: Path,
    as_json: bool,
) -> None:
    """Say where an incident of a model, or one that there was, would go, and which routes were
    tried.
    """
    from dataclasses import replace

    from driftline.agent.receivers import make_routing
    from driftline.config import load
    from driftline.types.model import Severity

    loaded = load(config)
    model, subject = _subject(loaded, what)
    given: dict[str, Any] = {
        "severity": Severity(severity) if severity else None,
        "families": frozenset({family}) if family else None,
    }
    given |= {"segments": frozenset(segment), "checks": frozenset(check)}
    given["tags"] = {**subject.tags, **dict(_pair(one) for one in tag)} if tag else None
    subject = replace(subject, **{name: value for name, value in given.items() if value})
    way = make_routing(loaded, model).way(subject)
    told = {
        name: {"route": place, **_heard(loaded, name, subject)} for name, place in way.sinks.items()
    }
    if as_json:
        visits = [
            {"route": visit.place, "taken": visit.taken, "why": visit.why} for visit in way.visits
        ]
        found = {
            "model": model,
            "severity": subject.severity,
            "families": sorted(subject.families),
            "sinks": told,
        }
        click.echo(
            json.dumps(
                {**found, "fallback": way.fallback, "routes": visits}, ensure_ascii=False, indent=2
            )
        )
        return
    click.echo(f"{model}: {subject.severity} {', '.join(sorted(subject.families))}")
    for visit in way.visits:
        depth = visit.place.count(".")
        click.echo(
            f"  {'  ' * depth}{'taken' if visit.taken else 'not  '}  {visit.place}: {visit.why}"
        )
    for name, one in told.items():
        click.echo(
            f"-> {name}  (by {one['route']})"
            + ("" if one["told"] else f"  but not told: {one['why']}")
        )
    if not told:
        click.echo("-> nobody")
    if way.fallback:
        click.echo(f"   instead of one that takes nothing: {', '.join(way.fallback)}")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--tag {text}: should be NAME=VALUE")
    return name, value


def _heard(config: Config, name: str, subject: Subject) -> dict[str, Any]:
    least = config.sinks[name].min_severity
    told = subject.severity.rank >= least.rank
    return {"told": told} if told else {"told": False, "why": f"its min_severity is {least}"}


def _subject(config: Config, what: str) -> tuple[str, Subject]:
    """The model, and what routes see: of an incident in the state, its newest message."""
    from driftline.agent.receivers import make_routing
    from driftline.delivery.routing import Subject
    from driftline.state import incidents
    from driftline.state.factory import open_store
    from driftline.types.model import Severity

    if what in config.models:
        return what, Subject(
            what, Severity.CRITICAL, frozenset({"drift"}), tags=config.models[what].tags
        )
    store = open_store(config.agent.state, base=config.origin.parent, readonly=True)
    try:
        with store.read() as connection:
            names = incidents.names(connection, what)
            told = incidents.newest_message(connection, names[0]) if len(names) == 1 else None
    finally:
        store.close()
    if told is None or told.model not in config.models:
        known = ", ".join(names) or ", ".join(config.models)
        raise click.UsageError(f"no model and no one incident is called {what}; there are: {known}")
    return told.model, make_routing(config, told.model).subject(told)
