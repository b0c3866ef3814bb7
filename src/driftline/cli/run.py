"""`driftline run`: the daemon, or with `--once` one pass over every model."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import click

from driftline.agent.callbacks import Callbacks
from driftline.agent.composition_root import read_config, running
from driftline.cli.daemon import daemon
from driftline.cli.options import config_option
from driftline.cli.progress import bar
from driftline.telemetry.logs import make_log

DRAIN_SECONDS = 30.0
TERMINATED = 143
"""The exit code of a single pass that was told to stop in the middle."""


@click.command()
@config_option
@click.option(
    "--once",
    is_flag=True,
    help="One pass over every model, then end: 0 nothing fires, 1 something does.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="With --once: print one JSON object on standard output."
)
@click.option("-v", "--verbose", is_flag=True, help="Tell more.")
def run(config: Path, once: bool, as_json: bool, verbose: bool) -> None:
    """Watch the models: read what is new, judge what is due, tell who asked to be told."""
    if as_json and not once:
        raise click.UsageError("--json goes with --once")
    if once:
        raise SystemExit(_once(config, as_json, verbose))
    raise SystemExit(daemon(config, verbose))


def _once(path: Path, as_json: bool, verbose: bool) -> int:
    from driftline.agent.summary import summarise

    config = read_config(path)
    log = (
        make_log(human=True, verbose=verbose)
        if sys.stderr.isatty() or not as_json
        else make_log(human=False)
    )
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(TERMINATED)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    with (
        bar(rows=True) as progress,
        running(
            config,
            log=log,
            console=sys.stderr if as_json else sys.stdout,
            once=True,
            callbacks=Callbacks(progress=progress, stopping=stopping.is_set),
        ) as agent,
    ):
        agent.recover()
        ticks = {name: agent.tick(name, seal=True) for name in agent.watches}
        if not stopping.is_set():
            agent.deliver(DRAIN_SECONDS)
        found = summarise(agent.store, config, ticks)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _show(found)
    if stopping.is_set():
        log.warning("stopped before everything was read and judged; the next run goes on from here")
        return TERMINATED
    if any(tick.error for tick in ticks.values()):
        return 3
    firing = any(
        row["state"] == "firing" for model in found["models"].values() for row in model["incidents"]
    )
    return 1 if firing else 0


def _show(found: dict[str, Any]) -> None:
    from driftline.cli.status import show_models

    show_models(found)
