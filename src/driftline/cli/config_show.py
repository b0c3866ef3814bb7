"""`driftline config show`: what is in force, and the line that says so.

Refuses to resolve references: no secret is read, so none can be shown.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from driftline.cli.options import config_option, json_option


@click.group()
def config() -> None:
    """Look into the configuration."""


@config.command()
@config_option
@json_option
def show(config: Path, as_json: bool) -> int:
    """Print every setting in force with its origin: file and line, or default."""
    from driftline.config.show import effective

    settings = effective(config)
    if as_json:
        click.echo(
            json.dumps(
                [{"name": one.name, "value": one.value, "origin": one.origin} for one in settings],
                indent=2,
            )
        )
        return 0
    width = max(len(f"{one.name}: {json.dumps(one.value)}") for one in settings)
    for one in settings:
        text = f"{one.name}: {json.dumps(one.value, ensure_ascii=False)}"
        click.echo(f"{text.ljust(min(width, 72))}  # {one.origin}")
    return 0
