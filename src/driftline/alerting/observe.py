"""Folds facts into alerts: each fact moves one alert by one window.

Does not decide which incident an alert belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from driftline.alerting.fact import Fact, finite, to_json_values
from driftline.types.alert import Alert, AlertEntry, AlertState
from driftline.types.model import Severity, Verdict
from driftline.types.records import JudgedMeasurement

HORIZON = 16
"""Windows that can still be revised."""
NOT_REMEMBERED: Mapping[str, Any] = {
    "rows": None, "p_value": None, "reason": "", "least": None, "most": None, "was_interval": None
}  # fmt: skip
"""What an alert does not remember of a measurement: the verdict was made of it."""


def severest(alerts: Iterable[Alert]) -> Severity:
    """The highest severity among alerts that fire; `info` without any."""
    severities = [alert.phase.severity or Severity.WARNING for alert in alerts]
    return max(severities, key=lambda severity: severity.rank, default=Severity.INFO)


class IgnoreReason(StrEnum):
    """Why a fact changed nothing."""

    TOO_OLD = "the window is older than the last 16 that this alert remembers"
    OLDER_REVISION = "a newer revision of this window was seen before"


def observe(alert: Alert | None, fact: Fact) -> tuple[Alert | None, IgnoreReason | None]:
    """Fold a fact into its alert.

    Returns the alert, None for a series that was always quiet, and why the fact was ignored, if
    it was.
    """
    if fact.verdict is Verdict.ERROR:
        return alert, None
    if alert is None:
        if fact.verdict is not Verdict.CHANGED:
            return None, None
        alert = _new(fact)
    if alert.base.last_start is not None and fact.start <= alert.base.last_start:
        return alert, IgnoreReason.TOO_OLD
    entries = {entry.start: entry for entry in alert.recent}
    previous = entries.get(fact.start)
    if previous is not None and fact.revision < previous.revision:
        return alert, IgnoreReason.OLDER_REVISION
    if previous is None and not _is_worth_keeping(alert, fact):
        return alert, None
    entries[fact.start] = _entry(fact)
    alert = replace(
        alert,
        recent=tuple(entries[start] for start in sorted(entries)),
        floor=alert.floor if alert.recent else fact.start,
        for_windows=fact.for_windows,
        among_windows=fact.among_windows,
        keep_firing_windows=fact.keep_firing_windows,
    )
    return _trim(alert), None


def _is_worth_keeping(alert: Alert, fact: Fact) -> bool:
    if fact.verdict is Verdict.CHANGED:
        return True
    if fact.verdict is Verdict.UNSURE:
        return False
    is_first = not alert.recent or fact.start < alert.recent[0].start
    return not is_first or alert.base.state in (AlertState.PENDING, AlertState.FIRING)


def _trim(alert: Alert) -> Alert:
    if len(alert.recent) <= HORIZON:
        return alert
    phase = alert.phase
    calm = all(entry.verdict is not Verdict.CHANGED for entry in alert.recent[-HORIZON:])
    if calm and phase.state in (AlertState.QUIET, AlertState.RESOLVED):
        return replace(
            alert,
            base=phase,
            recent=(),
            floor=None,
            evidence=alert.newest_change,
            newest_dropped=alert.newest_entry,
            largest_dropped=alert.largest_change,
        )
    first = alert.recent[0]
    evidence = first if first.verdict is Verdict.CHANGED else alert.evidence
    return replace(
        alert,
        base=alert.advance(alert.base, first),
        recent=alert.recent[1:],
        evidence=evidence,
        newest_dropped=first,
        largest_dropped=_larger_change(alert, first),
    )


def _larger_change(alert: Alert, first: AlertEntry) -> AlertEntry | None:
    """Of two changed windows of one run the one that differs more; that of the newer run."""
    largest, since = alert.largest_dropped, alert.phase.since
    if first.verdict is not Verdict.CHANGED:
        return largest
    if largest is None or (since is not None and largest.start < since):
        return first
    return max(largest, first, key=lambda entry: entry.difference)


def _new(fact: Fact) -> Alert:
    return Alert(
        key=fact.key,
        model=fact.model,
        version=fact.version,
        segment=fact.segment,
        cause=fact.cause,
        check=fact.check,
        measurement=fact.measurement,
        labels=fact.labels,
        for_windows=fact.for_windows,
        among_windows=fact.among_windows,
        keep_firing_windows=fact.keep_firing_windows,
    )


def _entry(fact: Fact) -> AlertEntry:
    """What an alert remembers of a fact."""
    number = fact.judged.measurement
    low, high = number.interval or (None, None)
    ends = finite(low), finite(high)
    number = replace(
        number,
        value=finite(number.value),
        was=finite(number.was),
        interval=(ends[0], ends[1]) if ends[0] is not None and ends[1] is not None else None,
        detail=to_json_values(number.detail),
        **NOT_REMEMBERED,
    )
    judgement = replace(fact.judgement, verdict=fact.verdict, is_within_bounds=False)
    return AlertEntry(
        start=fact.start,
        end=fact.end,
        judged=JudgedMeasurement(
            check=fact.check,
            measurement=number,
            judgement=judgement,
            rows=int(fact.judged.rows),
            cause=fact.cause,
        ),
        revision=fact.revision,
        reference=fact.reference,
        since=fact.since,
    )
