"""`driftline incidents`, `ack` and `snooze`: list the open incidents and act on one of them.

Does not wait for the agent: an act is stored, and the leading agent applies it at its next tick.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from driftline.cli.options import (
    PAINT,
    author_options,
    config_option,
    duration_option,
    json_option,
)
from driftline.cli.state import open_incident_service


@click.command("incidents")
@click.option("--all", "with_resolved", is_flag=True, help="List resolved incidents, too.")
@config_option
@json_option
def list_incidents(with_resolved: bool, config: Path, as_json: bool) -> None:
    """List the open incidents, who acknowledged them, and what holds their messages back.

    Exits with 1 when an incident is open.
    """
    with open_incident_service(config) as service:
        rows = service.list_incidents(every=with_resolved)
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        _show(rows)
    raise SystemExit(1 if any(row["state"] == "firing" for row in rows) else 0)


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has no edge to keep to
    if not rows:
        console.print("no open incident")
    for row in rows:
        is_over = row["state"] != "firing"
        paint = "green" if is_over else PAINT[row["severity"]]
        word = "over" if is_over else row["severity"]
        console.print(
            f"[dim]{row['id']}[/]  [{paint}]{word:8}[/]  {escape(row['title'])}",
        )
        if is_over:
            continue
        marks = []
        if row["acknowledged_by"]:
            marks.append(f"acknowledged by {row['acknowledged_by']}")
        if row["held"]:
            marks.append(f"held: {row['held']}")
        if row["flapping"]:
            marks.append("comes and goes")
        if marks:
            console.print(f"{'':22}[dim]{escape(', '.join(marks))}[/]")


@click.command("ack")
@click.argument("incident")
@author_options
@config_option
def acknowledge(incident: str, author: str, reason: str, config: Path) -> None:
    """Acknowledge INCIDENT: say that you look after it.

    After that, a higher severity and the end are still sent; further columns are not.
    """
    from driftline.alerting.acts import ActKind

    with open_incident_service(config) as service:
        _confirm(
            "acknowledged", *service.request_act(ActKind.ACKNOWLEDGE, incident, author, reason)
        )


@click.command("snooze")
@click.argument("incident")
@duration_option("--for", "length", text="How long, such as 4h.")
@author_options
@config_option
def snooze(incident: str, length: timedelta, author: str, reason: str, config: Path) -> None:
    """Hold back the messages of INCIDENT for a time, except its end.

    An incident that is still open after that time is sent again.
    """
    from driftline.alerting.acts import ActKind

    with open_incident_service(config) as service:
        _confirm(
            "snoozed", *service.request_act(ActKind.SNOOZE, incident, author, reason, length=length)
        )


def _confirm(act: str, name: str, outcome: str) -> None:
    when = "" if outcome == "done" else ": the agent does it when it next reads the source"
    click.echo(f"{name} {act}{when}")
