"""`driftline schema`: print JSON Schemas for programs and editors."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.option(
    "--notification",
    is_flag=True,
    help="Print the schema of the webhook sink's messages instead.",
)
@click.option(
    "--plugins",
    "paths",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A file or folder with your own plugins. Repeatable.",
)
def schema(notification: bool, paths: tuple[Path, ...]) -> int:
    """Print the JSON Schema of the configuration, for editors."""
    if notification:
        from driftline.types.notification import Notification

        document = Notification.model_json_schema()
    else:
        from driftline.config.reference_docs.schema import json_schema
        from driftline.extensions import Registry

        document = json_schema(Registry.load(paths))
    click.echo(json.dumps(document, indent=2))
    return 0
