"""Counts windows once more, from the objects that were counted in them, in a store of its own.

What is read goes through the ledger, the pairing and the join of labels as it did the first time,
so that a window of pairs logged apart, or with late labels, comes out as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from driftline.ingest.labels.join_labels import JoinTerms, join_labels
from driftline.ingest.pairs.pairing import pair_halves
from driftline.ingest.read.job import Job
from driftline.ingest.read.recount_windows import (
    LocatedObject,
    RecountedObject,
    pieces_now,
    read_piece,
)
from driftline.profiles.profile import Profile
from driftline.state import ledger, models
from driftline.state.joined_windows import load_joined_profile
from driftline.state.store import Store
from driftline.state.tables import objects, shares
from driftline.state.waiting import HALVES
from driftline.types.records import ReadOutcome, WindowKey

END_OF_TIME = 1 << 62


@dataclass(slots=True, kw_only=True)
class Replay:
    """Windows of one model that are counted again."""

    store: Store
    """Empty at first; nothing else is kept in it."""
    model: str
    job: Job
    progress: Callable[[int, int], None] = lambda objects, rows: None
    """Takes the objects read and the rows so far."""
    has_halves: bool = False
    """Whether requests and responses were logged apart."""
    _errors: dict[str, str] = field(default_factory=dict)
    """By URI, for each object that was read; empty where it was read to its end."""
    _rows: int = 0

    def __post_init__(self) -> None:
        """Add the model to the store."""
        with self.store.write() as connection:
            models.add_model(connection, self.model, 0)

    def read(self, located: Sequence[LocatedObject]) -> None:
        """Count objects, each as far as it was counted in the windows of its pieces.

        Raises SourceError, with the object's name, when one can't be reached, vanished or changed
        while it was read.
        """
        for item in located:
            for piece in pieces_now(item):
                outcome = read_piece(self.job, item, piece)
                keys = {(key.start, key.version, key.segment) for key in piece.rows}
                spans = {(start, version) for start, version, _ in keys}
                # Rows that the piece did not count then, such as those that came after the window
                # was settled, are not counted now.
                outcome.shares = [
                    share
                    for share in outcome.shares
                    if (share.start, share.version, share.segment) in keys
                ]
                outcome.stubs = [
                    stub
                    for stub in outcome.stubs
                    if stub.role in HALVES or (stub.start, stub.version) in spans
                ]
                self.has_halves |= any(stub.role in HALVES for stub in outcome.stubs)
                self._record(self.model, self.job, item, outcome)

    def pair(self) -> None:
        """Count the pairs of requests and responses that were read."""
        if self.has_halves:
            pair_halves(self.store, self.model, self.job)

    def label(
        self, label_job: Job, located: Sequence[LocatedObject], terms: JoinTerms
    ) -> list[RecountedObject]:
        """Read labels and join them with the predictions that were read.

        Raises SourceError as `read` does.
        """
        results = []
        for item in located:
            outcome = read_piece(label_job, item, pieces_now(item)[0])
            self._record(terms.labels, label_job, item, outcome)
            results.append(
                RecountedObject(
                    item, outcome.rows, rows_then=item.contribution.all_rows, error=outcome.error
                )
            )
        join_labels(self.store, terms, END_OF_TIME)
        return results

    def recounted(self, located: Sequence[LocatedObject]) -> list[RecountedObject]:
        """The result of each object that was read."""
        s = shares.c
        query = (
            sa.select(objects.c.uri, s.start, s.version, s.rows)
            .join(objects, objects.c.id == s.object_id)
            .where(s.segment == "", objects.c.model == self.model)
        )
        totals: dict[str, int] = {}
        counted = {
            item.object.uri: {key for piece in pieces_now(item) for key in piece.rows}
            for item in located
        }
        with self.store.read() as connection:
            for uri, start, version, rows in connection.execute(query):
                if WindowKey(self.model, start, version, "") in counted.get(uri, ()):
                    totals[uri] = totals.get(uri, 0) + rows
        return [
            RecountedObject(
                item,
                totals.get(item.object.uri, 0),
                rows_then=item.contribution.rows,
                error=self._errors.get(item.object.uri, ""),
            )
            for item in located
        ]

    def profile(self, key: WindowKey, end: int) -> Profile:
        """The profile of the window `key` that ends at `end` (microseconds)."""
        with self.store.read() as connection:
            return load_joined_profile(connection, key, end, self.job.spec, self.job.collectors)

    def _record(
        self, ledger_name: str, job: Job, item: LocatedObject, outcome: ReadOutcome
    ) -> None:
        uri = item.object.uri
        self._errors[uri] = outcome.error or self._errors.get(uri, "")
        with self.store.write() as connection:
            ledger.record_outcomes(
                connection, ledger_name, [outcome], job.spec.digest, self.job.length
            )
        self._rows += outcome.rows
        self.progress(len(self._errors), self._rows)
