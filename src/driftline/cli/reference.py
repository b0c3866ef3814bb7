"""`driftline reference`: import the baseline of another monitor, accept a change, list references.

Does not write an invalid configuration, and keeps the old one beside the new one.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import author_options, config_option, json_option
from driftline.cli.state import open_incident_service, open_state

if TYPE_CHECKING:
    from driftline.onboarding.importing import BaselineFile, ImportedBaseline

DEFAULTS = "These checks ran by default. A list of checks replaces them, so they are listed, too."
"""The comment above the checks that a model ran without a list of checks."""


@click.group("reference")
def reference_group() -> None:
    """Import a baseline, list references, or accept a change as normal."""


@reference_group.command("accept")
@click.argument("incident")
@author_options
@config_option
def accept_change(incident: str, author: str, reason: str, config: Path) -> None:
    """Accept the change of INCIDENT as normal.

    The agent builds a new reference from the windows since the change, stores the author and the
    reason, and ends the incident.
    """
    from driftline.alerting.acts import ActKind

    with open_incident_service(config) as service:
        name, _ = service.request_act(ActKind.ACCEPT, incident, author, reason)
    click.echo(f"{name}: the agent builds a new reference when it next reads the source")


@reference_group.command("import")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration to write into. Default: print the settings.",
)
@click.option(
    "--model",
    metavar="NAME",
    help="The model; required if the configuration has several.",
)
@click.option(
    "--rename",
    multiple=True,
    metavar="OLD=NEW",
    help="A feature that has another name in the records. Repeatable.",
)
@click.option("--endpoint-url", help="The URL of an S3-compatible store.")
@json_option
def import_baseline(
    files: tuple[str, ...],
    config: Path | None,
    model: str | None,
    rename: tuple[str, ...],
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Convert the baseline of another monitor into a reference and checks.

    Reads SageMaker's statistics.json and constraints.json, and the statistics of TFDV (Vertex AI).
    FILES are files, folders, or addresses in a bucket such as s3://BUCKET/baseline/. Without -c,
    prints the settings that belong below the model.
    """
    from driftline.agent.discovery import load_known_config
    from driftline.extensions.registry import Registry
    from driftline.onboarding.importing import compare_with_model, import_baseline

    names = _renames(rename)
    settings = load_known_config(config) if config is not None else None
    if settings is not None:
        model_name = _model(list(settings.models), model)
    else:
        model_name = model or "my-model"
    registry = settings.registry if settings is not None else Registry.load()
    folder = config.absolute().parent if config is not None else Path.cwd()
    baseline = import_baseline(_files(files, endpoint_url, registry, folder), registry, names)
    if settings is not None:
        baseline.doubts += compare_with_model(baseline, settings.models[model_name])
    backup = None
    if config is not None and settings is not None:
        checks = settings.models[model_name].checks or {}
        default_types = [check.type for check in checks.values()]
        backup = _write(config, model_name, baseline, registry, default_types)
    if as_json:
        document = {
            "model": model_name,
            "rows": baseline.rows,
            "features": _features(baseline),
            "doubts": baseline.doubts,
            "reference": baseline.reference,
            "checks": baseline.checks,
            "written": str(config) if config else None,
            "backup": str(backup) if backup else None,
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    _show(baseline)
    if config is None:
        from driftline.config.edit import snippet

        parts = {"reference": baseline.reference, "checks": baseline.checks}
        click.echo(snippet({name: part for name, part in parts.items() if part}), nl=False)
    else:
        click.echo(f"wrote {config} (model {model_name}); the old file is {backup}", err=True)


def _renames(texts: tuple[str, ...]) -> dict[str, str]:
    renames = {}
    for text in texts:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise click.UsageError(f"--rename {text}: should be OLD=NEW")
        renames[old] = new
    return renames


def _model(names: list[str], name: str | None) -> str:
    if name is None and len(names) == 1:
        return names[0]
    if name is None:
        raise click.UsageError(f"give --model: the configuration has {', '.join(names)}")
    if name not in names:
        raise click.UsageError(
            f"there is no model {name!r} in the configuration; there are: {', '.join(names)}"
        )
    return name


def _files(
    places: tuple[str, ...], endpoint_url: str | None, registry: Any, folder: Path
) -> list[BaselineFile]:
    from urllib.parse import unquote

    from driftline.agent.composition_root import system_clock
    from driftline.contracts.context import StartContext
    from driftline.contracts.source import Source
    from driftline.onboarding.importing import BaselineFile, read_files
    from driftline.telemetry.logs import make_log
    from driftline.types.errors import DriftlineError

    files: list[BaselineFile] = []
    for place in places:
        type_name, options = registry.source_for(place, endpoint_url)
        source: Source = registry.get("source", type_name).model_validate(options)
        try:
            source.start(
                StartContext(
                    name="import", log=make_log(), clock=system_clock, config_folder=Path.cwd()
                )
            )
            contents = read_files(source, system_clock())
        except DriftlineError as error:
            raise type(error)(f"{place}: {error}") from None
        finally:
            source.stop()
        for uri, content in contents:
            if uri.startswith("file://"):
                path = Path(unquote(uri.removeprefix("file://")))
                label = os.path.relpath(path)
                inside = path.is_relative_to(folder)
                own = registry.source_for(
                    str(path.relative_to(folder) if inside else path), endpoint_url
                )
            else:
                label = uri
                own = (
                    registry.source_for(uri, endpoint_url)
                    if len(contents) > 1
                    else (type_name, options)
                )
            files.append(BaselineFile(label, {"type": own[0], "options": own[1]}, content))
    return files


def _write(
    path: Path, model: str, baseline: ImportedBaseline, registry: Any, default: list[str]
) -> Path:
    """Write the new configuration; returns the path of the copy of the old one."""
    from driftline.config import load_config
    from driftline.config.document import parse_document
    from driftline.config.edit import set_value
    from driftline.onboarding.importing import format_with_headers
    from driftline.types.errors import ConfigError, Problem

    raw = path.read_bytes()
    mark, text = (
        (raw[:3], raw[3:].decode()) if raw.startswith(b"\xef\xbb\xbf") else (b"", raw.decode())
    )
    model_settings = parse_document(text, path).value["models"][model]
    if baseline.reference is not None:
        text = set_value(text, path, ("models", model), "reference", baseline.reference)
    if form := format_with_headers(baseline, model_settings, registry):
        place = ("models", model, "source", "options")
        text = set_value(text, path, place, "format", form)
    if baseline.checks:
        if model_settings.get("checks") is None:
            checks = {name: {"type": name} for name in default}
            text = set_value(text, path, ("models", model), "checks", checks, comment=DEFAULTS)
        for name, check in baseline.checks.items():
            text = set_value(text, path, ("models", model, "checks"), name, check)
    fresh, backup = path.with_name(f".{path.name}.new"), path.with_name(f"{path.name}.bak")
    fresh.write_bytes(mark + text.encode())
    try:
        load_config(fresh, registry)
        shutil.copymode(path, fresh)
        shutil.copy2(path, backup)
        os.replace(fresh, path)
    except ConfigError as error:
        problems = [
            Problem(
                path=str(path),
                line=problem.line,
                column=problem.column,
                name=problem.name,
                message=problem.message,
            )
            for problem in error.problems
        ]
        raise ConfigError(problems) from None
    finally:
        fresh.unlink(missing_ok=True)
    return backup


def _features(baseline: ImportedBaseline) -> list[dict[str, Any]]:
    """Describe each feature for JSON and the table, in the order of the statistics."""
    constraints = baseline.features
    columns = {column.name: column for column in baseline.columns}
    return [
        {
            "name": name,
            "kind": columns[name].kind if name in columns else None,
            "missing": columns[name].missing if name in columns else None,
            "constraints": constraints.get(name, {}),
        }
        for name in dict.fromkeys([*columns, *constraints])
    ]


def _show(baseline: ImportedBaseline) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(stderr=True)
    table = Table("feature", "values", "missing", "constraints", box=None, header_style="bold")
    table.columns[2].justify = "right"
    for feature in _features(baseline)[:100]:
        kind = "not in the statistics" if feature["kind"] is None else feature["kind"] or "unknown"
        missing = "" if feature["missing"] is None else f"{feature['missing']:,}"
        constraints = escape(baseline.summaries.get(feature["name"], ""))
        table.add_row(escape(feature["name"]), kind, missing, constraints)
    if baseline.rows:
        console.print(f"a baseline of {baseline.rows:,} rows, {len(baseline.columns)} features")
    console.print(table)
    rules = [rule for check in baseline.checks.values() for rule in check.get("rule", ())]
    for rule in rules:
        [(word, bounds)] = [(key, value) for key, value in rule.items() if key != "measurement"]
        console.print(f"model quality: {rule['measurement']} not {word} {bounds['warning']:g}")
    for doubt in baseline.doubts:
        console.print(f"[yellow]please check:[/] {escape(doubt)}")


@reference_group.command("list")
@click.argument("model", required=False)
@config_option
@json_option
def list_references(model: str | None, config: Path, as_json: bool) -> None:
    """List the references of MODEL, or of all models: their origin, and which one is in use."""
    from driftline.agent.discovery import load_known_config
    from driftline.state.models import load_references

    settings = load_known_config(config)
    names = list(settings.models) if model is None else [_model(list(settings.models), model)]
    with open_state(settings) as store, store.read() as connection:
        rows = [row for name in names for row in load_references(connection, name)]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    table = Table("model", "number", "rows", "made of", "", box=None, header_style="bold")
    for row in rows:
        origin = _acceptance(row["accepted"]) if row["accepted"] else ""
        uris = [str(part["uri"]) for part in row["origin"]]
        origin += ", ".join(uris[:2]) + (f" and {len(uris) - 2} more" if len(uris) > 2 else "")
        mark = "[green]in use[/]" if row["current"] else ""
        table.add_row(
            escape(row["model"]), str(row["number"]), f"{row['rows']:,}", escape(origin), mark
        )
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)


def _acceptance(act: dict[str, Any]) -> str:
    return f"accepted by {act['author']} ({act['from'][:16]} to {act['to'][:16]}): "
