"""`driftline init`: look at logs, and write a commented configuration for them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pyarrow import RecordBatch

T = TypeVar("T")
ROWS, CELL, MOST_NAMES = 10, 32, 8
"""The rows that are shown, the characters of a value, and the names of columns beside them."""


@click.command()
@click.argument("where")
@click.option(
    "--reference",
    help="A training file or prefix to compare with. Default: a file beside WHERE named train, "
    "reference or baseline, else the 28 days before each window.",
)
@click.option("--model", default="my-model", show_default=True, help="The name of the model.")
@click.option("--endpoint-url", help="The URL of an S3-compatible store.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("driftline.yaml"),
    show_default=True,
    metavar="FILE",
    help="The file to write.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def init(
    where: str,
    reference: str | None,
    model: str,
    endpoint_url: str | None,
    output: Path,
    force: bool,
) -> None:
    """Look at WHERE and write a configuration for it.

    WHERE is a file, a folder, a glob, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX,
    az://ACCOUNT/CONTAINER/PREFIX (or its https address), or bq://PROJECT.DATASET.TABLE.
    """
    from driftline.agent.composition_root import system_clock
    from driftline.contracts.context import StartContext
    from driftline.contracts.source import Source
    from driftline.extensions.registry import Registry
    from driftline.onboarding.config_text import InspectedModel, join_labels, write_config
    from driftline.onboarding.inspect_logs import inspect_logs
    from driftline.onboarding.inspect_reference import inspect_reference
    from driftline.onboarding.reference_columns import add_reference_columns
    from driftline.onboarding.training_file import find_label_file, find_training_file
    from driftline.telemetry.logs import make_log
    from driftline.types.errors import DriftlineError

    if output.exists() and not force:
        raise click.UsageError(f"{output} exists: --force overwrites it, -o names another file")
    where, base = _from_folder(where, output.parent), output.parent
    registry, now = Registry.load(), system_clock()

    def inspect(address: str, name: str) -> InspectedModel:
        kind, options = registry.source_for(address, endpoint_url)
        inspection = with_source(kind, options, lambda source: inspect_logs(source, registry, now))
        training = (
            _from_folder(reference, base)
            if reference is not None
            else find_training_file(address, base)
        )
        options |= inspection.source_options
        reference_source = None
        if training is not None:
            type_name, reference_options, batches = read_reference(training)
            reference_source = (type_name, reference_options)
            if batches:
                inference = add_reference_columns(inspection.inference, inspection.batches, batches)
                inspection = replace(inspection, inference=inference)
        return InspectedModel(
            name=name,
            source_type=kind,
            source_options=options,
            inspection=inspection,
            reference=reference_source,
        )

    def read_reference(address: str) -> tuple[str, dict[str, Any], list[RecordBatch]]:
        kind, options = registry.source_for(address, endpoint_url)
        try:
            found = with_source(
                kind, options, lambda source: inspect_reference(source, registry, now)
            )
        except DriftlineError as error:
            click.echo(f"please check: the reference {address} can't be read: {error}", err=True)
            return kind, options, []
        return kind, options | found.options, found.batches

    def with_source(kind: str, options: dict[str, Any], call: Callable[[Source], T]) -> T:
        source: Source = registry.get("source", kind).model_validate(options)
        source.start(
            StartContext(name=model, log=make_log(), clock=system_clock, config_folder=base)
        )
        try:
            return call(source)
        finally:
            source.stop()

    models = [inspect(where, model)]
    if folders := models[0].inspection.folders:
        click.echo(f"{len(folders)} models: {', '.join(folders)}", err=True)
        models = [inspect(_below(where, folder), name) for name, folder in folders.items()]
    elif (label_file := find_label_file(where, base)) is not None:
        try:
            labels = inspect(label_file, "labels")
        except DriftlineError as error:
            click.echo(f"please check: the labels {label_file} can't be read: {error}", err=True)
        else:
            models += [labels] if models[0].can_join(labels) and labels.holds_labels else []
    for inspected in models:
        _show(inspected.inspection)
    models = join_labels(models)
    output.write_text(write_config(models), encoding="utf-8")
    click.echo(f"wrote {output}", err=True)


def _from_folder(address: str, folder: Path) -> str:
    """Return a path as it is written in a configuration in `folder`; another address unchanged."""
    path = Path(address).expanduser()
    if "://" in address or path.is_absolute():
        return address
    return os.path.relpath(path, folder)


def _below(address: str, folder: str) -> str:
    """Return the address of a folder; of the folders whose names begin so, where it ends in `*`."""
    place = f"{address.rstrip('/')}/{folder}"
    if not folder.endswith("*"):
        return place
    return place.removesuffix("*") if "://" in address else f"{place}/**"


def _show(inspection: Any) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    limit = "more than " if inspection.has_more else ""
    noun = "objects" if inspection.object_count > 1 else "object"
    text = f"{limit}{inspection.object_count:,} {noun}"
    if inspection.format:
        text += f", format [bold]{inspection.format}[/]"
    if inspection.layout:
        text += f", layout [bold]{escape(inspection.layout)}[/]"
    console.print(text)
    if rejected := inspection.rejected.describe("record"):
        name, total = escape(inspection.rejected.first_name), inspection.rejected.total
        console.print(f"[yellow]{total:,} records rejected[/] in {name}: {escape(rejected)}")
    for uri, reason in inspection.skipped_objects[:3]:
        console.print(f"[dim]left out: {escape(uri)}: {reason}[/]")
    _rows(console, inspection.batches[0])
    for doubt in inspection.inference.doubts:
        console.print(f"[yellow]please check:[/] {escape(doubt)}")
    sys.stderr.flush()


def _as_counted(batch: RecordBatch) -> RecordBatch:
    """The values as they are counted: bytes as text, narrow floats with their shortest digits."""
    import pyarrow as pa

    from driftline.ingest.columns.bytes_as_text import as_text
    from driftline.ingest.columns.float_widths import to_doubles

    columns = [as_text(column)[0] for column in batch.columns]
    return pa.RecordBatch.from_arrays(
        [to_doubles(column) if pa.types.is_floating(column.type) else column for column in columns],
        names=batch.schema.names,
    )


def _rows(console: Any, batch: Any) -> None:
    """Print the first rows, with as many columns as fit side by side."""
    from rich.markup import escape
    from rich.table import Table

    rows = _as_counted(batch.slice(0, ROWS)).to_pylist()
    names = [name for name in batch.schema.names if any(row[name] is not None for row in rows)]
    columns, width = list[str](), console.width
    for name in names:
        width -= max(len(name), *(len(str(row[name])[:CELL]) for row in rows)) + 2
        if width < 0 and columns:
            break
        columns.append(name)
    table = Table(*(escape(name) for name in columns), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(str(row[name])[:CELL]) for name in columns))
    console.print(table)
    hidden = [name for name in batch.schema.names if name not in columns]
    if hidden:
        more = ", ".join(hidden[:MOST_NAMES]) + (", ..." if len(hidden) > MOST_NAMES else "")
        noun = "column" if len(hidden) == 1 else "columns"
        console.print(f"[dim]and {len(hidden)} more {noun}: {escape(more)}[/]")
