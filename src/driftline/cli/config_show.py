"""`driftline config show`: the effective settings, each with the line that sets it.

Does not resolve references: no secret is read, so none can be shown.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from driftline.cli.options import config_option, json_option


@click.group("config")
def config_group() -> None:
    """Show the effective configuration."""


@config_group.command("show")
@config_option
@json_option
def show_config(config: Path, as_json: bool) -> int:
    """Print every effective setting with its origin: file and line, or default."""
    from driftline.config import load_config
    from driftline.config.document import Parts
    from driftline.config.show import effective_settings

    parts: Parts = {}
    if (settings_of_file := load_config(config)).patterns:
        # Which models a pattern has stands in the state; without one nothing of it is needed.
        from driftline.agent.discovery import known_parts

        parts = known_parts(settings_of_file)
    settings = effective_settings(config, parts=parts)
    if as_json:
        rows = [asdict(setting) for setting in settings]
        click.echo(json.dumps(rows, indent=2))
        return 0
    width = max(len(f"{setting.name}: {json.dumps(setting.value)}") for setting in settings)
    for setting in settings:
        text = f"{setting.name}: {json.dumps(setting.value, ensure_ascii=False)}"
        click.echo(f"{text.ljust(min(width, 72))}  # {setting.origin}")
    return 0
