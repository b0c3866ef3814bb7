"""`driftline rotate-key`: let a new key sign the links of messages."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import click

from driftline.cli.options import config_option, read_duration
from driftline.delivery.links import GOOD_FOR


@click.command()
@click.option(
    "--overlap",
    default=f"{GOOD_FOR.days}d",
    show_default=True,
    callback=read_duration,
    metavar="TIME",
    help="How long links that are signed already go on working; 0s ends them now.",
)
@config_option
def rotate_link_key(overlap: timedelta, config: Path) -> None:
    """Sign the links of messages with a new key, also while the agent runs.

    A link is valid for a week: with the default no link ends earlier. After a leak end them now.
    """
    from driftline.agent.composition_root import make_random_key, read_config, system_clock
    from driftline.cli.state import open_state
    from driftline.state.link_keys import rotate_key

    now = system_clock()
    with open_state(read_config(config)) as store, store.note() as connection:
        rotate_key(connection, make_random_key(), now, overlap)
    click.echo(f"a new key signs links; {_describe_end(now, overlap)}")


def _describe_end(now: datetime, overlap: timedelta) -> str:
    if not overlap:
        return "links of messages before it do not work any more"
    return f"links of messages before it work until {now + overlap:%Y-%m-%d %H:%M} UTC"
