"""`driftline records`: list, write and delete records of models, and show who changed what."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.cli.known_names import require_name
from driftline.cli.options import author_options, config_option, json_option
from driftline.cli.state import open_state

if TYPE_CHECKING:
    from driftline.catalog.catalog import Catalog, Record


@contextmanager
def open_record_catalog(
    config: Path, model: str | None = None, kind: str | None = None
) -> Iterator[Catalog]:
    """Open the records of a configuration.

    Raises click.UsageError for one that can't be, and for an unknown `model` or `kind`.
    """
    from driftline.agent.composition_root import system_clock
    from driftline.agent.discovery import load_known_config
    from driftline.catalog.catalog import Catalog, RecordError
    from driftline.types.record_fields import KINDS

    settings = load_known_config(config)
    with open_state(settings) as store:
        try:
            catalog = Catalog(store=store, clock=system_clock, way="cli")
            if model is not None and model not in settings.models and not catalog.history(model):
                others = {row.model for row in catalog.records()}
                require_name(model, {*settings.models, *others}, "model")
            if kind is not None:
                require_name(kind, KINDS, "kind of record")
            yield catalog
        except RecordError as error:
            raise click.UsageError(str(error)) from None


@click.group("records")
def records_group() -> None:
    """List, write and delete what is known of models: versions, aliases, datasets, events."""


@records_group.command("list")
@click.argument("model", required=False)
@click.option("--kind", help="Only model, version, alias, dataset or event.")
@json_option
@config_option
def list_records(model: str | None, kind: str | None, as_json: bool, config: Path) -> None:
    """List the records of MODEL, or of all models."""
    with open_record_catalog(config, model, kind) as catalog:
        rows = catalog.records(model, kind)
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows], ensure_ascii=False, indent=2))
        return
    for row in rows:
        click.echo(f"{row.model}  {_title(row)}")
        for line in _field_lines(row):
            click.echo(f"    {line}")


@records_group.command("set")
@click.argument("model")
@click.argument("kind")
@click.argument("words", nargs=-1, metavar="[NAME] FIELD=VALUE...")
@click.option(
    "--from-json",
    "path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Read the fields from a JSON object instead; fields that it lacks are removed.",
)
@author_options
@config_option
def set_record(
    model: str,
    kind: str,
    words: Sequence[str],
    path: Path | None,
    author: str,
    reason: str,
    config: Path,
) -> None:
    """Write a record of MODEL: the fields that are named change, the others stay.

    KIND is model, version, alias, dataset or event. An empty value removes a field.

        driftline records set churn version v3 params.max_depth=6 metrics.train.auc=0.83
        driftline records set churn alias champion version=v3
        driftline records set churn event type=deployment at=2026-05-01T09:00 version=v3
    """
    from driftline.catalog.assignments import read_assignments

    name, words = (words[0], words[1:]) if words and "=" not in words[0] else ("", words)
    with open_record_catalog(config) as catalog:
        fields = read_assignments(kind, words) if path is None else _read_object(path)
        record = catalog.write(
            model, kind, name, fields, author=author, reason=reason, merge=path is None
        )
    click.echo(f"{model}  {_title(record)}, revision {record.revision}")


@records_group.command("delete")
@click.argument("model")
@click.argument("kind")
@click.argument("name", default="")
@author_options
@config_option
def delete_record(model: str, kind: str, name: str, author: str, reason: str, config: Path) -> None:
    """Delete a record of MODEL. Its history stays."""
    with open_record_catalog(config) as catalog:
        catalog.delete(model, kind, name, author=author, reason=reason)
    click.echo(f"{model}  {kind} {name}".rstrip() + " deleted")


@records_group.command("import")
@click.argument("source")
@click.option("--model", default="", metavar="NAME", help="The model; of a server, only this one.")
@author_options
@config_option
def import_records(source: str, model: str, author: str, reason: str, config: Path) -> None:
    """Import what another registry knows: SOURCE is a JSON file, or the address of MLflow.

    Files have records, a run of MLflow, a model package or model card of SageMaker, a model of
    Vertex AI or of Azure Machine Learning, as their command-line tools print them.
    MLFLOW_TRACKING_TOKEN is shown to a server.

        driftline records import http://127.0.0.1:5000 --model churn
        driftline records import package.json
    """
    from dataclasses import replace

    from driftline.catalog.imports.documents import read_documents
    from driftline.catalog.imports.mlflow import read_server
    from driftline.catalog.imports.server import make_get

    count = 0
    with open_record_catalog(config) as catalog:
        if source.startswith(("http://", "https://")):
            origin = source.rstrip("/")
            get = make_get(origin, os.environ.get("MLFLOW_TRACKING_TOKEN", ""))
            records = read_server(get, [model] if model else [], origin)
        else:
            records = read_documents(_read_text(Path(source)), model)
        importing = replace(catalog, way="import")
        for record in records:
            place = record.model, record.kind, record.name
            importing.write(*place, record.fields, author=author, reason=reason, merge=True)
            click.echo(f"{record.model}  {record.kind} {record.name}".rstrip())
            count += 1
    click.echo(f"{count} record{'' if count == 1 else 's'}")


@records_group.command("history")
@click.argument("model", required=False)
@click.argument("kind", required=False)
@click.argument("name", required=False)
@click.option("--limit", default=50, show_default=True, help="The most changes.")
@json_option
@config_option
def show_history(
    model: str | None, kind: str | None, name: str | None, limit: int, as_json: bool, config: Path
) -> None:
    """Show changes of records, the newest first: when, by whom, by which way and why."""
    with open_record_catalog(config, model, kind) as catalog:
        rows = catalog.history(model, kind, name, limit=limit)
        if name is not None and not rows:
            names = [row.name for row in catalog.history(model, kind)]
            require_name(name, set(names), f"{kind} of {model}")
    if as_json:
        click.echo(json.dumps([row.as_json() for row in rows], ensure_ascii=False, indent=2))
        return
    for row in rows:
        act = "deleted" if row.is_deleted else f"revision {row.revision}"
        by = f"{row.way}{f' by {row.author}' if row.author else ''}"
        reason = f": {row.reason}" if row.reason else ""
        click.echo(f"{row.at:%Y-%m-%d %H:%M:%S}  {row.model}  {_title(row)}  {act}  {by}{reason}")


def _title(record: Record) -> str:
    return f"{record.kind} {record.name}".rstrip()


def _field_lines(record: Record) -> Iterator[str]:
    for name, value in record.fields.items():
        if isinstance(value, dict):
            yield from (f"{name}.{key} = {entry}" for key, entry in value.items())
        else:
            yield f"{name} = {', '.join(value) if isinstance(value, list) else value}"


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path}: can't be read: {error}") from None


def _read_object(path: Path) -> dict[str, object]:
    try:
        value = json.loads(_read_text(path))
    except ValueError as error:
        raise click.UsageError(f"{path}: can't be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise click.UsageError(f"{path}: should be one JSON object")
    return value
