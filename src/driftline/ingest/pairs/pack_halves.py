"""Packs the halves of one object's records by side, window and schema, to wait for their pairs.

Does not pair them. Holds a few MB unpacked at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from driftline.ingest.pairs.match_pairs import hash_pair_ids, pack_batches
from driftline.kit.decoding.split_records import side_of
from driftline.state.waiting import RESPONSE
from driftline.types.records import Stub
from driftline.types.times import as_micros

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.ingest.columns.canonical import Caster
    from driftline.types.records import ReadOutcome

UNPACKED_BYTES = 16 << 20
"""Bytes of unpacked halves that are held at most."""


class HalfBuffer:
    """Takes the halves out of the batches of one object."""

    def __init__(self, caster: Caster, length: int, outcome: ReadOutcome) -> None:
        self._caster, self._length, self._outcome = caster, length, outcome
        self._open: dict[tuple[str, int], list[pa.RecordBatch]] = {}
        self._bytes = 0
        self._stubs: list[Stub] = []

    def take_halves(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches of whole records; store the halves and count them in the outcome."""
        for batch in batches:
            side = side_of(batch)
            if side is None:
                yield batch
            else:
                self._add(batch, side)

    def stubs(self) -> list[Stub]:
        """All halves as stubs."""
        self._flush()
        return self._stubs

    def _add(self, batch: pa.RecordBatch, side: str) -> None:
        import pyarrow as pa

        outcome = self._outcome
        events, usable = self._caster.event_times(
            dict(zip(batch.schema.names, batch.columns, strict=True)), len(batch)
        )
        self._caster.row_offset += len(batch)
        if side == RESPONSE:
            # It counts in the window of its request; its own time only decides how long it waits.
            outcome.responses += len(batch)
            events, usable = (
                np.where(usable, events, as_micros(self._caster.default_time)),
                np.ones(len(batch), bool),
            )
        else:
            outcome.rows += len(batch)
            outcome.held += len(batch) - int(usable.sum())
            outcome.held_reasons.merge(self._caster.time_faults)
            outcome.add_event_times(events[usable])
        self._caster.time_faults.reasons.clear()
        starts = events // self._length * self._length
        for start in np.unique(starts[usable]).tolist():
            rows = np.flatnonzero(usable & (starts == start))
            part = batch if len(rows) == len(batch) else batch.take(pa.array(rows))
            batches = self._open.setdefault((side, start), [])
            if batches and batches[0].schema != part.schema:
                self._close(side, start)
                batches = self._open.setdefault((side, start), [])
            batches.append(part)
            self._bytes += part.nbytes
        if self._bytes > UNPACKED_BYTES:
            self._flush()

    def _flush(self) -> None:
        for side, start in list(self._open):
            self._close(side, start)
        self._bytes = 0

    def _close(self, side: str, start: int) -> None:
        batches = self._open.pop((side, start))
        hashes = np.concatenate([hash_pair_ids(batch) for batch in batches])
        self._stubs.append(
            Stub(role=side, start=start, version="", hashes=hashes, content=pack_batches(batches))
        )
