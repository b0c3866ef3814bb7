"""`driftline backtest`: the alarms that this configuration would have raised on stored windows."""

from __future__ import annotations

import json
import os
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from driftline.cli.options import PAINT, config_option, json_option, parse_time
from driftline.types.model import Severity
from driftline.types.phrasing import clean, format_span_length, number, utc

if TYPE_CHECKING:
    from driftline.backtest.score import ReplayedAlarm
    from driftline.backtest.summary import Backtest

FINDINGS = 1
LISTED = 40
"""Alarms that are printed; --json has all."""
WORTH_A_RATE = timedelta(days=28)
"""The shortest history for which alarms a year are printed."""
BLOCKS = " ▁▂▃▄▅▆▇█"
"""The bars of a count, lowest first."""


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option(
    "--from",
    "since",
    metavar="TIME",
    help="The start of the first window to judge, UTC. Default: the oldest stored.",
)
@click.option(
    "--to",
    "until",
    metavar="TIME",
    help="The end, exclusive, UTC. Default: the end of the newest stored window.",
)
@click.option(
    "--incidents",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Known incidents: CSV with start, end, columns and note, or the same as YAML or JSON.",
)
@click.option(
    "--shuffles",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="How many shuffled histories to replay. Nothing changes in a shuffled history.",
)
@click.option(
    "--tune", is_flag=True, help="Try other values of false_pages_per_year and propose settings."
)
@click.option(
    "--chart",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw the result into this file: .svg, .png or .pdf.",
)
@click.option(
    "--processes", type=click.IntRange(1), default=None, help="Processes to use. Default: all CPUs."
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
    """Replay stored windows through checks, rules and alerting. Sends no message.

    Prints the alarms there would have been. Then shuffles the order of the windows, so that
    nothing changes, and prints how often they still alarm. Exits with 1 when a column raises so
    many false alarms that it must not page.
    """
    from driftline.agent.composition_root import read_config
    from driftline.backtest.score import parse_known_incidents

    settings = read_config(config)
    names = list(models) or list(settings.models)
    if unknown := [name for name in names if name not in settings.models]:
        raise click.UsageError(
            f"there is no model {unknown[0]!r}; models are: {', '.join(settings.models)}"
        )
    if tune and not shuffles:
        raise click.UsageError(
            "--tune needs shuffled history: give --shuffles 1 or more, or omit it for 10"
        )
    if chart is not None and len(names) > 1:
        raise click.UsageError("--chart draws one model only: name it")
    if chart is not None:
        from driftline.charts.backtest import parse_format, write_chart

        parse_format(chart)
        if not chart.absolute().parent.is_dir():
            raise click.FileError(str(chart), "there is no such folder")
    known_incidents = (
        parse_known_incidents(incidents.read_text(encoding="utf-8"), str(incidents))
        if incidents
        else []
    )
    processes = processes or os.cpu_count() or 1
    span = (
        None if since is None else parse_time("--from", since),
        None if until is None else parse_time("--to", until),
    )
    documents = []
    for name in names:
        result = _run(
            settings, name, span, known_incidents, shuffles=shuffles, tune=tune, cpus=processes
        )
        documents.append(result.as_json)
        if not as_json:
            _show(result)
        if chart is not None:
            try:
                write_chart(result.as_json, chart)
            except OSError as error:
                raise click.FileError(str(chart), error.strerror or str(error)) from None
    if as_json:
        document = documents[0] if len(documents) == 1 else documents
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    if any(document.get("no_pages") for document in documents):
        raise SystemExit(FINDINGS)


def _run(
    config: Any,
    name: str,
    span: tuple[datetime | None, datetime | None],
    known_incidents: list[Any],
    *,
    shuffles: int,
    tune: bool,
    cpus: int,
) -> Backtest:
    from driftline.agent.composition_root import make_guard, system_clock
    from driftline.backtest.run_backtest import run_backtest
    from driftline.backtest.stored_history import load_history
    from driftline.cli.progress import bar

    history = load_history(config, name, *span, make_guard(system_clock))
    with bar() as progress:
        return run_backtest(
            history,
            known_incidents,
            shuffles=shuffles,
            tune=tune,
            processes=cpus,
            progress=progress,
        )


def _show(result: Backtest) -> None:
    """Print the result for people: a calendar, counts and tables."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 1000  # a file or a pipe has no edge to keep to
    document = result.as_json
    history = result.history
    learning_windows = document["learnt_from"]
    learning = f", {learning_windows:,} before them to learn from" if learning_windows else ""
    length = format_span_length(history.since, history.since + history.length)
    console.print(
        f"[bold]{escape(document['model'])}[/]: {document['windows']:,} windows of {length} "
        f"from {history.since:%Y-%m-%d %H:%M} to {history.until:%Y-%m-%d %H:%M} UTC{learning}"
    )
    if history.missing_windows:
        console.print(
            f"[yellow]{history.missing_windows:,} older windows are stored as days only "
            "and were left out[/]"
        )
    console.print()
    console.print(_calendar(result))
    _alarms(console, result)
    _counts(console, document)
    if result.known_incidents:
        _show_known_incidents(console, result)
    if result.shuffled_rate is not None:
        _show_shuffled(console, result)
    if result.trials:
        _show_trials(console, result, document)


def _calendar(result: Backtest) -> Table:
    """Draw a line a month and a sign a day: the worst alarm, and below it the known incidents."""
    grid = Table.grid(padding=(0, 1))
    first, last = (
        result.history.since.date(),
        (result.history.until - timedelta(microseconds=1)).date(),
    )
    month = first.replace(day=1)
    while month <= last:
        line, below = Text(), Text()
        after = (month + timedelta(days=32)).replace(day=1)
        for offset in range((after - month).days):
            day = month + timedelta(days=offset)
            line.append(*_day(result, day, first, last))
            is_covered = any(
                _covers(incident.start, incident.end, day) for incident in result.known_incidents
            )
            below.append("^" if is_covered else " ", "magenta")
        grid.add_row(f"{month:%b %Y}", line)
        if below.plain.strip():
            grid.add_row("", below)
        month = after
    marks = (
        Text("■ ", PAINT[Severity.CRITICAL])
        + Text("critical  ")
        + Text("■ ", PAINT[Severity.WARNING])
        + Text("warning  ")
    )
    marks += Text("■ ", PAINT[Severity.INFO]) + Text("info  ") + Text("· quiet")
    if result.known_incidents:
        marks += Text("  ^ ", "magenta") + Text("known incident")
    grid.add_row("", marks)
    return grid


def _day(result: Backtest, day: date, first: date, last: date) -> tuple[str, str]:
    if not first <= day <= last:
        return " ", ""
    on = [
        alarm
        for alarm in result.alarms
        if _covers(alarm.start, alarm.resolved_at or result.history.until, day)
    ]
    if not on:
        return "·", "dim"
    return "■", PAINT[max((alarm.severity for alarm in on), key=lambda severity: severity.rank)]


def _covers(start: datetime, end: datetime, day: date) -> bool:
    return start.date() <= day <= (end - timedelta(microseconds=1)).date()


def _alarms(console: Console, result: Backtest) -> None:
    count = len(result.alarms)
    long = len(result.starts) * result.history.length >= WORTH_A_RATE
    rate = f", {number(result.per_year(count))} a year" if long else ""
    console.print(f"\n[bold]{count:,} alarm{'' if count == 1 else 's'}[/]{rate}")
    for alarm in result.alarms[:LISTED]:
        console.print(
            f"[{PAINT[alarm.severity]}]{alarm.severity.value:8}[/] {utc(alarm.notified_at)}"
            f"  {escape(clean(alarm.title))}{_length(alarm)}"
        )
    if count > LISTED:
        console.print(f"[dim]and {count - LISTED} more; --json has all[/]")


def _length(alarm: ReplayedAlarm) -> str:
    return (
        f" [dim]for {format_span_length(alarm.start, alarm.resolved_at)}[/]"
        if alarm.resolved_at
        else " [dim]still on[/]"
    )


def _counts(console: Console, document: dict[str, Any]) -> None:
    if not document["alarms"]:
        return
    table = Table("check", *(severity.value for severity in Severity), box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, counts in document["by_check"].items():
        cells = (str(counts[severity.value] or "") for severity in Severity)
        table.add_row(escape(clean(name)), *cells)
    console.print()
    console.print(table)
    hours = {f"{hour:02}": document["by_hour"].get(hour, 0) for hour in range(24)}
    for label, counts in (("weekday", document["by_weekday"]), ("hour", hours)):
        console.print(
            f"[dim]{label:8}[/]"
            + " ".join(f"{name}{_bar(count, counts)}" for name, count in counts.items())
        )
    months = " ".join(f"{name} {count}" for name, count in document["by_month"].items())
    console.print(f"[dim]month   [/]{months}")


def _bar(count: int, counts: dict[str, int]) -> str:
    most = max(counts.values()) or 1
    return BLOCKS[-(-count * (len(BLOCKS) - 1) // most)]


def _show_known_incidents(console: Console, result: Backtest) -> None:
    """Print which known incidents were found, beside simple alarms for comparison."""
    document = result.as_json
    console.print()
    for incident in document["known"]:
        after = incident["found_after_seconds"]
        start = datetime.fromisoformat(incident["start"])
        columns = clean(" ".join(incident["columns"])) or "anywhere"
        label = f"{start:%Y-%m-%d %H:%M}  {columns}" + (
            f" ({clean(incident['note'])})" if incident["note"] else ""
        )
        outcome = (
            "[red]not found[/]"
            if after is None
            else f"found after {format_span_length(start, start + timedelta(seconds=after))}"
        )
        console.print(f"known    {escape(label)}: {outcome}")
    table = Table("", "found", "alarms", "of them false", "median delay", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    epoch = result.history.since
    for name, score in document["compared"].items():
        delay = score["median_delay_seconds"]
        table.add_row(
            name,
            f"{score['found']} of {len(result.known_incidents)}",
            f"{score['alarms']:,}",
            f"{score['false']:,}",
            "" if delay is None else format_span_length(epoch, epoch + timedelta(seconds=delay)),
        )
    console.print(table)


def _show_shuffled(console: Console, result: Backtest) -> None:
    rate, budget = result.shuffled_rate, result.history.false_pages_per_year
    assert rate is not None
    console.print(
        f"\n[bold]Shuffled[/], so that nothing changes: {rate.alarms} alarms in "
        f"{number(round(rate.years, 1))} years, {number(rate.mean)} a year "
        f"(at most {number(rate.upper_bound)} with 95% confidence; "
        f"false_pages_per_year is {number(budget)})"
    )
    for suspect in result.noisy_series:
        series = suspect.series
        subject = " ".join(clean(value) for _, value in series.labels) or series.check
        console.print(
            f"[red]must not page[/]: {escape(subject)} {escape(clean(series.name))} raises "
            f"{number(suspect.rate.mean)} false alarms a year, its share is "
            f"{number(suspect.share)}. Likely {escape(suspect.cause)}"
        )


def _show_trials(console: Console, result: Backtest, document: dict[str, Any]) -> None:
    import yaml

    titles = ("false_pages_per_year", "alarms", "found", "false", "median delay")
    table = Table(*titles, "shuffled, a year", "", box=None)
    for column in table.columns[:6]:
        column.justify = "right"
    epoch = result.history.since
    for row in document["tried"]:
        delay = row["median_delay_seconds"]
        cells = (
            number(row["false_pages_per_year"]),
            str(row["alarms"]),
            str(row["found"]),
            "" if row["false"] is None else str(row["false"]),
            "" if delay is None else format_span_length(epoch, epoch + timedelta(seconds=delay)),
            number(row["shuffled_a_year"]),
            "best" if row["chosen"] else "" if row["kept"] else "not kept",
        )
        table.add_row(*cells)
    console.print()
    console.print(table)
    if not result.proposals:
        console.print("Nothing to change.")
        return
    text = yaml.safe_dump(
        {"models": {document["model"]: result.proposals}}, sort_keys=False, allow_unicode=True
    )
    console.print("Proposed:")
    console.print(escape(text))
