"""`driftline card`: what is recorded of a model and what was measured of it last, as one file."""

from __future__ import annotations

from pathlib import Path

import click

from driftline.cli.document_output import (
    check_paths,
    make_model_views,
    paths_option,
    write_document,
)
from driftline.cli.known_names import require_name
from driftline.cli.options import config_option, json_option
from driftline.cli.state import open_state


@click.command()
@click.argument("model")
@click.option(
    "--version", default="", metavar="NAME", help="A version or an alias. Default: the newest."
)
@paths_option
@config_option
@json_option
def card(model: str, version: str, paths: tuple[Path, ...], config: Path, as_json: bool) -> None:
    """Write the card of MODEL: description, owner, version, data, events, and live numbers.

    Reads the records and the stored state. Without --to the file is card-MODEL.html in this folder.
    """
    from driftline.agent.composition_root import system_clock
    from driftline.agent.discovery import load_known_config
    from driftline.catalog.catalog import Catalog
    from driftline.documents.save import file_name
    from driftline.report.model_card import load_card
    from driftline.types.errors import DriftlineError

    settings = load_known_config(config)
    require_name(model, tuple(settings.models), "model")
    try:
        check_paths(paths)
        with open_state(settings) as store:
            views = make_model_views(settings, store, model)
            catalog = Catalog(store=store, clock=system_clock, way="cli")
            result = load_card(views, catalog, model, version=version)
            write_document(result, paths, f"card-{file_name(model)}.html", as_json=as_json)
    except DriftlineError as error:
        raise click.UsageError(str(error)) from None
