"""`driftline card`: what is recorded of a model and what was measured of it last, as one file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from driftline.cli.known_names import require_name
from driftline.cli.options import config_option, json_option
from driftline.cli.state import open_state


@click.command()
@click.argument("model")
@click.option(
    "--version", default="", metavar="NAME", help="A version or an alias. Default: the newest."
)
@click.option(
    "--to",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file that ends in .html, .md, .json, .pdf or .png, or a folder. Repeatable.",
)
@config_option
@json_option
def card(model: str, version: str, paths: tuple[Path, ...], config: Path, as_json: bool) -> None:
    """Write the card of MODEL: description, owner, version, data, events, and live numbers.

    Reads the records and the stored state. Without --to the file is card-MODEL.html in this folder.
    """
    from driftline.agent.composition_root import system_clock
    from driftline.agent.discovery import load_known_config
    from driftline.agent.model_settings import make_settings, phrasebook_for
    from driftline.agent.model_views import ModelViews
    from driftline.catalog.catalog import Catalog
    from driftline.documents.save import check_form, file_name
    from driftline.report.model_card import load_card
    from driftline.types.errors import DriftlineError

    settings = load_known_config(config)
    require_name(model, tuple(settings.models), "model")
    try:
        for path in paths:
            if not path.is_dir():
                check_form(path)
        with open_state(settings) as store:
            views = ModelViews(
                store=store,
                settings={
                    model: make_settings(settings, model, settings.registry, patience_ticks=1)
                },
                collectors=settings.registry.collectors,
                phrasebook=phrasebook_for(settings),
                clock=system_clock,
            )
            catalog = Catalog(store=store, clock=system_clock, way="cli")
            result = load_card(views, catalog, model, version=version)
            if as_json:
                click.echo(json.dumps(result.to_dict(), ensure_ascii=True, indent=2))
            for path in paths or (() if as_json else (Path(),)):
                target = path / f"card-{file_name(model)}.html" if path.is_dir() else path
                try:
                    result.save(target)
                except OSError as error:
                    raise click.FileError(str(target), error.strerror or str(error)) from None
                if not as_json:
                    click.echo(f"{result.headline}: {target}")
    except DriftlineError as error:
        raise click.UsageError(str(error)) from None
