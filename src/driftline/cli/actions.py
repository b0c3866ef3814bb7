"""`driftline actions`: list the runs of actions, approve or reject one, or start one by hand.

Does not send anything: a decision is stored, and the agent acts on it within half a minute.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from driftline.cli.options import config_option, json_option
from driftline.cli.state import open_state

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from driftline.config import Config
    from driftline.state.action_runs import Run
    from driftline.types.action_request import Order

F = TypeVar("F", bound=Callable[..., Any])


def _signature_options(function: F) -> F:
    """Add the required options `--author` and `--reason`."""
    function = click.option(
        "--reason", required=True, metavar="TEXT", help="The reason, kept with the run."
    )(function)
    return click.option(
        "--author", required=True, metavar="NAME", help="Your name, kept with the run."
    )(function)


@click.group("actions")
def actions_group() -> None:
    """List, approve, reject or start the actions of incidents."""


@actions_group.command("list")
@click.option("--incident", metavar="ID", help="List the runs of this incident only.")
@config_option
@json_option
def list_runs(incident: str | None, config: Path, as_json: bool) -> int:
    """List the runs of actions, newest first: cause, approval and outcome of each."""
    from driftline.agent.discovery import load_known_config
    from driftline.state import action_runs

    with open_state(load_known_config(config)) as store, store.read() as connection:
        runs = action_runs.load_runs(connection, incident)
    if as_json:
        click.echo(json.dumps([run.to_json_values() for run in runs], ensure_ascii=False, indent=2))
    else:
        _show(runs)
    return 0


@actions_group.command("approve")
@click.argument("run")
@_signature_options
@config_option
@json_option
def approve_run(run: str, author: str, reason: str, config: Path, as_json: bool) -> int:
    """Approve a run that awaits approval."""
    from driftline.state import action_runs

    return _decide(
        action_runs.mark_approved,
        token=run,
        author=author,
        reason=reason,
        path=config,
        as_json=as_json,
    )


@actions_group.command("reject")
@click.argument("run")
@_signature_options
@config_option
@json_option
def reject_run(run: str, author: str, reason: str, config: Path, as_json: bool) -> int:
    """Reject a run that awaits approval, or close one that failed."""
    from driftline.state import action_runs

    return _decide(
        action_runs.mark_rejected,
        token=run,
        author=author,
        reason=reason,
        path=config,
        as_json=as_json,
    )


@actions_group.command("run")
@click.argument("name")
@click.option("--incident", required=True, metavar="ID", help="The incident that it is for.")
@click.option("--dry-run", is_flag=True, help="Print exactly what would be sent, and send nothing.")
@click.option("--author", metavar="NAME", help="Your name, kept with the run.")
@click.option("--reason", metavar="TEXT", help="The reason, kept with the run.")
@config_option
@json_option
def start_run(
    name: str,
    incident: str,
    dry_run: bool,
    author: str | None,
    reason: str | None,
    config: Path,
    as_json: bool,
) -> int:
    """Start the action NAME for an incident by hand, once, or print what it would send."""
    from driftline.agent.composition_root import system_clock
    from driftline.agent.discovery import load_known_config

    settings = load_known_config(config)
    action = settings.actions.get(name)
    if action is None:
        raise click.UsageError(
            f"no action is called '{name}'; there are: {', '.join(settings.actions) or 'none'}"
        )
    if dry_run:
        return _preview(settings, name, incident, as_json)
    if action.dry_run or not action.enabled:
        cause = "dry_run is true" if action.dry_run else "it is not enabled"
        raise click.UsageError(
            f"actions.{name}: {cause}, so nothing is sent; --dry-run prints what would be sent"
        )
    if author is None or reason is None:
        raise click.UsageError("give your name and the reason: --author NAME --reason TEXT")
    with open_state(settings) as store, store.note() as connection:
        run, error = _order_run(
            connection,
            settings,
            name=name,
            incident=incident,
            author=author,
            reason=reason,
            now=system_clock(),
        )
    return _report(run, error, as_json)


def _decide(
    decide: Callable[..., str], *, token: str, author: str, reason: str, path: Path, as_json: bool
) -> int:
    from driftline.agent.composition_root import system_clock
    from driftline.agent.discovery import load_known_config
    from driftline.state import action_runs

    with open_state(load_known_config(path)) as store, store.note() as connection:
        error = decide(connection, token, author, reason, system_clock())
        run = action_runs.find_run(connection, token)
    return _report(run, error, as_json)


def _order_run(
    connection: Connection,
    config: Config,
    *,
    name: str,
    incident: str,
    author: str,
    reason: str,
    now: datetime,
) -> tuple[Run | None, str]:
    """Store an approved run, or order the stored one again. Returns the run and an error text."""
    from driftline.agent.action_dispatch import make_request
    from driftline.agent.composition_root import system_clock
    from driftline.extensions.guard import Guard
    from driftline.state import action_runs

    order = _order(connection, name, incident)
    if action_runs.find_run(connection, order.token) is not None:
        error = action_runs.order_again(connection, order.token, author, reason, now)
        return action_runs.find_run(connection, order.token), error
    request, error = make_request(config.actions[name].plugin, order, Guard(system_clock))
    if request is None:
        return None, error
    notification = order.notification
    run = action_runs.Run(
        token=order.token,
        action=name,
        model=notification.model,
        incident=notification.incident,
        decision=order.decision,
        state=action_runs.State.APPROVED.value,
        trigger="by hand",
        request=request,
        created_at=now,
        author=author,
        reason=reason,
        decided_at=now,
    )
    action_runs.add_run(connection, run, notification)
    return action_runs.find_run(connection, order.token), ""


def _preview(config: Config, name: str, incident: str, as_json: bool) -> int:
    """Print the request of a run: the stored one, or the one that the action would build now."""
    from driftline.agent.action_dispatch import make_request
    from driftline.agent.composition_root import system_clock
    from driftline.extensions.guard import Guard
    from driftline.state import action_runs

    with open_state(config) as store, store.read() as connection:
        order = _order(connection, name, incident)
        run = action_runs.find_run(connection, order.token)
    request, error = make_request(config.actions[name].plugin, order, Guard(system_clock))
    if run is not None and run.request is not None:
        request = run.request
    if request is None:
        raise click.ClickException(error)
    click.echo(
        json.dumps(asdict(request), ensure_ascii=False, indent=2) if as_json else str(request)
    )
    return 0


def _order(connection: Connection, name: str, incident: str) -> Order:
    """Build the order of an action from the newest message of an incident."""
    from driftline.alerting.actions_due import run_token
    from driftline.state.incidents import load_newest_message
    from driftline.types.action_request import Order

    message = load_newest_message(connection, incident)
    if message is None:
        raise click.UsageError(
            f"there is no incident {incident!r}; `driftline incidents --all` lists the ids"
        )
    decision = next((alert.decision for alert in message.alerts if alert.decision), None)
    return Order(run_token(message.incident, name), name, decision or "", message)


def _report(run: Run | None, error: str, as_json: bool) -> int:
    """Print the outcome; returns the exit code."""
    if as_json:
        document = {"run": None if run is None else run.to_json_values(), "error": error}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    elif error:
        click.echo(f"not done: {error}", err=True)
    elif run is not None:
        click.echo(f"{run.token}: {run.state}")
    return 2 if error else 0


def _show(runs: list[Run]) -> None:
    from rich.console import Console
    from rich.markup import escape

    from driftline.state.action_runs import State
    from driftline.types.message_state import MessageState
    from driftline.types.phrasing import clean, utc

    console = Console(highlight=False, soft_wrap=True)
    styles: dict[str, str] = {
        MessageState.SENT: "green",
        State.AWAITING: "yellow",
        MessageState.REFUSED: "red",
        MessageState.UNKNOWN: "red",
        State.BROKEN: "red",
    }
    if not runs:
        console.print("no incident has called for an action yet")
    for run in runs:
        style = styles.get(run.state, "bold")
        console.print(
            f"[{style}]{run.state}[/]  {escape(run.action)} for {run.incident}"
            f"  [dim]{utc(run.created_at)}  {run.token}[/]"
        )
        console.print(f"    because: {escape(clean(run.trigger, 400))}")
        author = f"{run.author}: " if run.author else ""
        waits = run.state == State.AWAITING and run.expires_at
        until = f"until {utc(run.expires_at)}" if waits and run.expires_at else ""
        for line in (f"{author}{run.reason}", until, run.answer, run.error):
            if line:
                console.print(f"    {escape(clean(line, 400))}")
        if run.request is not None:
            request = clean(f"{run.request.method} {run.request.target}", 400)
            console.print(f"    [dim]{escape(request)}[/]")
