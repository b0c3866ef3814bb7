"""`driftline explain`: an incident or a window with its numbers, rules, reference and objects.

Does not read anything but the stored state.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import config_option, json_option, parse_time
from driftline.cli.state import open_state, pick_incident

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy.engine import Connection

    from driftline.extensions.phrasebook import Phrasebook
    from driftline.types.notification import AlertFact, Notification

PAINT = {"changed": "bold red", "error": "red", "unsure": "yellow", "ok": "green"}
"""The rich style of each verdict."""
MOST_LINES = 4
"""Subjects of the summary of an incident."""
MOST_SHOWN = 20
"""Objects of a window, and unchanged findings, that are printed; --json has all."""


@click.command()
@click.argument("target", metavar="INCIDENT|MODEL")
@click.option(
    "--window",
    "start",
    metavar="START",
    help="For a model: the start of the window, UTC. Default: the newest window.",
)
@click.option(
    "--check", metavar="NAME", help="Show this check only, with measurements that no rule judges."
)
@click.option(
    "--column", metavar="NAME", help="Show this column only, with measurements that no rule judges."
)
@config_option
@json_option
def explain(
    target: str,
    start: str | None,
    check: str | None,
    column: str | None,
    config: Path,
    as_json: bool,
) -> None:
    """Explain an incident, or the verdicts of one window of a model.

    The argument is the id of an incident, the beginning of an id, or the name of a model. Prints
    the numbers, the rules, the reference and the log objects that the verdicts rest on.
    """
    from driftline.agent.discovery import load_known_config
    from driftline.agent.model_settings import phrasebook_for

    settings = load_known_config(config)
    with open_state(settings) as store, store.read() as connection:
        if target in settings.models:
            report = _window_report(connection, target, start, check, column)
        else:
            models = tuple(settings.models)
            report = _incident_report(connection, target, models, check, column)
    if as_json:
        click.echo(json.dumps(_public(report), ensure_ascii=False, indent=2))
    else:
        _show(report, phrasebook_for(settings))


def _public(report: dict[str, Any]) -> dict[str, Any]:
    """The report as `--json` prints it: the bound of a finding is in its reason there."""
    findings = [
        {name: value for name, value in finding.items() if name != "bound"}
        for finding in report["findings"]
    ]
    public = {name: value for name, value in report.items() if name != "message"}
    return {**public, "findings": findings}


def _window_report(
    connection: Connection, model: str, start: str | None, check: str | None, column: str | None
) -> dict[str, Any]:
    from driftline.report import explain

    if start is None:
        at = explain.newest_window(connection, model)
    else:
        at = parse_time("--window", start)
    report = {} if at is None else explain.explain_window(connection, model, at, check, column)
    if not report.get("findings"):
        window = f" in a window from {at:%Y-%m-%d %H:%M}" if at else ""
        raise click.UsageError(f"{model}: nothing was judged{window}")
    return report


def _incident_report(
    connection: Connection,
    prefix: str,
    models: tuple[str, ...],
    check: str | None,
    column: str | None,
) -> dict[str, Any]:
    from driftline.report import explain
    from driftline.state import incidents

    ids = incidents.find_incident_ids(connection, prefix)
    id = pick_incident(ids, prefix, models)
    report = explain.explain_incident(connection, id)
    report["message"] = incidents.load_newest_message(connection, id)
    report["findings"] = [
        finding
        for finding in report["findings"]
        if check in (None, finding["check"]) and column in (None, finding["labels"].get("column"))
    ]
    return report


def _show_summary(
    console: Console, incident: dict[str, Any], message: Notification, phrasebook: Phrasebook
) -> None:
    """Print what people need first: what changed, how sure, which rows show it, what to do."""
    from rich.markup import escape

    from driftline.types import phrasing

    lines = phrasebook.lines(message.alerts)
    for line in lines[:MOST_LINES]:
        subject = f"{line.subject}: " if line.subject else ""
        console.print(f"  {escape(phrasing.clean(subject + '; '.join(line.parts), 300))}")
    if len(lines) > MOST_LINES:
        console.print(f"  and {len(lines) - MOST_LINES} more")
    if certainty := phrasing.certainty(message):
        console.print(f"how sure: {escape(certainty)}")
    if context := phrasing.context(message):
        console.print(f"rests on: {escape(context)}")
    if message.upstream_text:
        console.print(f"changed before: {escape(phrasing.clean(message.upstream_text, 300))}")
    if incident["state"] == "firing":
        id = incident["id"]
        console.print(f"to do: driftline ack {id}, driftline snooze {id}; again: reproduce {id}")
    console.print()


def _show(report: dict[str, Any], phrasebook: Phrasebook) -> None:
    from rich.console import Console
    from rich.markup import escape

    from driftline.types.phrasing import clean

    console = Console(highlight=False, soft_wrap=True)
    incident = report["incident"]
    if incident is not None:
        console.print(f"[bold]{escape(clean(incident['title']))}[/]")
        until = f" to {_short(incident['resolved_at'])}" if incident["resolved_at"] else ""
        console.print(
            f"{incident['id']}, {incident['state']}, {incident['severity']}, "
            f"{_short(incident['since'])}{until}"
        )
        if report["message"] is not None:
            _show_summary(console, incident, report["message"], phrasebook)
        for event in incident["history"]:
            author = f"{event['author']}: " if event["author"] else ""
            suffix = f" (not sent: {event['held']})" if event["held"] else ""
            text = escape(f"{author}{event['reason']}{suffix}")
            console.print(f"[dim]  {event['event']:12} {_short(event['at'])}  {text}[/]")
        for run in incident["actions"]:
            author = f", {run['author']}: {run['reason']}" if run["author"] else ""
            words = clean(f"{run['action']}: {run['state']}{author}. {run['answer']}", 400)
            console.print(f"[dim]  action    {_short(run['at'])}  {escape(words)}[/]")
    if decision := report.get("decision"):
        console.print(f"to do: [bold]{escape(clean(decision['text'], 400))}[/]")
        for item in decision["effects"]:
            text = f"{item['decision'].replace('_', ' ')}, {item['effect']}"
            console.print(f"[dim]  {_short(item['at'])}  {escape(clean(text, 200))}[/]")
    findings = report["findings"]
    fine_findings = [
        finding for finding in findings if finding["verdict"] not in ("changed", "error")
    ]
    for finding in findings:
        if finding not in fine_findings[MOST_SHOWN:]:
            _finding(console, finding, phrasebook)
    if len(fine_findings) > MOST_SHOWN:
        console.print(
            f"[dim]and {len(fine_findings) - MOST_SHOWN} more that are fine or unsure; "
            "--check NAME and --column NAME show all of one[/]"
        )
    for windows in _same_basis(report["windows"]):
        for window in windows:
            _window(console, window)
        _basis(console, windows)


def _same_basis(windows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return the windows in groups of those at one time, with one reference and configuration."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for window in windows:
        basis = [window[name] for name in ("start", "reference", "configuration")]
        groups.setdefault(json.dumps(basis), []).append(window)
    return list(groups.values())


def _finding(console: Console, finding: dict[str, Any], phrasebook: Phrasebook) -> None:
    from rich.markup import escape

    from driftline.types.phrasing import (
        clean,
        count,
        find_movement,
        format_span_length,
        interval,
        number,
        subject,
    )

    fact = _fact(finding)
    movement = find_movement(fact)
    verdict = finding["verdict"] or "not judged"
    version = f"version {finding['version']}" if finding["version"] else ""
    series = " ".join(part for part in (subject(fact), version) if part)
    paint = PAINT.get(verdict, "dim")
    check = escape(clean(finding["check"]))
    measurement = escape(clean(finding["measurement"]))
    suffix = f" of {escape(series)}" if series else ""
    console.print(f"\n[{paint}]{verdict:8}[/] {check}: [bold]{measurement}[/]{suffix}")
    facts = [
        phrasebook.figure(fact),
        "" if movement is None else movement.text,
        interval(fact),
        phrasebook.smallest_visible(fact),
        count(finding["rows"], "row"),
    ]
    if finding["p_value"] is not None:
        facts.append(f"p {number(finding['p_value'])}")
    console.print("         " + escape(", ".join(part for part in facts if part)))
    if finding["reason"]:
        console.print(f"         because: {escape(clean(finding['reason']))}")
    for name, value in finding["asked"].items():
        if name != "type" and value is not None:
            text = escape(clean(json.dumps(value, ensure_ascii=False), 400))
            place = f"checks.{check}.{escape(clean(name))}"
            console.print(f"         asked: {text}  [dim]{place}[/]")
    if finding["since"] and finding["verdict"] == "changed":
        since = datetime.fromisoformat(finding["since"])
        newest = datetime.fromisoformat(finding["window"] or finding["since"])
        length = (
            f", {format_span_length(since, newest)} before the window shown"
            if newest > since
            else ""
        )
        console.print(f"         changed since {_short(finding['since'])}{length}")
        if began := finding.get("began"):
            console.print(
                f"         it began with window {_short(began['at'])}, at 95% between "
                f"{_short(began['from'])} and {_short(began['to'])}"
            )
    past, day = list[str](), ""
    for row in finding["past"][:-1][-5:]:
        start = _short(row["window"])[:16]
        # The date stands where it changes.
        shown = start[11:] if start[:10] == day else start
        day = start[:10]
        past.append(f"{shown} {number(row['value'])} {row['verdict']}".strip())
    if past:
        console.print(f"         [dim]before: {escape('; '.join(past))}[/]")


def _window(console: Console, window: dict[str, Any]) -> None:
    from rich.markup import escape

    from driftline.types.phrasing import clean, count, span

    within = ", ".join(clean(window[name]) for name in ("version", "segment") if window[name])
    when = span(datetime.fromisoformat(window["start"]), datetime.fromisoformat(window["end"]))
    note = "" if window["told"] else ", too old to notify anyone"
    group = f" ({escape(within)})" if within else ""
    console.print(
        f"\n[bold]window {when}[/]{group}: {count(window['rows'], 'row')}, "
        f"revision {window['revision']}{note}"
    )


def _basis(console: Console, windows: list[dict[str, Any]]) -> None:
    """Print what the windows above rest on: reference, configuration and log objects."""
    from rich.markup import escape

    from driftline.types.phrasing import clean, count

    reference, configuration = windows[0]["reference"], windows[0]["configuration"]
    # A segment has a part of the rows of an object; the window of all rows has the most.
    objects: dict[tuple[str, str], dict[str, Any]] = {}
    for obj in sorted((obj for window in windows for obj in window["objects"]), key=_rows):
        objects[obj["uri"], obj["version"]] = obj
    if reference is not None:
        uris = [escape(clean(part["uri"], 400)) for part in reference["objects"]]
        more = f" and {len(uris) - 3} more" if len(uris) > 3 else ""
        console.print(
            f"  compared with reference {reference['number']}: "
            f"{count(reference['rows'], 'row')} of {', '.join(uris[:3])}{more}"
        )
    if configuration is not None:
        plugins = ", ".join(
            f"{name} {version.split()[0]}" for name, version in configuration["plugins"].items()
        )
        console.print(
            f"  judged by configuration {configuration['digest']}, "
            f"first used {_short(configuration['first_used'])}"
        )
        console.print(f"  [dim]{escape(plugins)}[/]")
    shown = sorted(objects.items())[:MOST_SHOWN]
    for _, obj in shown:
        rejects = f", {obj['rejected']:,} rejected" if obj["rejected"] else ""
        state = "" if obj["state"] == "done" else f", {obj['state']}"
        version = escape(clean(obj["version"], 80))
        console.print(
            f"  {escape(clean(obj['uri'], 400))} [dim]version {version}[/], "
            f"{count(obj['rows'], 'row')}{rejects}{state}"
        )
    if len(objects) > len(shown):
        console.print(f"  [dim]and {count(len(objects) - len(shown), 'more object')}[/]")


def _rows(obj: dict[str, Any]) -> int:
    rows = obj["rows"]
    assert isinstance(rows, int)
    return rows


def _fact(finding: dict[str, Any]) -> AlertFact:
    """Build the alert that sinks get for a finding, so that both read the same."""
    from driftline.types.model import Severity
    from driftline.types.notification import AlertFact

    return AlertFact(
        check=finding["check"],
        measurement=finding["measurement"],
        labels=finding["labels"] | ({"segment": finding["segment"]} if finding["segment"] else {}),
        state="firing",
        severity=Severity(finding["severity"]) if finding["severity"] else Severity.INFO,
        value=finding["value"],
        was=finding["was"],
        interval=None
        if finding["interval"] is None
        else (finding["interval"][0], finding["interval"][1]),
        unit=finding["unit"],
        reason=finding["reason"],
        bound=finding["bound"],
        since=finding["since"] or finding["window"] or "1970-01-01T00:00:00+00:00",
        rows=finding["rows"],
        detail=finding["detail"],
    )


def _short(text: str | None) -> str:
    """Write an ISO time as `2026-03-02 09:00 UTC`."""
    from driftline.types.phrasing import utc

    return utc(datetime.fromisoformat(text)) if text else ""
