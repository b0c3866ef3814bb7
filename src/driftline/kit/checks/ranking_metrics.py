"""Metrics of rankings: means over the groups of a window.

A metric that does not exist has no value, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from driftline import stats
from driftline.profiles.window import Rankings, Scores
from driftline.stats.basics.estimate import Estimate
from driftline.types.arrays import Floats

GroupScore = Callable[[stats.GroupScores], Floats]
"""One score of each group, shape (groups,)."""
DEFAULT_K = 10
SAMPLE = "from a sample of the groups"


def of_groups(score: GroupScore, *, is_of_order: bool = False) -> Callable[[Scores], Estimate]:
    """Return the mean of a score of each group at k.

    A metric of the order leaves out groups of one item, which have none.
    """

    def estimate(s: Scores) -> Estimate:
        r = s.rankings
        reason = _reason(r)
        if reason:
            return Estimate(None, reason=reason)
        groups = stats.group_scores(r.starts, r.scores, r.labels, s.k or DEFAULT_K)
        scores = score(groups)
        if is_of_order:
            if not (groups.sizes > 1).any():
                return Estimate(None, reason="no group has two labelled items")
            scores = np.where(groups.sizes > 1, scores, np.nan)
        mean = stats.mean_of_scores(scores)
        return mean._replace(reason=SAMPLE) if r.is_sample and not mean.reason else mean

    return estimate


def _reason(r: Rankings) -> str:
    """Why there is no metric; empty where there may be."""
    if r.infinite:
        rows = "item has" if r.infinite == 1 else "items have"
        return f"{r.infinite} labelled {rows} an infinite score or label"
    if not len(r.labels):
        return "no labelled items with a group"
    if bool((r.labels < 0).any()):
        return "a label is below 0, where relevance begins"
    return ""
