"""`driftline reproduce`: compute stored numbers again from the log objects.

Does not write anything: the state is opened for reading, so an agent may be at work on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.known_names import require_name
from driftline.cli.options import config_option, json_option, parse_time
from driftline.cli.state import open_state, pick_incident

if TYPE_CHECKING:
    from rich.console import Console

DIFFERS = 1
"""The exit code when a number differs."""
MOST_PRINTED = 20
"""Numbers and objects that are printed, those that differ first; --json has all."""


@click.command()
@click.argument("subject", metavar="INCIDENT|MODEL")
@click.option(
    "--window",
    "start",
    metavar="START",
    help="The start of the window, UTC. Default: the newest window that has numbers.",
)
@click.option(
    "--check", "checks", multiple=True, help="Only this check of a model; may be repeated."
)
@config_option
@json_option
def reproduce(
    subject: str, start: str | None, checks: tuple[str, ...], config: Path, as_json: bool
) -> None:
    """Compute the numbers of INCIDENT, or of a window of MODEL, again and compare them.

    INCIDENT is an id or the beginning of one. Reads the log objects of the window again, with the
    labels that came later, measures them against the same reference, and compares the numbers with
    the stored ones. Exits with 0 when all numbers are the same, 1 when a number differs, 3 when an
    object or the reference is gone.
    """
    from driftline.agent import composition_root as root
    from driftline.cli.progress import bar
    from driftline.contracts.context import StartContext
    from driftline.report.notified_numbers import NoNumbersError
    from driftline.report.reproduce import Reproducer
    from driftline.state import incidents
    from driftline.telemetry.logs import make_log

    start_time = None if start is None else parse_time("--window", start)
    settings = root.read_config(config)
    guard = root.make_guard(root.system_clock)
    context = StartContext(
        name="reproduce",
        log=make_log(),
        clock=root.system_clock,
        config_folder=settings.origin.parent,
    )
    is_model = subject in settings.models
    if checks and not is_model:
        raise click.UsageError("--check chooses among the numbers of a model, not of an incident")
    for check in checks:
        require_name(check, settings.models[subject].checks or (), "check")
    with open_state(settings) as store, TemporaryDirectory(prefix="driftline-") as folder:
        name = subject
        if not is_model:
            with store.read() as connection:
                ids = incidents.find_incident_ids(connection, subject)
            name = pick_incident(ids, subject, tuple(settings.models))
        try:
            with bar(rows=True) as progress:
                reproducer = Reproducer(
                    config=settings,
                    store=store,
                    guard=guard,
                    context=context,
                    folder=Path(folder),
                    progress=progress,
                )
                if is_model:
                    report = reproducer.reproduce_window(name, start_time, checks)
                else:
                    report = reproducer.reproduce(name, start_time)
        except NoNumbersError as error:
            raise click.UsageError(str(error)) from None
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _show(report)
    if not report["same"]:
        raise SystemExit(DIFFERS)


def _show(report: dict[str, Any]) -> None:
    from datetime import datetime

    from rich.console import Console
    from rich.markup import escape

    from driftline.types.phrasing import clean, span, utc

    console = Console(highlight=False, soft_wrap=True)
    incident, window = report["incident"], report["window"]
    objects, numbers = report["objects"], report["numbers"]
    when = span(datetime.fromisoformat(window["start"]), datetime.fromisoformat(window["end"]))
    if incident is None:
        console.print(f"[bold]{escape(clean(report['model']))}[/], window {when}")
    else:
        sent_at = utc(datetime.fromisoformat(incident["told"]))
        console.print(f"[bold]{escape(clean(incident['title']))}[/]")
        console.print(f"{incident['id']}, sent {sent_at}, window {when}")
    stored_rows, rows = (sum(obj[name] for obj in objects) for name in ("rows", "rows_now"))
    note = "as they were counted" if rows == stored_rows else f"where {stored_rows:,} were counted"
    console.print(
        f"read again: {len(objects)} object{'' if len(objects) == 1 else 's'}, {rows:,} rows, "
        f"{note}; compared with {escape(clean(report['reference']))}\n"
    )
    _show_numbers(console, numbers)
    console.print()
    for obj in _select(objects, _has_changed):
        _show_object(console, obj)
    for text in report["notes"]:
        console.print(f"[yellow]note:[/] {escape(text)}")
    differing = sum(number["same"] is False for number in numbers)
    total = sum(number["same"] is not None for number in numbers)
    word = "number" if total == 1 else "numbers"
    if report["same"]:
        console.print(f"[green]the same:[/] {total:,} {word}")
    else:
        console.print(f"[bold red]differs:[/] {differing:,} of {total:,} {word}")


def _has_changed(obj: dict[str, Any]) -> bool:
    return bool(obj["replaced"] or obj["error"] or obj["rows"] != obj["rows_now"])


def _differs(number: dict[str, Any]) -> bool:
    return number["same"] is False


def _select(
    items: list[dict[str, Any]], is_first: Callable[[dict[str, Any]], bool]
) -> list[dict[str, Any]]:
    """Choose at most MOST_PRINTED items, those of `is_first` before the others, in their order."""
    if len(items) <= MOST_PRINTED:
        return items
    places = sorted(range(len(items)), key=lambda place: not is_first(items[place]))
    return [items[place] for place in sorted(places[:MOST_PRINTED])]


def _show_numbers(console: Console, numbers: list[dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from driftline.types.phrasing import clean

    titles = ("check", "measurement", "of", "verdict", "stored", "now", "rows", "rows now", "")
    table = Table(*titles, box=None, header_style="bold")
    for place, column in enumerate(table.columns):
        if 4 <= place < 8:  # a number that is cut is another number
            column.justify, column.no_wrap = "right", True
        else:
            column.overflow = "fold"
    selection = _select(numbers, _differs)
    for number in selection:
        texts = (clean(number["check"]), clean(number["measurement"]), clean(_series(number)))
        cells = [*(escape(text) for text in texts), number["verdict"], *_values(number)]
        cells += [f"{number['stored']['rows']:,}", _row_count(number), _mark(number)]
        table.add_row(*cells)
    if not console.is_terminal:
        console.width = 10_000  # a file or a pipe has no edge to keep to
    console.print(table)
    if len(numbers) > len(selection):
        console.print(f"[dim]and {len(numbers) - len(selection)} more; --json has all[/]")


def _series(number: dict[str, Any]) -> str:
    """Name what a number is about: column, labels, segment and version."""
    group = {name: number[name] for name in ("segment", "version") if number[name]}
    labels = number["labels"] | group
    return ", ".join(
        value if name == "column" else f"{name} {value}" for name, value in labels.items()
    )


def _values(number: dict[str, Any]) -> tuple[str, str]:
    """Write the stored value and the new one; in full where they differ but would look alike."""
    from driftline.types.phrasing import number as figure

    before = number["stored"]["value"]
    if number["now"] is None:
        return figure(before), ""
    after = number["now"]["value"]
    texts = figure(before), figure(after)
    return texts if texts[0] != texts[1] or before == after else (repr(before), repr(after))


def _row_count(number: dict[str, Any]) -> str:
    rows = None if number["now"] is None else number["now"]["rows"]
    return "" if rows is None else f"{rows:,}"


def _mark(number: dict[str, Any]) -> str:
    from rich.markup import escape

    from driftline.types.phrasing import clean

    marks = {
        True: "[green]same[/]",
        False: "[bold red]differs[/]",
        None: "[yellow]not again[/]",
    }
    reason = number["why"]
    suffix = f": {escape(clean(reason, 400))}" if reason and reason != "value" else ""
    return marks[number["same"]] + suffix


def _show_object(console: Console, obj: dict[str, Any]) -> None:
    from rich.markup import escape

    from driftline.types.phrasing import clean

    rows = (
        f"{obj['rows']:,} rows"
        if obj["rows"] == obj["rows_now"]
        else f"{obj['rows_now']:,} rows, was {obj['rows']:,}"
    )
    version = escape(clean(obj["version"], 80))
    new_version = escape(clean(obj["version_now"], 80)) if obj["replaced"] else ""
    change = f", [bold red]is version {new_version} now[/]" if obj["replaced"] else ""
    error = f", [bold red]{escape(clean(obj['error'], 400))}[/]" if obj["error"] else ""
    uri = escape(clean(obj["uri"], 400))
    console.print(f"{uri} [dim]version {version}[/]{change}, {rows}{error}")
