"""The daemon: it stands by while another agent leads, works while it leads itself, until it is told
to stop.

Refuses to go on with a store that it lost: it lets go of everything and stands by again.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from driftline.agent.agent import Agent
from driftline.agent.standby import POLL, Standby
from driftline.agent.start import read_config, running, system_clock
from driftline.state.factory import open_store
from driftline.state.store import Store
from driftline.telemetry.logs import make_log
from driftline.types.errors import ConfigError, Deposed, DriftlineError, Led, Unreachable

if TYPE_CHECKING:
    from driftline.telemetry.otlp import MetricsPusher


def daemon(path: Path, verbose: bool) -> int:
    """Returns the exit code: 0 after a clean stop."""
    import sdnotify

    config = read_config(path)
    log = make_log(verbose=verbose)
    systemd = sdnotify.SystemdNotifier()
    signals = _Signals()
    started = False
    while True:
        store, replaced = _lead(config, log, signals, systemd, patient=started), None
        started = True
        if store is not None:
            try:
                with running(config, store=store, log=log) as agent:
                    replaced = _work(agent, config, path, log, signals, systemd)
            except (Deposed, Unreachable):
                signals.lose()
        signals.any.clear()
        if not signals.stop.is_set() and signals.lost.is_set():
            signals.lost.clear()
            log.warning(
                "this agent no longer leads: what was not committed is left to the one that does"
            )
            signals.any.wait(POLL)
        if signals.stop.is_set():
            log.info("stopped")
            return 0
        if replaced is None:
            systemd.notify("RELOADING=1")
            replaced = _reloaded(path, log)
        if replaced is not None:
            config = replaced
            log.info("reloaded", config=str(path))


def _lead(config: Any, log: Any, signals: _Signals, systemd: Any, *, patient: bool) -> Store | None:
    """The store, once this agent may write to it; None when a signal came before.

    Raises StateError when the store can't be used; a database that is away is waited for when
    `patient`, or once it was there.
    """
    standby, server = Standby(system_clock), None
    try:
        while not signals.any.is_set():
            try:
                return open_store(
                    config.agent.state, base=config.origin.parent, on_lost=signals.lose
                )
            except (Led, Unreachable, Deposed) as error:
                if isinstance(error, Unreachable) and not patient:
                    raise
                patient = True
                if standby.waits(error):
                    log.info(
                        f"standing by: {error}"
                        if not isinstance(error, Led)
                        else f"standing by: {error.leader} leads"
                    )
            if server is None:
                server = _serve(standby, config)
                systemd.notify("READY=1")
            systemd.notify("WATCHDOG=1")
            signals.any.wait(POLL)
        signals.any.clear()
        return None
    finally:
        if server is not None:
            server.stop()


def _work(agent: Agent, config: Any, path: Path, log: Any, signals: _Signals, systemd: Any) -> Any:
    """Watch the models until a signal says otherwise; returns the new configuration when there is
    one.
    """
    server, push, replaced = _serve(agent, config), _push(agent, config, log), None
    try:
        agent.start()
        log.info(
            f"watching {', '.join(config.models)}",
            http=str(server.address) if server else None,
            config=str(path),
        )
        systemd.notify("READY=1")
        _attend(agent, signals, systemd)
        while not signals.stop.is_set() and not signals.lost.is_set() and replaced is None:
            signals.reload.clear()
            systemd.notify("RELOADING=1")
            replaced = _reloaded(path, log)
            if replaced is None:
                systemd.notify("READY=1")
                _attend(agent, signals, systemd)
        systemd.notify("STOPPING=1" if signals.stop.is_set() else "STATUS=starting anew")
    finally:
        if push is not None:
            push.stop()
        if server is not None:
            server.stop()
    return replaced


def _serve(agent: Any, config: Any) -> Any:
    if config.agent.http is None:
        return None
    from driftline.web.address import check_address
    from driftline.web.app import create_app
    from driftline.web.server import serve

    address = check_address(config.agent.http, config.agent.http_token)
    app = create_app(agent, config.agent.http_token, config.agent.token, clock=system_clock)
    return serve(app, address.host, address.port)


def _push(agent: Agent, config: Any, log: Any) -> MetricsPusher | None:
    told = config.agent.otlp
    if told is None:
        return None
    from driftline.telemetry.otlp import MetricsPusher, make_exporter

    headers = {name: secret.reveal() for name, secret in told.headers.items()}
    return MetricsPusher(agent.registry, make_exporter(told.endpoint, headers), told.every, log)


class _Signals:
    """What ends the work at hand. The first TERM or INT stops, the second leaves at once; HUP reads
    the configuration again.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.reload = threading.Event()
        self.lost = threading.Event()
        """The right to write is gone: another agent may lead by now."""
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

    def lose(self) -> None:
        """The store is lost."""
        self.lost.set()
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
    """The new configuration; None, and a word about it, when it can't be used: then the old one
    goes on.
    """
    try:
        return read_config(path)
    except ConfigError as error:
        for problem in error.problems:
            log.error(f"not reloaded: {problem}")
    except DriftlineError as error:
        log.error(f"not reloaded: {error}")
    return None
