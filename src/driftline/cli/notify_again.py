"""`driftline notify again`: what a sink refused, or was given up, is sent once more.

Refuses what is out of date: where a newer message of the incident got through since, the old one
stays unsent.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from driftline.cli.options import config_option, json_option

MOST = 1000
"""Dead letters that one call takes, newest first."""


@click.command()
@click.argument("sink")
@config_option
@json_option
def again(sink: str, config: Path, as_json: bool) -> None:
    """Send the dead letters of SINK again, once what was wrong is mended. The agent that leads
    sends them within a minute.
    """
    from driftline.agent.composition_root import system_clock
    from driftline.config import load
    from driftline.state import outbox
    from driftline.state.factory import open_store

    loaded = load(config)
    if sink not in loaded.sinks:
        raise click.UsageError(f"no sink is called {sink}; there are: {', '.join(loaded.sinks)}")
    store = open_store(loaded.agent.state, base=loaded.origin.parent, readonly=True)
    try:
        with store.note() as connection:
            letters = outbox.dead_letters(connection, sink, MOST)
            sent = [
                letter for letter in letters if outbox.rearm(connection, letter.id, system_clock())
            ]
    finally:
        store.close()
    if as_json:
        told = {
            "sink": sink,
            "again": [letter.title for letter in sent],
            "out_of_date": len(letters) - len(sent),
        }
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for letter in sent:
        click.echo(f"again  {letter.title}")
    left = len(letters) - len(sent)
    click.echo(
        f"{len(sent)} to send again"
        + (f"; {left} out of date, a newer message got through" if left else "")
    )
