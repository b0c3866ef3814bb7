"""`driftline explain`: from an incident or a window back to the numbers, the rules, the reference
and the objects.

Refuses to touch anything outside of the state.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import config_option, json_option, moment

if TYPE_CHECKING:
    from rich.console import Console

    from driftline.types.notification import AlertFact

PAINT = {"changed": "bold red", "error": "red", "unsure": "yellow", "ok": "green"}
SHOWN = 20
"""Objects of a window, and quiet findings, that are printed; --json has all."""


@click.command()
@click.argument("what")
@click.option(
    "--window",
    "start",
    metavar="START",
    help="Of a model: the window with this start, UTC; the newest when absent.",
)
@click.option("--check", metavar="NAME", help="Only this check, also what no rule judges.")
@click.option("--column", metavar="NAME", help="Only this column, also what no rule judges.")
@config_option
@json_option
def explain(
    what: str, start: str | None, check: str | None, column: str | None, config: Path, as_json: bool
) -> None:
    """Say where an incident, or the verdicts of a window, come from.

    WHAT is the id of an incident, or its beginning, or the name of a model.
    """
    from driftline.config import load
    from driftline.report import explain
    from driftline.state import incidents
    from driftline.state.factory import open_store

    loaded = load(config)
    store = open_store(loaded.agent.state, base=loaded.origin.parent, readonly=True)
    try:
        with store.read() as connection:
            if what in loaded.models:
                at = (
                    explain.newest_window(connection, what)
                    if start is None
                    else moment("--window", start)
                )
                found = (
                    {}
                    if at is None
                    else explain.explain_window(connection, what, at, check, column)
                )
                if not found.get("findings"):
                    raise click.UsageError(
                        f"{what}: nothing was judged"
                        + (f" in a window from {at:%Y-%m-%d %H:%M}" if at else "")
                    )
            else:
                found = explain.explain_incident(
                    connection, one_of(incidents.names(connection, what), what, loaded.models)
                )
                found["findings"] = [
                    told
                    for told in found["findings"]
                    if check in (None, told["check"])
                    and column in (None, told["labels"].get("column"))
                ]
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _show(found)


def one_of(found: list[str], what: str, models: Any = ()) -> str:
    """The only incident of these whose ids begin with `what`. Raises click.UsageError."""
    if len(found) == 1:
        return found[0]
    if found:
        raise click.UsageError(f"{what} may be {', '.join(found)}")
    other = f" or model {what!r}; models are: {', '.join(models)}" if models else f" {what!r}"
    raise click.UsageError(f"there is no incident{other}; `driftline status` has ids")


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape

    from driftline.types.phrasing import clean

    console = Console(highlight=False, soft_wrap=True)
    incident = found["incident"]
    if incident is not None:
        console.print(f"[bold]{escape(clean(incident['title']))}[/]")
        until = f" to {_short(incident['resolved_at'])}" if incident["resolved_at"] else ""
        console.print(
            f"{incident['id']}, {incident['state']}, {incident['severity']}, {_short(incident['since'])}{until}"
        )
        for event in incident["history"]:
            by = f"{event['author']}: " if event["author"] else ""
            held = f" (not told: {event['held']})" if event["held"] else ""
            console.print(
                f"[dim]  {event['event']:12} {_short(event['at'])}  {escape(by + event['reason'] + held)}[/]"
            )
        for run in incident["actions"]:
            by = f", {run['author']}: {run['reason']}" if run["author"] else ""
            words = clean(f"{run['action']}: {run['state']}{by}. {run['answer']}", 400)
            console.print(f"[dim]  action    {_short(run['at'])}  {escape(words)}[/]")
    quiet = [told for told in found["findings"] if told["verdict"] not in ("changed", "error")]
    for told in found["findings"]:
        if told not in quiet[SHOWN:]:
            _finding(console, told)
    if len(quiet) > SHOWN:
        console.print(
            f"[dim]and {len(quiet) - SHOWN} more that are fine or unsure; --check and --column narrow it down[/]"
        )
    for window in found["windows"]:
        _window(console, window)


def _finding(console: Console, told: dict[str, Any]) -> None:
    from rich.markup import escape

    from driftline.types.phrasing import clean, figure, interval, lasting, moved, number, subject

    fact = _fact(told)
    verdict = told["verdict"] or "not judged"
    about = " ".join(
        part
        for part in (subject(fact), f"version {told['version']}" if told["version"] else "")
        if part
    )
    paint = PAINT.get(verdict, "dim")
    head = f"[{paint}]{verdict:8}[/] {escape(clean(told['check']))}: [bold]{escape(clean(told['measurement']))}[/]"
    console.print(f"\n{head}{' of ' + escape(about) if about else ''}")
    parts = [figure(fact), moved(fact), interval(fact), f"{told['rows']:,} rows"]
    if told["p_value"] is not None:
        parts.append(f"p {number(told['p_value'])}")
    console.print("         " + escape(", ".join(part for part in parts if part)))
    if told["reason"]:
        console.print(f"         because: {escape(clean(told['reason']))}")
    for where, value in told["asked"].items():
        if where != "type" and value is not None:
            words = clean(json.dumps(value, ensure_ascii=False), 400)
            console.print(
                f"         asked: {escape(words)}  [dim]checks.{escape(clean(told['check']))}.{escape(clean(where))}[/]"
            )
    if told["since"] and told["verdict"] == "changed":
        begun = datetime.fromisoformat(told["since"])
        newest = datetime.fromisoformat(told["window"] or told["since"])
        going = f", {lasting(begun, newest)} before the window shown" if newest > begun else ""
        console.print(f"         changed since {_short(told['since'])}{going}")
    past = [
        f"{_short(each['window'])[11:16]} {number(each['value'])} {each['verdict']}".strip()
        for each in told["past"][:-1]
    ]
    if past:
        console.print(f"         [dim]before: {escape('; '.join(past[-5:]))}[/]")


def _window(console: Console, window: dict[str, Any]) -> None:
    from rich.markup import escape

    from driftline.types.phrasing import clean, span

    within = ", ".join(clean(window[name]) for name in ("version", "segment") if window[name])
    when = span(datetime.fromisoformat(window["start"]), datetime.fromisoformat(window["end"]))
    silent = "" if window["told"] else ", too old to tell anybody of"
    about = f" ({escape(within)})" if within else ""
    console.print(
        f"\n[bold]window {when}[/]{about}: {window['rows']:,} rows, revision {window['revision']}{silent}"
    )
    reference = window["reference"]
    if reference is not None:
        uris = [escape(clean(part["uri"], 400)) for part in reference["objects"]]
        more = f" and {len(uris) - 3} more" if len(uris) > 3 else ""
        console.print(
            f"  compared with reference {reference['number']}: {reference['rows']:,} rows of {', '.join(uris[:3])}{more}"
        )
    configuration = window["configuration"]
    if configuration is not None:
        plugins = ", ".join(
            f"{name} {version.split()[0]}" for name, version in configuration["plugins"].items()
        )
        console.print(
            f"  judged by configuration {configuration['digest']}, first used {_short(configuration['first_used'])}"
        )
        console.print(f"  [dim]{escape(plugins)}[/]")
    for obj in window["objects"][:SHOWN]:
        rejected = f", {obj['rejected']:,} rejected" if obj["rejected"] else ""
        state = "" if obj["state"] == "done" else f", {obj['state']}"
        version = escape(clean(obj["version"], 80))
        console.print(
            f"  {escape(clean(obj['uri'], 400))} [dim]version {version}[/], {obj['rows']:,} rows{rejected}{state}"
        )
    if len(window["objects"]) > SHOWN:
        console.print(f"  [dim]and {len(window['objects']) - SHOWN} more objects[/]")


def _fact(told: dict[str, Any]) -> AlertFact:
    """A finding as sinks are told of it, so that it reads the same here."""
    from driftline.types.model import Severity
    from driftline.types.notification import AlertFact

    return AlertFact(
        check=told["check"],
        measurement=told["measurement"],
        labels=told["labels"] | ({"segment": told["segment"]} if told["segment"] else {}),
        state="firing",
        severity=Severity(told["severity"]) if told["severity"] else Severity.INFO,
        value=told["value"],
        was=told["was"],
        interval=None if told["interval"] is None else (told["interval"][0], told["interval"][1]),
        unit=told["unit"],
        reason=told["reason"],
        since=told["since"] or told["window"] or "1970-01-01T00:00:00+00:00",
        rows=told["rows"],
        detail=told["detail"],
    )


def _short(text: str | None) -> str:
    """`2026-03-02 09:00 UTC`."""
    from driftline.types.phrasing import utc

    return utc(datetime.fromisoformat(text)) if text else ""
