"""One source of a model, pass by pass: how far back to list, and in which steps to read what is
new.

Refuses to trust a listing that left old places out for long: everything is listed again every so
often.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import groupby

import msgspec

from driftline.agent.parts import Parts
from driftline.ingest.read.job import Job
from driftline.ingest.read.list_work import Listing, list_work, note_vanished
from driftline.ingest.read.plan import Work
from driftline.state import accounts, models
from driftline.state.tables import micros, moment

SLACK = timedelta(hours=1)
"""Beside the lateness: clocks that differ, files that are written for long before they appear."""
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Feed:
    """What is read for one model: its logs, or its labels."""

    key: str
    """Its name in the ledger."""
    parts: Parts
    lateness: timedelta
    backfill: timedelta | None
    """How old a place may be to be read at first sight."""

    def listing(self, job: Job, now: datetime, *, seal: bool, again: bool) -> Listing:
        """What is there to read. Raises SourceError when a page fails."""
        with self.parts.store.read() as connection:
            cutoff = models.cutoff(connection, self.key)
        since = self._since(job, now, again)
        oldest = None if self.backfill is None else now - self.backfill
        list_ = partial(
            list_work, self.parts.store, self.key, job, now, seal=seal, cutoff=cutoff, retry=again
        )
        return self.parts.guard.call(
            f"{self.key}.source",
            lambda: list_(since=since, oldest=oldest),
            timeout=self.parts.patience.listing,
        )

    def done(self, job: Job, listing: Listing, now: datetime) -> int:
        """All that was listed at `now` is in the ledger. Returns how many objects are newly
        gone.
        """
        gone = note_vanished(self.parts.store, self.key, listing)
        with self.parts.store.write() as connection:
            models.watch(connection, self.key, micros(now))
            models.listed(
                connection, self.key, micros(now), _digest(job) if listing.whole else None
            )
        self.parts.guard.call(
            f"{self.key}.source", job.source.committed, timeout=self.parts.patience.listing
        )
        return gone

    def _since(self, job: Job, now: datetime, again: bool) -> datetime | None:
        """Since when places may have got new objects. None: list everything, as while anything is
        to be tried again.
        """
        every = job.source.whole_every
        if every is None:
            return None
        with self.parts.store.read() as connection:
            known = models.known(connection, self.key)
            troubled = accounts.troubled(connection, self.key, again=again)
        if known is None or known.listed_at is None or known.whole_at is None or troubled:
            return None
        if now - moment(known.whole_at) >= every or known.whole_digest != _digest(job):
            return None
        return moment(known.listed_at) - self.lateness - SLACK


def in_order(listing: Listing, now: datetime) -> Iterator[tuple[datetime, list[Work]]]:
    """The work day by day, oldest first, each with the time before which nothing is left to read;
    then that of the last two days at once. A backlog of months is so read, judged and committed in
    steps of a day.
    """
    lately = now.replace(hour=0, minute=0, second=0, microsecond=0) - DAY

    def day(work: Work) -> datetime:
        return min(work.at.replace(hour=0, minute=0, second=0, microsecond=0), lately)

    for begin, works in groupby(sorted(listing.work, key=day), key=day):
        yield begin, list(works)


def _digest(job: Job) -> str:
    """Names what a ledger entry must have been made by to stand."""
    told = (job.source.type, job.source.model_dump(mode="json"), job.spec.digest)
    return sha256(msgspec.json.encode(told)).hexdigest()[:16]
