"""`driftline validate`: list every mistake of a configuration, with its place and how to fix it.

Does not open a connection or import the SDK of a cloud. Of secrets it reads the tokens of the
agent's port, where they are there, for their length.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from driftline.cli.options import config_option, json_option
from driftline.config.document import dotted_name
from driftline.types.scrubbing import find_password

if TYPE_CHECKING:
    from driftline.config.document import Document
    from driftline.config.models import ModelConfig


@click.command()
@config_option
@json_option
def validate(config: Path, as_json: bool) -> int:
    """Check a configuration offline and list all mistakes. Exits with 2 when there are some."""
    from driftline.config import load_config
    from driftline.config.document import read_document
    from driftline.config.tokens import find_token_problems
    from driftline.types.errors import ConfigError
    from driftline.types.secret import read_secret

    try:
        settings = load_config(config)
        problems = list(find_token_problems(read_document(config), read_secret))
        if problems:
            raise ConfigError(problems)
    except ConfigError as error:
        if not as_json:
            raise
        described = [
            {
                "file": problem.path,
                "line": problem.line,
                "column": problem.column,
                "name": problem.name,
                "message": problem.message,
            }
            for problem in error.problems
        ]
        click.echo(json.dumps({"valid": False, "problems": described}, indent=2))
        return 2
    notes = [str(problem) for problem in settings.registry.problems]
    times = {name: describe_times(model) for name, model in settings.models.items()}
    public_hints = find_public_hints(settings.agent.public_url)
    hints = [
        *public_hints,
        *find_password_hints(read_document(config)),
        *(hint for name, model in settings.models.items() for hint in find_hints(name, model)),
    ]
    if as_json:
        document = {
            "valid": True,
            "problems": [],
            "notes": notes,
            "reference_times": times,
            "hints": hints,
            "models": list(settings.models),
            "sinks": list(settings.sinks),
        }
        click.echo(json.dumps(document, indent=2))
        return 0
    for note in notes:
        click.echo(f"plugin not loaded: {note}", err=True)
    for name, text in times.items():
        click.echo(f"reference of {name}: {text}")
    for hint in hints:
        click.echo(f"hint: {hint}")
    checks = sum(len(model.checks or ()) for model in settings.models.values())
    counts = {"model": len(settings.models), "check": checks, "sink": len(settings.sinks)}
    summary = ", ".join(
        f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in counts.items()
    )
    click.echo(f"{config}: fine: {summary}")
    return 0


def find_public_hints(public_url: str | None) -> Iterator[str]:
    """Yield a sentence when links in messages would lead people over a line without encryption."""
    parts = urlsplit(public_url or "")
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        yield (
            f"agent.public_url: {public_url} is not encrypted, and its links let people act on "
            "incidents; use https"
        )


def find_password_hints(document: Document) -> Iterator[str]:
    """Yield a sentence for each password that stands in a URL of the file."""
    for loc, place in document.values.items():
        try:
            value = document.get(loc)
        except (KeyError, IndexError, TypeError):
            continue
        if isinstance(value, str) and find_password(value):
            yield (
                f"{document.path}:{place.line}: {dotted_name(loc)}: a password stands in this "
                "address; name it by a reference, as in ://user:${env:PASSWORD}@ or ${file:/path}"
            )


def find_hints(name: str, model: ModelConfig) -> Iterator[str]:
    """Yield sentences about checks of a model that can't have a value with these settings."""
    schema = model.schema_
    if schema is None or schema.label is not None or model.labels is not None:
        return
    for check, settings in (model.checks or {}).items():
        if settings.plugin.uses_labels:
            yield (
                f"the check {check} of {name} needs labels: name their column in schema.label, "
                "also where only the reference has it, or their source in labels"
            )


def describe_times(model: ModelConfig) -> str:
    """Say which seasons the reference of a model contains, as far as its settings tell.

    Whether the records of a file have times is known once the agent has read them.
    """
    from driftline.ingest.reference.spans import LEAST_LENGTH
    from driftline.types.times import as_micros

    usual = "its weeks and months show which differences are usual"
    lasting = "a seasonal change is reported as a lasting change"
    reference = model.reference
    if reference is None or reference.trailing is not None:
        return "it moves with time; a seasonal change is no lasting change"
    if reference.window is not None:
        begin, end = reference.window
        if as_micros(end) - as_micros(begin) >= LEAST_LENGTH:
            return f"it spans at least 8 days; {usual}"
        return f"it spans less than 8 days; {lasting}"
    timestamp = None if model.schema_ is None else model.schema_.timestamp
    column = "times" if timestamp is None else f"times in {timestamp.column().path}"
    return f"with {column} over at least 8 days, {usual}; without, {lasting}"
