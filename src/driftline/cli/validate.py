"""`driftline validate`: every mistake of a configuration, with its place and the mend.

Refuses to open a connection, read a secret, or load what a cloud needs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from driftline.cli.options import config_option, json_option


@click.command()
@config_option
@json_option
def validate(config: Path, as_json: bool) -> int:
    """Check a configuration: offline, all mistakes at once. Exits 2 when there are some."""
    from driftline.config import load
    from driftline.types.errors import ConfigError

    try:
        made = load(config)
    except ConfigError as error:
        if not as_json:
            raise
        problems = [
            {
                "file": one.path,
                "line": one.line,
                "column": one.column,
                "name": one.name,
                "message": one.message,
            }
            for one in error.problems
        ]
        click.echo(json.dumps({"valid": False, "problems": problems}, indent=2))
        return 2
    notes = [str(problem) for problem in made.registry.problems]
    if as_json:
        found: dict[str, Any] = {"valid": True, "problems": [], "notes": notes}
        click.echo(
            json.dumps(found | {"models": list(made.models), "sinks": list(made.sinks)}, indent=2)
        )
        return 0
    for note in notes:
        click.echo(f"plugin not loaded: {note}", err=True)
    checks = sum(len(model.checks or ()) for model in made.models.values())
    parts = [f"{len(made.models)} model", f"{checks} check", f"{len(made.sinks)} sink"]
    told = ", ".join(part if part.startswith("1 ") else f"{part}s" for part in parts)
    click.echo(f"{config}: fine: {told}")
    return 0
