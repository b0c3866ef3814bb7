"""`driftline plugins`: list the plugins, or show the settings and rights of one.

Does not start a plugin.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import json_option

if TYPE_CHECKING:
    from driftline.extensions import PluginInfo, Registry


@click.command()
@click.argument("name", required=False)
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    default="driftline.yaml",
    show_default=True,
    metavar="FILE",
    help="Include the plugins that this configuration names. A missing default file is ignored.",
)
@json_option
def plugins(name: str | None, config: Path, as_json: bool) -> int:
    """List the plugins, or show the settings of one. Exits with 1 when a plugin can't be loaded."""
    from driftline.config.document import read_document
    from driftline.config.load import plugin_paths
    from driftline.extensions import Registry

    explicit = (
        click.get_current_context().get_parameter_source("config")
        is not click.core.ParameterSource.DEFAULT
    )
    paths = plugin_paths(read_document(config)) if explicit or config.exists() else []
    registry = Registry.load(paths)
    if name is not None:
        return _show_plugin(registry, name, as_json)
    if as_json:
        rows = [_row(info) for info in registry.describe()]
        click.echo(
            json.dumps(
                {"plugins": rows, "problems": [str(problem) for problem in registry.problems]},
                indent=2,
            )
        )
    else:
        _show_table(registry)
        for problem in registry.problems:
            click.echo(f"not loaded: {problem}", err=True)
    return 1 if registry.problems else 0


def _show_table(registry: Registry) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "name", "kind", "version", "origin", "hooks", box=None, pad_edge=False, header_style="bold"
    )
    for info in registry.describe():
        table.add_row(info.name, info.kind, info.version, info.origin, ", ".join(info.hooks))
    # A file or a pipe gets the full width, so that each plugin stays on one line.
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=10_000)
    console.print(table)


def _show_plugin(registry: Registry, name: str, as_json: bool) -> int:
    from difflib import get_close_matches

    infos = [info for info in registry.describe() if info.name == name]
    if not infos:
        near = get_close_matches(name, {info.name for info in registry.infos}, 1)
        raise click.UsageError(
            f"No plugin is called '{name}'." + (f" Did you mean '{near[0]}'?" if near else "")
        )
    documents = [_facts(registry, info) for info in infos]
    if as_json:
        click.echo(json.dumps(documents, indent=2, ensure_ascii=False))
        return 0
    for facts in documents:
        click.echo(
            f"{facts['name']}  ({facts['kind']}, version {facts['version']}, "
            f"from {facts['origin']})\n"
        )
        click.echo(f"{facts['about']}\n" if facts["about"] else "")
        for setting in facts["settings"]:
            default = "required" if setting["required"] else f"default {setting['default']}"
            click.echo(
                f"  {setting['name']}: {setting['type']}; {default}\n      {setting['about']}"
            )
        if facts["permissions"]:
            click.echo("\nLeast rights:")
            for right in facts["permissions"]:
                click.echo(f"  {right}")
    return 0


def _row(info: PluginInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "kind": info.kind,
        "version": info.version,
        "origin": info.origin,
        "hooks": info.hooks,
    }


def _facts(registry: Registry, info: PluginInfo) -> dict[str, Any]:
    import inspect

    from driftline.config.field_docs import describe_fields
    from driftline.config.reference_docs.pages import least_rights
    from driftline.contracts.plugin import Plugin

    facts = _row(info) | {"about": "", "settings": [], "permissions": []}
    if info.kind == "hooks":
        return facts
    type_ = registry.get(info.kind, info.name)
    facts["about"] = inspect.cleandoc(type_.__doc__ or "")
    if issubclass(type_, Plugin):
        facts["settings"] = [
            {
                "name": word.name,
                "type": word.type,
                "required": word.required,
                "default": word.default,
                "about": word.description,
            }
            for word in describe_fields(type_)
        ]
        facts["permissions"] = list(least_rights(type_))
    return facts
