"""`driftline status`: what the state says, without touching anything outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from driftline.cli.options import PAINT, config_option, json_option


@click.command()
@config_option
@json_option
def status(config: Path, as_json: bool) -> None:
    """What was read, judged and found, what could not be read, and which messages wait. Ends with 1
    when something fires.
    """
    from driftline.agent.summary import summarise
    from driftline.config import load
    from driftline.state.factory import open_store

    loaded = load(config)
    store = open_store(loaded.agent.state, base=loaded.origin.parent, readonly=True)
    try:
        found = summarise(store, loaded)
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show_models(found)
    firing = any(
        row["state"] == "firing" for model in found["models"].values() for row in model["incidents"]
    )
    raise SystemExit(1 if firing else 0)


def show_models(found: dict[str, Any]) -> None:
    """Tables for people."""
    console = Console()
    if not console.is_terminal:
        console.width = 160  # a file or a pipe has no edge to keep to
    table = Table(
        "model",
        "objects",
        "rows",
        "rejected",
        "windows",
        "ok",
        "changed",
        "unsure",
        "error",
        "newest row",
        box=None,
    )
    for column in table.columns[1:9]:
        column.justify = "right"
    for name, model in found["models"].items():
        verdicts = model["verdicts"]
        counts = [f"{model[key]:,}" for key in ("objects", "rows", "rejected", "windows")]
        said = [f"{verdicts[verdict]:,}" for verdict in ("ok", "changed", "unsure", "error")]
        table.add_row(
            escape(name), *counts, *said, (model["last_event"] or "none")[:16].replace("T", " ")
        )
    console.print(table)
    for name, model in found["models"].items():
        for row in model["incidents"][:20]:
            paint = PAINT[row["severity"]] if row["state"] == "firing" else "dim"
            console.print(
                f"[{paint}]{row['state']:8}  {row['severity']:8}[/]  {escape(row['title'])}  [dim]{row['id']}[/]"
            )
        if model["open_windows"]:
            console.print(f"[dim]{escape(name)}: {model['open_windows']} windows are still open[/]")
        if model.get("held"):
            console.print(
                f"[yellow]{escape(name)}: {model['held']:,} rows have no usable time, or came too late[/]"
            )
        if sum(model["unpaired"].values()):
            told = {
                "requests": "requests have no response",
                "responses": "responses have no request",
            }
            told["settled"] = "stayed alone in windows that are settled"
            alone = (
                f"{count:,} {told[name]}" for name, count in model["unpaired"].items() if count
            )
            console.print(f"[yellow]{escape(name)}: {', '.join(alone)}[/]")
        late = model.get("labels")
        if late:
            console.print(
                f"[dim]{escape(name)}: {late['rows']:,} labels came later: {late['unmatched']:,} have no prediction (yet), "
                f"{late['held']:,} no usable id, time or value. {late['predictions_waiting']:,} predictions wait for theirs "
                f"({late['bytes'] / 1e6:,.1f} MB)[/]"
            )
        for item in [*model["trouble"], *(late["trouble"] if late else ())][:5]:
            what = f"{item['state']}, {item['rejected']} rejected. {escape(str(item['error']))}"
            console.print(f"[yellow]{escape(str(item['uri']))}[/]: {what}")
            for record in item["records"][:2]:
                console.print(
                    f"    record {record['position']}: {escape(record['reason'])}  [dim]{escape(record['sample'][:80])}[/]"
                )
        if model.get("error"):
            console.print(f"[red]{escape(name)}: {escape(model['error'])}[/]")
    if found.get("leader"):
        console.print(
            f"[dim]{escape(found['leader']['agent'])} leads since {found['leader']['since'][:19]}[/]"
        )
    for run in found["actions"]:
        if run["state"] in ("awaiting approval", "refused"):
            line = f"action {run['action']} for {run['incident']}: {run['state']}. {run['run']}"
            console.print(f"[yellow]{escape(line)}[/]")
    for name, sink in found["sinks"].items():
        if sink["pending"] or sink["refused"]:
            console.print(
                f"[yellow]sink {escape(name)}: {sink['pending']} wait, {sink['refused']} refused. {escape(sink['error'])}[/]"
            )
        for letter in sink["dead_letters"][:5]:
            console.print(
                f"    not taken: {escape(letter['event'])} {escape(letter['title'])}. {escape(letter['error'])}"
            )
