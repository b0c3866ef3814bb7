"""The daemon: stands by while another agent leads, works while it leads itself, until a signal.

Does not continue with a store that it lost: it drops its work and stands by again.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy.exc import DatabaseError

from driftline.agent.agent import Agent
from driftline.agent.composition_root import (
    make_guard,
    open_agent,
    read_config,
    read_current_config,
    system_clock,
)
from driftline.agent.discovery import discover_models
from driftline.agent.standby import POLL, Standby
from driftline.state.factory import open_store
from driftline.state.store import Store
from driftline.telemetry.logs import make_log
from driftline.types.errors import (
    AnotherAgentLeads,
    ConfigError,
    DriftlineError,
    LeadershipLost,
    Unreachable,
)

if TYPE_CHECKING:
    from driftline.telemetry.otlp import MetricsPusher


def daemon(path: Path, verbose: bool) -> int:
    """Monitor the models until a signal; returns the exit code, 0 after a clean stop.

    Raises ConfigError and StateError before the first work.
    """
    import sdnotify

    config = read_config(path)
    log = make_log(verbose=verbose)
    systemd = sdnotify.SystemdNotifier()
    signals = _Signals()
    has_led = False
    while True:
        store, new_config = _lead(config, log, signals, systemd, patient=has_led), None
        has_led = True
        if store is not None:
            try:
                config = read_current_config(path, config, store, log)
                with open_agent(config, store=store, log=log) as agent:
                    new_config = _work(
                        agent, config, path=path, log=log, signals=signals, systemd=systemd
                    )
            except (LeadershipLost, Unreachable):
                signals.lose()
        signals.any.clear()
        if not signals.stop.is_set() and signals.lost.is_set():
            signals.lost.clear()
            log.warning(
                "this agent no longer leads: the leading agent repeats what was not committed"
            )
            signals.any.wait(POLL)
        if signals.stop.is_set():
            log.info("stopped")
            return 0
        if new_config is None:
            systemd.notify("RELOADING=1")
            new_config = _reload(path, log)
        if new_config is not None:
            config = new_config
            log.info("reloaded", config=str(path))


def _lead(config: Any, log: Any, signals: _Signals, systemd: Any, *, patient: bool) -> Store | None:
    """Wait until this agent may write to the store and return it; None after a signal.

    Raises StateError when the store can't be used. A database that can't be reached is an error at
    the start; it is waited for if `patient`, or once it was reached.
    """
    standby, server = Standby(system_clock), None
    try:
        while not signals.any.is_set():
            try:
                return open_store(
                    config.agent.state, base=config.origin.parent, on_lost=signals.lose
                )
            except (AnotherAgentLeads, Unreachable, LeadershipLost) as error:
                if isinstance(error, Unreachable) and not patient:
                    raise
                patient = True
                if standby.note_error(error):
                    log.info(
                        f"standing by: {error}"
                        if not isinstance(error, AnotherAgentLeads)
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


def _work(
    agent: Agent, config: Any, *, path: Path, log: Any, signals: _Signals, systemd: Any
) -> Any:
    """Monitor the models until a signal; returns the new configuration if there is one."""
    server, push, new_config = _serve(agent, config), _push(agent, config, log), None
    ended = threading.Event()
    try:
        agent.start()
        if config.patterns:
            threading.Thread(
                target=_discover, args=(agent, config, log, signals, ended), daemon=True
            ).start()
        log.info(
            f"watching {', '.join(config.models)}",
            http=str(server.address) if server else None,
            config=str(path),
        )
        if server is not None:
            log.info(f"the pages are at http://{server.address}/: open incidents come first")
        systemd.notify("READY=1")
        _attend(agent, signals, systemd)
        while not signals.stop.is_set() and not signals.lost.is_set() and new_config is None:
            signals.reload.clear()
            systemd.notify("RELOADING=1")
            new_config = _reload(path, log)
            if new_config is None:
                systemd.notify("READY=1")
                _attend(agent, signals, systemd)
        systemd.notify("STOPPING=1" if signals.stop.is_set() else "STATUS=starting anew")
    finally:
        ended.set()
        if push is not None:
            push.stop()
        if server is not None:
            server.stop()
    return new_config


def _discover(
    agent: Agent, config: Any, log: Any, signals: _Signals, ended: threading.Event
) -> None:
    """Look for models of the patterns until `ended`; when they change, the agent starts anew."""
    guard = make_guard(system_clock)
    while not ended.wait(config.agent.every.total_seconds()):
        try:
            changed = discover_models(config, agent.store, guard=guard, clock=system_clock, log=log)
        except (DriftlineError, DatabaseError) as error:
            log.warning(f"a look for models had no effect: {error}")
            continue
        if changed:
            log.info("models of a pattern appeared or ended")
            signals.reload.set()
            signals.any.set()


def _serve(agent: Any, config: Any) -> Any:
    if config.agent.http is None:
        return None
    from driftline.web.address import check_address
    from driftline.web.app import create_app
    from driftline.web.inbox import Inbox
    from driftline.web.server import serve

    address = check_address(config.agent.http, config.agent.http_token)
    inbox = None
    if config.agent.inbox is not None:
        inbox = Inbox(config.origin.parent / config.agent.inbox, frozenset(config.models))
    public = urlsplit(config.agent.public_url or "").hostname
    app = create_app(
        agent,
        config.agent.http_token,
        config.agent.token,
        clock=system_clock,
        inbox=inbox,
        hosts=(*config.agent.http_hosts, address.host, *([public] if public else [])),
    )
    return serve(app, address.host, address.port)


def _push(agent: Agent, config: Any, log: Any) -> MetricsPusher | None:
    otlp = config.agent.otlp
    if otlp is None:
        return None
    from driftline.telemetry.otlp import MetricsPusher, make_exporter

    headers = {name: secret.reveal() for name, secret in otlp.headers.items()}
    return MetricsPusher(agent.registry, make_exporter(otlp.endpoint, headers), otlp.every, log)


class _Signals:
    """The signals that end the work at hand.

    The first TERM or INT stops, the second exits at once; HUP reads the configuration again.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.reload = threading.Event()
        self.lost = threading.Event()
        """Set when this agent may no longer write: another agent may lead by now."""
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
        """Note that the store is lost."""
        self.lost.set()
        self.any.set()


def _attend(agent: Any, signals: _Signals, systemd: Any) -> None:
    """Wait for a signal; notify the watchdog of systemd as long as the agent is ready."""
    pause = int(os.environ.get("WATCHDOG_USEC", "20000000")) / 2_000_000
    while not signals.any.is_set():
        if agent.ready()[0]:
            systemd.notify("WATCHDOG=1")
        signals.any.wait(min(pause, 10.0))
    signals.any.clear()


def _reload(path: Path, log: Any) -> Any:
    """Read the configuration again; log the mistakes and return None when it can't be used."""
    try:
        return read_config(path)
    except ConfigError as error:
        for problem in error.problems:
            log.error(f"not reloaded: {problem}")
    except DriftlineError as error:
        log.error(f"not reloaded: {error}")
    return None
