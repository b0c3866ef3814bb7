"""The records that travel between ingest, state, evaluate, alerting and delivery.

Each holds the record before it. `state` stores them; the records know nothing of the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.types.arrays import Hashes
from driftline.types.family import Family
from driftline.types.loss_reasons import LossReasons
from driftline.types.model import Judgement, LogObject, Measurement
from driftline.types.notification import Notification

DONE, QUARANTINED, GONE, WAITING = "done", "quarantined", "gone", "waiting"
"""States of an object in the ledger."""


@dataclass(frozen=True, slots=True)
class WindowKey:
    """One window of one version and segment."""

    model: str
    start: int
    """Microseconds since the epoch."""
    version: str
    segment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWindow:
    """A window that must be judged, for the first time or again."""

    key: WindowKey
    end: int
    """Microseconds since the epoch."""
    rows: int
    revision: int
    quiet: bool = False
    """Whether no message is sent about it."""
    labels_only: bool = False
    """Whether only labels came since it was judged."""


@dataclass(slots=True, kw_only=True)  # Not frozen: a window makes hundreds of them.
class JudgedMeasurement:
    """One measurement of one window with the verdict of its rule."""

    check: str
    """The name of the check in the configuration."""
    measurement: Measurement
    judgement: Judgement | None = None
    """None where no rule judges it."""
    rows: int = 0
    """The rows behind the number."""
    cause: str = Family.DRIFT.value
    """The family of the check."""
    past_rule: Any = None
    """The `Unusual` or `Loss` that judges it by the windows before, where one does."""
    since: int | None = None
    """Estimated start of the first window of a lasting change, in microseconds since the epoch."""
    trace: bytes | None = None
    """What the judgement of later windows needs of this one."""
    lacks_data: bool = False
    """Whether it is `unsure` for want of data, so that a change that matters would not be seen."""
    needed_rows: int = 0
    """Rows that it needs, where it lacks some."""
    correlated_series: tuple[tuple[str, str, str, str, str], ...] = ()
    """Series that moved together with a changed one before: version, segment, check, name, labels.
    """

    @property
    def verdict(self) -> str:
        """The verdict; empty where no rule judges it."""
        return "" if self.judgement is None else self.judgement.verdict

    @property
    def severity(self) -> str:
        """The severity of a change; empty for every other verdict."""
        judgement = self.judgement
        return "" if judgement is None or judgement.severity is None else judgement.severity

    @property
    def reason(self) -> str:
        """The sentence of the verdict."""
        return "" if self.judgement is None else self.judgement.reason

    @property
    def is_within_bounds(self) -> bool:
        """See `Judgement.is_within_bounds`."""
        return self.judgement is not None and self.judgement.is_within_bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Stub:
    """The waiting rows of one piece of an object, of one window and version."""

    role: str
    start: int
    """Microseconds: of the window; of labels, when they were given."""
    version: str
    hashes: Hashes
    """Shape (rows,), of the ids, in the order of `content`."""
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one piece of an object contributed to one window of one version and segment."""

    start: int
    """Microseconds since the epoch."""
    version: str
    segment: str
    rows: int
    profile: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One row of the ledger: how far an object was read."""

    id: int
    uri: str
    version: str
    size: int
    state: str
    offset: int
    """Bytes of whole records taken so far; 0 when the object can only be read as a whole."""
    rows: int
    spec_digest: str
    attempts: int
    lineage: str = ""
    """See `LogObject.lineage`."""
    mark: str = ""
    """A fingerprint of the bytes before `read_end`; empty when unknown.

    It shows whether larger content continues the old one.
    """

    @property
    def read_end(self) -> int:
        """The offset of the end of what was read, in bytes: the size of what is read as a whole."""
        return self.offset if self.offset > 0 else self.size


@dataclass(slots=True, kw_only=True)
class ReadOutcome:
    """The result of reading one object, or the new end of one."""

    object: LogObject
    piece: int = 0
    """Byte offset at which reading began."""
    state: str = DONE
    """done, quarantined, gone, or waiting: to be tried again."""
    offset: int = 0
    rows: int = 0
    """Whole rows, and requests."""
    responses: int = 0
    """Responses that were read apart: they are no rows of their own."""
    rejected: int = 0
    rejected_reasons: LossReasons = field(default_factory=LossReasons)
    held: int = 0
    """Rows whose time, or id or value of a label, can't be used."""
    held_reasons: LossReasons = field(default_factory=LossReasons)
    first_event: int | None = None
    last_event: int | None = None
    samples: Sequence[tuple[int, str, str]] = ()
    """(place, reason, first characters) of some of the rejected records."""
    shares: Sequence[Share] = ()
    stubs: Sequence[Stub] = ()
    """Rows that wait for their other half."""
    mark: str = ""
    """See `LedgerEntry.mark`."""
    error: str = ""
    broken: bool = False
    """Whether a plugin failed, not the content.

    Then this version is tried again, hourly and after every start.
    """
    cutoff: int | None = None
    """Start of the first window whose shares are replaced, microseconds; None replaces all."""

    def add_event_times(self, events: NDArray[np.int64]) -> None:
        """Note the event times (microseconds) of some rows."""
        if len(events):
            self.add_span(int(events.min()), int(events.max()))

    def add_span(self, first: int, last: int) -> None:
        """Note the first and the last event time (microseconds) of some rows."""
        self.first_event = first if self.first_event is None else min(first, self.first_event)
        self.last_event = last if self.last_event is None else max(last, self.last_event)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedMessage:
    """One row that is now `sending`."""

    id: str
    notification: Notification
    attempts: int
    """With this one."""
    created: datetime
    unknown: bool = False
    """Whether an earlier attempt may have arrived."""
