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

from driftline.backtest.score import Alarm, Known, Score, always, by_check, score
from driftline.backtest.shuffled_history import Rate, Suspect
from driftline.backtest.stored_history import Subject
from driftline.backtest.tune_budget import Trial
from driftline.state.tables import moment

YEAR = timedelta(days=365.25)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Backtest:
    """What came out for one model."""

    subject: Subject
    alarms: Sequence[Alarm]
    known: Sequence[Known]
    """Incidents that people labelled."""
    shuffled: Rate | None = None
    """Alarms in shuffled history; None where nothing was shuffled."""
    suspects: Sequence[Suspect] = ()
    proposals: dict[str, Any] = field(default_factory=dict)
    """Settings for the model, as its part of the configuration."""
    trials: Sequence[Trial] = ()
    """What other budgets would have come to."""
    chosen: Trial | None = None
    """The best of them."""

    @property
    def starts(self) -> list[datetime]:
        """Of the windows that were judged, not only learnt from."""
        starts = [moment(group[0].key.start) for group in self.subject.groups]
        return [start for start in starts if start >= self.subject.since]

    @property
    def score(self) -> Score:
        """Of the configuration as it is."""
        return score(self.alarms, self.known, self.subject.length, self.subject.lateness)

    @property
    def always(self) -> Score:
        """Of an alarm in every window."""
        return always(self.starts, self.known, self.subject.length, self.subject.lateness)

    def a_year(self, count: int) -> float:
        """As a rate over the time judged."""
        judged = len(self.starts) * self.subject.length
        return count * (YEAR / judged) if judged else 0.0

    @cached_property
    def told(self) -> dict[str, Any]:
        """Everything, for JSON."""
        subject, mine = self.subject, self.score
        when = [alarm.start for alarm in self.alarms]
        found: dict[str, Any] = {
            "model": subject.judgeable.model,
            "from": subject.since.isoformat(),
            "to": subject.until.isoformat(),
            "windows": len(self.starts),
            "learnt_from": len(subject.groups) - len(self.starts),
            "not_kept": subject.gone,
            "false_pages_per_year": subject.false_pages_per_year,
            "alarms": [
                {
                    "start": alarm.start.isoformat(),
                    "told": alarm.at.isoformat(),
                    "resolved": alarm.resolved.isoformat() if alarm.resolved else None,
                    "cause": alarm.cause,
                    "severity": alarm.severity.value,
                    "checks": sorted(alarm.checks),
                    "columns": [column for _, column in alarm.seen if column],
                    "title": alarm.title,
                }
                for alarm in self.alarms
            ],
            "alarms_a_year": self.a_year(len(self.alarms)),
            "by_check": {
                name: {severity.value: count for severity, count in counts.items()}
                for name, counts in by_check(self.alarms).items()
            },
            "by_weekday": {
                name: sum(at.weekday() == place for at in when)
                for place, name in enumerate(WEEKDAYS)
            },
            "by_hour": dict(sorted(Counter(at.hour for at in when).items())),
            "by_month": dict(sorted(Counter(f"{at:%Y-%m}" for at in when).items())),
        }
        if self.known:
            found["known"] = [
                {
                    "start": one.start.isoformat(),
                    "end": one.end.isoformat(),
                    "columns": sorted(one.columns),
                    "note": one.note,
                    "found_after_seconds": _seconds(delay),
                }
                for one, delay in zip(self.known, mine.delays, strict=True)
            ]
            never = Score(0, 0, (None,) * len(self.known))
            found["compared"] = {
                name: {
                    "alarms": each.alarms,
                    "found": each.found,
                    "false": each.false,
                    "median_delay_seconds": _seconds(each.delay),
                }
                for name, each in (
                    ("this configuration", mine),
                    ("never alarm", never),
                    ("always alarm", self.always),
                )
            }
        if self.shuffled is not None:
            rate = self.shuffled
            found["shuffled"] = {
                "alarms": rate.alarms,
                "years": rate.years,
                "a_year": rate.mean,
                "at_most": rate.most,
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
                for each in self.suspects
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
            "found": trial.score.found,
            "false": trial.score.false if self.known else None,
            "median_delay_seconds": _seconds(trial.score.delay),
            "shuffled_a_year": trial.shuffled.mean,
            "kept": trial.kept,
            "chosen": trial is self.chosen,
        }


def _seconds(delay: timedelta | None) -> float | None:
    return None if delay is None else delay.total_seconds()
