"""`driftline silence` and `silences`: hold back the messages of all incidents that match.

Does not wait for the agent: a silence is stored, and the leading agent obeys it from its next tick.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import click

from driftline.cli.options import (
    author_options,
    config_option,
    duration_option,
    json_option,
    parse_time,
)
from driftline.cli.state import open_incident_service


@click.command("silence")
@click.argument("matchers")
@duration_option("--for", "length", text="How long, such as 2h.")
@click.option(
    "--from",
    "start",
    metavar="TIME",
    help="When it begins, UTC, such as 2026-03-02T22:00. Default: now.",
)
@author_options
@config_option
def add_silence(
    matchers: str, length: timedelta, start: str | None, author: str, reason: str, config: Path
) -> None:
    """Hold back the messages of matching incidents for a time, now or in a planned maintenance.

    MATCHERS are `model`, `severity`, `family`, `check`, `column`, `segment` or any label, each
    with a pattern. All of them must match: 'model=churn,column=age*,severity=info|warning'.
    """
    with open_incident_service(config) as service:
        begin = None if start is None else parse_time("--from", start)
        number = service.silence(matchers, author, reason, length=length, start=begin)
    click.echo(f"silence {number} is stored; `driftline silences expire {number}` ends it")


@click.group("silences")
def silences_group() -> None:
    """List the silences that are active or planned, or end one."""


@silences_group.command("list")
@config_option
@json_option
def list_silences(config: Path, as_json: bool) -> None:
    """List the silences that are active or planned."""
    with open_incident_service(config) as service:
        rows = service.silences()
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        reason = f": {row['reason']}" if row["reason"] else ""
        click.echo(
            f"{row['id']:>4}  {row['from'][:16]} to {row['until'][:16]}  {row['matchers']}"
            f"  ({row['author']}{reason})"
        )


@silences_group.command("expire")
@click.argument("number", type=int)
@author_options
@config_option
def end_silence(number: int, author: str, reason: str, config: Path) -> None:
    """End silence NUMBER now."""
    with open_incident_service(config) as service:
        service.expire(number, author, reason)
    click.echo(f"silence {number} is over")
