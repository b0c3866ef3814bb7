"""`driftline actions`: what incidents called for, what became of it, and the word of a person where
one is asked.

Refuses to send anything: it leaves a word in the state, and the agent acts on it within half a
minute.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from driftline.cli.options import config_option, json_option

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from driftline.config import Config
    from driftline.state.action_runs import Run
    from driftline.types.action_request import Order

F = TypeVar("F", bound=Callable[..., Any])
PAINT = {
    "sent": "green",
    "awaiting approval": "yellow",
    "refused": "red",
    "unknown": "red",
    "broken": "red",
}


def _signed(function: F) -> F:
    """`--author` and `--reason`."""
    function = click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept.")(
        function
    )
    return click.option("--author", required=True, metavar="NAME", help="Who says so; it is kept.")(
        function
    )


@click.group()
def actions() -> None:
    """What is done when incidents call for it: list, approve, reject, order by hand."""


@actions.command("list")
@click.option("--incident", metavar="ID", help="Only of this incident.")
@config_option
@json_option
def list_(incident: str | None, config: Path, as_json: bool) -> int:
    """The newest runs first: what called for each, who allowed it, what came of it."""
    from driftline.config import load
    from driftline.state import action_runs
    from driftline.state.factory import open_store

    loaded = load(config)
    store = open_store(loaded.agent.state, base=loaded.origin.parent, readonly=True)
    try:
        with store.read() as connection:
            found = action_runs.listed(connection, incident)
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps([run.plain() for run in found], ensure_ascii=False, indent=2))
    else:
        _show(found)
    return 0


@actions.command()
@click.argument("run")
@_signed
@config_option
@json_option
def approve(run: str, author: str, reason: str, config: Path, as_json: bool) -> int:
    """Let a run go that awaits approval."""
    from driftline.state import action_runs

    return _decide(action_runs.approve, run, author, reason, config, as_json)


@actions.command()
@click.argument("run")
@_signed
@config_option
@json_option
def reject(run: str, author: str, reason: str, config: Path, as_json: bool) -> int:
    """Refuse a run that awaits approval, or be done with one that failed."""
    from driftline.state import action_runs

    return _decide(action_runs.reject, run, author, reason, config, as_json)


@actions.command()
@click.argument("name")
@click.option("--incident", required=True, metavar="ID", help="The incident it is for.")
@click.option("--dry-run", is_flag=True, help="Only print exactly what would be sent.")
@click.option("--author", metavar="NAME", help="Who says so; it is kept.")
@click.option("--reason", metavar="TEXT", help="Why; it is kept.")
@config_option
@json_option
def run(
    name: str,
    incident: str,
    dry_run: bool,
    author: str | None,
    reason: str | None,
    config: Path,
    as_json: bool,
) -> int:
    """Order the action NAME for an incident by hand, once; or print what it would send."""
    from driftline.config import load

    loaded = load(config)
    told = loaded.actions.get(name)
    if told is None:
        raise click.UsageError(
            f"no action is called '{name}'; there are: {', '.join(loaded.actions) or 'none'}"
        )
    if not dry_run and (told.dry_run or not told.enabled):
        what = "dry_run is true" if told.dry_run else "it is not enabled"
        raise click.UsageError(
            f"actions.{name}: {what}, so nothing is sent; --dry-run prints what would be"
        )
    if not dry_run and (author is None or reason is None):
        raise click.UsageError("say who orders it and why: --author NAME --reason TEXT")
    if dry_run:
        return _dry(loaded, name, incident, as_json)
    with _visiting(loaded) as (connection, now):
        found, why = _ordered(connection, loaded, name, incident, author or "", reason or "", now)
    return _told(found, why, as_json)


def _decide(
    decide: Callable[..., str], token: str, author: str, reason: str, config: Path, as_json: bool
) -> int:
    from driftline.config import load
    from driftline.state import action_runs

    with _visiting(load(config)) as (connection, now):
        why = decide(connection, token, author, reason, now)
        found = action_runs.one(connection, token)
    return _told(found, why, as_json)


@contextmanager
def _visiting(config: Config) -> Iterator[tuple[Connection, datetime]]:
    from driftline.agent.composition_root import system_clock
    from driftline.state.factory import open_store

    store = open_store(config.agent.state, base=config.origin.parent, readonly=True)
    try:
        with store.note() as connection:
            yield connection, system_clock()
    finally:
        store.close()


def _ordered(
    connection: Connection,
    config: Config,
    name: str,
    incident: str,
    author: str,
    reason: str,
    now: datetime,
) -> tuple[Run | None, str]:
    from driftline.agent.action_dispatch import make_request
    from driftline.agent.composition_root import system_clock
    from driftline.extensions.guard import Guard
    from driftline.state import action_runs

    order = _order(connection, name, incident)
    if action_runs.one(connection, order.token) is None:
        request, error = make_request(config.actions[name].plugin, order, Guard(system_clock))
        if request is None:
            return None, error
        told = order.notification
        made = action_runs.Run(
            order.token, name, told.model, told.incident, order.decision, action_runs.State.APPROVED.value, "by hand", request,
            now, author=author, reason=reason, decided=now,
        )  # fmt: skip
        action_runs.add(connection, made, told)
        return action_runs.one(connection, order.token), ""
    why = action_runs.order_again(connection, order.token, author, reason, now)
    return action_runs.one(connection, order.token), why


def _dry(config: Config, name: str, incident: str, as_json: bool) -> int:
    from driftline.agent.action_dispatch import make_request
    from driftline.agent.composition_root import system_clock
    from driftline.extensions.guard import Guard
    from driftline.state import action_runs
    from driftline.state.factory import open_store

    store = open_store(config.agent.state, base=config.origin.parent, readonly=True)
    try:
        with store.read() as connection:
            order = _order(connection, name, incident)
            before = action_runs.one(connection, order.token)
    finally:
        store.close()
    request, error = make_request(config.actions[name].plugin, order, Guard(system_clock))
    request = before.request if before is not None and before.request is not None else request
    if request is None:
        raise click.ClickException(error)
    click.echo(
        json.dumps(asdict(request), ensure_ascii=False, indent=2) if as_json else str(request)
    )
    return 0


def _order(connection: Connection, name: str, incident: str) -> Order:
    """What the action is asked for, by what was last told of the incident."""
    from driftline.alerting.actions_due import token
    from driftline.state.incidents import newest_message
    from driftline.types.action_request import Order

    told = newest_message(connection, incident)
    if told is None:
        raise click.UsageError(f"there is no incident {incident!r}; `driftline status` has ids")
    decision = next((alert.decision for alert in told.alerts if alert.decision), None)
    return Order(token(told.incident, name), name, decision or "", told)


def _told(run: Run | None, why: str, as_json: bool) -> int:
    if as_json:
        click.echo(
            json.dumps(
                {"run": None if run is None else run.plain(), "error": why},
                ensure_ascii=False,
                indent=2,
            )
        )
    elif why:
        click.echo(f"not done: {why}", err=True)
    elif run is not None:
        click.echo(f"{run.token}: {run.state}")
    return 2 if why else 0


def _show(found: list[Run]) -> None:
    from rich.console import Console
    from rich.markup import escape

    from driftline.types.phrasing import clean, utc

    console = Console(highlight=False, soft_wrap=True)
    if not found:
        console.print("no incident has called for an action yet")
    for run in found:
        paint = PAINT.get(run.state, "bold")
        console.print(
            f"[{paint}]{run.state}[/]  {escape(run.action)} for {run.incident}  [dim]{utc(run.created)}  {run.token}[/]"
        )
        console.print(f"    because: {escape(clean(run.why, 400))}")
        by = f"{run.author}: " if run.author else ""
        until = (
            f"until {utc(run.expires)}" if run.state == "awaiting approval" and run.expires else ""
        )
        for line in (f"{by}{run.reason}", until, run.answer, run.error):
            if line:
                console.print(f"    {escape(clean(line, 400))}")
        if run.request is not None:
            console.print(
                f"    [dim]{escape(clean(f'{run.request.method} {run.request.target}', 400))}[/]"
            )
