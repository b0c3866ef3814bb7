"""The alarms of a replay, and how they compare with incidents that people know of.

Does not call an alarm false where no incidents are known: then only counts are given.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import StringIO
from statistics import median
from typing import Any

import yaml

from driftline.backtest.replay import ReplayedChange
from driftline.types.errors import DriftlineError
from driftline.types.model import Severity
from driftline.types.notification import Event
from driftline.types.times import as_utc, from_micros


@dataclass(frozen=True, slots=True)
class KnownIncident:
    """An incident that people know of."""

    start: datetime
    end: datetime
    columns: frozenset[str] = frozenset()
    """The columns that showed it; empty when it may show anywhere."""
    note: str = ""


@dataclass(slots=True, kw_only=True)
class ReplayedAlarm:
    """An incident of the replay."""

    start: datetime
    """Start of the window that opened it."""
    notified_at: datetime
    """When people would have been notified: the end of that window plus the lateness."""
    cause: str
    title: str
    severity: Severity
    checks: set[str] = field(default_factory=set)
    column_times: list[tuple[datetime, str]] = field(default_factory=list)
    """When each column was first notified; an empty name stands for findings without a column."""
    resolved_at: datetime | None = None


def alarms_of(changes: Iterable[ReplayedChange], lateness: timedelta) -> list[ReplayedAlarm]:
    """One alarm for each incident, in the order in which they opened.

    Incidents that were open before the first change are left out, until they open again.
    """
    alarms: dict[str, ReplayedAlarm] = {}
    for item in changes:
        change, notified_at = item.change, item.change.at + lateness
        alarm = alarms.get(change.incident.id)
        if alarm is None:
            if change.event not in (Event.OPENED, Event.REOPENED):
                continue
            alarm = alarms[change.incident.id] = ReplayedAlarm(
                start=from_micros(item.start),
                notified_at=notified_at,
                cause=change.incident.cause,
                title=change.notification.title,
                severity=change.incident.severity,
            )
        if change.event is Event.RESOLVED:
            alarm.resolved_at = change.notification.resolved_at or change.at
            continue
        alarm.severity, alarm.resolved_at = change.incident.severity, None
        for fact in change.notification.alerts:
            if fact.state == "firing":
                alarm.checks.add(fact.check)
                column = fact.labels.get("column", "")
                if column not in {name for _, name in alarm.column_times}:
                    alarm.column_times.append((notified_at, column))
    return list(alarms.values())


@dataclass(frozen=True, slots=True)
class Score:
    """How alarms compare with known incidents."""

    alarms: int
    false_alarms: int
    """Alarms that belong to no known incident."""
    delays: tuple[timedelta | None, ...]
    """From the start of each known incident to its notification; None where it was missed."""

    @property
    def detected_count(self) -> int:
        """Number of known incidents that were notified."""
        return sum(delay is not None for delay in self.delays)

    @property
    def median_delay(self) -> timedelta | None:
        """The median over the detected incidents; None when none was."""
        seconds = [delay.total_seconds() for delay in self.delays if delay is not None]
        return timedelta(seconds=median(seconds)) if seconds else None


def score_alarms(
    alarms: Sequence[ReplayedAlarm],
    known_incidents: Sequence[KnownIncident],
    length: timedelta,
    lateness: timedelta,
) -> Score:
    """Compare alarms with known incidents.

    An alarm belongs to an incident when it notified one of its columns for a window that overlaps
    the incident, or for the next one. `length` is that of a window.
    """
    delays, true_alarms = list[timedelta | None](), set[int]()
    for incident in known_incidents:
        detection_times = []
        for number, alarm in enumerate(alarms):
            times = [
                at
                for at, column in alarm.column_times
                if (not incident.columns or column in incident.columns)
                and _is_within(incident, at, length, lateness)
            ]
            if times:
                true_alarms.add(number)
                detection_times.append(min(times))
        delays.append(min(detection_times) - incident.start if detection_times else None)
    return Score(len(alarms), len(alarms) - len(true_alarms), tuple(delays))


def _is_within(
    incident: KnownIncident, at: datetime, length: timedelta, lateness: timedelta
) -> bool:
    return incident.start < at - lateness <= incident.end + length


def score_constant_alarm(
    starts: Sequence[datetime],
    known_incidents: Sequence[KnownIncident],
    length: timedelta,
    lateness: timedelta,
) -> Score:
    """The score of an alarm in every window: it detects all at once, and nearly all is false."""
    times = [start + length + lateness for start in starts]
    true_alarms = sum(
        any(_is_within(incident, at, length, lateness) for incident in known_incidents)
        for at in times
    )
    delays = [
        min(
            (at - incident.start for at in times if _is_within(incident, at, length, lateness)),
            default=None,
        )
        for incident in known_incidents
    ]
    return Score(len(times), len(times) - true_alarms, tuple(delays))


def count_by_check(alarms: Sequence[ReplayedAlarm]) -> Mapping[str, Mapping[Severity, int]]:
    """The number of alarms that each check had a part in, by severity."""
    checks = sorted({check for alarm in alarms for check in alarm.checks})
    return {
        check: {
            severity: sum(check in alarm.checks and alarm.severity is severity for alarm in alarms)
            for severity in Severity
        }
        for check in checks
    }


def parse_known_incidents(text: str, name: str) -> list[KnownIncident]:
    """Parse incidents from CSV, or from a YAML or JSON list; times without a zone are UTC.

    Fields are start, end, columns and note; CSV has them in a header. Several columns of one
    incident are separated by blanks. Errors show `name`, which also tells the format by its ending.
    Raises DriftlineError.
    """
    rows: list[Any]
    if name.endswith((".yaml", ".yml", ".json")):
        try:
            rows = yaml.safe_load(text) or []
        except yaml.YAMLError as error:
            raise DriftlineError(f"{name}: {' '.join(str(error).split())}") from None
    else:
        rows = list(csv.DictReader(StringIO(text)))
    if not isinstance(rows, list):
        raise DriftlineError(f"{name}: should be a list of incidents with start and end")
    return [
        _known_incident(row, f"{name}, incident {number}") for number, row in enumerate(rows, 1)
    ]


def _known_incident(row: Any, place: str) -> KnownIncident:
    if not isinstance(row, Mapping) or not row.get("start") or not row.get("end"):
        raise DriftlineError(f"{place}: needs a start and an end, such as 2026-03-02T09:00")
    start, end = _moment(row["start"], place), _moment(row["end"], place)
    if end <= start:
        raise DriftlineError(f"{place}: ends at {end:%Y-%m-%d %H:%M}, before it starts")
    columns = row.get("columns") or ()
    names: Any = columns.split() if isinstance(columns, str) else columns
    if not isinstance(names, Sequence):
        raise DriftlineError(f"{place}: columns should be a list of names")
    return KnownIncident(
        start, end, frozenset(str(column) for column in names), str(row.get("note") or "")
    )


def _moment(value: Any, place: str) -> datetime:
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise DriftlineError(f"{place}: {value!r} is no time such as 2026-03-02T09:00") from None
    return as_utc(at)
