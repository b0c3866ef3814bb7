"""A backtest as plain values, for JSON, tables and charts.

Refuses to print.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from driftline.backtest.score import (
    KnownIncident,
    ReplayedAlarm,
    Score,
    count_by_check,
    score_alarms,
    score_constant_alarm,
)
from driftline.backtest.shuffled_history import AlarmRate, NoisySeries
from driftline.backtest.stored_history import StoredHistory
from driftline.backtest.tune_budget import Trial
from driftline.state.tables import moment

YEAR = timedelta(days=365.25)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Backtest:
    """What came out for one model."""

    subject: StoredHistory
    alarms: Sequence[ReplayedAlarm]
    known_incidents: Sequence[KnownIncident]
    """Incidents that people labelled."""
    shuffled_rate: AlarmRate | None = None
    """Alarms in shuffled history; None where nothing was shuffled."""
    noisy_series: Sequence[NoisySeries] = ()
    proposals: dict[str, Any] = field(default_factory=dict)
    """Settings for the model, as its part of the configuration."""
    trials: Sequence[Trial] = ()
    """What other budgets would have come to."""
    best_trial: Trial | None = None
    """The best of them."""

    @property
    def starts(self) -> list[datetime]:
        """Of the windows that were judged, not only learnt from."""
        starts = [moment(group[0].key.start) for group in self.subject.groups]
        return [start for start in starts if start >= self.subject.since]

    @property
    def score(self) -> Score:
        """Of the configuration as it is."""
        return score_alarms(
            self.alarms, self.known_incidents, self.subject.length, self.subject.lateness
        )

    @property
    def constant_alarm_score(self) -> Score:
        """Of an alarm in every window."""
        return score_constant_alarm(
            self.starts, self.known_incidents, self.subject.length, self.subject.lateness
        )

    def per_year(self, count: int) -> float:
        """As a rate over the time judged."""
        judged = len(self.starts) * self.subject.length
        return count * (YEAR / judged) if judged else 0.0

    @cached_property
    def as_json(self) -> dict[str, Any]:
        """Everything, for JSON."""
        subject, mine = self.subject, self.score
        when = [alarm.start for alarm in self.alarms]
        found: dict[str, Any] = {
            "model": subject.judgeable.model,
            "from": subject.since.isoformat(),
            "to": subject.until.isoformat(),
            "windows": len(self.starts),
            "learnt_from": len(subject.groups) - len(self.starts),
            "not_kept": subject.missing_windows,
            "false_pages_per_year": subject.false_pages_per_year,
            "alarms": [
                {
                    "start": alarm.start.isoformat(),
                    "told": alarm.notified_at.isoformat(),
                    "resolved": alarm.resolved.isoformat() if alarm.resolved else None,
                    "cause": alarm.cause,
                    "severity": alarm.severity.value,
                    "checks": sorted(alarm.checks),
                    "columns": [column for _, column in alarm.column_times if column],
                    "title": alarm.title,
                }
                for alarm in self.alarms
            ],
            "alarms_a_year": self.per_year(len(self.alarms)),
            "by_check": {
                name: {severity.value: count for severity, count in counts.items()}
                for name, counts in count_by_check(self.alarms).items()
            },
            "by_weekday": {
                name: sum(at.weekday() == place for at in when)
                for place, name in enumerate(WEEKDAYS)
            },
            "by_hour": dict(sorted(Counter(at.hour for at in when).items())),
            "by_month": dict(sorted(Counter(f"{at:%Y-%m}" for at in when).items())),
        }
        if self.known_incidents:
            found["known"] = [
                {
                    "start": one.start.isoformat(),
                    "end": one.end.isoformat(),
                    "columns": sorted(one.columns),
                    "note": one.note,
                    "found_after_seconds": _seconds(delay),
                }
                for one, delay in zip(self.known_incidents, mine.delays, strict=True)
            ]
            never = Score(0, 0, (None,) * len(self.known_incidents))
            found["compared"] = {
                name: {
                    "alarms": each.alarms,
                    "found": each.detected,
                    "false": each.false_alarms,
                    "median_delay_seconds": _seconds(each.median_delay),
                }
                for name, each in (
                    ("this configuration", mine),
                    ("never alarm", never),
                    ("always alarm", self.constant_alarm_score),
                )
            }
        if self.shuffled_rate is not None:
            rate = self.shuffled_rate
            found["shuffled"] = {
                "alarms": rate.alarms,
                "years": rate.years,
                "a_year": rate.mean,
                "at_most": rate.upper_bound,
            }
            found["no_pages"] = [
                {
                    "check": each.series.check,
                    "measurement": each.series.name,
                    "labels": dict(each.series.labels),
                    "segment": each.series.segment,
                    "version": each.series.version,
                    "a_year": each.rate.mean,
                    "share": each.share,
                    "cause": each.cause,
                }
                for each in self.noisy_series
            ]
        if self.trials:
            found["tried"] = [self._tried(trial) for trial in self.trials]
        if self.proposals:
            found["proposals"] = self.proposals
        return found

    def _tried(self, trial: Trial) -> dict[str, Any]:
        return {
            "false_pages_per_year": trial.budget,
            "alarms": trial.score.alarms,
            "found": trial.score.detected,
            "false": trial.score.false_alarms if self.known_incidents else None,
            "median_delay_seconds": _seconds(trial.score.median_delay),
            "shuffled_a_year": trial.shuffled_rate.mean,
            "kept": trial.keeps_budget,
            "chosen": trial is self.best_trial,
        }


def _seconds(delay: timedelta | None) -> float | None:
    return None if delay is None else delay.total_seconds()
