"""`driftline schema`: JSON Schemas for programs and editors.

Refuses to write files: `> driftline.schema.json` does.
"""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.option(
    "--notification",
    is_flag=True,
    help="Of what the webhook sink sends, instead of the configuration.",
)
@click.option(
    "--plugins",
    "paths",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Your own plugins: a file or folder.",
)
def schema(notification: bool, paths: tuple[Path, ...]) -> int:
    """Print the JSON Schema of the configuration, for editors."""
    if notification:
        from driftline.types.notification import Notification

        found = Notification.model_json_schema()
    else:
        from driftline.config.reference_docs.schema import json_schema
        from driftline.extensions import Registry

        found = json_schema(Registry.load(paths))
    click.echo(json.dumps(found, indent=2))
    return 0
