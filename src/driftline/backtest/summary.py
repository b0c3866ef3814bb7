"""The result of a backtest as plain values, for JSON, tables and charts.

Does not print.
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
from driftline.types.times import from_micros

YEAR = timedelta(days=365.25)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """The result of a backtest of one model."""

    history: StoredHistory
    alarms: Sequence[ReplayedAlarm]
    """Alarms of the configuration as it is."""
    known_incidents: Sequence[KnownIncident]
    """Incidents that people know of."""
    shuffled_rate: AlarmRate | None = None
    """Alarms in shuffled history; None where nothing was shuffled."""
    noisy_series: Sequence[NoisySeries] = ()
    proposals: dict[str, Any] = field(default_factory=dict)
    """Settings for the model's part of the configuration."""
    trials: Sequence[Trial] = ()
    """Results of other alarm budgets."""
    best_trial: Trial | None = None

    @property
    def starts(self) -> list[datetime]:
        """Starts of the windows that were judged, without those that served as a baseline only."""
        starts = [from_micros(group[0].key.start) for group in self.history.groups]
        return [start for start in starts if start >= self.history.since]

    @property
    def score(self) -> Score:
        """The score of the configuration as it is."""
        length, lateness = self.history.length, self.history.lateness
        return score_alarms(self.alarms, self.known_incidents, length, lateness)

    @property
    def constant_alarm_score(self) -> Score:
        """The score of an alarm in every window."""
        length, lateness = self.history.length, self.history.lateness
        return score_constant_alarm(self.starts, self.known_incidents, length, lateness)

    def per_year(self, count: int) -> float:
        """`count` as a rate a year, over the time that was judged."""
        judged_time = len(self.starts) * self.history.length
        return count * (YEAR / judged_time) if judged_time else 0.0

    @cached_property
    def as_json(self) -> dict[str, Any]:
        """Everything, as values for JSON."""
        history = self.history
        starts = [alarm.start for alarm in self.alarms]
        values: dict[str, Any] = {
            "model": history.evaluation.model,
            "from": history.since.isoformat(),
            "to": history.until.isoformat(),
            "windows": len(self.starts),
            "learnt_from": len(history.groups) - len(self.starts),
            "not_kept": history.missing_windows,
            "false_pages_per_year": history.false_pages_per_year,
            "alarms": [_alarm_json(alarm) for alarm in self.alarms],
            "alarms_a_year": self.per_year(len(self.alarms)),
            "by_check": {
                name: {severity.value: count for severity, count in counts.items()}
                for name, counts in count_by_check(self.alarms).items()
            },
            "by_weekday": {
                name: sum(start.weekday() == number for start in starts)
                for number, name in enumerate(WEEKDAYS)
            },
            "by_hour": dict(sorted(Counter(start.hour for start in starts).items())),
            "by_month": dict(sorted(Counter(f"{start:%Y-%m}" for start in starts).items())),
        }
        if self.known_incidents:
            values |= self._comparison_json()
        if self.shuffled_rate is not None:
            values["shuffled"] = {
                "alarms": self.shuffled_rate.alarms,
                "years": self.shuffled_rate.years,
                "a_year": self.shuffled_rate.mean,
                "at_most": self.shuffled_rate.upper_bound,
            }
            values["no_pages"] = [_noisy_series_json(noisy) for noisy in self.noisy_series]
        if self.trials:
            values["tried"] = [self._trial_json(trial) for trial in self.trials]
        if self.proposals:
            values["proposals"] = self.proposals
        return values

    def _comparison_json(self) -> dict[str, Any]:
        """The known incidents, and the scores of this configuration and of two simple ones."""
        never_alarm = Score(0, 0, (None,) * len(self.known_incidents))
        scores = {
            "this configuration": self.score,
            "never alarm": never_alarm,
            "always alarm": self.constant_alarm_score,
        }
        return {
            "known": [
                {
                    "start": incident.start.isoformat(),
                    "end": incident.end.isoformat(),
                    "columns": sorted(incident.columns),
                    "note": incident.note,
                    "found_after_seconds": _seconds(delay),
                }
                for incident, delay in zip(self.known_incidents, self.score.delays, strict=True)
            ],
            "compared": {
                name: {
                    "alarms": score.alarms,
                    "found": score.detected_count,
                    "false": score.false_alarms,
                    "median_delay_seconds": _seconds(score.median_delay),
                }
                for name, score in scores.items()
            },
        }

    def _trial_json(self, trial: Trial) -> dict[str, Any]:
        return {
            "false_pages_per_year": trial.budget,
            "alarms": trial.score.alarms,
            "found": trial.score.detected_count,
            "false": trial.score.false_alarms if self.known_incidents else None,
            "median_delay_seconds": _seconds(trial.score.median_delay),
            "shuffled_a_year": trial.shuffled_rate.mean,
            "kept": trial.keeps_budget,
            "chosen": trial is self.best_trial,
        }


def _alarm_json(alarm: ReplayedAlarm) -> dict[str, Any]:
    return {
        "start": alarm.start.isoformat(),
        "told": alarm.notified_at.isoformat(),
        "resolved": alarm.resolved_at.isoformat() if alarm.resolved_at else None,
        "cause": alarm.cause,
        "severity": alarm.severity.value,
        "checks": sorted(alarm.checks),
        "columns": [column for _, column in alarm.column_times if column],
        "title": alarm.title,
    }


def _noisy_series_json(noisy: NoisySeries) -> dict[str, Any]:
    return {
        "check": noisy.series.check,
        "measurement": noisy.series.name,
        "labels": dict(noisy.series.labels),
        "segment": noisy.series.segment,
        "version": noisy.series.version,
        "a_year": noisy.rate.mean,
        "share": noisy.share,
        "cause": noisy.cause,
    }


def _seconds(delay: timedelta | None) -> float | None:
    return None if delay is None else delay.total_seconds()
