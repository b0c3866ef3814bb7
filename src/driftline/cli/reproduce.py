"""`driftline reproduce`: the numbers of an incident, computed again from the log objects behind
them.

Refuses to write anything: the state is opened for reading, so that it may be an agent's at work.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from driftline.cli.explain import one_of
from driftline.cli.options import config_option, json_option, moment

DIFFERS = 1
SHOWN = 20
"""Numbers and objects that are printed, those that differ first; --json has all."""


@click.command()
@click.argument("incident")
@click.option(
    "--window",
    "start",
    metavar="START",
    help="The window with this start, UTC; the newest that was told when absent.",
)
@config_option
@json_option
def reproduce(incident: str, start: str | None, config: Path, as_json: bool) -> None:
    """Compute the numbers of INCIDENT, an id or its beginning, again.

    The log objects behind its window are read again, measured against the reference that judged,
    and compared with what is stored. Ends with 0 when all is the same, 1 when a number differs, 3
    when an object or the reference is not there any more.
    """
    from driftline.agent import start as root
    from driftline.cli.progress import bar
    from driftline.contracts.context import StartContext
    from driftline.report.notified_numbers import NoNumbersError
    from driftline.report.reproduce import Reproducer
    from driftline.state import incidents
    from driftline.state.factory import open_store
    from driftline.telemetry.logs import make_log

    at = None if start is None else moment("--window", start)
    loaded = root.read_config(config)
    base = loaded.origin.parent
    store = open_store(loaded.agent.state, base=base, readonly=True)
    context = StartContext(name="reproduce", log=make_log(), clock=root.system_clock, base=base)
    try:
        with store.read() as connection:
            name = one_of(incidents.names(connection, incident), incident)
        with bar(rows=True) as progress:
            found = Reproducer(
                loaded, store, root.make_guard(root.system_clock), context, progress
            ).reproduce(name, at)
    except NoNumbersError as error:
        raise click.UsageError(str(error)) from None
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _show(found)
    if not found["same"]:
        raise SystemExit(DIFFERS)


def _show(found: dict[str, Any]) -> None:
    from datetime import datetime

    from rich.console import Console
    from rich.markup import escape

    from driftline.types.phrasing import clean, span, utc

    console = Console(highlight=False, soft_wrap=True)
    incident, window = found["incident"], found["window"]
    when = span(datetime.fromisoformat(window["start"]), datetime.fromisoformat(window["end"]))
    console.print(f"[bold]{escape(clean(incident['title']))}[/]")
    console.print(
        f"{incident['id']}, told {utc(datetime.fromisoformat(incident['told']))}, window {when}"
    )
    rows, now = (sum(each[name] for each in found["objects"]) for name in ("rows", "rows_now"))
    many = f"{len(found['objects'])} object{'' if len(found['objects']) == 1 else 's'}"
    counted = (
        f"{now:,} rows, as they were counted"
        if rows == now
        else f"{now:,} rows, where {rows:,} were counted"
    )
    console.print(
        f"read again: {many}, {counted}; compared with {escape(clean(found['reference']))}\n"
    )
    _numbers(console, found["numbers"])
    console.print()
    for each in _first(
        found["objects"],
        lambda each: each["replaced"] or each["error"] or each["rows"] != each["rows_now"],
    ):
        _object(console, each)
    for note in found["notes"]:
        console.print(f"[yellow]note:[/] {escape(note)}")
    differing = sum(each["same"] is False for each in found["numbers"])
    compared = sum(each["same"] is not None for each in found["numbers"])
    word = "number" if compared == 1 else "numbers"
    if found["same"]:
        console.print(f"[green]the same:[/] {compared:,} {word}")
    else:
        console.print(f"[bold red]differs:[/] {differing:,} of {compared:,} {word}")


def _first(told: list[dict[str, Any]], odd: Any) -> list[dict[str, Any]]:
    """What is shown: at most SHOWN, the odd ones first where not all fit, in the old order."""
    if len(told) <= SHOWN:
        return told
    chosen = sorted(range(len(told)), key=lambda place: not odd(told[place]))[:SHOWN]
    return [told[place] for place in sorted(chosen)]


def _numbers(console: Any, numbers: list[dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from driftline.types.phrasing import clean

    table = Table(
        "check",
        "measurement",
        "of",
        "verdict",
        "stored",
        "now",
        "rows",
        "rows now",
        "",
        box=None,
        header_style="bold",
    )
    for place, column in enumerate(table.columns):
        if 4 <= place < 8:  # a number that is cut is another number
            column.justify, column.no_wrap = "right", True
        else:
            column.overflow = "fold"
    shown = _first(numbers, lambda each: each["same"] is False)
    for each in shown:
        labels = each["labels"] | {
            name: each[name] for name in ("segment", "version") if each[name]
        }
        about = ", ".join(
            value if name == "column" else f"{name} {value}" for name, value in labels.items()
        )
        stored, now = each["stored"], each["now"] or {"value": None, "rows": None}
        values = ("", "") if each["now"] is None else _both(stored["value"], now["value"])
        mark = {
            True: "[green]same[/]",
            False: "[bold red]differs[/]",
            None: "[yellow]not again[/]",
        }[each["same"]]
        why = (
            f": {escape(clean(each['why'], 400))}" if each["why"] and each["why"] != "value" else ""
        )
        table.add_row(
            escape(clean(each["check"])), escape(clean(each["measurement"])), escape(clean(about)), each["verdict"],
            values[0] or _one(stored["value"]), values[1], f"{stored['rows']:,}",
            "" if now["rows"] is None else f"{now['rows']:,}", mark + why,
        )  # fmt: skip
    if not console.is_terminal:
        console.width = 10_000  # a file or a pipe has no edge to keep to
    console.print(table)
    if len(numbers) > len(shown):
        console.print(f"[dim]and {len(numbers) - len(shown)} more; --json has all[/]")


def _one(value: float | None) -> str:
    from driftline.types.phrasing import number

    return number(value)


def _both(stored: float | None, now: float | None) -> tuple[str, str]:
    """Two numbers as people read them; to the last digit where they would read alike and are
    not.
    """
    texts = _one(stored), _one(now)
    return texts if texts[0] != texts[1] or stored == now else (repr(stored), repr(now))


def _object(console: Any, told: dict[str, Any]) -> None:
    from rich.markup import escape

    from driftline.types.phrasing import clean

    rows = (
        f"{told['rows']:,} rows"
        if told["rows"] == told["rows_now"]
        else f"{told['rows_now']:,} rows, was {told['rows']:,}"
    )
    version = clean(told["version"], 80)
    replaced = (
        f", [bold red]is version {escape(clean(told['version_now'], 80))} now[/]"
        if told["replaced"]
        else ""
    )
    error = f", [bold red]{escape(clean(told['error'], 400))}[/]" if told["error"] else ""
    console.print(
        f"{escape(clean(told['uri'], 400))} [dim]version {escape(version)}[/]{replaced}, {rows}{error}"
    )
