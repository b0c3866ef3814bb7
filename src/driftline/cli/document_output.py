"""What commands share that write a document about one model: its views, its files, its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from driftline.agent.model_views import ModelViews
    from driftline.config import Config
    from driftline.state.store import Store

paths_option = click.option(
    "--to",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file that ends in .html, .pdf, .png, .json or .md, or a folder. Repeatable.",
)


class Document(Protocol):
    """A document that has a headline and is saved in the form that the name of a file tells."""

    @property
    def headline(self) -> str:
        """Return the document in one line."""

    def to_dict(self) -> Mapping[str, Any]:
        """Return the document as plain values for JSON."""

    def save(self, path: Path, /) -> Any:
        """Write the document. Raises OSError."""


def check_paths(paths: Sequence[Path]) -> None:
    """Check that each path is a folder or has a form that can be written. Raises DriftlineError."""
    from driftline.documents.save import check_form

    for path in paths:
        if not path.is_dir():
            check_form(path)


def make_model_views(settings: Config, store: Store, model: str) -> ModelViews:
    """Make the views of one model of a configuration."""
    from driftline.agent.composition_root import system_clock
    from driftline.agent.model_settings import make_settings, phrasebook_for
    from driftline.agent.model_views import ModelViews

    return ModelViews(
        store=store,
        settings={model: make_settings(settings, model, settings.registry, patience_ticks=1)},
        collectors=settings.registry.collectors,
        phrasebook=phrasebook_for(settings),
        clock=system_clock,
    )


def write_document(document: Document, paths: Sequence[Path], name: str, *, as_json: bool) -> None:
    """Print a document as JSON, or save it to each path and name the files.

    A folder gets a file of the name `name`; without paths and JSON the present folder does. Raises
    click.FileError for a file that can't be written.
    """
    if as_json:
        click.echo(json.dumps(document.to_dict(), ensure_ascii=True, indent=2))
    for path in paths or (() if as_json else (Path(),)):
        target = path / name if path.is_dir() else path
        try:
            document.save(target)
        except OSError as error:
            raise click.FileError(str(target), error.strerror or str(error)) from None
        if not as_json:
            click.echo(f"{document.headline}: {target}")
