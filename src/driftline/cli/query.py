"""`driftline search` and `driftline query`: questions about models and their measurements."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.cli.options import config_option, json_option, parse_time
from driftline.cli.records import open_record_catalog

if TYPE_CHECKING:
    from driftline.catalog.catalog import Catalog


@contextmanager
def explain_mistakes(config: Path, expression: str) -> Iterator[Catalog]:
    """Open the records; a mistake in an expression is shown below the word that it is about."""
    from driftline.catalog.measurement_query import QueryError
    from driftline.profiles.language import ExpressionError

    with open_record_catalog(config) as catalog:
        try:
            yield catalog
        except ExpressionError as error:
            raise click.UsageError(
                f"a mistake in the expression\n{error.show(expression)}"
            ) from None
        except QueryError as error:
            raise click.UsageError(str(error)) from None


@click.group("search")
def search_group() -> None:
    """Search what is recorded."""


@search_group.command("models")
@click.argument("expression", default="")
@json_option
@config_option
def search(expression: str, as_json: bool, config: Path) -> None:
    """List the versions of models for which EXPRESSION is true.

        driftline search models 'tags.team == "growth" and params.max_depth > 4'
        driftline search models "metrics.train.auc < 0.8 OR alias = 'champion'"

    Names are tags.NAME, params.NAME, metrics.NAME, datasets.name, and model, version, alias, owner,
    description, created.
    """
    from driftline.catalog.search import search_models

    with explain_mistakes(config, expression) as catalog:
        items = search_models(catalog, expression)
    if as_json:
        rows = [item.as_json() for item in items]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for item in items:
        aliases = f"  ({', '.join(item.aliases)})" if item.aliases else ""
        click.echo(f"{item.model}  {item.version or '-'}{aliases}")


@click.command("query")
@click.argument("model")
@click.argument("metric")
@click.option("--where", default="", metavar="EXPRESSION", help="Only rows for which it is true.")
@click.option("--by", default="", metavar="FIELD", help="Summarise by version, column, segment ...")
@click.option("--since", metavar="TIME", help="A time, or how far back, such as 30d.")
@click.option("--until", metavar="TIME", help="A time, or how far back.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "parquet", "chart"]),
    default="table",
    show_default=True,
    help="How the answer is written.",
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file."
)
@config_option
def query(
    model: str,
    metric: str,
    where: str,
    by: str,
    since: str | None,
    until: str | None,
    form: str,
    output: Path | None,
    config: Path,
) -> None:
    """Show the stored values of METRIC of MODEL.

        driftline query churn psi --where 'column in ["tenure"]' --by version --since 30d

    Names in --where are start, end, version, segment, check, value, low, high, was, rows, verdict,
    severity, and the labels, such as column.
    """
    from driftline.catalog.measurement_query import Question, ask
    from driftline.catalog.tables import WRITERS, OutputForm

    question = Question(
        model=model,
        metric=metric,
        where=where,
        by=by,
        since=_time("--since", since),
        until=_time("--until", until),
    )
    with explain_mistakes(config, where) as catalog:
        answer = ask(catalog.store, question)
    content = WRITERS[OutputForm(form)](answer)
    data = content if isinstance(content, bytes) else f"{content.rstrip()}\n".encode()
    if output is not None:
        try:
            output.write_bytes(data)
        except OSError as error:
            raise click.FileError(str(output), error.strerror or str(error)) from None
    elif form == OutputForm.PARQUET and sys.stdout.isatty():
        raise click.UsageError("Parquet is no text: name a file with --output")
    else:
        click.echo(data, nl=False)


def _time(option: str, text: str | None) -> datetime | None:
    from driftline.types.scalars import parse_duration

    if text is None:
        return None
    try:
        return datetime.now(UTC) - parse_duration(text)
    except (ValueError, OverflowError):
        return parse_time(option, text)
