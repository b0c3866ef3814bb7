"""`driftline backup`: copy the state into one file, also while the agent runs."""

from __future__ import annotations

from pathlib import Path

import click

from driftline.cli.options import config_option


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@config_option
def backup(file: Path, config: Path) -> None:
    """Copy the state into FILE, also while the agent runs.

    To restore: stop the agent, put FILE in the place of the database, and start the agent.
    """
    from driftline.agent.composition_root import read_config
    from driftline.state.backup import back_up

    settings = read_config(config)
    size = back_up(settings.agent.state, settings.origin.parent, file)
    click.echo(f"{file}: {size / 1_000_000:,.1f} MB; docs/backup.md says how to restore it")
