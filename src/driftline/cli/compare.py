"""`driftline compare`: which columns of two tables differ, how much, and how sure that is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.cli.options import json_option

if TYPE_CHECKING:
    from driftline.comparison.result import Comparison

VERDICT_PAINT = {"changed": "bold red", "unsure": "yellow", "error": "yellow"}
"""The rich style of each verdict that is shown."""


@click.command()
@click.argument("reference")
@click.argument("current")
@click.option("--label", metavar="COLUMN", help="The true outcome; it brings the model's metrics.")
@click.option("--prediction", metavar="COLUMN", help="What the model predicted.")
@click.option("--score", metavar="COLUMN", help="The probability of the positive class.")
@click.option(
    "--segment",
    "segments",
    multiple=True,
    metavar="COLUMN",
    help="A column whose groups are compared separately, too. Repeatable.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a report with charts: one file, without scripts.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["changed"]),
    help="Exit with code 1 if something changed, for CI.",
)
@click.option(
    "--plugins",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A file or folder with your own plugins. Repeatable.",
)
@json_option
def compare(
    reference: str,
    current: str,
    label: str | None,
    prediction: str | None,
    score: str | None,
    segments: tuple[str, ...],
    html: Path | None,
    fail_on: str | None,
    plugins: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Compare the table CURRENT with the table REFERENCE, the most important change first.

    Each is a file, a folder, a quoted glob, or an address such as s3://BUCKET/PREFIX, in any
    format. No configuration and no column of times is needed.
    """
    from driftline.comparison.api import compare as compare_data
    from driftline.types.errors import ComparisonError

    try:
        result = compare_data(
            reference,
            current,
            label=label,
            prediction=prediction,
            score=score,
            segments=segments,
            plugins=plugins,
        )
    except ComparisonError as error:
        raise click.UsageError(str(error)) from None
    if html is not None:
        try:
            result.save(html)
        except OSError as error:
            raise click.FileError(str(html), error.strerror or str(error)) from None
    if as_json:
        click.echo(json.dumps(result.to_dict(), ensure_ascii=True, indent=2))
    else:
        _show(result)
    return 1 if fail_on == "changed" and result.is_changed else 0


def _show(result: Comparison) -> None:
    """Print a table on a terminal, plain lines elsewhere."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        click.echo(str(result))
        return
    from rich.markup import escape
    from rich.table import Table

    from driftline.comparison.text_report import heading, other_lines, shown_records
    from driftline.types.phrasing import clean

    names, headline, basis = heading(result)
    console.print(f"[dim]{escape(names)}[/]\n[bold]{escape(headline)}[/]\n[dim]{escape(basis)}[/]")
    table = Table(
        "column", "verdict", "how much, with 95% intervals", box=None, header_style="bold"
    )
    for row in shown_records(result):
        paint = VERDICT_PAINT.get(row.verdict, "")
        table.add_row(
            escape(clean(row.name, 60)),
            f"[{paint}]{row.verdict}[/]" if paint else row.verdict,
            escape(clean(row.text, 600)),
        )
    if table.row_count:
        console.print(table)
    for line in other_lines(result):
        console.print(escape(line), style="dim")
