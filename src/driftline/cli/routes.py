"""`driftline routes`: the sinks that an incident goes to, and the routes that decide it.

Does not send anything.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import config_option, json_option
from driftline.cli.state import open_state

if TYPE_CHECKING:
    from driftline.config import Config
    from driftline.delivery.routing import RoutingSubject

SEVERITIES = ("info", "warning", "critical")


@click.group("routes")
def routes_group() -> None:
    """Show which sinks an incident goes to, and why."""


@routes_group.command("explain")
@click.argument("target", metavar="MODEL|INCIDENT")
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    help="The severity of the incident. Default for a model: critical.",
)
@click.option(
    "--family",
    help="drift, quality, service, performance or monitoring. Default for a model: drift.",
)
@click.option(
    "--segment",
    multiple=True,
    metavar="NAME=VALUE",
    help="The segment of an alert. Repeatable.",
)
@click.option("--check", multiple=True, metavar="NAME", help="The check of an alert. Repeatable.")
@click.option(
    "--tag", multiple=True, metavar="NAME=VALUE", help="Replaces a tag of the model. Repeatable."
)
@config_option
@json_option
def explain_route(
    target: str,
    severity: str | None,
    family: str | None,
    segment: tuple[str, ...],
    check: tuple[str, ...],
    tag: tuple[str, ...],
    config: Path,
    as_json: bool,
) -> None:
    """Show the sinks of an incident, stored or imagined, and the routes that were tried.

    The argument is the name of a model, the id of an incident, or the beginning of an id.
    """
    from dataclasses import replace

    from driftline.agent.discovery import load_known_config
    from driftline.agent.receivers import make_routing
    from driftline.types.model import Severity

    settings = load_known_config(config)
    model, subject = _subject(settings, target)
    routing = make_routing(settings, model)
    overrides: dict[str, Any] = {
        "severity": Severity(severity) if severity else None,
        "families": frozenset({family}) if family else None,
    }
    overrides |= {"segments": frozenset(segment), "checks": frozenset(check)}
    option_tags = {name: frozenset({value}) for name, value in map(_pair, tag)}
    tags = routing.tags_of(check) if check else subject.tags
    overrides["tags"] = {**tags, **option_tags}
    subject = replace(subject, **{name: value for name, value in overrides.items() if value})
    way = routing.route(subject)
    sinks = {
        name: {"route": place, **_reach(settings, name, subject)}
        for name, place in way.sinks.items()
    }
    if as_json:
        visits = [
            {"route": visit.place, "taken": visit.matches, "why": visit.reason}
            for visit in way.visits
        ]
        document = {
            "model": model,
            "severity": subject.severity,
            "families": sorted(subject.families),
            "sinks": sinks,
            "fallback": way.fallback,
            "routes": visits,
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    click.echo(f"{model}: {subject.severity} {', '.join(sorted(subject.families))}")
    for visit in way.visits:
        depth = visit.place.count(".")
        answer = "taken" if visit.matches else "not  "
        click.echo(f"  {'  ' * depth}{answer}  {visit.place}: {visit.reason}")
    for name, sink in sinks.items():
        click.echo(
            f"-> {name}  (by {sink['route']})"
            + ("" if sink["told"] else f"  but not sent: {sink['why']}")
        )
    if not sinks:
        click.echo("-> nobody")
    if way.fallback:
        click.echo(f"   in place of a sink that fails: {', '.join(way.fallback)}")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--tag {text}: should be NAME=VALUE")
    return name, value


def _reach(config: Config, name: str, subject: RoutingSubject) -> dict[str, Any]:
    """Return whether the sink takes incidents of this severity, and the reason where it doesn't."""
    least = config.sinks[name].min_severity
    if subject.severity.rank >= least.rank:
        return {"told": True}
    return {"told": False, "why": f"its min_severity is {least}"}


def _subject(config: Config, target: str) -> tuple[str, RoutingSubject]:
    """Return the model and what its routes match: of a stored incident, its newest message."""
    from driftline.agent.receivers import make_routing
    from driftline.delivery.routing import RoutingSubject
    from driftline.state import incidents
    from driftline.types.model import Severity

    if target in config.models:
        return target, RoutingSubject(
            model=target,
            severity=Severity.CRITICAL,
            families=frozenset({"drift"}),
            tags=make_routing(config, target).tags_of(()),
        )
    with open_state(config) as store, store.read() as connection:
        names = incidents.find_incident_ids(connection, target)
        message = incidents.load_newest_message(connection, names[0]) if len(names) == 1 else None
    if message is None or message.model not in config.models:
        candidates = ", ".join(names) or ", ".join(config.models)
        raise click.UsageError(
            f"no model is called {target}, and no single incident; there are: {candidates}"
        )
    return message.model, make_routing(config, message.model).subject(message)
