"""`driftline report`: a model at one window, as one file that shows itself everywhere."""

from __future__ import annotations

from pathlib import Path

import click

from driftline.cli.document_output import (
    check_paths,
    make_model_views,
    paths_option,
    write_document,
)
from driftline.cli.options import config_option, json_option, parse_time
from driftline.cli.state import open_state


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
@paths_option
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
    from driftline.documents.save import file_name
    from driftline.report.model_report import load_report
    from driftline.types.errors import DriftlineError
    from driftline.types.times import from_micros

    settings = load_known_config(config)
    if model not in settings.models:
        names = ", ".join(settings.models)
        raise click.UsageError(f"there is no model {model!r}; models are: {names}")
    at = None if start is None else parse_time("--window", start)
    try:
        check_paths(paths)
        with open_state(settings) as store:
            views = make_model_views(settings, store, model)
            result = load_report(views, model, start=at, segment=segment)
            when = f"{from_micros(result.window.start):%Y-%m-%dT%H%MZ}"
            name = f"report-{file_name(result.view.name)}-{when}.html"
            write_document(result, paths, name, as_json=as_json)
    except DriftlineError as error:
        raise click.UsageError(str(error)) from None
