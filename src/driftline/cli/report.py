"""`driftline report`: a model at one window, as one file that shows itself everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.cli.options import config_option, json_option, parse_time
from driftline.cli.state import open_state

if TYPE_CHECKING:
    from driftline.report.model_report import ModelReport


@click.command()
@click.argument("model")
@click.option(
    "--window",
    "start",
    metavar="START",
    help="A time in the window, UTC. Default: the newest window with rows.",
)
@click.option(
    "--segment", default="", metavar="SEGMENT", help="Rows of this segment only: plan=gold."
)
@click.option(
    "--to",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file that ends in .html, .pdf, .png, .json or .md, or a folder. Repeatable.",
)
@config_option
@json_option
def report(
    model: str,
    start: str | None,
    segment: str,
    paths: tuple[Path, ...],
    config: Path,
    as_json: bool,
) -> None:
    """Write a report of MODEL: what changed in one window, how much, how sure, since when.

    Reads the stored state. Without --to the file is report-MODEL-WINDOW.html in this folder.
    """
    from driftline.agent.discovery import load_known_config
    from driftline.documents.save import check_form
    from driftline.report.model_report import load_report
    from driftline.types.errors import DriftlineError

    settings = load_known_config(config)
    if model not in settings.models:
        names = ", ".join(settings.models)
        raise click.UsageError(f"there is no model {model!r}; models are: {names}")
    at = None if start is None else parse_time("--window", start)
    try:
        for path in paths:
            if not path.is_dir():
                check_form(path)
        with open_state(settings) as store:
            from driftline.agent.composition_root import system_clock
            from driftline.agent.model_settings import make_settings, phrasebook_for
            from driftline.agent.model_views import ModelViews

            views = ModelViews(
                store=store,
                settings={
                    model: make_settings(settings, model, settings.registry, patience_ticks=1)
                },
                collectors=settings.registry.collectors,
                phrasebook=phrasebook_for(settings),
                clock=system_clock,
            )
            result = load_report(views, model, start=at, segment=segment)
            if as_json:
                click.echo(json.dumps(result.to_dict(), ensure_ascii=True, indent=2))
            if not as_json or paths:
                for path in paths or (Path(),):
                    _save(result, path, quiet=as_json)
    except DriftlineError as error:
        raise click.UsageError(str(error)) from None


def _save(result: ModelReport, path: Path, *, quiet: bool) -> None:
    """Write one file; a folder gets one whose name has the model and the window."""
    from driftline.documents.save import file_name
    from driftline.types.times import from_micros

    if path.is_dir():
        when = f"{from_micros(result.window.start):%Y-%m-%dT%H%MZ}"
        path = path / f"report-{file_name(result.view.name)}-{when}.html"
    try:
        result.save(path)
    except OSError as error:
        raise click.FileError(str(path), error.strerror or str(error)) from None
    if not quiet:
        click.echo(f"{result.headline}: {path}")
