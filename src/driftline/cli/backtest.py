"""`driftline backtest`: which alarms there would have been, with this configuration, on the windows
that are stored.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import config_option, json_option, moment

if TYPE_CHECKING:
    from driftline.backtest.summary import Backtest

FINDINGS = 1


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option(
    "--from",
    "since",
    metavar="TIME",
    help="The first window judged, UTC; the oldest stored when absent.",
)
@click.option(
    "--to",
    "until",
    metavar="TIME",
    help="Where it ends, exclusive, UTC; the newest stored when absent.",
)
@click.option(
    "--incidents",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What is known to have happened: CSV with start, end, columns and note, or the same as YAML or JSON.",
)
@click.option(
    "--shuffles",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Histories in which nothing changes.",
)
@click.option(
    "--tune", is_flag=True, help="Try other budgets for false pages, and propose settings."
)
@click.option(
    "--chart",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw it: .svg, .png or .pdf.",
)
@click.option(
    "--processes", type=click.IntRange(1), default=None, help="Processors to use; all when absent."
)
@config_option
@json_option
def backtest(
    models: tuple[str, ...],
    since: str | None,
    until: str | None,
    incidents: Path | None,
    shuffles: int,
    tune: bool,
    chart: Path | None,
    processes: int | None,
    config: Path,
    as_json: bool,
) -> None:
    """Replay stored windows through checks, rules and alerting, and tell nobody.

    Prints the alarms there would have been, and how often the same windows alarm when their order
    is shuffled, so that nothing changes. Ends with 1 when a column alarms of itself so often that
    it must not page.
    """
    from driftline.agent.start import read_config
    from driftline.backtest.score import parse_known_incidents
    from driftline.cli.backtest_page import show

    loaded = read_config(config)
    names = list(models) or list(loaded.models)
    if unknown := [name for name in names if name not in loaded.models]:
        raise click.UsageError(
            f"there is no model {unknown[0]!r}; models are: {', '.join(loaded.models)}"
        )
    if tune and not shuffles:
        raise click.UsageError(
            "--tune compares budgets in shuffled history: give --shuffles 1 or more, or leave it out for 10"
        )
    if chart is not None and len(names) > 1:
        raise click.UsageError("--chart draws one model: name it")
    if chart is not None:
        from driftline.charts.backtest import parse_format, write_chart

        parse_format(chart)
    known = (
        parse_known_incidents(incidents.read_text(encoding="utf-8"), str(incidents))
        if incidents
        else []
    )
    span = (
        None if since is None else moment("--from", since),
        None if until is None else moment("--to", until),
    )
    told = []
    for name in names:
        found = _run(loaded, name, span, known, shuffles, tune, processes or os.cpu_count() or 1)
        told.append(found.as_json)
        if not as_json:
            show(found)
        if chart is not None:
            write_chart(found.as_json, chart)
    if as_json:
        click.echo(json.dumps(told[0] if len(told) == 1 else told, ensure_ascii=False, indent=2))
    if any(each.get("no_pages") for each in told):
        raise SystemExit(FINDINGS)


def _run(
    config: Any,
    name: str,
    span: tuple[datetime | None, datetime | None],
    known: list[Any],
    shuffles: int,
    tune: bool,
    cpus: int,
) -> Backtest:
    from driftline.agent.start import make_guard, system_clock
    from driftline.backtest.run_backtest import run_backtest
    from driftline.backtest.stored_history import load_history
    from driftline.cli.progress import bar

    subject = load_history(config, name, *span, make_guard(system_clock))
    with bar() as progress:
        return run_backtest(
            subject, known, shuffles=shuffles, tune=tune, processes=cpus, progress=progress
        )
