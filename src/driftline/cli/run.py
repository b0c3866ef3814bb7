"""`driftline run`: the daemon, or with `--once` one pass over every model."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import click

from driftline.agent.callbacks import Callbacks
from driftline.agent.composition_root import open_agent, read_config, read_current_config
from driftline.cli.options import config_option
from driftline.cli.progress import bar
from driftline.state.factory import open_store
from driftline.telemetry.logs import make_log, scrub_log
from driftline.types.scrubbing import Scrubber

DRAIN_SECONDS = 30.0
"""The longest time that a single pass waits for its messages to be delivered."""
TERMINATED = 143
"""The exit code of a single pass that a signal ended early."""


@click.command()
@config_option
@click.option(
    "--once",
    is_flag=True,
    help="Make one pass over every model and exit: with 1 when an incident is open, else 0.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="With --once: print the result as one JSON object."
)
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def run(config: Path, once: bool, as_json: bool, verbose: bool) -> None:
    """Monitor the models: read new records, judge windows that are due, send messages."""
    if as_json and not once:
        raise click.UsageError("--json needs --once")
    if once:
        raise SystemExit(_once(config, as_json, verbose))
    from driftline.cli.daemon import daemon  # loads what one pass doesn't need

    raise SystemExit(daemon(config, verbose))


def _once(path: Path, as_json: bool, verbose: bool) -> int:
    from driftline.agent.summary import summarise
    from driftline.cli.status import show_models

    config = read_config(path)
    log = (
        make_log(human=True, verbose=verbose)
        if sys.stderr.isatty() or not as_json
        else make_log(human=False)
    )
    scrub_log(log, Scrubber(config).scrub)
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(TERMINATED)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    store = open_store(config.agent.state, base=config.origin.parent)
    config = read_current_config(path, config, store, log)
    with (
        bar(rows=True) as progress,
        open_agent(
            config,
            store=store,
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
        report = summarise(agent.store, config, ticks)
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        show_models(report)
    if stopping.is_set():
        log.warning("stopped before everything was read and judged; the next run continues here")
        return TERMINATED
    if any(tick.error for tick in ticks.values()):
        return 3
    firing = any(
        row["state"] == "firing"
        for model in report["models"].values()
        for row in model["incidents"]
    )
    return 1 if firing else 0
