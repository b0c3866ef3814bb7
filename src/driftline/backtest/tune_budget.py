"""Tries other alarm budgets on the same history, and proposes settings.

Does not change a configuration: a person decides.
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
from driftline.backtest.stored_history import ReportCount, StoredHistory

BUDGETS = (0.25, 0.5, 1.0, 2.0, 4.0, 12.0)
"""False pages a year that are tried."""
SEEDS = 3
"""Shuffled histories for each budget."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of one alarm budget."""

    budget: float
    """False pages a year."""
    score: Score
    shuffled_rate: AlarmRate

    @property
    def keeps_budget(self) -> bool:
        """Whether shuffled history does not show more alarms than the budget allows."""
        return self.shuffled_rate.lower_bound <= self.budget


def try_budgets(
    *,
    history: StoredHistory,
    windows: Sequence[MeasuredWindows],
    matrix: SeriesMatrix,
    known_incidents: Sequence[KnownIncident],
    processes: int,
    progress: ReportCount,
) -> list[Trial]:
    """Try every budget of `BUDGETS` and the configured one; smallest first."""
    budgets = sorted({*BUDGETS, history.false_pages_per_year})
    total = len(budgets) * (len(windows) + len(matrix.starts))

    def try_budget(index: int, report_progress: ReportProgress) -> Trial:
        policy = replace(history.policy, false_pages_per_year=budgets[index])
        changes = history.replay(windows, policy, lambda count, total: report_progress(count))
        begins = replay_shuffled(
            matrix, policy, range(SEEDS), lambda count: report_progress(len(windows) + count)
        )
        alarms = alarms_of(changes, history.lateness)
        score = score_alarms(alarms, known_incidents, history.length, history.lateness)
        return Trial(budgets[index], score, alarm_rate(matrix, begins, policy))

    return run_parallel(try_budget, len(budgets), processes, lambda steps: progress(steps, total))


def choose_trial(trials: Sequence[Trial], configured_budget: float) -> Trial:
    """The best of the trials that keep their budget.

    Best is: most known incidents detected, then fewest false alarms, then the budget nearest to the
    configured one. A shorter delay is no reason for another budget. Without known incidents it is
    the budget nearest to the configured one. When no trial keeps its budget, it is the smallest.
    """
    candidates = [trial for trial in trials if trial.keeps_budget] or [
        min(trials, key=lambda trial: trial.budget)
    ]
    has_known_incidents = bool(candidates[0].score.delays)

    def order(trial: Trial) -> tuple[float, ...]:
        distance = abs(trial.budget - configured_budget)
        if not has_known_incidents:
            return (distance,)
        return (-trial.score.detected_count, trial.score.false_alarms, distance)

    return min(candidates, key=order)


def propose_settings(
    noisy_series: Sequence[NoisySeries],
    trial: Trial | None,
    configured_budget: float,
    warn_only: Set[str] = frozenset(),
) -> dict[str, Any]:
    """Settings for the model's part of the configuration: a budget, and columns that must not page.

    `warn_only` are the columns that the configuration has already.
    """
    settings: dict[str, Any] = {}
    if trial is not None and trial.budget != configured_budget:
        settings["false_pages_per_year"] = trial.budget
    columns = {series.column for series in noisy_series} - {""}
    if columns:
        settings["warn_only"] = sorted(columns | warn_only)
    return settings
