"""Runs a whole backtest of one model: measures, replays, shuffles, scores and tunes.

Does not print; the caller gets its progress.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from driftline.backtest.parallel import ReportProgress, run_parallel
from driftline.backtest.replay import ReplayedChange
from driftline.backtest.score import KnownIncident, alarms_of
from driftline.backtest.shuffled_history import (
    SeriesMatrix,
    alarm_rate,
    find_noisy_series,
    replay_shuffled,
)
from driftline.backtest.stored_history import StoredHistory
from driftline.backtest.summary import Backtest
from driftline.backtest.tune_budget import Trial, choose_trial, propose_settings, try_budgets

BATCH = 3
"""Shuffled histories that are judged side by side: more need more memory and less time."""
ReportStage = Callable[[str, int, int], None]
"""Takes the stage, the number of steps that are done, and of all."""


def run_backtest(
    history: StoredHistory,
    known_incidents: Sequence[KnownIncident],
    *,
    shuffles: int,
    tune: bool,
    processes: int,
    progress: ReportStage,
) -> Backtest:
    """Run the backtest of one model with `shuffles` shuffled histories.

    With `tune`, other alarm budgets are tried too; that needs at least one shuffled history.
    """
    windows = history.measure(lambda count, total: progress("measure", count, total), processes)
    since = int(history.since.timestamp() * 1_000_000)
    judged_windows = [window for window in windows if window.group[0].key.start >= since]
    matrix = SeriesMatrix.of(
        judged_windows, history.evaluation.model, history.evaluation.reference.schema
    ).without(known_incidents)
    seeds = range(shuffles if matrix.series else 0)
    batches = [seeds[first : first + BATCH] for first in range(0, len(seeds), BATCH)]
    total = len(windows) + len(judged_windows) * len(batches)

    def work(
        index: int, report_progress: ReportProgress
    ) -> tuple[list[ReplayedChange], list[NDArray[np.bool_]]]:
        if index:
            begins = replay_shuffled(matrix, history.policy, batches[index - 1], report_progress)
            return [], begins
        changes = history.replay(
            windows, history.policy, lambda count, total: report_progress(count)
        )
        return changes, []

    results = run_parallel(
        work, 1 + len(batches), processes, lambda steps: progress("replay", steps, total)
    )
    alarms = alarms_of(results[0][0], history.lateness)
    if not batches:
        return Backtest(history=history, alarms=alarms, known_incidents=known_incidents)
    begins = [begin for _, batch in results for begin in batch]
    warn_only = {name for plan in history.evaluation.plans for name in plan.warn_only}
    noisy_series = [
        series
        for series in find_noisy_series(matrix, begins, history.policy)
        if series.column not in warn_only
    ]
    budget = history.false_pages_per_year
    trials, best_trial = list[Trial](), None
    if tune:
        trials = try_budgets(
            history=history,
            windows=windows,
            matrix=matrix,
            known_incidents=known_incidents,
            processes=processes,
            progress=lambda steps, total: progress("tune", steps, total),
        )
        best_trial = choose_trial(trials, budget)
    return Backtest(
        history=history,
        alarms=alarms,
        known_incidents=known_incidents,
        shuffled_rate=alarm_rate(matrix, begins, history.policy),
        noisy_series=noisy_series,
        proposals=propose_settings(noisy_series, best_trial, budget, warn_only),
        trials=trials,
        best_trial=best_trial,
    )
