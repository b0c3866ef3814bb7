"""The workers that deliver messages to sinks and perform actions.

A sink that fails is reported as trouble of monitoring, and its messages go to the fallback.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random

from sqlalchemy.engine import Connection

from driftline.agent.action_dispatch import load_request
from driftline.agent.context_factory import ContextFactory
from driftline.agent.diversion import divert_paused, divert_undelivered
from driftline.agent.loop import Loop
from driftline.agent.page_links import PageLinks
from driftline.agent.receivers import receivers_of
from driftline.agent.services import Services
from driftline.alerting.fact import Fact, monitoring_fact
from driftline.config import ActionConfig, Config
from driftline.config.models import SinkConfig
from driftline.contracts.context import StartContext
from driftline.contracts.plugin import Plugin
from driftline.delivery.action_sink import ONCE, ActionSink
from driftline.delivery.worker import DeliveryOutcome, DeliveryPolicy, DeliveryReport, SinkWorker
from driftline.extensions.hooks import announce
from driftline.incidents.chart_cache import ChartCache
from driftline.state import action_runs, outbox, sink_backlog
from driftline.types.errors import DriftlineError
from driftline.types.family import Family
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.notification import Notification
from driftline.types.phrasing import utc

GIVE_UP_AFTER = timedelta(days=2)
"""How long a run of an action is tried."""
PATIENCE_ATTEMPTS = 10
"""Attempts at one message before a failing sink is reported: about half an hour."""
SEND_LIMIT = timedelta(seconds=300)
"""How long a round of a worker may take."""

ReportFacts = Callable[[str, Sequence[Fact], datetime], None]
"""Processes facts about the agent itself, for the model that they concern."""


class DeliveryWorkers:
    """One worker for each sink and for each action that is enabled and no dry run."""

    def __init__(
        self,
        config: Config,
        services: Services,
        contexts: ContextFactory,
        *,
        charts: ChartCache,
        report_facts: ReportFacts,
        seed: int,
    ) -> None:
        """`seed` is that of the jitter of retries."""
        self._config, self._services, self._contexts = config, services, contexts
        self._charts, self._report_facts, self._seed = charts, report_facts, seed
        self._working: set[tuple[str, str]] = set()
        """Sink and model of each last report that was a success."""
        self._up_to_date: set[str] = set()
        """Sinks whose receiver has taken the newest message of each incident."""
        self._links = PageLinks(config)
        self._loops: dict[str, Loop] = {}
        self.workers = [self._make_sink_worker(name, sink) for name, sink in config.sinks.items()]
        self.workers += [
            self._make_action_worker(name, action)
            for name, action in config.actions.items()
            if action.enabled and not action.dry_run
        ]

    def recover(self) -> None:
        """After a start, deal with what was being sent when the last agent ended.

        It may or may not have arrived.
        """
        now = self._services.clock()
        not_repeatable = [
            name
            for name, action in self._config.actions.items()
            if action.plugin.repeat == "repeats"
        ]
        with self._services.store.write() as connection:
            outbox.recover_unfinished(connection, now)
            action_runs.abandon_runs(
                connection, not_repeatable, now, f"the agent ended while it was done: {ONCE}"
            )
            removed = sink_backlog.close_removed_sinks(connection, self._config.sinks, now)
            new = sink_backlog.note_sinks(connection, self._config.sinks)
            for name in new:
                if self._config.sinks[name].open_incidents:
                    self._introduce_sink(connection, name, now)
        for name, count in removed.items():
            self._services.log.warning(
                "a sink was removed; its messages are not sent", sink=name, messages=count
            )

    def _introduce_sink(self, connection: Connection, name: str, now: datetime) -> None:
        """Write messages about the open incidents that a new sink receives."""
        for model in self._config.models:
            find_receivers = receivers_of(self._config, model)
            messages = [
                message
                for message in sink_backlog.load_open_messages(connection, model)
                for plan in find_receivers(message)
                if plan.name == name and message.severity.rank >= plan.min_severity.rank
            ]
            sink_backlog.introduce_sink(connection, name, messages, now, self._links.links)

    def start(self) -> None:
        """Start every worker."""
        for worker in self.workers:
            worker.start()

    def drain(self, seconds: float) -> bool:
        """Wait until nothing is due, at most `seconds` for each worker. Returns success."""
        results = [worker.drain(seconds) for worker in self.workers]
        return all(results)

    def wake(self) -> None:
        """Let every worker look for messages now."""
        for worker in self.workers:
            worker.wake()

    def deliver_directly(
        self, notification: Notification, passes: Callable[[str], bool]
    ) -> set[str]:
        """Send a message without the outbox to those of its receivers whose name passes.

        Returns the sinks that took it.
        """
        names = set(self._config.sinks)
        if notification.model in self._config.models:
            plans = receivers_of(self._config, notification.model)(notification)
            names = {plan.name for plan in plans}
        took = set()
        for worker in self.workers:
            if worker.name not in names or not passes(worker.name):
                continue
            error = worker.send_directly(notification)
            if error:
                self._services.log.warning("not delivered", sink=worker.name, error=error)
            else:
                took.add(worker.name)
        return took

    @property
    def loops(self) -> list[Loop]:
        """The loops of the workers."""
        return list(self._loops.values())

    def _make_loop(self, name: str) -> Loop:
        """Add the loop of one worker: it makes a round every 30 s, unless a send hangs."""
        loop = Loop(
            name=f"deliver {name}",
            every=SEND_LIMIT,
            clock=self._services.clock,
            monotonic=self._services.monotonic,
        )
        self._loops[name] = loop
        return loop

    def _watch_thread(self, worker: SinkWorker, loop: Loop) -> SinkWorker:
        """Let the loop look at the thread of its worker."""
        loop.is_alive = lambda: worker.is_alive
        loop.find_hanging = lambda: (
            (f"deliver {worker.name}: a send hangs",) if worker.overdue else ()
        )
        return worker

    def report_pauses(self, model: str, now: datetime) -> None:
        """Give messages of `model` to the fallback while a receiver asks for a long pause.

        The pause is also reported as trouble of monitoring.
        """
        pauses = divert_paused(self._config, self._services.store, model, now)
        for sink, (until, fallback_sinks) in pauses.items():
            self._log_fallback(sink, fallback_sinks)
            self._working.discard((sink, model))
            reason = f"sink {sink} gets no message before {utc(until)}: its receiver asks for that"
            self._report_facts(
                model,
                [monitoring_fact(model, sink, MonitoringKind.DELIVERY_FAILED, reason, (now, now))],
                now,
            )

    def _make_sink_worker(self, name: str, sink: SinkConfig) -> SinkWorker:
        services = self._services

        def load_earlier_reference(notification: Notification) -> str:
            with services.store.read() as connection:
                return outbox.load_receiver_reference(connection, name, notification)

        context = self._contexts.sink_context(
            name,
            sink,
            services.log.bind(part=name),
            earlier=load_earlier_reference,
            chart=self._charts.chart,
            chart_url=self._make_chart_url,
        )
        self._start(name, sink.plugin, context)
        loop = self._make_loop(name)
        worker = SinkWorker(
            name=name,
            sink=sink.plugin,
            store=services.store,
            clock=services.clock,
            rng=self._make_rng(name),
            report=self._process_sink_report,
            log=services.log,
            on_round=loop.end_round,
        )
        return self._watch_thread(worker, loop)

    def _make_action_worker(self, name: str, action: ActionConfig) -> SinkWorker:
        services, part = self._services, f"actions.{name}"
        lane = f"{action_runs.ACTION_PREFIX}{name}"
        context = self._contexts.action_context(part, action, services.log.bind(part=part))
        self._start(part, action.plugin, context)
        performer = ActionSink(action=action.plugin)
        loop = self._make_loop(lane)
        worker = SinkWorker(
            name=lane,
            sink=performer.use_requests(partial(load_request, services.store)),
            store=services.store,
            clock=services.clock,
            rng=self._make_rng(lane),
            report=partial(self._process_action_report, name),
            log=services.log,
            scrub=services.scrub,
            policy=DeliveryPolicy(overdue=action.plugin.patience, give_up=GIVE_UP_AFTER),
            on_round=loop.end_round,
        )
        return self._watch_thread(worker, loop)

    def _make_rng(self, lane: str) -> Random:
        """Return the generator of one worker's jitter, so that not all try again at once."""
        return Random(f"{self._seed} {lane}")

    def _make_chart_url(self, notification: Notification) -> str | None:
        with self._services.store.read() as connection:
            url = self._links.chart_link(connection, notification, self._services.clock())
        # Some services refuse a whole message for an image that they can't fetch.
        return url if url is not None and self._charts.chart(notification) is not None else None

    def _start(self, part: str, plugin: Plugin, context: StartContext) -> None:
        try:
            self._services.start_plugin(part, plugin, context)
        except DriftlineError as error:
            # Its messages wait in the outbox until a restart or reload starts it.
            self._services.log.error("a plugin could not start", part=part, error=str(error))

    def _process_action_report(self, name: str, report: DeliveryReport) -> None:
        notification = report.notification
        metrics = self._services.metrics
        if metrics is not None:
            metrics.actions.labels(name, str(report.outcome)).inc()
        if report.outcome is DeliveryOutcome.SENT:
            self._services.log.info(
                "action done", action=name, incident=notification.incident, run=notification.id
            )

    def _process_sink_report(self, report: DeliveryReport) -> None:
        services, notification = self._services, report.notification
        if services.metrics is not None:
            services.metrics.notifications.labels(report.sink, str(report.outcome)).inc()
        announce(
            services.registry,
            "on_delivery",
            services.log,
            sink=report.sink,
            notification=notification,
            outcome=str(report.outcome),
        )
        self._log_fallback(report.sink, divert_undelivered(self._config, services.store, report))
        key = report.sink, notification.model
        if report.is_dead_letter:
            self._up_to_date.discard(report.sink)
        if report.outcome is DeliveryOutcome.SENT:
            if report.sink not in self._up_to_date:
                self._catch_up(report.sink, report.at)
            if key not in self._working and not self._is_behind(*key):
                self._report_sink(report, "")
                self._working.add(key)
        elif notification.cause != Family.MONITORING and (
            report.is_dead_letter or report.attempts == PATIENCE_ATTEMPTS
        ):
            self._working.discard(key)
            attempts = f"{report.attempts} attempt{'s' if report.attempts > 1 else ''}"
            state = "is given up" if report.is_dead_letter else "waits"
            self._report_sink(
                report,
                f"sink {report.sink}: {report.summary} after {attempts}; "
                f"the message about {notification.incident} {state}",
            )

    def _catch_up(self, sink: str, now: datetime) -> None:
        """Write again what the receiver of `sink` refused: it takes messages now."""
        with self._services.store.write() as connection:
            incidents = sink_backlog.catch_up(connection, sink, now, self._links.links)
        if incidents:
            self._services.log.info(
                "incidents that were refused are sent again",
                sink=sink,
                incidents=", ".join(incidents),
            )
        elif not self._is_behind(sink):
            self._up_to_date.add(sink)

    def _is_behind(self, sink: str, model: str | None = None) -> bool:
        with self._services.store.read() as connection:
            return sink_backlog.is_behind(connection, sink, model)

    def _log_fallback(self, sink: str, fallback_sinks: Sequence[str]) -> None:
        if fallback_sinks:
            self._services.log.warning(
                "messages go to the fallback", sink=sink, fallback=", ".join(fallback_sinks)
            )
            self.wake()

    def _report_sink(self, report: DeliveryReport, reason: str) -> None:
        """Report trouble of a sink, or its end if `reason` is empty, to the other sinks."""
        model = report.notification.model
        fact = monitoring_fact(
            model, report.sink, MonitoringKind.DELIVERY_FAILED, reason, (report.at, report.at)
        )
        self._report_facts(model, [fact], report.at)
