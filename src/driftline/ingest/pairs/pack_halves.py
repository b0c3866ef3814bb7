"""Halves of the records of one object, made ready to wait for their other halves: by side, window
and schema.

Refuses to pair, and to hold more than a few MB unpacked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from driftline.ingest.pairs.match_pairs import hash_pair_ids, pack_batches
from driftline.kit.decoding.split_records import side_of
from driftline.state.tables import as_micros
from driftline.state.waiting import RESPONSE
from driftline.types.records import Stub

if TYPE_CHECKING:
    from driftline.ingest.columns.canonical import Caster
    from driftline.types.records import ReadOutcome

FLUSH = 16 << 20
"""Bytes of unpacked halves."""


class HalfBuffer:
    """Takes the halves out of the batches of one object."""

    def __init__(self, caster: Caster, length: int, outcome: ReadOutcome) -> None:
        self._caster, self._length, self._outcome = caster, length, outcome
        self._open: dict[tuple[str, int], list[pa.RecordBatch]] = {}
        self._bytes = 0
        self._stubs: list[Stub] = []

    def take_halves(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches that are no halves; halves are kept, and counted in the outcome."""
        for batch in batches:
            side = side_of(batch)
            if side is None:
                yield batch
            else:
                self._keep(batch, side)

    def stubs(self) -> list[Stub]:
        """All that was kept."""
        self._flush()
        return self._stubs

    def _keep(self, batch: pa.RecordBatch, side: str) -> None:
        outcome = self._outcome
        events, usable = self._caster.event_times(
            dict(zip(batch.schema.names, batch.columns, strict=True)), len(batch)
        )
        if side == RESPONSE:
            # It counts in the window of its request: its own time only says how long it waits.
            outcome.responses += len(batch)
            events, usable = (
                np.where(usable, events, as_micros(self._caster.default_time)),
                np.ones(len(batch), bool),
            )
        else:
            outcome.rows += len(batch)
            outcome.held += len(batch) - int(usable.sum())
            outcome.seen(events[usable])
        starts = events // self._length * self._length
        for start in np.unique(starts[usable]).tolist():
            rows = np.flatnonzero(usable & (starts == start))
            part = batch if len(rows) == len(batch) else batch.take(pa.array(rows))
            waiting = self._open.setdefault((side, start), [])
            if waiting and waiting[0].schema != part.schema:
                self._close(side, start)
                waiting = self._open.setdefault((side, start), [])
            waiting.append(part)
            self._bytes += part.nbytes
        if self._bytes > FLUSH:
            self._flush()

    def _flush(self) -> None:
        for side, start in list(self._open):
            self._close(side, start)
        self._bytes = 0

    def _close(self, side: str, start: int) -> None:
        batches = self._open.pop((side, start))
        hashes = np.concatenate([hash_pair_ids(batch) for batch in batches])
        self._stubs.append(Stub(side, start, "", hashes, pack_batches(batches)))
