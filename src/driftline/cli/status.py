"""`driftline status`: what was read, judged and sent, from the stored state alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from driftline.cli.options import PAINT, config_option, json_option
from driftline.cli.state import open_state

UNPAIRED = {
    "requests": "requests have no response",
    "responses": "responses have no request",
    "settled": "stayed without a partner in closed windows",
}
"""The text for each count of records without their other half."""


@click.command()
@config_option
@json_option
def status(config: Path, as_json: bool) -> None:
    """Show what was read and judged, the incidents, and the messages that wait.

    Exits with 1 when an incident is open.
    """
    from driftline.agent.summary import summarise
    from driftline.config import load_config

    settings = load_config(config)
    with open_state(settings) as store:
        report = summarise(store, settings)
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        show_models(report)
    firing = any(
        row["state"] == "firing"
        for model in report["models"].values()
        for row in model["incidents"]
    )
    raise SystemExit(1 if firing else 0)


def show_models(report: dict[str, Any]) -> None:
    """Print the report of `summarise` for people: a table of the models, then a line an item."""
    from driftline.state.action_runs import State
    from driftline.types.message_state import MessageState
    from driftline.types.phrasing import count

    console = Console()
    if not console.is_terminal:
        console.width = 160  # a file or a pipe has no edge to keep to
    sums = ("objects", "rows", "rejected", "windows")
    verdicts = ("ok", "changed", "unsure", "error")
    table = Table("model", *sums, *verdicts, "newest row", box=None)
    for column in table.columns[1:9]:
        column.justify = "right"
    for name, model in report["models"].items():
        counts = [f"{model[key]:,}" for key in sums]
        counts += [f"{model['verdicts'][verdict]:,}" for verdict in verdicts]
        newest = (model["last_event"] or "none")[:16].replace("T", " ")
        table.add_row(escape(name), *counts, newest)
    console.print(table)
    for name, model in report["models"].items():
        for row in model["incidents"][:20]:
            paint = PAINT[row["severity"]] if row["state"] == "firing" else "dim"
            console.print(
                f"[{paint}]{row['state']:8}  {row['severity']:8}[/]  {escape(row['title'])}"
                f"  [dim]{row['id']}[/]"
            )
            for reason in row.get("reasons", ()):
                console.print(f"    {escape(reason)}")
        if model.get("report"):
            console.print(f"[dim]report: {escape(model['report']['title'])}[/]")
        if model["open_windows"]:
            still_open = count(model["open_windows"], "window")
            verb = "is" if model["open_windows"] == 1 else "are"
            console.print(f"[dim]{escape(name)}: {still_open} {verb} still open[/]")
        if model.get("held"):
            console.print(
                f"[yellow]{escape(name)}: {count(model['held'], 'row')} held back: no usable "
                "time, or too late[/]"
            )
        if losses := (model["reference"] or {}).get("losses"):
            console.print(f"[yellow]{escape(name)}: {escape(losses)}[/]")
        if sum(model["unpaired"].values()):
            counts = [
                f"{lone:,} {UNPAIRED[side]}" for side, lone in model["unpaired"].items() if lone
            ]
            console.print(f"[yellow]{escape(name)}: {', '.join(counts)}[/]")
        late = model.get("labels")
        if late:
            console.print(
                f"[dim]{escape(name)}: {count(late['rows'], 'label')} came later: "
                f"{late['unmatched']:,} have no prediction (yet), "
                f"{late['held']:,} no usable id, time or value. "
                f"{late['predictions_waiting']:,} predictions wait for theirs "
                f"({late['bytes'] / 1e6:,.1f} MB)[/]"
            )
        for item in [*model["trouble"], *(late["trouble"] if late else ())][:5]:
            held = f", {count(item['held'], 'row')} held back" if item["held"] else ""
            problem = (
                f"{item['state']}, {item['rejected']} rejected{held}. {escape(str(item['error']))}"
            )
            console.print(f"[yellow]{escape(str(item['uri']))}[/]: {problem}")
            for record in item["records"][:2]:
                console.print(
                    f"    record {record['position']}: {escape(record['reason'])}"
                    f"  [dim]{escape(record['sample'][:80])}[/]"
                )
        if model.get("error"):
            console.print(f"[red]{escape(name)}: {escape(model['error'])}[/]")
    if report.get("leader"):
        console.print(
            f"[dim]{escape(report['leader']['agent'])} leads since "
            f"{report['leader']['since'][:19]}[/]"
        )
    for run in report["actions"]:
        if run["state"] in (State.AWAITING, MessageState.REFUSED):
            line = f"action {run['action']} for {run['incident']}: {run['state']}. {run['run']}"
            console.print(f"[yellow]{escape(line)}[/]")
    for name, sink in report["sinks"].items():
        if sink["pending"] or sink["refused"]:
            console.print(
                f"[yellow]sink {escape(name)}: {sink['pending']} wait, {sink['refused']} refused. "
                f"{escape(sink['error'])}[/]"
            )
        for letter in sink["dead_letters"][:5]:
            console.print(
                f"    not taken: {escape(letter['event'])} {escape(letter['title'])}. "
                f"{escape(letter['error'])}"
            )
