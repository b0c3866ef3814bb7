"""Metrics of many rankings at once: one score for each group, and their mean with its interval.

Items lie in the order of their groups, in each group the highest score first and of equal scores
the lowest relevance first: equal scores count against the model. An item is relevant above 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from driftline.stats.basics.estimate import Estimate, logit_interval
from driftline.stats.basics.proportion import wilson
from driftline.types.arrays import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupScores:
    """The scores of groups at a cut-off; each of shape (groups,), NaN where there is none."""

    sizes: Ints
    """Items of each group."""
    ndcg: Floats
    """Discounted gain over that of the best order; equal scores share their mean relevance."""
    average_precision: Floats
    reciprocal_rank: Floats
    hit: Floats
    precision: Floats
    recall: Floats
    f1: Floats


def group_scores(starts: Ints, scores: Floats, relevance: Floats, k: int) -> GroupScores:
    """Score each group at `k`; `starts`, shape (groups,), are the places of its first items.

    Groups without a relevant item have a precision only.
    """
    items = len(scores)
    if not items:
        names = [item.name for item in fields(GroupScores) if item.name != "sizes"]
        return GroupScores(sizes=np.empty(0, np.int64), **dict.fromkeys(names, np.empty(0)))
    sizes = np.diff(np.append(starts, items))
    owners = np.repeat(np.arange(len(starts)), sizes)
    ranks = np.arange(items) - starts[owners]
    is_top = ranks < k
    discounts = np.where(is_top, 1 / np.log2(ranks + 2), 0.0)
    is_relevant = relevance > 0
    relevant = np.add.reduceat(is_relevant.astype(np.int64), starts)
    best = relevance[np.lexsort((-relevance, owners))]
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.add.reduceat(_shared(starts, scores, relevance) * discounts, starts)
        ndcg = gain / np.add.reduceat(best * discounts, starts)
        hits = np.add.reduceat(is_top & is_relevant, starts, dtype=np.int64)
        upto = np.cumsum(is_relevant)
        before: Ints = (upto - is_relevant)[starts]
        precisions = np.where(is_top & is_relevant, (upto - before[owners]) / (ranks + 1), 0.0)
        average_precision = np.add.reduceat(precisions, starts) / np.minimum(relevant, k)
        first = np.minimum.reduceat(np.where(is_top & is_relevant, ranks + 1.0, np.inf), starts)
        precision, recall = hits / k, hits / relevant
        f1 = np.where(hits > 0, 2 * precision * recall / (precision + recall), 0.0)
    has_relevant = relevant > 0

    def among(values: Floats) -> Floats:
        return np.where(has_relevant, values, np.nan)

    return GroupScores(
        sizes=sizes.astype(np.int64),
        ndcg=among(ndcg),
        average_precision=among(average_precision),
        reciprocal_rank=among(1 / first),
        hit=among((hits > 0).astype(np.float64)),
        precision=precision.astype(np.float64),
        recall=among(recall),
        f1=among(f1),
    )


def _shared(starts: Ints, scores: Floats, relevance: Floats) -> Floats:
    """The relevance of each item, its mean over items of one group with equal scores."""
    begins = np.append(True, scores[1:] != scores[:-1])
    begins[starts] = True
    places = np.flatnonzero(begins)
    counts = np.diff(np.append(places, len(scores)))
    means: Floats = np.repeat(np.add.reduceat(relevance, places) / counts, counts)
    return means


def mean_of_scores(scores: Floats) -> Estimate:
    """Mean of the scores (0 to 1) that are no NaN, with an interval over groups in that range."""
    known = scores[~np.isnan(scores)]
    groups = len(known)
    if not groups:
        return Estimate(None, reason="no group has a relevant item")
    mean = min(max(math.fsum(known) / groups, 0.0), 1.0)
    if groups < 2:
        return Estimate(mean, n=groups)
    se = float(np.std(known, ddof=1)) / math.sqrt(groups)
    interval = logit_interval(mean, se) if se > 0 else wilson(mean * groups, groups)
    return Estimate(mean, se, interval, groups)
