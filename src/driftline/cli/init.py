"""`driftline init`: look at logs, and write a commented configuration for them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.types.model import Field, Schema, Task

if TYPE_CHECKING:
    from driftline.ingest.columns.infer import InferredSchema
    from driftline.onboarding.window_choice import WindowChoice

HEAD = """\
# Written by `driftline init`. Check the marked lines, then run:
# driftline validate && driftline run --once
version: 1

agent:
  state: sqlite:///driftline.db
  http: 127.0.0.1:8080
"""


ROWS, CELL = 10, 24
"""The rows that are shown, and the most characters of a value."""


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
    from driftline.onboarding.inspect_logs import inspect_logs
    from driftline.onboarding.training_file import find_training_file
    from driftline.telemetry.logs import make_log

    if output.exists() and not force:
        raise click.UsageError(f"{output} exists: --force overwrites it, -o names another file")
    registry = Registry.load()
    kind, options = registry.source_for(where, endpoint_url)
    source: Source = registry.get("source", kind).model_validate(options)
    now = system_clock()
    source.start(
        StartContext(name=model, log=make_log(), clock=system_clock, config_folder=output.parent)
    )
    try:
        inspection = inspect_logs(source, registry, now)
    finally:
        source.stop()
    _show(inspection)
    if reference is None:
        reference = find_training_file(where, output.parent)
    options |= {"layout": inspection.layout} if inspection.layout else {}
    options |= {"format": inspection.format} if inspection.format else {}
    text = _text(
        model,
        source=(kind, options),
        inference=inspection.inference,
        reference=registry.source_for(reference, endpoint_url) if reference is not None else None,
        windows=inspection.windows,
    )
    output.write_text(text, encoding="utf-8")
    click.echo(f"wrote {output}", err=True)


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
    for uri, reason in inspection.skipped_objects[:3]:
        console.print(f"[dim]left out: {escape(uri)}: {reason}[/]")
    _rows(console, inspection.batches[0])
    for doubt in inspection.inference.doubts:
        console.print(f"[yellow]please check:[/] {escape(doubt)}")
    sys.stderr.flush()


def _rows(console: Any, batch: Any) -> None:
    """Print the first rows, with as many columns as fit side by side."""
    from rich.markup import escape
    from rich.table import Table

    rows = batch.slice(0, ROWS).to_pylist()
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
    if len(batch.schema.names) > len(columns):
        console.print(f"[dim]and {len(batch.schema.names) - len(columns)} more columns[/]")


def _text(
    model: str,
    *,
    source: tuple[str, dict[str, Any]],
    inference: InferredSchema,
    reference: tuple[str, dict[str, Any]] | None,
    windows: WindowChoice,
) -> str:
    """Write the configuration. `source` and `reference` are a type with its options."""
    type_name, options = source
    lines = [
        HEAD,
        "models:",
        f"  {_quoted(model)}:",
        "    source:",
        f"      type: {type_name}",
        "      options:",
    ]
    lines += [f"        {name}: {_quoted(value)}" for name, value in options.items()]
    lines += [""]
    lines += [f"    # CHECK: {doubt}" for doubt in inference.doubts]
    lines += ["    schema:", *_schema(inference.schema, inference.positive), ""]
    if reference is None:
        lines += [
            "    # What windows are compared with. A training file is better:",
            "    # {type: local, options: {path: train.parquet}}",
        ]
        lines += ["    reference: {trailing: 28d}"]
    else:
        inside = ", ".join(f"{name}: {_quoted(value)}" for name, value in reference[1].items())
        lines += [f"    reference: {{type: {reference[0]}, options: {{{inside}}}}}"]
    backfill = ", backfill: null" if windows.reads_all else ""
    spans = f"length: {windows.length}, lateness: 15m, notify_within: {windows.notify_within}"
    lines += [
        "",
        "    # Rows belong to windows by event time. A window is judged `lateness` after its end.",
        "    # No message is sent about a window that ended more than `notify_within` before it is",
        "    # first judged; null sends messages about all windows.",
        f"    windows: {{{spans}{backfill}}}",
    ]
    lines += [
        "",
        "    # Without `checks`, those that fit the columns run with their default rules.",
        "    notify: [terminal]",
        "",
    ]
    lines += [
        "sinks:",
        "  terminal: {type: console}",
        '  # team-chat: {type: slack, options: {webhook_url: "${env:SLACK_WEBHOOK_URL}"}}',
        "",
    ]
    return "\n".join(lines)


def _schema(schema: Schema, positive: str) -> list[str]:
    lines = []
    for role in ("timestamp", "id", "version"):
        part: Field | None = getattr(schema, role)
        if part is not None:
            lines.append(f"      {role}: {_quoted(part.name)}")
    lines.append("      features:" if schema.features else "      features: {}")
    lines += [
        f"        {_quoted(name)}: {_feature(part)}" for name, part in schema.features.items()
    ]
    if schema.task is not None and (schema.prediction or schema.score):
        outputs = {"column": schema.prediction, "score": schema.score}
        inside = [f"{key}: {_quoted(part.name)}" for key, part in outputs.items() if part]
        if schema.task is Task.BINARY and positive not in ("", "1"):
            inside.append(f"positive: {json.dumps(positive, ensure_ascii=False)}")
        lines.append(
            f"      prediction: {{{', '.join([*inside, f'kind: {Task(schema.task).value}'])}}}"
        )
    if schema.label is not None:
        lines.append(f"      label: {{column: {_quoted(schema.label.name)}}}")
    return lines


def _feature(part: Field) -> str:
    parts = {
        "path": part.path if part.path != part.name else "",
        "dimension": part.dimension if not part.element_paths else 0,
    }
    inside = ", ".join(
        f"{key}: {_quoted(value) if key == 'path' else value}"
        for key, value in parts.items()
        if value
    )
    return f"{{kind: {part.kind}, {inside}}}" if inside else str(part.kind)


def _quoted(value: object) -> str:
    """Write a value as YAML, with quotes if it needs them."""
    text = str(value)
    plain = (
        text.replace("_", "").replace("-", "").replace(".", "").replace("/", "").replace(" ", "")
    )
    safe = (
        plain.isalnum()
        and text == text.strip()
        and not plain[0].isdigit()
        and text not in ("true", "false", "null", "True", "False")
    )
    return text if safe else json.dumps(text, ensure_ascii=False)
