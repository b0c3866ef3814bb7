"""Other budgets for false pages, tried on the same history, and the settings that follow.

Refuses to change a configuration: it proposes, a person decides.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from driftline.backtest.measure_history import MeasuredWindows
from driftline.backtest.parallel import ReportProgress, run_parallel
from driftline.backtest.score import KnownIncident, Score, alarms_of, score_alarms
from driftline.backtest.shuffled_history import (
    AlarmRate,
    NoisySeries,
    SeriesMatrix,
    alarm_rate,
    replay_shuffled,
)
from driftline.backtest.stored_history import Progress, StoredHistory

BUDGETS = (0.25, 0.5, 1.0, 2.0, 4.0, 12.0)
"""False pages a year that are tried."""
SEEDS = 3
"""Shufflings for each."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one budget came to."""

    budget: float
    score: Score
    shuffled_rate: AlarmRate

    @property
    def keeps_budget(self) -> bool:
        """Whether shuffled history does not show that it alarms more often than it says."""
        return self.shuffled_rate.lower_bound <= self.budget


def try_budgets(
    subject: StoredHistory,
    windows: Sequence[MeasuredWindows],
    history: SeriesMatrix,
    known: Sequence[KnownIncident],
    processes: int,
    progress: Progress,
) -> list[Trial]:
    """Every budget, the configured one among them."""
    budgets = sorted({*BUDGETS, subject.false_pages_per_year})
    total = len(budgets) * (len(windows) + len(history.starts))

    def work(place: int, note: ReportProgress) -> Trial:
        policy = replace(subject.policy, false_pages_per_year=budgets[place])
        told = subject.replay(windows, policy, lambda done, total: note(done))
        shuffled = alarm_rate(
            history,
            replay_shuffled(history, policy, range(SEEDS), lambda done: note(len(windows) + done)),
            policy,
        )
        scored = score_alarms(
            alarms_of(told, subject.lateness), known, subject.length, subject.lateness
        )
        return Trial(budgets[place], scored, shuffled)

    return run_parallel(work, len(budgets), processes, lambda done: progress(done, total))


def choose_trial(trials: Sequence[Trial], configured: float) -> Trial:
    """Of those that keep their promise: most known incidents found, fewest false alarms, nearest to
    what is configured. Being told some windows sooner is no reason for another budget.

    Without known incidents there is nothing to gain by another budget than the configured one,
    unless that is not kept.
    """
    honest = [trial for trial in trials if trial.keeps_budget] or [
        min(trials, key=lambda trial: trial.budget)
    ]
    if not honest[0].score.delays:
        return min(honest, key=lambda trial: abs(trial.budget - configured))

    def order(trial: Trial) -> tuple[float, ...]:
        return (-trial.score.detected, trial.score.false_alarms, abs(trial.budget - configured))

    return min(honest, key=order)


def propose_settings(
    suspects: Sequence[NoisySeries],
    trial: Trial | None,
    configured: float,
    held: Set[str] = frozenset(),
) -> dict[str, Any]:
    """The model's part of the configuration: a budget, and the columns that must not page beside
    those `held` already.
    """
    found: dict[str, Any] = {}
    if trial is not None and trial.budget != configured:
        found["false_pages_per_year"] = trial.budget
    columns = {each.column for each in suspects} - {""}
    if columns:
        found["warn_only"] = sorted(columns | held)
    return found
