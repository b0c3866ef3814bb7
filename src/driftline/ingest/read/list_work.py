"""Lists a source and decides what to read of it.

Does not use a partial listing: when a page fails, nothing of it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy.engine import Connection

from driftline.contracts.source import DiscoverContext
from driftline.ingest.read.decode_object import no_data_reason
from driftline.ingest.read.job import Job
from driftline.ingest.read.packed_rotation import follow_packed_files
from driftline.ingest.read.plan import Work, decide
from driftline.ingest.read.rename_detection import follow_renames
from driftline.ingest.read.shards import Shards
from driftline.state import ledger
from driftline.state.store import Store
from driftline.types.model import LogObject
from driftline.types.records import GONE, WAITING, LedgerEntry

PAGE = 500
"""Objects that are compared with the ledger in one query."""
SKIPPED_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A complete listing of a source, compared with the ledger."""

    work: list[Work]
    """In order of time."""
    entry_ids: set[int]
    """Ledger rows whose objects are still there."""
    objects: int
    whole: bool
    """Whether everything was listed, so that an object missing here is gone."""
    skipped_objects: list[tuple[str, str]]
    """(URI, reason) of some objects that are left out on purpose."""


def list_work(
    store: Store,
    model: str,
    job: Job,
    now: datetime,
    *,
    seal: bool = False,
    cutoff: int | None = None,
    retry: bool = False,
    since: datetime | None = None,
    oldest: datetime | None = None,
    is_same_source: bool = False,
) -> Listing:
    """List the source and compare it with the ledger. Raises SourceError when a page fails.

    With `since`, the source may leave out older partitions. New objects in partitions older than
    `oldest` are left out. `is_same_source` says that the last whole listing had the same settings
    of source and format: what it took for data is not asked again. For `seal`, `cutoff` and `retry`
    see `decide`.
    """
    skipped: list[tuple[str, str]] = []

    def skip(uri: str, reason: str) -> None:
        if len(skipped) < SKIPPED_SHOWN:
            skipped.append((uri, reason))

    objects = job.source.discover(DiscoverContext(now=now, since=since, skipped=skip))
    works: dict[str, Work] = {}  # by URI: an object may be listed twice
    entry_ids, shards, read_uris = set[int](), Shards(), set[str]()
    listed: dict[str, LogObject] = {}  # objects that grow
    count = 0
    for listed_page in _pages(objects):
        job.beat()
        with store.read() as connection:
            entries = ledger.load_entries(connection, model, (obj.uri for obj in listed_page))
        data_entries = entries if is_same_source else {}
        page = list(_data_objects(job, listed_page, data_entries, skip))
        count += len(page)
        entries = follow_renames(store, model, job.source, page, entries)
        listed |= {obj.uri: obj for obj in page if obj.grows}
        entries, packed = follow_packed_files(store, model, job.source, page, entries, listed, now)
        for obj in page:
            if obj.uri in packed:
                skip(obj.uri, packed[obj.uri])
                continue
            entry = entries.get(obj.uri)
            shards.add(obj.uri)
            if entry is not None:
                entry_ids.add(entry.id)
            elif oldest is not None and obj.partition is not None and obj.partition < oldest:
                skip(obj.uri, "older than windows.backfill")
                continue
            work = decide(obj, entry, job.spec.digest, now, seal=seal, cutoff=cutoff, retry=retry)
            if work is not None:
                works[obj.uri] = work
                if entry is not None and entry.state != WAITING:
                    read_uris.add(obj.uri)
    for uri, reason in list(shards.waiting_parts(works.values(), read_uris, now)):
        skip(uri, reason)
        del works[uri]
    # By time, so that a backlog is read in order; the name decides ties, for repeatable runs.
    return Listing(
        work=sorted(
            works.values(), key=lambda work: (work.at, work.object.modified, work.object.uri)
        ),
        entry_ids=entry_ids,
        objects=count,
        whole=since is None,
        skipped_objects=skipped,
    )


def note_vanished(store: Store, model: str, listing: Listing) -> int:
    """Mark objects that a whole listing no longer shows as gone; returns how many.

    Call it after all work of the listing was read.
    """
    if not listing.whole:
        return 0
    with store.write() as connection:
        listed_ids = listing.entry_ids | _work_ids(connection, model, listing)
        return ledger.mark_gone(connection, model, listed_ids)


def _work_ids(connection: Connection, model: str, listing: Listing) -> set[int]:
    ids: set[int] = set()
    for page in _pages(work.object for work in listing.work):
        entries = ledger.load_entries(connection, model, (obj.uri for obj in page))
        ids |= {entry.id for entry in entries.values()}
    return ids


def _data_objects(
    job: Job,
    page: Iterable[LogObject],
    entries: Mapping[str, LedgerEntry],
    skip: Callable[[str, str], None],
) -> Iterator[LogObject]:
    """Leave out objects that are no data of their format; those with `entries` are known as data.

    So a listing with nothing new loads no formats. An object that was gone is looked at again.
    """
    for obj in page:
        entry = entries.get(obj.uri)
        if (entry is None or entry.state == GONE) and (reason := no_data_reason(job, obj)):
            skip(obj.uri, reason)
            continue
        yield obj


def _pages(objects: Iterable[LogObject]) -> Iterator[list[LogObject]]:
    iterator = iter(objects)
    while page := list(islice(iterator, PAGE)):
        yield page
