"""A whole backtest: measured, replayed, shuffled, compared, tuned.

Refuses to print; how far it is, it says to whoever asked.
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

TOGETHER = 3
"""Shufflings that are judged side by side: more need memory, fewer need time."""
Progress = Callable[[str, int, int], None]
"""Stage, done, in all."""


def run_backtest(
    subject: StoredHistory,
    known: Sequence[KnownIncident],
    *,
    shuffles: int,
    tune: bool,
    processes: int,
    progress: Progress,
) -> Backtest:
    """Everything about one model."""
    windows = subject.measure(lambda done, total: progress("measure", done, total), processes)
    since = int(subject.since.timestamp() * 1_000_000)
    ground = subject.judgeable.reference
    judged = [window for window in windows if window.group[0].key.start >= since]
    history = SeriesMatrix.of(judged, subject.judgeable.model, ground.schema)
    wanted = shuffles if history.series else 0
    batches = [range(first, min(first + TOGETHER, wanted)) for first in range(0, wanted, TOGETHER)]
    total = len(windows) + len(judged) * len(batches)

    def work(
        place: int, note: ReportProgress
    ) -> tuple[list[ReplayedChange], list[NDArray[np.bool_]]]:
        if place == 0:
            return subject.replay(windows, subject.policy, lambda done, total: note(done)), []
        return [], replay_shuffled(history, subject.policy, batches[place - 1], note)

    found = run_parallel(
        work, 1 + len(batches), processes, lambda done: progress("replay", done, total)
    )
    alarms = alarms_of(found[0][0], subject.lateness)
    if not batches:
        return Backtest(subject, alarms, known)
    began = [one for _, batch in found for one in batch]
    held = {name for plan in subject.judgeable.plans for name in plan.warn_only}
    noisy = [
        each
        for each in find_noisy_series(history, began, subject.policy)
        if each.column not in held
    ]
    trials, chosen = list[Trial](), None
    if tune:
        trials = try_budgets(
            subject,
            windows,
            history,
            known,
            processes,
            lambda done, total: progress("tune", done, total),
        )
        chosen = choose_trial(trials, subject.false_pages_per_year)
    settings = propose_settings(noisy, chosen, subject.false_pages_per_year, held)
    return Backtest(
        subject,
        alarms,
        known,
        alarm_rate(history, began, subject.policy),
        noisy,
        settings,
        trials,
        chosen,
    )
