"""An alert: the verdicts of one rule on one set of labels, folded into a state.

It keeps its last windows one by one, so that late data can revise one of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from driftline.types.model import BoundSide, Judgement, Measurement, Severity, Verdict
from driftline.types.records import JudgedMeasurement


class AlertState(StrEnum):
    """The states of an alert."""

    QUIET = "quiet"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEntry:
    """One window as an alert remembers it."""

    start: datetime
    end: datetime
    judged: JudgedMeasurement
    """The measurement and its verdict, without data for the judgement of later windows."""
    revision: int = 0
    reference: str = ""
    """What the window was compared with, in words."""
    since: datetime | None = None
    """See `Fact.since`."""

    @property
    def measurement(self) -> Measurement:
        """The number of this window."""
        return self.judged.measurement

    @property
    def judgement(self) -> Judgement:
        """The verdict of this window."""
        assert self.judged.judgement is not None
        return self.judged.judgement

    @property
    def verdict(self) -> Verdict:
        """`ok`, `changed` or `unsure`."""
        return self.judgement.verdict

    @property
    def difference(self) -> float:
        """Distance of the number from the usual one, in its unit; larger is a greater change.

        Without a usual number it is the distance from 0; with a lower bound, the negative number.
        """
        number, bound = self.measurement, self.judgement.bound
        if number.value is None:
            return -math.inf
        if number.was is not None:
            return abs(number.value - number.was)
        is_below = bound is not None and bound.side is BoundSide.BELOW
        return -number.value if is_below else abs(number.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The state that a series of windows leads to."""

    state: AlertState = AlertState.QUIET
    since: datetime | None = None
    """Start of the first window that was different, of the newest run."""
    count: int = 0
    """Changed windows in a row."""
    oks: int = 0
    """Quiet windows since the last changed one, while firing."""
    severity: Severity | None = None
    """Of the newest changed window."""
    until: datetime | None = None
    """End of the newest changed window."""
    last_start: datetime | None = None
    last_end: datetime | None = None
    newest: tuple[datetime | None, ...] = ()
    """`since` of each of the newest windows that changed, None for each quiet one; oldest first.

    Only where changed windows count without being in a row.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """The state of one rule on one set of labels."""

    key: str
    model: str
    version: str
    segment: str
    cause: str
    check: str
    measurement: str
    labels: tuple[tuple[str, str], ...]
    for_windows: int = 1
    among_windows: int | None = None
    """See `Fact.among_windows`."""
    keep_firing_windows: int = 0
    base: Phase = Phase()
    """The phase after the windows before `recent`."""
    recent: tuple[AlertEntry, ...] = ()
    """At most HORIZON windows by start; empty once all of them were quiet."""
    floor: datetime | None = None
    """Start of the window from which on quiet windows are remembered, too."""
    evidence: AlertEntry | None = None
    """The newest changed window that is no longer in `recent`."""
    newest_dropped: AlertEntry | None = None
    """The newest window that is no longer in `recent`."""
    largest_dropped: AlertEntry | None = None
    """The changed window that differed most of those that are no longer in `recent`."""

    phase: Phase = field(init=False)
    """Where the alert stands after its newest window."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "phase", self._fold())

    def _fold(self) -> Phase:
        phase = self.base
        for entry in self.recent:
            phase = self.advance(phase, entry)
        return phase

    def advance(self, phase: Phase, entry: AlertEntry) -> Phase:
        """Return the phase after one more window."""
        keep = self.keep_firing_windows
        if self.among_windows is not None:
            # Else an alert of alternating windows would end and return all the time.
            keep += self.among_windows - self.for_windows
        if self._forgotten_between(phase, entry):
            phase = replace(_quiet(phase, keep), newest=())
        if self.among_windows is not None:
            phase = _remember(phase, entry, self.among_windows)
        return _advance(phase, entry, self.for_windows, keep)

    def _forgotten_between(self, phase: Phase, entry: AlertEntry) -> bool:
        """Whether quiet windows before `entry` may have been forgotten.

        Only windows after the floor are all remembered.
        """
        if self.floor is None or phase.last_start is None or phase.last_end is None:
            return False
        return phase.last_start < self.floor and phase.last_end < entry.start

    @property
    def is_firing(self) -> bool:
        """Whether it fires after its newest window."""
        return self.phase.state is AlertState.FIRING

    @property
    def newest_change(self) -> AlertEntry | None:
        """The newest window whose verdict was `changed`."""
        changes = [entry for entry in self.recent if entry.verdict is Verdict.CHANGED]
        return changes[-1] if changes else self.evidence

    @property
    def largest_change(self) -> AlertEntry | None:
        """The window of the newest run of changes that differed most.

        The last windows of a run may already be as usual: it takes several to prove that it is
        over.
        """
        known = (*self.recent, *(entry for entry in (self.largest_dropped,) if entry))
        changes = [
            entry
            for entry in known
            if entry.verdict is Verdict.CHANGED
            and (self.phase.since is None or entry.start >= self.phase.since)
        ]
        return max(changes, key=lambda entry: entry.difference, default=self.newest_change)

    @property
    def newest_entry(self) -> AlertEntry | None:
        """The newest window judged."""
        return self.recent[-1] if self.recent else self.newest_dropped


def _remember(phase: Phase, entry: AlertEntry, among: int) -> Phase:
    """Add a window to the newest `among` ones; an unsure window does not count."""
    if entry.verdict not in (Verdict.OK, Verdict.CHANGED):
        return phase
    begin = (entry.since or entry.start) if entry.verdict is Verdict.CHANGED else None
    return replace(phase, newest=(*phase.newest, begin)[-among:])


def _advance(phase: Phase, entry: AlertEntry, needed: int, keep: int) -> Phase:
    """The phase after one more window; `phase.newest` already holds it, where it is kept."""
    begins = [begin for begin in phase.newest if begin is not None]
    if entry.verdict is Verdict.OK:
        phase = _quiet(phase, keep, is_pending=bool(begins))
    state, since, count, oks = phase.state, phase.since, phase.count, phase.oks
    severity, until = phase.severity, phase.until
    if entry.verdict is Verdict.CHANGED:
        if state in (AlertState.QUIET, AlertState.RESOLVED):
            state, since, count = AlertState.PENDING, entry.since or entry.start, 0
        count, oks = count + 1, 0
        severity, until = entry.judgement.severity or Severity.WARNING, entry.end
    if state is AlertState.PENDING and begins:
        since, count = begins[0], len(begins)
    if state is AlertState.PENDING and count >= needed:
        state = AlertState.FIRING
    return Phase(
        state=state,
        since=since,
        count=count,
        oks=oks,
        severity=severity,
        until=until,
        last_start=entry.start,
        last_end=entry.end,
        newest=phase.newest,
    )


def _quiet(phase: Phase, keep: int, *, is_pending: bool = False) -> Phase:
    """The phase after a quiet window; `is_pending` where earlier changed windows still count."""
    if phase.state is AlertState.PENDING:
        return phase if is_pending else replace(phase, state=AlertState.QUIET, count=0)
    if phase.state is not AlertState.FIRING:
        return phase
    if phase.oks >= keep:
        return replace(phase, state=AlertState.RESOLVED, oks=0, count=0)
    return replace(phase, oks=phase.oks + 1)
