"""Lists one source of a model and reads what is new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby

import msgspec

from driftline.agent.callbacks import Callbacks
from driftline.agent.reading import ModelReader
from driftline.agent.services import Services
from driftline.ingest.read.job import Job
from driftline.ingest.read.list_work import Listing, list_work, note_vanished
from driftline.ingest.read.plan import Work
from driftline.ingest.read.read_pass import ReadCounts, ReadPass
from driftline.state import accounts, models
from driftline.types.errors import SourceError
from driftline.types.times import DAY, as_micros, from_micros

SLACK = timedelta(hours=1)
"""Added to the lateness: clocks differ, and some files appear long after their first record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingOptions:
    """How the sources of a model are listed in one tick."""

    now: datetime
    seal: bool = False
    """Whether the last line of every file counts, even if it has no end."""
    retry: bool = False
    """Whether objects are tried again that were given up because their source failed."""


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One source of a model: its logs, or its labels."""

    ledger: str
    """The name under which the ledger keeps the objects of this source."""
    stage: str
    """The stage of the progress: `read` or `labels`."""
    services: Services
    reader: ModelReader
    callbacks: Callbacks
    lateness: timedelta
    backfill: timedelta | None
    """How old a place may be to be read when it is first listed; None for any age."""

    def list_objects(self, job: Job, options: ListingOptions) -> Listing:
        """List what is there to read. Raises SourceError when a page fails.

        Between two whole listings, only places are listed that may have new objects.
        """
        now = options.now
        with self.services.store.read() as connection:
            cutoff = models.find_cutoff(connection, self.ledger)
            model = models.load_model(connection, self.ledger)
        since = self._listing_start(job, options)
        job = replace(job, beat=self.callbacks.beat)
        self.callbacks.step("listing", self.services.timeouts.listing)
        return self.services.guard.call(
            f"{self.ledger}.source",
            lambda: list_work(
                self.services.store,
                self.ledger,
                job,
                now,
                seal=options.seal,
                cutoff=cutoff,
                retry=options.retry,
                since=since,
                oldest=None if self.backfill is None else now - self.backfill,
                is_same_source=model is not None and model.whole_digest == _digest(job),
            ),
            timeout=self.services.timeouts.listing,
        )

    def read(self, job: Job, work: Sequence[Work], result: ReadCounts, total: int) -> None:
        """Read and commit some work of a listing of `total`, and add to `result`.

        Raises SourceError when the source hangs.
        """
        services, callbacks = self.services, self.callbacks
        callbacks.step(self.stage, services.timeouts.reading)
        shared = services.shared_executor
        executor, workers = self.reader.executor, services.workers
        if shared is not None:
            workers = shared.count_workers(executor, default=workers)
        reading = ReadPass(
            store=services.store,
            model=self.ledger,
            job=job,
            executor=executor,
            clock=services.clock,
            monotonic=services.monotonic,
            in_flight=workers + 1,
            renew_executor=None if shared is None else shared.renew,
            make_executor=None if shared is None else shared.make,
            shared=shared is None,
            beat=callbacks.beat,
            progress=lambda objects, rows: callbacks.progress(self.stage, objects, total, rows),
            stopping=callbacks.stopping,
            patience=services.timeouts.reading,
        )
        try:
            reading.run(work, result)
        except SourceError:
            self.reader.drop_executor()
            raise

    def finish(self, job: Job, listing: Listing, now: datetime) -> int:
        """Record that all objects that were listed at `now` are in the ledger.

        Returns how many objects have newly vanished.
        """
        vanished_count = note_vanished(self.services.store, self.ledger, listing)
        with self.services.store.write() as connection:
            models.add_model(connection, self.ledger, as_micros(now))
            models.set_listed_at(
                connection, self.ledger, as_micros(now), _digest(job) if listing.whole else None
            )
        self.callbacks.step("confirming the listing", self.services.timeouts.listing)
        self.services.guard.call(
            f"{self.ledger}.source",
            job.source.confirm_listing,
            timeout=self.services.timeouts.listing,
        )
        return vanished_count

    def _listing_start(self, job: Job, options: ListingOptions) -> datetime | None:
        """Return the time since when places may have new objects; None to list everything."""
        interval = job.source.full_listing_interval
        if interval is None:
            return None
        with self.services.store.read() as connection:
            model = models.load_model(connection, self.ledger)
            has_trouble = accounts.has_failed_objects(
                connection, self.ledger, include_quarantined=options.retry
            )
        if model is None or model.listed_at is None or model.whole_at is None or has_trouble:
            return None
        is_due = options.now - from_micros(model.whole_at) >= interval
        if is_due or model.whole_digest != _digest(job):
            return None
        return from_micros(model.listed_at) - self.lateness - SLACK


def work_by_day(listing: Listing, now: datetime) -> Iterator[tuple[datetime, list[Work]]]:
    """Yield the work day by day, oldest first; that of the last two days is one item.

    Each item begins with the time before which nothing is left to read. So a backlog of months is
    read, judged and committed in steps of a day.
    """
    yesterday = _midnight(now) - DAY

    def day(work: Work) -> datetime:
        return min(_midnight(work.at), yesterday)

    for begin, items in groupby(sorted(listing.work, key=day), key=day):
        yield begin, list(items)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _digest(job: Job) -> str:
    """Return 16 hex digits of the settings that an entry of the ledger depends on."""
    facts = (job.source.type, job.source.model_dump(mode="json"), job.spec.digest)
    return sha256(msgspec.json.encode(facts)).hexdigest()[:16]
