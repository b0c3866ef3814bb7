"""Labels that come later: read like predictions, joined with them, and removed in time.

When the labels can't be read, the windows of the model are judged on time and restated later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.engine import Connection

from driftline.agent.feed import Feed, ListingOptions
from driftline.agent.model_settings import LabelSettings, ModelSettings, microseconds
from driftline.agent.reference_state import ReferenceState
from driftline.ingest.labels.join_labels import JoinCounts, JoinTerms, join_labels
from driftline.ingest.read.job import Job
from driftline.ingest.read.read_pass import ReadCounts
from driftline.state import models, waiting
from driftline.state.waiting import LABEL, PREDICTION
from driftline.types.errors import DriftlineError, StateError
from driftline.types.loss_reasons import LOSS_SHARE
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.times import as_micros, from_micros

LABEL_PROBLEMS = (
    MonitoringKind.LABELS,
    MonitoringKind.UNUSABLE_LABELS,
    MonitoringKind.WAITING_PREDICTIONS,
)
"""What may go wrong with labels, as alerts about the agent name it."""


@dataclass(slots=True, kw_only=True)
class LabelReport:
    """The result of one tick for labels."""

    reading: ReadCounts = field(default_factory=ReadCounts)
    join: JoinCounts = field(default_factory=JoinCounts)
    error: str = ""
    dropped_predictions: int = 0
    """Predictions that stopped waiting because there were too many, and had no label."""
    dropped_before: datetime | None = None
    """Start of the oldest window whose predictions still wait, after that."""

    @property
    def problems(self) -> dict[MonitoringKind, str]:
        """Problems by kind; an empty text says that there is none of this kind.

        A kind is absent where this tick can't say.
        """
        problems = {MonitoringKind.LABELS: self.error}
        if self.reading.objects:
            problems[MonitoringKind.UNUSABLE_LABELS] = self._unusable()
        if self.dropped_before is not None:
            problems[MonitoringKind.WAITING_PREDICTIONS] = (
                f"{self.dropped_predictions:,} predictions from before "
                f"{self.dropped_before:%Y-%m-%d %H:%M} wait no longer for "
                "their labels: more wait than labels.max_disk allows"
            )
        elif self.reading.objects:
            problems[MonitoringKind.WAITING_PREDICTIONS] = ""
        return problems

    def _unusable(self) -> str:
        reading = self.reading
        records, unusable = (
            reading.rows + reading.rejected_records,
            reading.rejected_records + reading.rows_held_back,
        )
        if not reading.quarantined and unusable <= LOSS_SHARE * max(records, 1):
            return ""
        example = f": {reading.errors[0]}" if reading.errors else ""
        return (
            f"{unusable:,} of {records:,} labels have no id, time or value that can be used"
            f"{example}"
        )


@dataclass(frozen=True, kw_only=True)
class LateLabels:
    """The labels of one model that come later."""

    settings: ModelSettings
    labels: LabelSettings
    feed: Feed

    def read_and_join(
        self,
        job: Job,
        reference: ReferenceState,
        options: ListingOptions,
        report: LabelReport,
    ) -> None:
        """Read the labels that are there and join them with the predictions that wait.

        `job` is how the predictions are read. Updates the windows that have ended.
        """
        try:
            report.reading = self._read(job, options)
        except StateError:
            raise
        except DriftlineError as error:
            report.error = " ".join(str(error).split())
        if not report.error and report.reading.waiting and report.reading.errors:
            report.error = (
                f"{report.reading.waiting} objects could not be read just now: "
                f"{report.reading.errors[0]}"
            )
        terms = JoinTerms(
            model=self.settings.name,
            labels=self.feed.ledger,
            schema=reference.schema,
            spec=reference.spec,
            collectors=job.collectors,
            length=job.length,
            wait=microseconds(self.labels.config.wait_for),
            has_own_times=self.labels.schema.timestamp is not None,
        )
        until = as_micros(options.now - self.settings.config.windows.lateness)
        report.join = join_labels(self.feed.services.store, terms, until)

    def expire(
        self, connection: Connection, newest: int, *, has_new: bool, report: LabelReport
    ) -> None:
        """Remove predictions and labels that have waited long enough.

        `newest` is the newest event time in microseconds. With `has_new`, what exceeds
        `labels.max_disk` is removed, too.
        """
        model, labels = self.settings.name, self.feed.ledger
        length, wait = self.settings.window_length, microseconds(self.labels.config.wait_for)
        waiting.drop_before(connection, model, PREDICTION, newest - wait - length + 1)
        # A label may be that much older than its prediction, which may be that old when its window
        # ends.
        waiting.drop_before(connection, labels, LABEL, newest - 2 * wait - length)
        models.set_waits_from(connection, model, newest - wait - length + 1)
        if not has_new:
            return
        before = waiting.find_size_cutoff(connection, (model, labels), self.labels.config.max_disk)
        if before is not None:
            report.dropped_predictions = waiting.drop_before(connection, model, PREDICTION, before)
            waiting.drop_before(connection, labels, LABEL, before)
            models.set_waits_from(connection, model, before)
            report.dropped_before = from_micros(before)

    def _read(self, job: Job, options: ListingOptions) -> ReadCounts:
        feed, result, label_job = self.feed, ReadCounts(), self.labels.make_job(job)
        feed.reader.start(self.labels.config.plugin)
        listing = feed.list_objects(label_job, options)
        feed.read(label_job, listing.work, result, len(listing.work))
        if not feed.callbacks.stopping():
            result.gone += feed.finish(label_job, listing, options.now)
        return result
