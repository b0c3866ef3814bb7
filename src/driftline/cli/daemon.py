"""The daemon: stands by while another agent leads, works while it leads itself, until a signal.

Does not continue with a store that it lost: it drops its work and stands by again.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy.exc import DatabaseError

from driftline.agent.agent import Agent
from driftline.agent.composition_root import (
    make_guard,
    make_http,
    open_agent,
    read_config,
    read_current_config,
    system_clock,
)
from driftline.agent.discovery import discover_models
from driftline.agent.services import Timeouts
from driftline.agent.standby import POLL, Standby
from driftline.agent.state_trouble import StateTrouble
from driftline.cli.reloading import Reloads
from driftline.state.factory import open_store
from driftline.state.store import Store
from driftline.telemetry.logs import make_log, scrub_log
from driftline.types.errors import (
    AnotherAgentLeads,
    DriftlineError,
    LeadershipLost,
    Unreachable,
)
from driftline.types.scrubbing import Scrubber

LAST_WORDS = 3.0
"""Seconds that a stop waits for messages about the state."""

ALL_MODELS = "driftline"
"""Stands for the models in a message about the state while patterns have found none."""

if TYPE_CHECKING:
    from driftline.agent.heartbeat import Heartbeat
    from driftline.telemetry.otlp import MetricsPusher


def daemon(path: Path, verbose: bool) -> int:
    """Monitor the models until a signal; returns the exit code, 0 after a clean stop.

    Raises ConfigError and StateError before the first work.
    """
    import sdnotify

    config = read_config(path)
    log = make_log(verbose=verbose)
    scrub_log(log, Scrubber(config).scrub)
    systemd = sdnotify.SystemdNotifier()
    signals = _Signals()
    opened_state = None
    reloads = Reloads(path, log)
    trouble = StateTrouble(log, system_clock, time.monotonic)
    while True:
        new_config, is_standby, state = None, False, (config.agent.state, config.origin.parent)
        try:
            reopen = state == opened_state
            store = _lead(config, log, signals, systemd, trouble, reopen=reopen)
            opened_state, is_standby = state, store is None
            if store is not None:
                config = read_current_config(path, config, store, log)
                with open_agent(
                    config, store=store, log=log, timeouts=_timeouts(), trouble=trouble
                ) as agent:
                    new_config = _work(agent, config, log, signals, systemd, reloads)
        except LeadershipLost:
            signals.lose()
        except DriftlineError as error:
            is_away = isinstance(error, Unreachable) and state == opened_state
            if reloads.previous is not None:
                config = reloads.go_back(str(error))
            elif is_away:
                trouble.note_failure(next(iter(config.models), ALL_MODELS), str(error))
                signals.lose()
            else:
                raise
        signals.any.clear()
        if not signals.stop.is_set() and signals.lost.is_set():
            signals.lost.clear()
            with suppress(DriftlineError):  # its password may have been rotated
                agent_settings = {"state": read_config(path).agent.state}
                update = {"agent": config.agent.model_copy(update=agent_settings)}
                config = config.model_copy(update=update)
                opened_state = (config.agent.state, config.origin.parent)
            log.warning(
                "the state is opened again: what was not committed is repeated by the agent that "
                "leads then"
            )
            signals.any.wait(POLL)
        if signals.stop.is_set():
            trouble.wait(LAST_WORDS)
            log.info("stopped")
            return 0
        if is_standby and signals.reload.is_set():
            signals.reload.clear()
            systemd.notify("RELOADING=1")
            new_config = reloads.read(config, None)
        if new_config is not None:
            reloads.begin(config)
            config = new_config
            if is_standby:
                reloads.accept()


def _lead(
    config: Any,
    log: Any,
    signals: _Signals,
    systemd: Any,
    trouble: StateTrouble,
    *,
    reopen: bool,
) -> Store | None:
    """Wait until this agent may write to the store and return it; None after a signal.

    Raises StateError when the store can't be used. A database that can't be reached is an error at
    the start; with `reopen` this process had it open, and waits for it.
    """
    standby, server = Standby(system_clock, time.monotonic), None
    patient = reopen
    try:
        while not signals.any.is_set():
            try:
                return open_store(
                    config.agent.state,
                    base=config.origin.parent,
                    reopen=reopen,
                    on_lost=signals.lose,
                    warn=log.warning,
                )
            except (AnotherAgentLeads, Unreachable, LeadershipLost) as error:
                if isinstance(error, Unreachable) and not patient:
                    raise
                patient = True
                if isinstance(error, AnotherAgentLeads):
                    trouble.note_leader()
                elif reopen:
                    trouble.note_failure(next(iter(config.models), ALL_MODELS), str(error))
                if standby.note_error(error):
                    log.info(
                        f"standing by: {error}"
                        if not isinstance(error, AnotherAgentLeads)
                        else f"standing by: {error.leader} leads"
                    )
            if server is None:
                server = _serve(standby, config, log)
                systemd.notify("READY=1")
            if standby.ready()[0]:
                systemd.notify("WATCHDOG=1")
            signals.any.wait(POLL)
        signals.any.clear()
        return None
    finally:
        if server is not None:
            server.stop()


def _work(
    agent: Agent, config: Any, log: Any, signals: _Signals, systemd: Any, reloads: Reloads
) -> Any:
    """Monitor the models until a signal; returns the new configuration if there is one."""
    server, push, new_config = _serve(agent, config, log), _push(agent, config, log), None
    ended, beat = threading.Event(), None
    try:
        agent.start()
        beat = _beat(agent, config, log)
        reloads.accept()
        reloads.show(agent)
        if config.patterns:
            threading.Thread(
                target=_discover, args=(agent, config, log, signals, ended), daemon=True
            ).start()
        log.info(
            f"watching {', '.join(config.models)}",
            http=str(server.address) if server else None,
            config=str(reloads.path),
        )
        if server is not None:
            log.info(f"the pages are at http://{server.address}/: open incidents come first")
        systemd.notify("READY=1")
        _attend(agent, signals, systemd)
        while not signals.stop.is_set() and not signals.lost.is_set() and new_config is None:
            signals.reload.clear()
            systemd.notify("RELOADING=1")
            new_config = reloads.read(config, agent)
            reloads.show(agent)
            if new_config is None:
                systemd.notify("READY=1")
                _attend(agent, signals, systemd)
        systemd.notify("STOPPING=1" if signals.stop.is_set() else "STATUS=starting anew")
    finally:
        ended.set()
        if beat is not None:
            beat.stop()
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


def _serve(agent: Any, config: Any, log: Any) -> Any:
    if config.agent.http is None:
        return None
    from driftline.web.address import check_address
    from driftline.web.app import create_app
    from driftline.web.inbox import Inbox
    from driftline.web.server import serve
    from driftline.web.trusted_proxy import TrustedProxy

    agent_config = config.agent
    address = check_address(
        agent_config.http, agent_config.http_token or agent_config.http_user_header
    )
    proxy = None
    if agent_config.http_user_header is not None:
        proxy = TrustedProxy.parse(agent_config.http_user_header, agent_config.http_proxies)
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
        log=log,
        proxy=proxy,
    )
    folder, certificate = config.origin.parent, None
    if config.agent.http_certificate is not None:
        certificate = folder / config.agent.http_certificate, folder / config.agent.http_key
    return serve(app, address.host, address.port, certificate=certificate)


def _push(agent: Agent, config: Any, log: Any) -> MetricsPusher | None:
    otlp = config.agent.otlp
    if otlp is None:
        return None
    from driftline.telemetry.otlp import MetricsPusher, make_exporter

    headers = [{name: secret.reveal() for name, secret in otlp.headers.items()}]

    def renew() -> Any:
        newest = {name: secret.reveal() for name, secret in otlp.headers.items()}
        if newest == headers[0]:
            return None
        headers[0] = newest
        return make_exporter(otlp.endpoint, newest)

    exporter = make_exporter(otlp.endpoint, headers[0])
    return MetricsPusher(agent.registry, exporter, every=otlp.every, log=log, renew=renew)


def _beat(agent: Agent, config: Any, log: Any) -> Heartbeat | None:
    heartbeat = config.agent.heartbeat
    if heartbeat is None:
        return None
    from driftline.agent.heartbeat import Heartbeat

    http = make_http(heartbeat.allow_private, Scrubber(config).scrub)

    def find_reasons() -> list[str]:
        return [loop.reason for loop in agent.ready()[1] if loop.stuck]

    return Heartbeat(heartbeat, http, find_reasons=find_reasons, clock=system_clock, log=log)


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
    pause = _watchdog_seconds() / 2
    while not signals.any.is_set():
        if agent.ready()[0]:
            systemd.notify("WATCHDOG=1")
        signals.any.wait(min(pause, 10.0))
    signals.any.clear()


def _watchdog_seconds() -> float:
    """Return `WatchdogSec` of the unit of systemd; 20 without a watchdog."""
    return int(os.environ.get("WATCHDOG_USEC", "20000000")) / 1_000_000


def _timeouts() -> Timeouts:
    """Return the limits of plugins; a loop without a step is stuck within `WatchdogSec`."""
    if "WATCHDOG_USEC" not in os.environ:
        return Timeouts()
    return Timeouts(step=min(Timeouts().step, max(5.0, _watchdog_seconds())))
