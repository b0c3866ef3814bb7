"""`driftline status`: what was read, judged and sent, from the stored state alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from driftline.cli.options import config_option, json_option
from driftline.cli.state import open_state

UNPAIRED = {
    "requests": "requests have no response",
    "responses": "responses have no request",
    "settled": "stayed without a partner in closed windows",
}
"""The text for each count of records without their other half."""


STYLES: dict[str, dict[str, Any]] = {
    "critical": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow"},
    "info": {"fg": "cyan"},
}
"""How the severity of an incident looks. `click` prints it: `run --once` does without `rich`."""


@click.command()
@config_option
@json_option
def status(config: Path, as_json: bool) -> None:
    """Show what was read and judged, the incidents, and the messages that wait.

    Exits with 1 when an incident is open.
    """
    from driftline.agent.discovery import load_known_config
    from driftline.agent.summary import summarise

    settings = load_known_config(config)
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

    sums = ("objects", "rows", "rejected", "windows")
    verdicts = ("ok", "changed", "unsure", "error")
    rows = [("model", *sums, *verdicts, "newest row")]
    for name, model in report["models"].items():
        counts = [f"{model[key]:,}" for key in sums]
        counts += [f"{model['verdicts'][verdict]:,}" for verdict in verdicts]
        newest = (model["last_event"] or "none")[:16].replace("T", " ")
        rows.append((name, *counts, newest))
    _print_table(rows)
    for name, model in report["models"].items():
        for row in model["incidents"][:20]:
            style = STYLES[row["severity"]] if row["state"] == "firing" else {"dim": True}
            state = click.style(f"{row['state']:8}  {row['severity']:8}", **style)
            click.echo(f"{state}  {row['title']}  {click.style(row['id'], dim=True)}")
            for reason in row.get("reasons", ()):
                click.echo(f"    {reason}")
        if decision := model.get("decision"):
            is_to_act = decision["decision"] not in ("keep", "watch")
            click.secho(f"{name}: {decision['text']}", bold=is_to_act, dim=not is_to_act)
            for item in decision["effects"][-1:]:
                click.secho(f"    {item['decision'].replace('_', ' ')}: {item['effect']}", dim=True)
        if model.get("report"):
            click.secho(f"report: {model['report']['title']}", dim=True)
        if model["open_windows"]:
            verb = "is" if model["open_windows"] == 1 else "are"
            still_open = f"{count(model['open_windows'], 'window')} {verb} still open"
            click.secho(f"{name}: {still_open}", dim=True)
        if model.get("held"):
            click.secho(
                f"{name}: {count(model['held'], 'row')} held back: no usable time, or too late",
                fg="yellow",
            )
        if losses := (model["reference"] or {}).get("losses"):
            click.secho(f"{name}: {losses}", fg="yellow")
        if sum(model["unpaired"].values()):
            counts = [
                f"{lone:,} {UNPAIRED[side]}" for side, lone in model["unpaired"].items() if lone
            ]
            click.secho(f"{name}: {', '.join(counts)}", fg="yellow")
        late = model.get("labels")
        if late:
            click.secho(
                f"{name}: {count(late['rows'], 'label')} came later: "
                f"{late['unmatched']:,} have no prediction (yet), "
                f"{late['held']:,} no usable id, time or value. "
                f"{late['predictions_waiting']:,} predictions wait for theirs "
                f"({late['bytes'] / 1e6:,.1f} MB)",
                dim=True,
            )
        for item in [*model["trouble"], *(late["trouble"] if late else ())][:5]:
            held = f", {count(item['held'], 'row')} held back" if item["held"] else ""
            problem = f"{item['state']}, {item['rejected']} rejected{held}. {item['error']}"
            click.echo(f"{click.style(item['uri'], fg='yellow')}: {problem}")
            for record in item["records"][:2]:
                click.echo(
                    f"    record {record['position']}: {record['reason']}"
                    f"  {click.style(record['sample'][:80], dim=True)}"
                )
        if model.get("error"):
            click.secho(f"{name}: {model['error']}", fg="red")
    if report.get("leader"):
        click.secho(
            f"{report['leader']['agent']} leads since {report['leader']['since'][:19]}",
            dim=True,
        )
    for run in report["actions"]:
        if run["state"] in (State.AWAITING, MessageState.REFUSED):
            line = f"action {run['action']} for {run['incident']}: {run['state']}. {run['run']}"
            click.secho(line, fg="yellow")
    for name, sink in report["sinks"].items():
        if sink["pending"] or sink["refused"]:
            click.secho(
                f"sink {name}: {sink['pending']} wait, {sink['refused']} refused. {sink['error']}",
                fg="yellow",
            )
        for letter in sink["dead_letters"][:5]:
            click.echo(f"    not taken: {letter['event']} {letter['title']}. {letter['error']}")


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows of one length: the first has the names of the columns, numbers lie between."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = [
            text.ljust(width) if place in (0, len(row) - 1) else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.secho(f" {'  '.join(cells)} ", bold=number == 0)
