"""`driftline reference`: bring the baseline of another monitor along, accept a change, list the
references that there are.

Refuses to write a configuration that would not be valid, and keeps the old one beside the new.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.incidents import by_option, desk
from driftline.cli.options import config_option, json_option

if TYPE_CHECKING:
    from driftline.onboarding.importing import File, Imported

DEFAULTS = "These ran by default; they are named here since checks are named now. Leave out what is not wanted."


@click.group()
def reference() -> None:
    """What windows are compared with."""


@reference.command("accept")
@click.argument("incident")
@by_option
@config_option
def accept(incident: str, author: str, reason: str, config: Path) -> None:
    """Say that what INCIDENT tells of is normal from now on.

    The agent makes a new reference of the windows since the change, keeps who said so and why, and
    ends the incident.
    """
    from driftline.alerting.acts import Kind

    with desk(config) as place:
        name, _ = place.ask(Kind.ACCEPT, incident, author, reason)
    click.echo(f"{name}: the agent makes a new reference with its next look at the source")


@reference.command("import")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it into this configuration.",
)
@click.option(
    "--model",
    metavar="NAME",
    help="The model that it is for; needed where the configuration has several.",
)
@click.option(
    "--rename",
    multiple=True,
    metavar="OLD=NEW",
    help="A feature that the records call otherwise. Repeatable.",
)
@click.option("--endpoint-url", help="For S3-compatible stores.")
@json_option
def import_(
    files: tuple[str, ...],
    config: Path | None,
    model: str | None,
    rename: tuple[str, ...],
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Make a reference and checks of SageMaker's statistics.json and constraints.json, or of TFDV's
    (Vertex AI's) statistics.

    FILES are files, folders, or addresses in a bucket such as s3://BUCKET/baseline/. Without -c,
    what belongs below the model is printed.
    """
    from driftline.config import load
    from driftline.extensions.registry import Registry
    from driftline.onboarding.importing import compared, understood

    names = _renames(rename)
    loaded = load(config) if config is not None else None
    chosen = _model(list(loaded.models), model) if loaded is not None else model or "my-model"
    registry = loaded.registry if loaded is not None else Registry.load()
    folder = config.absolute().parent if config is not None else Path.cwd()
    made = understood(_files(files, endpoint_url, registry, folder), registry, names)
    if loaded is not None:
        made.doubts += compared(made, loaded.models[chosen])
    backup = None
    if config is not None and loaded is not None:
        default = [told.type for told in (loaded.models[chosen].checks or {}).values()]
        backup = _write(config, chosen, made, registry, default)
    if as_json:
        told = {
            "model": chosen,
            "rows": made.rows,
            "features": _features(made),
            "doubts": made.doubts,
        }
        told |= {
            "reference": made.reference,
            "checks": made.checks,
            "written": str(config) if config else None,
        }
        click.echo(
            json.dumps(
                told | {"backup": str(backup) if backup else None}, ensure_ascii=False, indent=2
            )
        )
        return
    _show(made)
    if config is None:
        from driftline.config.edit import snippet

        parts = {"reference": made.reference} if made.reference else {}
        click.echo(snippet(parts | {"checks": made.checks} if made.checks else parts), nl=False)
    else:
        click.echo(f"wrote {config} (model {chosen}); as it was: {backup}", err=True)


def _renames(given: tuple[str, ...]) -> dict[str, str]:
    made = {}
    for each in given:
        old, equals, new = each.partition("=")
        if not (old and equals and new):
            raise click.UsageError(f"--rename {each}: should be OLD=NEW")
        made[old] = new
    return made


def _model(names: list[str], asked: str | None) -> str:
    if asked is None and len(names) == 1:
        return names[0]
    if asked is None:
        raise click.UsageError(f"--model says which: the configuration has {', '.join(names)}")
    if asked not in names:
        raise click.UsageError(
            f"there is no model {asked!r} in the configuration; there are: {', '.join(names)}"
        )
    return asked


def _files(
    places: tuple[str, ...], endpoint_url: str | None, registry: Any, folder: Path
) -> list[File]:
    from urllib.parse import unquote

    from driftline.agent.start import system_clock
    from driftline.cli.init import _source
    from driftline.contracts.context import StartContext
    from driftline.contracts.source import Source
    from driftline.onboarding.importing import File, read_all
    from driftline.telemetry.logs import make_log
    from driftline.types.errors import DriftlineError

    found = []
    for place in places:
        kind, options = _source(place, endpoint_url)
        source: Source = registry.get("source", kind).model_validate(options)
        try:
            source.start(
                StartContext(name="import", log=make_log(), clock=system_clock, base=Path.cwd())
            )
            read = read_all(source, system_clock())
        except DriftlineError as error:
            raise type(error)(f"{place}: {error}") from None
        finally:
            source.stop()
        for uri, content in read:
            if kind == "local":
                path = Path(unquote(uri.removeprefix("file://")))
                inside = path.is_relative_to(folder)
                alone = {
                    "type": "local",
                    "options": {"path": str(path.relative_to(folder) if inside else path)},
                }
                found.append(File(os.path.relpath(path), alone, content))
            else:
                same, own = _source(uri, endpoint_url) if len(read) > 1 else (kind, options)
                found.append(File(uri, {"type": same, "options": own}, content))
    return found


def _write(path: Path, model: str, made: Imported, registry: Any, default: list[str]) -> Path:
    """Write the new configuration; returns where the old one is."""
    from driftline.config import load
    from driftline.config.document import parse
    from driftline.config.edit import put
    from driftline.types.errors import ConfigError, Problem

    raw = path.read_bytes()
    mark, text = (
        (raw[:3], raw[3:].decode()) if raw.startswith(b"\xef\xbb\xbf") else (b"", raw.decode())
    )
    told = parse(text, path).value["models"][model]
    if made.reference is not None:
        text = put(text, path, ("models", model), "reference", made.reference)
    if made.checks:
        if told.get("checks") is None:
            text = put(
                text,
                path,
                ("models", model),
                "checks",
                {name: {"type": name} for name in default},
                DEFAULTS,
            )
        for name, check in made.checks.items():
            text = put(text, path, ("models", model, "checks"), name, check)
    fresh, backup = path.with_name(f".{path.name}.new"), path.with_name(f"{path.name}.bak")
    fresh.write_bytes(mark + text.encode())
    try:
        load(fresh, registry)
        shutil.copymode(path, fresh)
        shutil.copy2(path, backup)
        os.replace(fresh, path)
    except ConfigError as error:
        problems = [
            Problem(str(path), one.line, one.column, one.name, one.message)
            for one in error.problems
        ]
        raise ConfigError(problems) from None
    finally:
        fresh.unlink(missing_ok=True)
    return backup


def _features(made: Imported) -> list[dict[str, Any]]:
    """What is known of each feature, in the order of the statistics."""
    constraints = made.asked.constraints.get("features", {})
    columns = {column.name: column for column in made.columns}
    return [
        {
            "name": name,
            "kind": columns[name].kind if name in columns else None,
            "missing": columns[name].missing if name in columns else None,
            "constraints": constraints.get(name, {}),
        }
        for name in dict.fromkeys([*columns, *constraints])
    ]


def _show(made: Imported) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(stderr=True)
    table = Table("feature", "values", "missing", "constraints", box=None, header_style="bold")
    table.columns[2].justify = "right"
    for told in _features(made)[:100]:
        kind = "not in the statistics" if told["kind"] is None else told["kind"] or "not told"
        missing = "" if told["missing"] is None else f"{told['missing']:,}"
        table.add_row(escape(told["name"]), kind, missing, escape(_words(told["constraints"])))
    if made.rows:
        console.print(f"a baseline of {made.rows:,} rows, {len(made.columns)} features")
    console.print(table)
    for rule in made.asked.rules:
        [(word, bounds)] = [(key, value) for key, value in rule.items() if key != "measurement"]
        console.print(f"model quality: {rule['measurement']} not {word} {bounds['warning']:g}")
    for doubt in made.doubts:
        console.print(f"[yellow]please check:[/] {escape(doubt)}")


def _words(constraints: dict[str, Any]) -> str:
    parts = [str(constraints["type"])] if "type" in constraints else []
    if "completeness" in constraints:
        parts.append(f"at least {100 * constraints['completeness']:.6g}% complete")
    if constraints.get("non_negative"):
        parts.append("not below 0")
    if "domain" in constraints:
        parts.append(f"one of {len(constraints['domain'])} values")
    if any(name in constraints for name in ("data_type_share", "domain_share", "drift")):
        parts.append("thresholds of its own")
    return ", ".join(parts)


@reference.command("list")
@click.argument("model", required=False)
@config_option
@json_option
def list_(model: str | None, config: Path, as_json: bool) -> None:
    """The references of a model, or of all: what each was made of, and which one is in use."""
    from driftline.config import load
    from driftline.state.factory import open_store
    from driftline.state.models import every_reference

    loaded = load(config)
    names = list(loaded.models) if model is None else [_model(list(loaded.models), model)]
    store = open_store(loaded.agent.state, base=loaded.origin.parent, readonly=True)
    try:
        with store.read() as connection:
            found = [told for name in names for told in every_reference(connection, name)]
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    table = Table("model", "number", "rows", "made of", "", box=None, header_style="bold")
    for told in found:
        uris = [str(part["uri"]) for part in told["origin"]]
        said = told["accepted"]
        by = (
            f"accepted by {said['author']} ({said['from'][:16]} to {said['to'][:16]}): "
            if said
            else ""
        )
        what = by + ", ".join(uris[:2]) + (f" and {len(uris) - 2} more" if len(uris) > 2 else "")
        mark = "[green]in use[/]" if told["current"] else ""
        table.add_row(
            escape(told["model"]), str(told["number"]), f"{told['rows']:,}", escape(what), mark
        )
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)
