"""Watching one model: a tick lists, reads, closes what is due, and ages what is old.

Refuses to raise: whatever goes wrong with this model is a monitoring alert of this model, and the
tick's report.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from driftline.agent.accepting import accept_asked
from driftline.agent.closing import Closing
from driftline.agent.feed import DAY, Feed, in_order
from driftline.agent.labelling import (
    LateLabels,
    label_job,
    ledger_name,
    let_go,
    read_and_join,
)
from driftline.agent.model_settings import Settings
from driftline.agent.parts import Parts
from driftline.agent.reading import Reader
from driftline.agent.reference_state import (
    Ground,
    Origin,
    collected,
    ground_digest,
    kinds_of,
    load_ground,
    make_ground,
    named,
)
from driftline.agent.tick import Hooks, Tick
from driftline.agent.trouble import feed_facts
from driftline.alerting.fact import MONITORING, Fact
from driftline.alerting.incident import Change
from driftline.contracts.check import CheckContext
from driftline.evaluate.check_plan import CheckPlan, collector_requests
from driftline.ingest.pairs.pairing import pair_halves
from driftline.ingest.read.read_object import Job, latest_event_time
from driftline.ingest.read.read_pass import ReadCounts
from driftline.ingest.read.reread import read_window_rows
from driftline.profiles.spec import ProfileSpec
from driftline.state import accounts, models, pair_rows, windows
from driftline.state.tables import micros
from driftline.types.alert import Alert
from driftline.types.errors import DriftlineError, SourceError
from driftline.types.model import Measurement, Schema

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


TRY_AGAIN = timedelta(hours=1)
"""Between two readings of an object that was given up because its source failed; after a start it
is tried at once.
"""
AGEING = 200
"""Windows that are settled or rolled up in one tick at most, so that ageing never delays
judging.
"""


class Watch:
    """One model."""

    def __init__(
        self, name: str, settings: Settings, parts: Parts, hooks: Hooks | None = None
    ) -> None:
        self.name = name
        self.settings = settings
        self.ground: Ground | None = None
        self._parts = parts
        self._hooks = hooks or Hooks()
        self._reader = Reader(name, parts, self._hooks)
        self._alerting = threading.Lock()
        self._retired = False
        self._tried: datetime | None = None
        self._feed = Feed(name, parts, settings.lateness, settings.backfill)
        self._kinds = kinds_of(parts.registry)
        self._collectors = collected(settings.plans)
        self._options = collector_requests(settings.plans)
        self._digest = ground_digest(
            settings.origin, settings.schema, self._collectors, self._options
        )

    def tick(self, now: datetime, *, seal: bool = False) -> Tick:
        """Do all there is to do at `now`. With `seal`, the last line of every file is taken, whole
        or not.
        """
        began = time.monotonic()
        report = Tick()
        try:
            self._tick(now, seal, report)
        except DriftlineError as error:
            report.error = " ".join(str(error).split())
        except Exception as error:
            report.error = f"{type(error).__name__}: {error}"
            self._parts.log.exception("tick failed", model=self.name)
        self._tell_trouble(now, report)
        report.seconds = time.monotonic() - began
        return report

    def stop(self) -> None:
        """Let go of the plugins and the threads. Safe twice."""
        self._reader.stop()

    def _tick(self, now: datetime, seal: bool, report: Tick) -> None:
        parts, settings = self._parts, self.settings
        with parts.store.write() as connection:
            models.watch(connection, self.name, micros(now))
            models.note_configuration(
                connection,
                settings.config_digest,
                self.name,
                settings.config,
                settings.plugins,
                micros(now),
            )
        self._reader.start(settings.source)
        ground = self._grounded(now)
        report.doubts = ground.doubts
        self.ground = ground = replace(ground, doubts=())  # told once
        self._retire(now, ground, report)
        ground = self._accept(now, ground, report)
        job = self._job(now, ground.schema, ground.spec, ground.columns)
        again = self._tried is None or now - self._tried >= TRY_AGAIN
        self._tried = now if again else self._tried
        self._read(job, now, seal, again, ground, report)
        if settings.labels is not None and not self._hooks.stopping():
            self._label(settings.labels, job, now, seal, again, ground, report)
        if self._hooks.stopping():
            return
        if self._complete(report):
            self._close(now - settings.lateness, now, ground, report)
        self._age(now, ground, report)

    def _read(
        self, job: Job, now: datetime, seal: bool, again: bool, ground: Ground, report: Tick
    ) -> None:
        """List and read what is new, a backlog day by day."""
        listing = self._feed.listing(job, now, seal=seal, again=again)
        report.listed, report.skipped = listing.objects, listing.skipped_objects
        self._pair(job, report)
        for begin, work in in_order(listing, now):
            if self._complete(report):
                # A day's margin: names and times of change tell the time of the records only
                # roughly.
                self._close(min(begin - DAY, now - self.settings.lateness), now, ground, report)
            self._reader.take_in(self.name, job, work, report.taken, "read", len(listing.work))
            self._pair(job, report)
            if self._hooks.stopping():
                return
        report.taken.gone += self._feed.done(job, listing, now)
        self._hooks.on_read(report)

    def _pair(self, job: Job, report: Tick) -> None:
        """Before anything is judged: a row is a request with its response, as far as both have
        come.
        """
        broken = pair_halves(self._parts.store, self.name, job, self._hooks.stopping)
        report.taken.quarantined += len(broken)
        report.taken.errors = [*broken, *report.taken.errors][:20]

    def _label(
        self,
        late: LateLabels,
        job: Job,
        now: datetime,
        seal: bool,
        again: bool,
        ground: Ground,
        report: Tick,
    ) -> None:
        parts, name, mine = self._parts, ledger_name(self.name), label_job(late, job)
        feed = Feed(name, parts, self.settings.lateness, None)

        def read() -> ReadCounts:
            self._reader.start(late.source)
            listing, taken = feed.listing(mine, now, seal=seal, again=again), ReadCounts()
            self._reader.take_in(name, mine, listing.work, taken, "labels", len(listing.work))
            if not self._hooks.stopping():
                taken.gone += feed.done(mine, listing, now)
            return taken

        until = micros(now - self.settings.lateness)
        read_and_join(
            parts.store,
            self.name,
            late,
            ground,
            self._kinds,
            job.length,
            until,
            read,
            report.labels,
        )

    def _complete(self, report: Tick) -> bool:
        """Whether nothing that was listed waits to be read again."""
        with self._parts.store.read() as connection:
            return report.taken.waiting == 0 or accounts.awaited(connection, self.name) == 0

    def _close(self, until: datetime, now: datetime, ground: Ground, report: Tick) -> None:
        """Judge what ended by `until`, oldest first."""
        length = micros_of(self.settings.length)
        with self._parts.store.write() as connection:
            known = models.known(connection, self.name)
            assert known is not None
            since, ended = known.watched_since, micros(until) // length * length
            if known.judged_until is not None:
                since = max(since, known.judged_until)
            if ended > since:
                windows.note_silence(connection, self.name, since, ended, length)
                models.judged(connection, self.name, ended)
        job = self._job(now, ground.schema, ground.spec, ground.columns)
        closing = replace(
            self._closing(ground), reread=partial(read_window_rows, job, self._parts.store)
        )
        closing.close_due(
            until,
            now,
            report.closed,
            lambda done, total: self._hooks.progress("judge", done, total, report.taken.rows),
        )

    def _retire(self, now: datetime, ground: Ground, report: Tick) -> None:
        """Once after a start: alerts of checks and columns that the configuration no longer has
        must not stay open.
        """
        if self._retired:
            return
        checks = {plan.name for plan in self.settings.plans}
        columns = set(ground.schema.profiled)

        def gone(alert: Alert) -> bool:
            column = dict(alert.labels).get("column")
            if alert.cause == MONITORING:
                return alert.measurement == "error" and alert.check not in checks
            return alert.check not in checks or (column is not None and column not in columns)

        report.closed.changes += self._closing(ground).retire(gone, now)
        self._retired = True

    def _accept(self, now: datetime, ground: Ground, report: Tick) -> Ground:
        """Make what people call normal the reference, before anything is judged."""
        job = self._job(now, ground.schema, ProfileSpec({}), ground.columns)
        given = (self._collectors, self._digest, now, self._options)

        def make(
            origin: Origin, accepted: Mapping[str, object], also: Callable[[Connection], None]
        ) -> Ground:
            return make_ground(
                self._parts.store, self.name, job, origin, ground.schema, *given, accepted, also
            )

        until = now - self.settings.lateness
        self.ground, changes = accept_asked(
            self._closing(ground), make, self.settings.length, until, now
        )
        report.closed.changes += changes
        return self.ground

    def _age(self, now: datetime, ground: Ground, report: Tick) -> None:
        keep, settings, late = self._parts.keep, self.settings, self.settings.labels
        with self._parts.store.write() as connection:
            # By event time: what is old in a replayed log is neither too late nor past keeping
            # before newer rows have come.
            known = models.known(connection, self.name)
            newest = (
                micros(now)
                if known is None or known.last_event is None
                else min(micros(now), known.last_event)
            )
            over = newest - micros_of(settings.lateness + settings.reopen_for)
            windows.settle(connection, self.name, over, ground.spec, self._kinds, AGEING)
            pair_rows.let_go(connection, self.name, over, micros_of(settings.length))
            if late is not None:
                came = report.taken.objects + report.labels.taken.objects > 0
                let_go(
                    connection,
                    self.name,
                    late,
                    newest,
                    micros_of(settings.length),
                    came,
                    report.labels,
                )
            # What labels may still restate is not rolled up.
            single = max(keep.profiles, late.wait_for) if late is not None else keep.profiles
            windows.roll_up(
                connection, self.name, newest - micros_of(single), ground.spec, self._kinds, AGEING
            )
            windows.expire(
                connection,
                self.name,
                newest - micros_of(keep.days),
                newest - micros_of(keep.measurements),
            )

    def _grounded(self, now: datetime) -> Ground:
        settings = self.settings
        if self.ground is None:
            self._same_length()
            self.ground = load_ground(
                self._parts.store, self.name, settings.origin, self._digest, self._kinds
            )
        if self.ground is None:
            if settings.origin.source is not None:
                self._reader.start(settings.origin.source)
            job = self._job(now, settings.schema or Schema(), ProfileSpec({}))
            self.ground = self._parts.guard.call(
                f"{self.name}.reference",
                lambda: make_ground(
                    self._parts.store,
                    self.name,
                    job,
                    settings.origin,
                    settings.schema,
                    self._collectors,
                    self._digest,
                    now,
                    self._options,
                ),
                timeout=self._parts.patience.listing,
            )
        return self.ground

    def _same_length(self) -> None:
        with self._parts.store.read() as connection:
            before = windows.length(connection, self.name)
        asked = micros_of(self.settings.length)
        if before not in (None, asked):
            raise SourceError(
                f"windows.length of {self.name} was {timedelta(microseconds=before or 0)} and is now {self.settings.length}: "
                "windows of two lengths can't be compared; set it back, or give the model another name"
            )

    def _job(
        self, now: datetime, schema: Schema, spec: ProfileSpec, columns: tuple[str, ...] = ()
    ) -> Job:
        settings = self.settings
        return Job(
            source=settings.source,
            formats=named(settings.formats, columns),
            schema=schema,
            spec=spec,
            length=micros_of(settings.length),
            latest=latest_event_time(now),
            collectors=self._kinds,
            transform=self._hooks.transform,
            base=self._parts.base,
        )

    def _closing(self, ground: Ground) -> Closing:
        def collect(plan: CheckPlan, ctx: CheckContext) -> Sequence[Measurement]:
            key = f"{self.name}.{plan.name}"
            return self._parts.guard.collect(
                key, plan.check.evaluate, ctx, timeout=self._parts.patience.check
            )

        return Closing(
            self._parts.store,
            self.name,
            ground,
            self.settings.plans,
            self.settings.told,
            self._kinds,
            collect,
            self.settings.config_digest,
            self._alerting,
            self._hooks.on_window,
            self._hooks.enrich,
            self._hooks.on_changes,
            self._hooks.stopping,
            self.settings.notify_within,
            self.settings.false_pages_per_year,
            self.settings.life,
            self.settings.quiet,
            self.settings.links,
            self._hooks.acting,
            phrasebook=self.settings.phrasebook,
        )

    def _tell_trouble(self, now: datetime, report: Tick) -> None:
        """The state of the feed is an alert of its own kind, with its own patience."""
        with self._parts.store.read() as connection:
            alone = pair_rows.lonely(connection, self.name, pair_rows.judged(connection, self.name))
        labels = (
            report.labels.troubles if self.settings.labels is not None and not report.error else {}
        )
        facts = feed_facts(
            self.name, now, report.taken, report.error, alone, labels, self.settings.patience_ticks
        )
        if self._hooks.acting is not None:
            facts += self._hooks.acting.troubles(self._parts.store, self.name, now)
        report.closed.changes += self.tell(facts, now)

    def tell(self, facts: Sequence[Fact], now: datetime) -> list[Change]:
        """Tell alerting of facts about the agent itself."""
        return self._closing(self.ground or Ground(Schema(), ProfileSpec({}), 0, "")).alert(
            facts, now
        )


def micros_of(span: timedelta) -> int:
    """A span in microseconds."""
    return span // timedelta(microseconds=1)
