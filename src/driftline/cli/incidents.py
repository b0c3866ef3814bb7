"""What people do to incidents on the command line: look, acknowledge, snooze, silence.

Refuses to wait for the agent: an act is left in the state, and the agent that leads deals with it
at its next tick.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from driftline.cli.options import PAINT, config_option, json_option, moment

if TYPE_CHECKING:
    from driftline.incidents.desk import Desk

F = TypeVar("F", bound=Callable[..., Any])


def by_option(function: F) -> F:
    """`--author` and `--reason`."""
    function = click.option(
        "--reason", default="", metavar="TEXT", help="Why; kept in the history."
    )(function)
    return click.option(
        "--author", default=_me, metavar="NAME", help="Who; your login name when absent."
    )(function)


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def lasting(context: click.Context, parameter: click.Parameter, value: str) -> timedelta:
    """Read a length of time such as 4h."""
    from driftline.types.scalars import duration

    try:
        return duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@contextmanager
def desk(config: Path) -> Iterator[Desk]:
    """Where acts are left. Raises click.UsageError for those that can't be done."""
    from driftline.agent.composition_root import system_clock
    from driftline.config import load
    from driftline.incidents.desk import Desk, Refused
    from driftline.state.factory import open_store

    loaded = load(config)
    store = open_store(loaded.agent.state, base=loaded.origin.parent, readonly=True)
    try:
        yield Desk(store, system_clock)
    except Refused as error:
        raise click.UsageError(str(error)) from None
    finally:
        store.close()


@click.command("incidents")
@click.option("--all", "every", is_flag=True, help="Also those that are over.")
@config_option
@json_option
def incidents(every: bool, config: Path, as_json: bool) -> None:
    """List the open incidents, with who acknowledged them and what holds them back. Ends with 1
    when there are any.
    """
    with desk(config) as place:
        found = place.listed(every=every)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _show(found)
    raise SystemExit(1 if any(row["state"] == "firing" for row in found) else 0)


def _show(found: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200  # a file or a pipe has no edge to keep to
    if not found:
        console.print("no open incident")
    for row in found:
        over = row["state"] != "firing"
        console.print(
            f"[dim]{row['id']}[/]  [{'green' if over else PAINT[row['severity']]}]{'over' if over else row['severity']:8}[/]"
            f"  {escape(row['title'])}"
        )
        marks = (
            [f"acknowledged by {row['acknowledged_by']}"]
            if row["acknowledged_by"] and not over
            else []
        )
        marks += [f"held: {row['held']}"] if row["held"] and not over else []
        marks += ["comes and goes"] if row["flapping"] and not over else []
        if marks:
            console.print(f"{'':22}[dim]{escape(', '.join(marks))}[/]")


@click.command("ack")
@click.argument("incident")
@by_option
@config_option
def ack(incident: str, author: str, reason: str, config: Path) -> None:
    """Say that you look after INCIDENT: more columns are no news then, more severity and the end
    are.
    """
    from driftline.alerting.acts import Kind

    with desk(config) as place:
        _left("acknowledged", *place.ask(Kind.ACKNOWLEDGE, incident, author, reason))


@click.command("snooze")
@click.argument("incident")
@click.option(
    "--for", "length", required=True, callback=lasting, metavar="TIME", help="How long, such as 4h."
)
@by_option
@config_option
def snooze(incident: str, length: timedelta, author: str, reason: str, config: Path) -> None:
    """Hear nothing of INCIDENT for a time but its end; if it is still open then, you are told."""
    from driftline.alerting.acts import Kind

    with desk(config) as place:
        _left("snoozed", *place.ask(Kind.SNOOZE, incident, author, reason, lasting=length))


@click.command("silence")
@click.argument("matchers")
@click.option(
    "--for", "length", required=True, callback=lasting, metavar="TIME", help="How long, such as 2h."
)
@click.option(
    "--from",
    "start",
    metavar="TIME",
    help="When it begins, UTC, such as 2026-03-02T22:00; now when absent.",
)
@by_option
@config_option
def silence(
    matchers: str, length: timedelta, start: str | None, author: str, reason: str, config: Path
) -> None:
    """Hear nothing of what matches for a time, now or in a planned maintenance window.

    MATCHERS are `model`, `severity`, `family`, `check`, `column`, `segment` or any label with a
    pattern, all of which must hold: 'model=churn,column=age*,severity=info|warning'.
    """
    with desk(config) as place:
        begin = None if start is None else moment("--from", start)
        number = place.silence(matchers, author, reason, lasting=length, start=begin)
    click.echo(f"silence {number} is noted; `driftline silences expire {number}` ends it")


@click.group("silences")
def silences() -> None:
    """The silences that are on or still to come."""


@silences.command("list")
@config_option
@json_option
def list_(config: Path, as_json: bool) -> None:
    """List them."""
    with desk(config) as place:
        found = place.silences()
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    for row in found if not as_json else ():
        told = f": {row['reason']}" if row["reason"] else ""
        click.echo(
            f"{row['id']:>4}  {row['from'][:16]} to {row['until'][:16]}  {row['matchers']}  ({row['author']}{told})"
        )


@silences.command("expire")
@click.argument("number", type=int)
@by_option
@config_option
def expire(number: int, author: str, reason: str, config: Path) -> None:
    """End silence NUMBER now."""
    with desk(config) as place:
        place.expire(number, author, reason)
    click.echo(f"silence {number} is over")


def _left(what: str, name: str, outcome: str) -> None:
    when = "" if outcome == "done" else ": the agent does it with its next look at the source"
    click.echo(f"{name} {what}{when}")
