"""Watches one model: one tick lists, reads, judges what is due and removes what is old.

Errors of a tick are in its report, and are alerts of this model. Those of the state are raised:
without it there is nowhere to put them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from driftline.agent import tick_report
from driftline.agent.acceptance import apply_acceptances
from driftline.agent.action_dispatch import ActionDispatcher
from driftline.agent.callbacks import Callbacks
from driftline.agent.clock_setback import take_back_future
from driftline.agent.closing import Closing, ModelEvaluation
from driftline.agent.feed import Feed, ListingOptions, work_by_day
from driftline.agent.feed_facts import feed_facts
from driftline.agent.label_ledger import label_ledger
from driftline.agent.late_labels import LABEL_PROBLEMS, LateLabels
from driftline.agent.model_alerts import ModelAlerts
from driftline.agent.model_settings import ModelSettings, Origin
from driftline.agent.reading import ModelReader
from driftline.agent.reference_state import ReferenceState, build_reference, load_reference
from driftline.agent.retention import apply_retention
from driftline.agent.services import Services
from driftline.agent.tick import Tick
from driftline.agent.window_length import explain_other_length
from driftline.contracts.check import CheckContext
from driftline.evaluate.check_plan import CheckPlan
from driftline.ingest.pairs.pairing import pair_halves
from driftline.ingest.read.job import Job
from driftline.profiles.spec import ProfileSpec
from driftline.state import accounts, empty_windows, models, pair_rows
from driftline.types.alert import Alert
from driftline.types.errors import DriftlineError, SourceError, StateError
from driftline.types.family import Family
from driftline.types.model import Measurement, Schema
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.times import DAY, as_micros

RETRY_INTERVAL = timedelta(hours=1)
"""Between two readings of an object that was given up because its source failed.

After a start it is tried at once.
"""
RETENTION_SECONDS = 240.0
"""How long it may take to merge and remove old windows."""
MAX_ERRORS = 20
"""Errors of objects that the report of a tick holds."""


class ModelWatch:
    """Watches one model."""

    def __init__(
        self,
        settings: ModelSettings,
        services: Services,
        *,
        actions: ActionDispatcher | None = None,
        callbacks: Callbacks | None = None,
    ) -> None:
        callbacks = callbacks or Callbacks()
        self.name = settings.name
        self.settings = settings
        self.reference: ReferenceState | None = None
        """None until the first tick has loaded or built it."""
        self.callbacks = callbacks
        self._services = services
        self._actions = actions
        self._reader = ModelReader(self.name, services, in_process=callbacks.transform is not None)
        self.alerts = ModelAlerts(
            model=self.name,
            store=services.store,
            settings=settings.alerts,
            actions=actions,
            callbacks=callbacks,
        )
        self._feed = self._make_feed(self.name, "read", settings.config.windows.backfill)
        self._labels = None
        if settings.labels is not None:
            feed = self._make_feed(label_ledger(self.name), "labels", None)
            self._labels = LateLabels(settings=settings, labels=settings.labels, feed=feed)
        self._has_retired_alerts = False
        self._retry_time: datetime | None = None
        self._evaluation: ModelEvaluation | None = None

    def tick(self, now: datetime, *, seal: bool = False) -> Tick:
        """Do all the work that is due at `now`.

        With `seal`, the last line of every file is read even if it has no line end.

        Raises StateError when the state can't be used.
        """
        begin = self._services.monotonic()
        report = Tick()
        self.callbacks.step("beginning", 0.0)
        try:
            self._tick(now, seal, report)
        except StateError:
            raise  # it says nothing about the source
        except DriftlineError as error:
            report.error = " ".join(str(error).split())
        except Exception as error:
            report.error = f"{type(error).__name__}: {error}"
            self._services.log.exception("tick failed", model=self.name)
        self.callbacks.step("reporting", 0.0)
        self._report_feed(now, report)
        report.seconds = self._services.monotonic() - begin
        return report

    def stop(self) -> None:
        """Stop the sources and the threads. Safe twice."""
        self._reader.stop()

    def _tick(self, now: datetime, seal: bool, report: Tick) -> None:
        settings, stopping = self.settings, self.callbacks.stopping
        with self._services.store.write() as connection:
            models.add_model(connection, self.name, as_micros(now))
            models.store_configuration(
                connection,
                digest=settings.config_digest,
                model=self.name,
                content=settings.config_json,
                plugins=settings.plugins,
                now=as_micros(now),
            )
        self.callbacks.step("starting the source", self._services.timeouts.probe)
        self._reader.start(settings.config.source)
        reference = self._load_or_build_reference(now)
        report.warnings = reference.warnings
        report.reference_losses = reference.losses
        report.has_new_reference = self.reference is None
        if reference.warnings:
            reference = replace(reference, warnings=())  # reported once
        self.reference = reference
        self.callbacks.step("applying acts", self._services.timeouts.listing)
        self._take_back_future(now, report)
        self._retire_alerts(now, reference, report)
        reference = self._apply_acceptances(now, reference, report)
        job = self._make_job(now, reference.schema, reference.spec, reference.input_columns)
        retry = self._retry_time is None or now - self._retry_time >= RETRY_INTERVAL
        if retry:
            self._retry_time = now
        options = ListingOptions(now=now, seal=seal, retry=retry)
        closing = self._make_closing(job, reference)
        self._read(job, closing, options, report)
        if self._labels is not None and not stopping():
            self._labels.read_and_join(job, reference, options, report.labels)
        if stopping():
            return
        if self._has_read_all(report):
            until = now - settings.config.windows.lateness
            self._close(closing, until, now, report, is_backlog_end=True)
        self.callbacks.step("removing what is old", RETENTION_SECONDS)
        apply_retention(
            self._services, settings, reference.spec, self._labels, now=now, report=report
        )

    def _read(self, job: Job, closing: Closing, options: ListingOptions, report: Tick) -> None:
        """List and read what is new; judge between the days of a backlog."""
        now, lateness = options.now, self.settings.config.windows.lateness
        listing = self._feed.list_objects(job, options)
        report.object_count, report.skipped_objects = listing.objects, listing.skipped_objects
        self._pair(job, report)
        for begin, work in work_by_day(listing, now):
            if self._has_read_all(report):
                # A day's margin: the name of an object and its last change give the time of its
                # records only roughly.
                self._close(closing, min(begin - DAY, now - lateness), now, report)
            self._feed.read(job, work, report.reading, len(listing.work))
            self._pair(job, report)
            if self.callbacks.stopping():
                return
        report.reading.gone += self._feed.finish(job, listing, now)
        tick_report.log_reading(self.name, report, self._services)

    def _pair(self, job: Job, report: Tick) -> None:
        """Match requests with their responses, so that only whole rows are judged."""
        errors = pair_halves(self._services.store, self.name, job, self.callbacks.stopping)
        report.reading.quarantined += len(errors)
        report.reading.errors = [*errors, *report.reading.errors][:MAX_ERRORS]

    def _has_read_all(self, report: Tick) -> bool:
        """Return whether no object that was listed waits to be read again."""
        with self._services.store.read() as connection:
            return (
                report.reading.waiting == 0
                or accounts.count_waiting_objects(connection, self.name) == 0
            )

    def _close(
        self,
        closing: Closing,
        until: datetime,
        now: datetime,
        report: Tick,
        *,
        is_backlog_end: bool = False,
    ) -> None:
        """Judge the windows that ended by `until`, oldest first."""
        self.callbacks.step("judging", 0.0)
        self._note_silence(until)
        closing.close_due(
            until, now, report.closing, report.reading.rows, is_backlog_end=is_backlog_end
        )

    def _make_closing(self, job: Job, reference: ReferenceState) -> Closing:
        return Closing(
            settings=self.settings,
            store=self._services.store,
            evaluation=self._make_evaluation(reference),
            alerts=self.alerts,
            job=job,
            callbacks=self.callbacks,
        )

    def _make_evaluation(self, reference: ReferenceState) -> ModelEvaluation:
        """Return the same evaluation while the reference is the same: it remembers its ranges."""
        if self._evaluation is None or self._evaluation.reference is not reference:
            self._evaluation = ModelEvaluation(
                model=self.name,
                reference=reference,
                plans=self.settings.plans,
                collectors=self._services.collectors,
                collect=self._collect,
                length=self.settings.window_length
                if self.settings.config.windows.rows is not None
                else 0,
            )
        return self._evaluation

    def _note_silence(self, until: datetime) -> None:
        """Create the windows without rows that ended by `until`: no data is a finding, too.

        They lie between windows with rows, also in a backlog, or after the agent's first start.
        """
        length = self.settings.window_length
        with self._services.store.write() as connection:
            model = models.load_model(connection, self.name)
            assert model is not None
            since, end = model.watched_since, as_micros(until) // length * length
            span = empty_windows.find_unjudged_span(connection, self.name, end)
            if span is not None:
                empty_windows.add_empty_windows(connection, self.name, *span, length)
            if model.judged_until is not None:
                since = max(since, model.judged_until)
            if end > since:
                empty_windows.add_empty_windows(connection, self.name, since, end, length)
                models.set_judged_until(connection, self.name, end)

    def _collect(self, plan: CheckPlan, ctx: CheckContext) -> Sequence[Measurement]:
        """Run a check within its time. Raises DriftlineError."""
        seconds = self._services.timeouts.check
        self.callbacks.step(f"check {plan.name}", seconds)
        return self._services.guard.collect(
            f"{self.name}.{plan.name}", plan.check.evaluate, ctx, timeout=seconds
        )

    def _take_back_future(self, now: datetime, report: Tick) -> None:
        """Take back what was judged while the clock was ahead."""
        changes = take_back_future(
            self._services.store, self.alerts, self.settings.window_length, now
        )
        if changes is not None:
            report.closing.changes += changes
            self._services.log.warning(
                "the clock was set back: windows after it are judged again", model=self.name
            )

    def _retire_alerts(self, now: datetime, reference: ReferenceState, report: Tick) -> None:
        """Once after a start, remove alerts of what the configuration no longer has."""
        if self._has_retired_alerts:
            return
        checks = {plan.name for plan in self.settings.plans}
        columns = set(reference.schema.profile_columns)

        def is_obsolete(alert: Alert) -> bool:
            column = dict(alert.labels).get("column")
            if alert.cause == Family.MONITORING:
                return self._is_trouble_of_removed_part(alert)
            return alert.check not in checks or (column is not None and column not in columns)

        report.closing.changes += self.alerts.retire(is_obsolete, now)
        self._has_retired_alerts = True

    def _is_trouble_of_removed_part(self, alert: Alert) -> bool:
        """Return whether no fact can come any more that ends an alert about the agent itself."""
        if alert.measurement == MonitoringKind.DELIVERY_FAILED:
            return alert.check not in self.settings.receivers
        if alert.measurement in (MonitoringKind.CHECK_FAILED, MonitoringKind.UNSURE):
            return alert.check not in {plan.name for plan in self.settings.plans}
        return alert.measurement in LABEL_PROBLEMS and self.settings.labels is None

    def _apply_acceptances(
        self, now: datetime, reference: ReferenceState, report: Tick
    ) -> ReferenceState:
        """Make what people accept the reference, before anything is judged."""
        job = self._make_job(
            now, reference.schema, ProfileSpec(columns={}), reference.input_columns
        )

        def build_accepted(
            origin: Origin,
            note: Mapping[str, object],
            in_transaction: Callable[[Connection], None],
        ) -> ReferenceState:
            return build_reference(
                self._services.store,
                self.settings,
                job,
                now,
                origin=origin,
                schema=reference.schema,
                acceptance=note,
                in_transaction=in_transaction,
            )

        limits = self.settings.config.windows
        accepted_reference, changes = apply_acceptances(
            self.alerts, build_accepted, limits.length, now - limits.lateness, now
        )
        report.closing.changes += changes
        self.reference = accepted_reference or reference
        return self.reference

    def _load_or_build_reference(self, now: datetime) -> ReferenceState:
        if self.reference is not None:
            return self.reference
        services, settings = self._services, self.settings
        self.callbacks.step("the reference", services.timeouts.listing)
        self._check_window_length()
        reference = load_reference(services.store, settings, services.collectors)
        if reference is not None:
            return reference
        if settings.origin.source is not None:
            self._reader.start(settings.origin.source)
        job = self._make_job(now, settings.schema or Schema(), ProfileSpec(columns={}))
        return services.guard.call(
            f"{self.name}.reference",
            lambda: build_reference(services.store, settings, job, now),
            timeout=services.timeouts.listing,
        )

    def _check_window_length(self) -> None:
        """Raise SourceError if stored windows have another length than the configured one."""
        problem = explain_other_length(self._services.store, self.settings)
        if problem:
            raise SourceError(problem)

    def _make_job(
        self,
        now: datetime,
        schema: Schema,
        spec: ProfileSpec,
        input_columns: tuple[str, ...] = (),
    ) -> Job:
        return self.settings.make_job(
            schema,
            spec,
            now,
            collectors=self._services.collectors,
            base=self._services.base,
            transform=self.callbacks.transform,
            input_columns=input_columns,
        )

    def _make_feed(self, ledger: str, stage: str, backfill: timedelta | None) -> Feed:
        return Feed(
            ledger=ledger,
            stage=stage,
            services=self._services,
            reader=self._reader,
            callbacks=self.callbacks,
            lateness=self.settings.config.windows.lateness,
            backfill=backfill,
        )

    def _report_feed(self, now: datetime, report: Tick) -> None:
        """Report the state of the feed and of the actions: troubles are alerts of monitoring."""
        with self._services.store.read() as connection:
            request_counts = pair_rows.load_request_counts(
                connection, self.name, pair_rows.find_first_unjudged(connection, self.name)
            )
        facts = feed_facts(
            self.name,
            now,
            report.reading,
            error=report.error,
            request_counts=request_counts,
            reference_losses=None
            if self.reference is None or self.settings.origin.source is None
            else self.reference.losses,
            label_problems=report.labels.problems
            if self._labels is not None and not report.error
            else {},
            patience_ticks=self.settings.patience_ticks,
        )
        if self._actions is not None:
            facts += self._actions.failure_facts(self._services.store, self.name, now)
        report.closing.changes += self.alerts.report(facts, now)
