"""The agent: one loop for each model, one for each sink, and the page of health.

Refuses to let one loop hold up another; whoever is stuck shows on the page.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from driftline.agent.acting import Acting, request_of
from driftline.agent.compose import action_plans, chart_links, phrasebook_for, settings_of
from driftline.agent.diverting import divert, divert_resting
from driftline.agent.model_watch import Watch
from driftline.agent.parts import Parts
from driftline.agent.tick import Hooks, Tick
from driftline.agent.tick_report import tell_judged, tell_read, tell_state
from driftline.alerting.fact import MONITORING, trouble
from driftline.alerting.incident import Change
from driftline.config import ActionConfig, Config
from driftline.config.models import SinkConfig
from driftline.contracts.context import StartContext
from driftline.contracts.plugin import Plugin
from driftline.delivery.performing import ONCE, Performer
from driftline.delivery.worker import Outcome, Policy, Report, SinkWorker
from driftline.extensions.hooks import announce, enrich, transformer
from driftline.incidents.chart_cache import Pictures
from driftline.incidents.desk import Desk
from driftline.state import action_runs, incidents, outbox
from driftline.state.store import Store
from driftline.types.errors import DriftlineError, LeadershipLost, Unreachable
from driftline.types.notification import Notification
from driftline.types.phrasing import utc

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from driftline.agent.outside import Outside

STOP_SECONDS = 7.0
GIVE_UP = timedelta(days=2)
"""How long a run of an action is tried."""
PATIENCE_TICKS = 3
"""Ticks in a row that a source may fail before the daemon tells anyone."""
PATIENCE_ATTEMPTS = 10
"""Attempts at one message after which a sink that fails is told of: about half an hour."""


@dataclass(slots=True)
class Loop:
    """One loop, as the page of health shows it."""

    name: str
    every: timedelta
    clock: Callable[[], datetime]
    patience: timedelta
    beat: datetime | None = None
    started: datetime | None = None

    @property
    def stuck(self) -> bool:
        """Whether it should have come round by now."""
        last = self.beat or self.started
        return last is not None and self.clock() - last > self.every + self.patience


def _delivery(worker: SinkWorker, now: datetime) -> Loop:
    """A sink's loop: it comes round every 30 s, and is stuck while a send hangs."""
    patience = timedelta(seconds=-1 if worker.overdue else 300)
    return Loop(f"deliver {worker.name}", timedelta(0), lambda: now, patience, worker.beat, now)


class Agent:
    """Everything that runs, made from one configuration."""

    def __init__(
        self,
        config: Config,
        parts: Parts,
        outside: Outside,
        *,
        once: bool = False,
        hooks: Hooks | None = None,
    ) -> None:
        self.config = config
        self.leader: str | None = None
        """Nobody else: an agent that is made works."""
        self.loops: dict[str, Loop] = {}
        self._parts = parts
        self._outside = outside
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._taken: set[tuple[str, str]] = set()
        """Sinks and models of which a message got through since the start, or since one was
        refused.
        """
        base = hooks or Hooks()
        self._phrasebook = phrasebook_for(config)
        outside.phrasebook = self._phrasebook
        self._acting = Acting(action_plans(config), parts.guard, parts.log, self._phrasebook)
        self._pictures = Pictures(parts.store, parts.log)
        self.watches: dict[str, Watch] = {}
        for name in config.models:
            settings = settings_of(
                config, name, parts.registry, patience_ticks=1 if once else PATIENCE_TICKS
            )
            self.watches[name] = Watch(name, settings, parts, self._hooks(name, base))
        self.workers = [self._worker(name, sink) for name, sink in config.sinks.items()]
        self.workers += [
            self._performer(name, told)
            for name, told in config.actions.items()
            if told.enabled and not told.dry_run
        ]

    @property
    def registry(self) -> CollectorRegistry:
        """The metrics."""
        return self._parts.metrics.registry

    @property
    def store(self) -> Store:
        """The state."""
        return self._parts.store

    @property
    def desk(self) -> Desk:
        """Where people look at incidents, and where their acts come in."""
        linked = frozenset(
            name for name, told in self.config.actions.items() if told.approve_by_link
        )
        return Desk(
            self._parts.store,
            self._parts.clock,
            self._attend,
            self._pictures.chart,
            linked,
            self._phrasebook,
        )

    def ready(self) -> tuple[bool, Sequence[Loop]]:
        """Whether no loop is stuck, and all loops."""
        now = self._parts.clock()
        loops = [*self.loops.values(), *(_delivery(worker, now) for worker in self.workers)]
        return not any(loop.stuck for loop in loops), loops

    def recover(self) -> None:
        """After a start: what was being sent when the last agent ended may or may not have
        arrived.
        """
        now = self._parts.clock()
        once = [
            name for name, told in self.config.actions.items() if told.plugin.repeat == "repeats"
        ]
        with self._parts.store.write() as connection:
            outbox.recover(connection, now)
            action_runs.abandon(connection, once, now, f"the agent ended while it was done: {ONCE}")

    def tick(self, name: str, *, seal: bool = False) -> Tick:
        """One tick of one model, told to log and metrics."""
        now = self._parts.clock()
        report = self.watches[name].tick(now, seal=seal)
        self._acting.expire(self._parts.store, now)
        self._rest(name, now)
        tell_judged(name, report, self._parts)
        tell_state(name, self._parts)
        self._announce(report.closed.changes)
        return report

    def start(self) -> None:
        """Start every loop."""
        self.recover()
        self._parts.metrics.leading.set(1)
        with self.store.read() as connection:
            for row in incidents.listed(connection, firing=True, limit=10):
                self._parts.log.info(
                    f"still firing: {row.title.removeprefix(f'{row.model}: ')}",
                    model=row.model,
                    incident=row.id,
                )
        for worker in self.workers:
            worker.start()
        for name, model in self.config.models.items():
            every = model.every or self.config.agent.every
            loop = Loop(
                f"watch {name}",
                every,
                self._parts.clock,
                timedelta(seconds=self._parts.patience.listing),
            )
            loop.started = self._parts.clock()
            self.loops[name] = loop
            thread = threading.Thread(
                target=self._run, args=(name, loop), name=f"watch-{name}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def deliver(self, seconds: float) -> bool:
        """Start the sinks' loops and wait until nothing is due, at most `seconds`. Returns whether
        it came to that.
        """
        for worker in self.workers:
            worker.start()
        drained = [worker.drain(seconds) for worker in self.workers]
        return all(drained)

    def stop(self) -> bool:
        """Finish what is at hand, at most `STOP_SECONDS`. Safe twice. Returns whether everything
        ended.
        """
        self._stopping.set()
        deadline, ended = time.monotonic() + STOP_SECONDS, True
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            ended = ended and not thread.is_alive()
        for worker in self.workers:
            ended = worker.stop(max(0.1, deadline - time.monotonic())) and ended
        for watch in self.watches.values():
            try:
                watch.stop()
            except DriftlineError as error:
                self._parts.log.warning("a plugin did not stop", model=watch.name, error=str(error))
        self._threads.clear()
        return ended

    def _attend(self, name: str) -> None:
        """Deal at once with what people ask of a model; what needs its source waits for the next
        tick.
        """
        if name in self.watches:
            self._announce(self.watches[name].tell([], self._parts.clock()))

    def _run(self, name: str, loop: Loop) -> None:
        while not self._stopping.is_set():
            try:
                self.tick(name)
            except (LeadershipLost, Unreachable) as error:
                self._parts.log.warning(f"a tick came to nothing: {error}", model=name)
            except Exception:
                # The database may be full or busy: the loop must outlive that, and the next tick
                # repeats the work.
                self._parts.log.exception("a tick stumbled", model=name)
            loop.beat = self._parts.clock()
            self._stopping.wait(loop.every.total_seconds())

    def _hooks(self, name: str, base: Hooks) -> Hooks:
        registry = self._parts.registry

        def progress(stage: str, done: int, total: int, rows: int) -> None:
            loop = self.loops.get(name)
            if loop is not None:
                loop.beat = self._parts.clock()
            base.progress(f"{name}: {stage}", done, total, rows)

        return Hooks(
            transform=transformer(registry, name),
            on_window=lambda window: announce(
                registry, "on_window_closed", self._parts.log, model=name, window=window
            ),
            enrich=lambda notification: enrich(registry, notification, self._parts.log),
            acting=self._acting,
            on_changes=lambda changes: self._wake(),
            on_read=lambda report: tell_read(name, report, self._parts),
            progress=progress,
            stopping=lambda: self._stopping.is_set() or base.stopping(),
        )

    def _wake(self) -> None:
        for worker in self.workers:
            worker.wake()

    def _worker(self, name: str, told: SinkConfig) -> SinkWorker:
        parts = self._parts

        def earlier(notification: Notification) -> str:
            with parts.store.read() as connection:
                return outbox.reference(connection, name, notification)

        log = parts.log.bind(part=name)
        chart = self._pictures.chart
        context = self._outside.context(
            name, told, log, parts.base, earlier, chart, self._chart_url
        )
        self._begin(name, told.plugin, context)
        return SinkWorker(
            name,
            told.plugin,
            parts.store,
            parts.clock,
            Random(self._outside.seed),
            self._delivered,
            parts.log,
        )

    def _chart_url(self, notification: Notification) -> str | None:
        url = chart_links(self.config)(notification, self._parts.clock())
        # Some services refuse a whole message for an image that they can't fetch.
        return url if url is not None and self._pictures.chart(notification) is not None else None

    def _performer(self, name: str, told: ActionConfig) -> SinkWorker:
        parts, outside = self._parts, self._outside
        trusted = parts.base / told.trusted if told.trusted else None
        http, log = (
            outside.http(told.allow_private, trusted),
            parts.log.bind(part=f"actions.{name}"),
        )
        context = StartContext(
            f"actions.{name}", log, parts.clock, http, outside.console, parts.base
        )
        self._begin(context.name, told.plugin, context)
        performer = Performer(action=told.plugin).bound(partial(request_of, parts.store))
        policy = Policy(overdue=told.plugin.patience, give_up=GIVE_UP)
        lane = f"{action_runs.LANE}{name}"
        return SinkWorker(
            lane,
            performer,
            parts.store,
            parts.clock,
            Random(outside.seed),
            self._performed,
            parts.log,
            policy,
        )

    def _begin(self, name: str, plugin: Plugin, context: StartContext) -> None:
        try:
            self._parts.guard.call(
                f"{name}.start", plugin.start, context, timeout=self._parts.patience.probe
            )
        except DriftlineError as error:
            # What is meant for it waits in the outbox, tried and put off, until a restart or reload
            # starts it.
            self._parts.log.error("a plugin could not start", part=name, error=str(error))

    def _performed(self, report: Report) -> None:
        parts, name = self._parts, report.sink.removeprefix(action_runs.LANE)
        parts.metrics.actions.labels(name, str(report.outcome)).inc()
        note = report.notification
        if report.outcome is Outcome.SENT:
            parts.log.info("action done", action=name, incident=note.incident, run=note.id)

    def _delivered(self, report: Report) -> None:
        parts = self._parts
        parts.metrics.notifications.labels(report.sink, str(report.outcome)).inc()
        note = report.notification
        announce(
            parts.registry,
            "on_delivery",
            parts.log,
            sink=report.sink,
            notification=note,
            outcome=str(report.outcome),
        )
        if others := divert(self.config, self.store, report):
            parts.log.warning(
                "messages go to the fallback", sink=report.sink, fallback=", ".join(others)
            )
            self._wake()
        if report.outcome is Outcome.SENT:
            if (report.sink, note.model) not in self._taken:
                self._tell_sink(report, "")
                self._taken.add((report.sink, note.model))
        elif note.cause != MONITORING and (report.lost or report.attempts == PATIENCE_ATTEMPTS):
            self._taken.discard((report.sink, note.model))
            told = (
                "took no message"
                if report.lost
                else f"has not taken in {report.attempts} attempts a message"
            )
            self._tell_sink(
                report, f"sink {report.sink} {told} about {note.incident}: {report.error}"
            )

    def _rest(self, model: str, now: datetime) -> None:
        """While a receiver asks for a long pause, its fallback and whoever else is told hear of
        it.
        """
        for sink, (until, others) in divert_resting(self.config, self.store, model, now).items():
            if others:
                self._parts.log.warning(
                    "messages go to the fallback", sink=sink, fallback=", ".join(others)
                )
                self._wake()
            self._taken.discard((sink, model))
            reason = f"sink {sink} gets no message before {utc(until)}: its receiver asks for that"
            self.watches[model].tell([trouble(model, sink, "refused", reason, (now, now))], now)

    def _tell_sink(self, report: Report, reason: str) -> None:
        """A message that nobody gets is trouble of the agent's own: whoever else is told, is told
        of it, and of its end.
        """
        model = report.notification.model
        if model in self.watches:
            fact = trouble(model, report.sink, "refused", reason, (report.at, report.at))
            self.watches[model].tell([fact], report.at)

    def _announce(self, changes: Sequence[Change]) -> None:
        for change in changes:
            announce(
                self._parts.registry,
                "on_alert_changed",
                self._parts.log,
                notification=change.notification,
            )
