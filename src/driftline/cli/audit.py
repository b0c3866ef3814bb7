"""`driftline audit`: what people changed, by whom, when and why."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import click

from driftline.cli.options import config_option, json_option, read_duration
from driftline.cli.state import open_state

MOST_CHANGES = 10_000


@click.command()
@click.option("--model", default="", help="Only changes of this model.")
@click.option("--author", default="", help="Only changes by this person.")
@click.option("--kind", default="", help="Only acknowledge, snooze, silence, record ...")
@click.option(
    "--since",
    callback=lambda context, parameter, value: value and read_duration(context, parameter, value),
    metavar="TIME",
    help="Only this long ago or later, such as 7d.",
)
@click.option(
    "--limit",
    default=50,
    show_default=True,
    type=click.IntRange(1, MOST_CHANGES),
    help="The most changes.",
)
@json_option
@config_option
def audit(
    model: str,
    author: str,
    kind: str,
    since: timedelta | None,
    limit: int,
    as_json: bool,
    config: Path,
) -> None:
    """List what people changed, the newest first: acts, silences, actions, records, configurations.

    Each line has the time, the kind and what was done, the model, the subject, the author and the
    reason. Of a configuration the digest is listed, which `driftline explain` names.
    """
    from driftline.agent.composition_root import system_clock
    from driftline.agent.discovery import load_known_config
    from driftline.cli.known_names import require_name
    from driftline.state.audit import KINDS, ChangeFilter, load_changes

    if kind:
        require_name(kind, KINDS, "kind of change")
    settings = load_known_config(config)
    selection = ChangeFilter(
        model=model,
        author=author,
        kind=kind,
        since=None if since is None else system_clock() - since,
    )
    with open_state(settings) as store, store.read() as connection:
        changes = load_changes(connection, selection, limit)
        if model and not changes:
            require_name(model, tuple(settings.models), "model")
    if as_json:
        rows = [change.as_json() for change in changes]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for change in changes:
        by = f" by {change.author}" if change.author else ""
        way = f" ({change.way})" if change.way else ""
        reason = f": {change.reason}" if change.reason else ""
        outcome = f" [{change.outcome}]" if change.outcome else ""
        click.echo(
            f"{change.at:%Y-%m-%d %H:%M:%S}  {change.kind}  {change.act}  "
            f"{change.model} {change.subject}{by}{way}{reason}{outcome}".rstrip()
        )
