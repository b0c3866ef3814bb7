"""`driftline init`: look at logs, and write a commented configuration for them."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from driftline.types.model import Field, Schema, Task

HEAD = """\
# Written by `driftline init`. Check what is marked, then: driftline validate && driftline run --once
version: 1

agent:
  state: sqlite:///driftline.db
  http: 127.0.0.1:8080
"""


ROWS, CELL = 10, 24
"""Rows that are shown, and characters of a value."""
BACKFILL = timedelta(days=90)
"""The default of windows.backfill: when all that is there is older, the configuration asks for all
of it.
"""


@click.command()
@click.argument("where")
@click.option(
    "--reference",
    help="A training file or prefix to compare with; without it, the 28 days before each window.",
)
@click.option("--model", default="my-model", show_default=True, help="What to call the model.")
@click.option("--endpoint-url", help="For S3-compatible stores.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("driftline.yaml"),
    show_default=True,
)
@click.option("--force", is_flag=True, help="Write over an existing file.")
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
    from driftline.telemetry.logs import make_log

    if output.exists() and not force:
        raise click.UsageError(
            f"{output} is there already: --force writes over it, -o another place"
        )
    registry = Registry.load()
    kind, options = registry.source_for(where, endpoint_url)
    source: Source = registry.get("source", kind).model_validate(options)
    now = system_clock()
    source.start(StartContext(name=model, log=make_log(), clock=system_clock, base=output.parent))
    try:
        inspection = inspect_logs(source, registry, now)
    finally:
        source.stop()
    _show(inspection)
    told = None
    if reference is not None:
        told = registry.source_for(reference, endpoint_url)
    output.write_text(
        _text(
            model,
            kind,
            options
            | ({"layout": inspection.layout} if inspection.layout else {})
            | ({"format": inspection.format} if inspection.format else {}),
            inspection.inference.schema,
            told,
            inspection.inference.doubts,
            all(
                obj.partition is not None and now - obj.partition > BACKFILL
                for obj in inspection.objects
            ),
        ),
        encoding="utf-8",
    )
    click.echo(f"wrote {output}", err=True)


def _show(inspection: Any) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    counted = f"{'more than ' if inspection.has_more else ''}{inspection.object_count:,} object{'s' if inspection.object_count > 1 else ''}"
    kind = f", format [bold]{inspection.format}[/]" if inspection.format else ""
    console.print(
        f"{counted}{kind}"
        + (f", layout [bold]{escape(inspection.layout)}[/]" if inspection.layout else "")
    )
    for uri, reason in inspection.skipped_objects[:3]:
        console.print(f"[dim]left out: {escape(uri)}: {reason}[/]")
    _rows(console, inspection.batches[0])
    for doubt in inspection.inference.doubts:
        console.print(f"[yellow]please check:[/] {escape(doubt)}")
    sys.stderr.flush()


def _rows(console: Any, batch: Any) -> None:
    """Ten rows, with as many columns as stand side by side."""
    from rich.markup import escape
    from rich.table import Table

    rows = batch.slice(0, ROWS).to_pylist()
    known = [name for name in batch.schema.names if any(row[name] is not None for row in rows)]
    shown, left = list[str](), console.width
    for name in known:
        left -= max(len(name), *(len(str(row[name])[:CELL]) for row in rows)) + 2
        if left < 0 and shown:
            break
        shown.append(name)
    table = Table(*(escape(name) for name in shown), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(str(row[name])[:CELL]) for name in shown))
    console.print(table)
    if len(batch.schema.names) > len(shown):
        console.print(f"[dim]and {len(batch.schema.names) - len(shown)} more columns[/]")


def _text(
    model: str,
    kind: str,
    options: dict[str, Any],
    schema: Schema,
    reference: tuple[str, dict[str, Any]] | None,
    doubts: list[str],
    old: bool,
) -> str:
    lines = [
        HEAD,
        "models:",
        f"  {_quoted(model)}:",
        "    source:",
        f"      type: {kind}",
        "      options:",
    ]
    lines += [f"        {name}: {_quoted(value)}" for name, value in options.items()]
    lines += [""]
    lines += [f"    # CHECK: {doubt}" for doubt in doubts]
    lines += ["    schema:", *_schema(schema), ""]
    if reference is None:
        lines += [
            "    # What windows are compared with. A training file is better: {type: local, options: {path: train.parquet}}"
        ]
        lines += ["    reference: {trailing: 28d}"]
    else:
        inside = ", ".join(f"{name}: {_quoted(value)}" for name, value in reference[1].items())
        lines += [f"    reference: {{type: {reference[0]}, options: {{{inside}}}}}"]
    lines += [
        "",
        "    # Rows count by event time; a window is judged `lateness` after its end. One that ended longer ago than",
        "    # `notify_within` when it is first judged tells nobody; null tells of all.",
        f"    windows: {{length: 1h, lateness: 15m, notify_within: 24h{', backfill: null' if old else ''}}}",
    ]
    lines += [
        "",
        "    # Without `checks`, the ones that fit the columns run with their default rules.",
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


def _schema(schema: Schema) -> list[str]:
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
        told = {"column": schema.prediction, "score": schema.score}
        inside = [f"{key}: {_quoted(part.name)}" for key, part in told.items() if part is not None]
        lines.append(
            f"      prediction: {{{', '.join([*inside, f'kind: {Task(schema.task).value}'])}}}"
        )
    if schema.label is not None:
        lines.append(f"      label: {{column: {_quoted(schema.label.name)}}}")
    return lines


def _feature(part: Field) -> str:
    told = {
        "path": part.path if part.path != part.name else "",
        "dimension": part.dimension if not part.run else 0,
    }
    inside = ", ".join(
        f"{key}: {_quoted(value) if key == 'path' else value}"
        for key, value in told.items()
        if value
    )
    return f"{{kind: {part.kind}, {inside}}}" if inside else str(part.kind)


def _quoted(value: object) -> str:
    """YAML for a value."""
    import json

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
