"""A whole backtest: measured, replayed, shuffled, compared, tuned.

Refuses to print; how far it is, it says to whoever asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from driftline.backtest.history import Past
from driftline.backtest.scoring import Known, alarms_of
from driftline.backtest.shuffling import History, rate, shuffle, suspects
from driftline.backtest.spreading import Note, spread
from driftline.backtest.telling import Backtest
from driftline.backtest.tuning import attempt, best, proposals

TOGETHER = 5
"""Shufflings that are judged side by side: more need memory, fewer need time."""
Progress = Callable[[str, int, int], None]
"""Stage, done, in all."""


def run(past: Past, known: Sequence[Known], *, shuffles: int, tune: bool, processes: int, progress: Progress) -> Backtest:
    """Everything about one model."""
    windows = past.measure(lambda done, total: progress("measure", done, total), processes)
    alarms = alarms_of(past.replay(windows, past.policy, lambda done, total: progress("replay", done, total)), past.lateness)
    since = int(past.since.timestamp() * 1_000_000)
    ground = past.judgeable.ground
    judged = [window for window in windows if window.group[0].key.start >= since]
    history = History.of(judged, past.judgeable.model, ground.schema)
    if not shuffles or not history.series:
        return Backtest(past, alarms, known)
    batches = [range(first, min(first + TOGETHER, shuffles)) for first in range(0, shuffles, TOGETHER)]
    total = len(judged) * len(batches)

    def work(place: int, note: Note) -> list[NDArray[np.bool_]]:
        return shuffle(history, past.policy, batches[place], note)

    found = spread(work, len(batches), processes, lambda done: progress("shuffle", done, total))
    began = [one for batch in found for one in batch]
    noisy = suspects(history, began, past.policy)
    tried, chosen = [], None
    if tune:
        trials = attempt(past, windows, history, known, processes, lambda done: progress("tune", done, 14 * len(windows)))
        chosen = best(trials, past.false_pages_per_year)
        tried = [
            {
                "false_pages_per_year": trial.budget,
                "alarms": trial.score.alarms,
                "found": trial.score.found,
                "false": trial.score.false if known else None,
                "median_delay_seconds": trial.score.delay.total_seconds() if trial.score.delay else None,
                "shuffled_a_year": trial.shuffled.mean,
                "kept": trial.kept,
                "chosen": trial is chosen,
            }
            for trial in trials
        ]
    settings = proposals(noisy, chosen, past.false_pages_per_year)
    return Backtest(past, alarms, known, rate(history, began, past.policy), noisy, settings, tried)
