"""`driftline validate`: list every mistake of a configuration, with its place and how to fix it.

Does not open a connection, read a secret, or import the SDK of a cloud.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from driftline.cli.options import config_option, json_option


@click.command()
@config_option
@json_option
def validate(config: Path, as_json: bool) -> int:
    """Check a configuration offline and list all mistakes. Exits with 2 when there are some."""
    from driftline.config import load_config
    from driftline.types.errors import ConfigError

    try:
        settings = load_config(config)
    except ConfigError as error:
        if not as_json:
            raise
        problems = [
            {
                "file": problem.path,
                "line": problem.line,
                "column": problem.column,
                "name": problem.name,
                "message": problem.message,
            }
            for problem in error.problems
        ]
        click.echo(json.dumps({"valid": False, "problems": problems}, indent=2))
        return 2
    notes = [str(problem) for problem in settings.registry.problems]
    if as_json:
        document = {
            "valid": True,
            "problems": [],
            "notes": notes,
            "models": list(settings.models),
            "sinks": list(settings.sinks),
        }
        click.echo(json.dumps(document, indent=2))
        return 0
    for note in notes:
        click.echo(f"plugin not loaded: {note}", err=True)
    checks = sum(len(model.checks or ()) for model in settings.models.values())
    counts = {"model": len(settings.models), "check": checks, "sink": len(settings.sinks)}
    summary = ", ".join(
        f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in counts.items()
    )
    click.echo(f"{config}: fine: {summary}")
    return 0
