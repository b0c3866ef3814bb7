"""One alert: the verdicts of one rule on one set of labels, folded into pending, firing or
resolved.

Refuses to forget why: the last windows are kept one by one, so that late data can revise one of
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from driftline.alerting.fact import Fact, Scalar, finite, plain
from driftline.types.model import Severity, Verdict

HORIZON = 16
"""Windows that can still be revised."""


class AlertState(StrEnum):
    """Where an alert stands."""

    QUIET = "quiet"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Entry:
    """One window as an alert remembers it."""

    start: datetime
    end: datetime
    verdict: Verdict
    revision: int = 0
    severity: Severity | None = None
    value: float | None = None
    was: float | None = None
    interval: tuple[float, float] | None = None
    unit: str = ""
    rows: int = 0
    reason: str = ""
    reference: str = ""
    detail: Mapping[str, Scalar] = field(default_factory=dict)
    since: datetime | None = None
    """See `Fact.since`."""
    decision: str = ""
    """See `Fact.decision`."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What a run of windows adds up to."""

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


@dataclass(frozen=True, slots=True)
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
    needed: int = 1
    keep: int = 0
    base: Phase = Phase()
    """What the windows before `recent` add up to."""
    recent: tuple[Entry, ...] = ()
    """At most HORIZON windows by start; empty once all of them were quiet."""
    floor: datetime | None = None
    """Start of the window from which on quiet ones are remembered, too."""
    evidence: Entry | None = None
    """The newest changed window that is no longer in `recent`."""
    seen: Entry | None = None
    """The newest window that is no longer in `recent`."""

    phase: Phase = field(init=False)
    """Where the alert stands after its newest window."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "phase", self._fold())

    def _fold(self) -> Phase:
        phase = self.base
        for entry in self.recent:
            phase = self.stride(phase, entry)
        return phase

    def stride(self, phase: Phase, entry: Entry) -> Phase:
        """One window further."""
        if self._forgotten_between(phase, entry):
            phase = _quiet(phase, self.keep)
        return _advance(phase, entry, self.needed, self.keep)

    def _forgotten_between(self, phase: Phase, entry: Entry) -> bool:
        """Whether quiet windows before `entry` may have been let go: only those after the floor are
        all remembered.
        """
        if self.floor is None or phase.last_start is None or phase.last_end is None:
            return False
        return phase.last_start < self.floor and phase.last_end < entry.start

    @property
    def fires(self) -> bool:
        """Whether it fires after its newest window."""
        return self.phase.state is AlertState.FIRING

    @property
    def changed(self) -> Entry | None:
        """The newest window whose verdict was `changed`."""
        found = [entry for entry in self.recent if entry.verdict is Verdict.CHANGED]
        return found[-1] if found else self.evidence

    @property
    def newest(self) -> Entry | None:
        """The newest window judged."""
        return self.recent[-1] if self.recent else self.seen


def severest(alerts: Iterable[Alert]) -> Severity:
    """The highest severity among alerts that fire; `info` without any."""
    found = [alert.phase.severity or Severity.WARNING for alert in alerts]
    return max(found, key=lambda severity: severity.rank, default=Severity.INFO)


class Ignored(StrEnum):
    """Why a fact moved nothing, where a person may ask."""

    TOO_OLD = "the window is older than the last 16 that this alert remembers"
    OLDER_REVISION = "a newer revision of this window was seen before"


def observe(alert: Alert | None, fact: Fact) -> tuple[Alert | None, Ignored | None]:
    """The alert after `fact`, or the reason why the fact was ignored. None stands for a series that
    was always quiet.
    """
    if fact.verdict is Verdict.ERROR:
        return alert, None
    if alert is None:
        if fact.verdict is not Verdict.CHANGED:
            return None, None
        alert = _new(fact)
    if alert.base.last_start is not None and fact.start <= alert.base.last_start:
        return alert, Ignored.TOO_OLD
    known = {entry.start: entry for entry in alert.recent}
    before = known.get(fact.start)
    if before is not None and fact.revision < before.revision:
        return alert, Ignored.OLDER_REVISION
    if before is None and not _worth_keeping(alert, fact):
        return alert, None
    known[fact.start] = _entry(fact)
    floor = alert.floor if alert.recent else fact.start
    recent = tuple(known[start] for start in sorted(known))
    return _trim(
        replace(alert, recent=recent, floor=floor, needed=fact.needed, keep=fact.keep)
    ), None


def _worth_keeping(alert: Alert, fact: Fact) -> bool:
    if fact.verdict is Verdict.CHANGED:
        return True
    if fact.verdict is Verdict.UNSURE:
        return False
    leading = not alert.recent or fact.start < alert.recent[0].start
    return not leading or alert.base.state in (AlertState.PENDING, AlertState.FIRING)


def _trim(alert: Alert) -> Alert:
    if len(alert.recent) <= HORIZON:
        return alert
    phase = alert.phase
    calm = all(entry.verdict is not Verdict.CHANGED for entry in alert.recent[-HORIZON:])
    if calm and phase.state in (AlertState.QUIET, AlertState.RESOLVED):
        return replace(
            alert, base=phase, recent=(), floor=None, evidence=alert.changed, seen=alert.newest
        )
    first = alert.recent[0]
    evidence = first if first.verdict is Verdict.CHANGED else alert.evidence
    return replace(
        alert,
        base=alert.stride(alert.base, first),
        recent=alert.recent[1:],
        evidence=evidence,
        seen=first,
    )


def _advance(phase: Phase, entry: Entry, needed: int, keep: int) -> Phase:
    if entry.verdict is Verdict.OK:
        phase = _quiet(phase, keep)
    state, since, count, oks = phase.state, phase.since, phase.count, phase.oks
    severity, until = phase.severity, phase.until
    if entry.verdict is Verdict.CHANGED:
        if state in (AlertState.QUIET, AlertState.RESOLVED):
            state, since, count = AlertState.PENDING, entry.since or entry.start, 0
        count, oks, severity, until = count + 1, 0, entry.severity or Severity.WARNING, entry.end
        if state is AlertState.PENDING and count >= needed:
            state = AlertState.FIRING
    return Phase(state, since, count, oks, severity, until, entry.start, entry.end)


def _quiet(phase: Phase, keep: int) -> Phase:
    if phase.state is AlertState.PENDING:
        return replace(phase, state=AlertState.QUIET, count=0)
    if phase.state is not AlertState.FIRING:
        return phase
    if phase.oks >= keep:
        return replace(phase, state=AlertState.RESOLVED, oks=0, count=0)
    return replace(phase, oks=phase.oks + 1)


def _new(fact: Fact) -> Alert:
    return Alert(
        fact.key, fact.model, fact.version, fact.segment, fact.cause, fact.check, fact.measurement, fact.labels,
        fact.needed, fact.keep,
    )  # fmt: skip


def _entry(fact: Fact) -> Entry:
    low, high = fact.interval or (None, None)
    bounds = finite(low), finite(high)
    interval = (bounds[0], bounds[1]) if bounds[0] is not None and bounds[1] is not None else None
    return Entry(
        fact.start, fact.end, fact.verdict, fact.revision, fact.severity, finite(fact.value), finite(fact.was), interval,
        fact.unit, int(fact.rows), fact.reason, fact.reference, plain(fact.detail), fact.since, fact.decision,
    )  # fmt: skip
