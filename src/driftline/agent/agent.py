"""The agent: one loop for each model, one worker for each sink and action.

The loops run in threads of their own, so that none can hold up another.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from driftline.agent.action_dispatch import ActionDispatcher, action_plans
from driftline.agent.callbacks import Callbacks
from driftline.agent.context_factory import ContextFactory
from driftline.agent.delivery_workers import DeliveryWorkers
from driftline.agent.loop import Loop
from driftline.agent.model_settings import make_settings, phrasebook_for
from driftline.agent.model_watch import ModelWatch
from driftline.agent.services import Services
from driftline.agent.tick import Tick
from driftline.agent.tick_report import count_tick, log_judging, update_state_metrics
from driftline.alerting.fact import Fact
from driftline.alerting.incident import Change
from driftline.config import Config
from driftline.delivery.worker import SinkWorker
from driftline.extensions.hooks import announce, enrich, transformer
from driftline.extensions.load import describe_error
from driftline.incidents.chart_cache import ChartCache
from driftline.state import incidents
from driftline.state.store import Store
from driftline.types.errors import DriftlineError, LeadershipLost, StateError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from driftline.agent.model_settings import ModelSettings
    from driftline.agent.model_views import ModelViews
    from driftline.agent.operation_views import OperationViews
    from driftline.agent.state_trouble import StateTrouble
    from driftline.catalog.catalog import Catalog
    from driftline.incidents.incident_service import IncidentService
    from driftline.state.link_keys import LinkKeys

STOP_SECONDS = 7.0
PATIENCE_TICKS = 3
"""Ticks in a row that a source may fail before the daemon reports it."""


class Agent:
    """Everything that runs, made from one configuration."""

    def __init__(
        self,
        config: Config,
        services: Services,
        contexts: ContextFactory,
        *,
        seed: int,
        once: bool = False,
        callbacks: Callbacks | None = None,
        trouble: StateTrouble | None = None,
    ) -> None:
        """`seed` is that of the jitter of retries; `once` says that there is one tick only.

        `trouble` outlives this agent where the state has to be opened again.
        """
        self.config = config
        self.is_standby = False
        self.leader = ""
        """Empty: this agent leads itself."""
        self.loops: dict[str, Loop] = {}
        self._services = services
        self._callbacks = callbacks or Callbacks()
        self._trouble = trouble
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._phrasebook = phrasebook_for(config)
        self._actions = ActionDispatcher(
            action_plans(config), services.guard, services.log, self._phrasebook
        )
        self._charts = ChartCache(services.store, services.log)
        patience_ticks = 1 if once else PATIENCE_TICKS
        self.watches = {
            name: ModelWatch(
                make_settings(config, name, services.registry, patience_ticks=patience_ticks),
                services,
                actions=self._actions,
                callbacks=self._make_callbacks(name),
            )
            for name in config.models
        }
        self._delivery = DeliveryWorkers(
            config,
            services,
            contexts,
            charts=self._charts,
            report_facts=self._report_facts,
            seed=seed,
        )
        if trouble is not None:
            trouble.use_sinks(
                self._delivery.deliver_directly, config.models, is_shared=self.store.is_shared
            )

    @property
    def registry(self) -> CollectorRegistry:
        """The metrics. A single pass has none."""
        assert self._services.metrics is not None
        return self._services.metrics.registry

    @property
    def store(self) -> Store:
        """The state."""
        return self._services.store

    @property
    def workers(self) -> list[SinkWorker]:
        """The workers of sinks and actions."""
        return self._delivery.workers

    @property
    def incident_service(self) -> IncidentService:
        """Where people look at incidents and act on them."""
        from driftline.incidents.incident_service import IncidentService

        link_actions = frozenset(
            name for name, action in self.config.actions.items() if action.approve_by_link
        )
        services = self._services
        return IncidentService(
            store=services.store,
            clock=services.clock,
            apply_acts=self._apply_acts,
            draw_chart=self._charts.chart,
            link_approved_actions=link_actions,
            phrasebook=self._phrasebook,
        )

    @property
    def _settings(self) -> dict[str, ModelSettings]:
        return {name: watch.settings for name, watch in self.watches.items()}

    @property
    def model_views(self) -> ModelViews:
        """What the pages show of the models."""
        # A run without pages does without their code.
        from driftline.agent.model_views import ModelViews

        services = self._services
        return ModelViews(
            store=services.store,
            settings=self._settings,
            collectors=lambda: services.collectors,
            phrasebook=self._phrasebook,
            clock=services.clock,
        )

    @property
    def operation_views(self) -> OperationViews:
        """What the pages show of the agent's work."""
        from driftline.agent.operation_views import OperationViews

        return OperationViews(self._services.store, self.config, self._settings)

    @property
    def link_keys(self) -> LinkKeys:
        """The keys that sign the links of messages."""
        return self._services.link_keys

    @property
    def catalog(self) -> Catalog:
        """The records of models, for programs that ask over HTTP."""
        from driftline.catalog.catalog import Catalog

        services = self._services
        return Catalog(store=services.store, clock=services.clock, way="http")

    def ready(self) -> tuple[bool, Sequence[Loop]]:
        """Return whether no loop is stuck, and all loops."""
        loops = [*self.loops.values(), *self._delivery.loops]
        return not any(loop.stuck for loop in loops), loops

    def show_reloads(self, outcomes: Mapping[str, int], *, is_successful: bool) -> None:
        """Show in the metrics what came of the reloads of this process."""
        metrics = self._services.metrics
        if metrics is not None:
            metrics.reloads.clear()
            for outcome, count in outcomes.items():
                metrics.reloads.labels(outcome).inc(count)
            metrics.reload_successful.set(int(is_successful))

    def recover(self) -> None:
        """After a start, deal with what was being sent when the last agent ended."""
        self._delivery.recover()

    def tick(self, name: str, *, seal: bool = False) -> Tick:
        """Run one tick of the model `name` and report it to the log, metrics and plugins.

        With `seal`, the last line of every file is read even if it has no line end.
        """
        now = self._services.clock()
        report = self.watches[name].tick(now, seal=seal)
        self._actions.expire_unapproved(self._services.store, now)
        self._delivery.report_pauses(name, now)
        log_judging(name, report, self._services)
        if self._services.metrics is not None:
            count_tick(name, report, self._services.metrics)
            update_state_metrics(name, self._services.store, self._services.metrics)
        self._announce(report.closing.changes)
        return report

    def start(self) -> None:
        """Start every loop."""
        self.recover()
        services = self._services
        if services.metrics is not None:
            services.metrics.leading.set(1)
        with self.store.read() as connection:
            for row in incidents.load_incidents(connection, firing=True, limit=10):
                services.log.info(
                    f"still firing: {row.headline}",
                    model=row.model,
                    incident=row.id,
                )
        self._delivery.start()
        for name, model in self.config.models.items():
            loop = Loop(
                name=f"watch {name}",
                every=model.every or self.config.agent.every,
                clock=services.clock,
                monotonic=services.monotonic,
                patience=services.timeouts.step,
                find_hanging=partial(services.guard.find_hanging, f"{name}."),
            )
            self.loops[name] = loop
            thread = threading.Thread(
                target=self._run, args=(name, loop), name=f"watch-{name}", daemon=True
            )
            loop.is_alive = partial(self._is_running, thread)
            self._threads.append(thread)
            thread.start()

    def deliver(self, seconds: float) -> bool:
        """Start the workers and wait until nothing is due, at most `seconds`. Returns success."""
        self._delivery.start()
        return self._delivery.drain(seconds)

    def stop(self) -> bool:
        """Finish what is at hand within `STOP_SECONDS`. Safe twice.

        Returns whether everything ended.
        """
        self._stopping.set()
        deadline, is_clean = self._services.monotonic() + STOP_SECONDS, True
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._services.monotonic()))
            is_clean = is_clean and not thread.is_alive()
        for worker in self.workers:
            is_clean = worker.stop(max(0.1, deadline - self._services.monotonic())) and is_clean
        for watch in self.watches.values():
            try:
                watch.stop()
            except DriftlineError as error:
                self._services.log.warning(
                    "a plugin did not stop", model=watch.name, error=str(error)
                )
        self._threads.clear()
        if self._services.shared_executor is not None:
            self._services.shared_executor.drop()
        return is_clean

    def _run(self, name: str, loop: Loop) -> None:
        while not self._stopping.is_set():
            failure = ""
            try:
                self.tick(name)
            except LeadershipLost as error:
                failure = str(error)
                self._services.log.warning(f"a tick had no effect: {error}", model=name)
            except StateError as error:
                # The database may be full or busy: the loop must outlive that, and the next tick
                # repeats the work.
                failure = f"watch {name}: the last round had no effect: {error}"
                if self._trouble is not None:
                    self._trouble.note_failure(name, str(error))
            except Exception as error:
                failure = f"watch {name}: the last round failed: {describe_error(error)}"
                self._services.log.exception("a tick failed", model=name)
            else:
                if self._trouble is not None:
                    self._trouble.note_commit(name)
            loop.end_round(failure)
            self._stopping.wait(loop.every.total_seconds())

    def _is_running(self, thread: threading.Thread) -> bool:
        return thread.is_alive() or self._stopping.is_set()

    def _make_callbacks(self, name: str) -> Callbacks:
        services, callbacks = self._services, self._callbacks

        def progress(stage: str, count: int, total: int, rows: int) -> None:
            loop = self.loops.get(name)
            if loop is not None:
                loop.note_progress()
            callbacks.progress(f"{name}: {stage}", count, total, rows)

        def step(label: str, seconds: float) -> None:
            loop = self.loops.get(name)
            if loop is not None:
                loop.begin_step(label, seconds)

        def beat() -> None:
            loop = self.loops.get(name)
            if loop is not None:
                loop.note_progress()

        return Callbacks(
            transform=transformer(services.registry, name),
            on_window=lambda window: announce(
                services.registry, "on_window_closed", services.log, model=name, window=window
            ),
            enrich=lambda notification: enrich(services.registry, notification, services.log),
            on_changes=lambda changes: self._delivery.wake(),
            progress=progress,
            step=step,
            beat=beat,
            stopping=lambda: self._stopping.is_set() or callbacks.stopping(),
        )

    def _apply_acts(self, model: str) -> None:
        """Apply the acts of people at once; what needs the source waits for the next tick."""
        if model in self.watches:
            self._announce(self.watches[model].alerts.report([], self._services.clock()))

    def _report_facts(self, model: str, facts: Sequence[Fact], now: datetime) -> None:
        if model in self.watches:
            self.watches[model].alerts.report(facts, now)

    def _announce(self, changes: Sequence[Change]) -> None:
        for change in changes:
            announce(
                self._services.registry,
                "on_alert_changed",
                self._services.log,
                notification=change.notification,
            )
