"""`driftline run`: the daemon, or with `--once` one pass over every model."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from driftline.cli.options import config_option
from driftline.errors import ConfigError, DriftlineError
from driftline.runtime.logs import make_log
from driftline.runtime.start import read_config, running
from driftline.runtime.watch import Hooks

DRAIN_SECONDS = 30.0
TERMINATED = 143
"""The exit code of a single pass that was told to stop in the middle."""


@click.command()
@config_option
@click.option("--once", is_flag=True, help="One pass over every model, then end: 0 nothing fires, 1 something does.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print one JSON object on standard output.")
@click.option("-v", "--verbose", is_flag=True, help="Tell more.")
def run(config: Path, once: bool, as_json: bool, verbose: bool) -> None:
    """Watch the models: read what is new, judge what is due, tell who asked to be told."""
    if as_json and not once:
        raise click.UsageError("--json goes with --once")
    if once:
        raise SystemExit(_once(config, as_json, verbose))
    raise SystemExit(_daemon(config, verbose))


def _once(path: Path, as_json: bool, verbose: bool) -> int:
    from driftline.runtime.summary import summarise

    config = read_config(path)
    log = make_log(human=True, verbose=verbose) if sys.stderr.isatty() or not as_json else make_log(human=False)
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(TERMINATED)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    with (
        _progress(sys.stderr.isatty()) as progress,
        running(
            config,
            log=log,
            console=sys.stderr if as_json else sys.stdout,
            once=True,
            hooks=Hooks(progress=progress, stopping=stopping.is_set),
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
    firing = any(row["state"] == "firing" for model in found["models"].values() for row in model["incidents"])
    return 1 if firing else 0


@contextmanager
def _progress(shown: bool) -> Iterator[Callable[[str, int, int, int], None]]:
    if not shown:
        yield lambda stage, done, total, rows: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rows]:,} rows"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int, rows: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total, rows=rows)
            bar.update(tasks[stage], completed=done, total=total, rows=rows)

        yield show


def _show(found: dict[str, Any]) -> None:
    from driftline.cli.status import show_models

    show_models(found)


def _daemon(path: Path, verbose: bool) -> int:
    """Returns the exit code: 0 after a clean stop."""
    import sdnotify

    config = read_config(path)
    log = make_log(verbose=verbose)
    systemd = sdnotify.SystemdNotifier()
    signals = _Signals()
    while True:
        with running(config, log=log) as agent:
            server = _serve(agent, config)
            agent.start()
            log.info(f"watching {', '.join(config.models)}", http=str(server.address) if server else None, config=str(path))
            systemd.notify("READY=1")
            _attend(agent, signals, systemd)
            replaced = None
            while not signals.stop.is_set() and replaced is None:
                signals.reload.clear()
                systemd.notify("RELOADING=1")
                replaced = _reloaded(path, log)
                if replaced is None:
                    systemd.notify("READY=1")
                    _attend(agent, signals, systemd)
            systemd.notify("STOPPING=1" if replaced is None else "STATUS=reloading")
            if server is not None:
                server.stop()
        if replaced is None:
            log.info("stopped")
            return 0
        config = replaced
        log.info("reloaded", config=str(path))


def _serve(agent: Any, config: Any) -> Any:
    if config.agent.http is None:
        return None
    from driftline.web.address import check_address
    from driftline.web.app import create_app
    from driftline.web.server import serve

    address = check_address(config.agent.http, config.agent.http_token)
    return serve(create_app(agent, config.agent.http_token), address.host, address.port)


class _Signals:
    """The first TERM or INT ends the work at hand and stops, the second leaves at once; HUP reads the configuration again."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.reload = threading.Event()
        self.any = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.stop.is_set():
            os._exit(1)
        self.stop.set()
        self.any.set()

    def _reload(self, number: int, frame: FrameType | None) -> None:
        self.reload.set()
        self.any.set()


def _attend(agent: Any, signals: _Signals, systemd: Any) -> None:
    """Wait for a signal, telling the watchdog that all is well as long as it is."""
    pause = int(os.environ.get("WATCHDOG_USEC", "20000000")) / 2_000_000
    while not signals.any.is_set():
        if agent.ready()[0]:
            systemd.notify("WATCHDOG=1")
        signals.any.wait(min(pause, 10.0))
    signals.any.clear()


def _reloaded(path: Path, log: Any) -> Any:
    """The new configuration; None, and a word about it, when it can't be used: then the old one goes on."""
    try:
        return read_config(path)
    except ConfigError as error:
        for problem in error.problems:
            log.error(f"not reloaded: {problem}")
    except DriftlineError as error:
        log.error(f"not reloaded: {error}")
    return None
