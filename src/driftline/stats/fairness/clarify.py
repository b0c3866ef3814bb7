"""The bias metrics of SageMaker Clarify, by its names and with its signs.

Clarify subtracts the disadvantaged group from the others in CI, DPL, DPPL, DCA, RD, DAR and AD, and
the others from the group in DCR, SD, DRR and TE. Here `group` is the disadvantaged one.

Source: Amazon SageMaker Developer Guide, "Measure pre-training bias" and "Measure post-training
data and model bias".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from driftline.stats.basics.estimate import Estimate
from driftline.stats.basics.proportion import newcombe
from driftline.stats.fairness.groups import (
    GroupCounts,
    rate_difference,
    rate_ratio,
    treatment_equality,
)
from driftline.types.arrays import Floats

NO_ROWS = "a group has no labelled rows"


class Stratum(NamedTuple):
    """Rows of one value of a third column, by group and outcome."""

    group_accepted: float
    group_rejected: float
    others_accepted: float
    others_rejected: float


def label_shares(counts: GroupCounts) -> Floats | None:
    """Shares of negative and positive labels, shape (2,); None without labelled rows."""
    if not counts.labelled:
        return None
    positive = (counts.tp + counts.fn) / counts.labelled
    return np.array([1 - positive, positive])


def class_imbalance(group: GroupCounts, others: GroupCounts) -> Estimate:
    """CI: how much rarer the group is, from -1 to 1."""
    n, n_others = group.labelled, others.labelled
    if not n + n_others:
        return Estimate(None, reason=NO_ROWS)
    return Estimate((n_others - n) / (n_others + n), n=int(n))


def label_divergence(name: str, group: GroupCounts, others: GroupCounts) -> Estimate:
    """The distance between the labels of the others and of the group.

    `name` is KL or JS (natural logarithm), LP (Euclidean), TVD or KS. KL has no value where the
    group lacks a label that the others have.
    """
    p, q = label_shares(others), label_shares(group)
    if p is None or q is None:
        return Estimate(None, reason=NO_ROWS)
    if name == "KL" and bool(np.any((q == 0) & (p > 0))):
        return Estimate(None, reason="the group lacks one of the labels")
    value = {
        "KL": lambda: _divergence(p, q),
        "JS": lambda: (_divergence(p, (p + q) / 2) + _divergence(q, (p + q) / 2)) / 2,
        "LP": lambda: float(np.linalg.norm(p - q)),
        "TVD": lambda: float(np.abs(p - q).sum() / 2),
        "KS": lambda: float(np.abs(p - q).max()),
    }[name]()
    return Estimate(value, n=int(group.labelled))


def conditional_disparity(strata: Sequence[Stratum]) -> Estimate:
    """CDDL and CDDPL: the group's share of the rejected less its share of the accepted.

    It is the mean over strata, weighted by their rows. Where a stratum has no rejected or no
    accepted rows, that share is 0.
    """
    total = sum(sum(stratum) for stratum in strata)
    if not total:
        return Estimate(None, reason="there are no rows to compare")
    value = 0.0
    for stratum in strata:
        accepted = stratum.group_accepted + stratum.others_accepted
        rejected = stratum.group_rejected + stratum.others_rejected
        of_accepted = stratum.group_accepted / accepted if accepted else 0.0
        of_rejected = stratum.group_rejected / rejected if rejected else 0.0
        value += (accepted + rejected) / total * (of_rejected - of_accepted)
    return Estimate(value, n=int(total))


def generalised_entropy(counts: GroupCounts, alpha: float = 2.0) -> Estimate:
    """The inequality of the benefits b = prediction - label + 1 over rows; GE is `alpha` 2.

    With `alpha` 1 it is Theil's index, where 0 ln 0 counts as 0. Source: Speicher et al. 2018.
    """
    benefits = np.array([2.0, 1.0, 0.0])
    rows = np.array([counts.fp, counts.tp + counts.tn, counts.fn])
    total = float(rows.sum())
    mean = float(benefits @ rows) / total if total else 0.0
    if not mean:
        return Estimate(None, reason="there are no labelled rows with a benefit")
    relative = benefits / mean
    if alpha == 1.0:
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(relative > 0, relative * np.log(relative), 0.0)
        return Estimate(float(terms @ rows) / total, n=int(total))
    terms = (relative**alpha - 1) / (alpha * (alpha - 1))
    return Estimate(float(terms @ rows) / total, n=int(total))


def _divergence(p: Floats, q: Floats) -> float:
    held = p > 0
    return float(np.sum(p[held] * np.log(p[held] / q[held])))


def _opposite(name: str) -> Callable[[GroupCounts, GroupCounts], Estimate]:
    return lambda group, others: rate_difference(name, others, group)._replace(
        n=int(group.labelled or group.selection[1])
    )


def _acceptance(group: GroupCounts, others: GroupCounts) -> Estimate:
    sides = [
        _ratio(side.tp + side.fn, side.tp + side.fp, "positive decisions")
        for side in (others, group)
    ]
    return _difference(sides, group)


def _rejection(group: GroupCounts, others: GroupCounts) -> Estimate:
    sides = [
        _ratio(side.fp + side.tn, side.fn + side.tn, "negative decisions")
        for side in (group, others)
    ]
    return _difference(sides, group)


def _specificity(group: GroupCounts, others: GroupCounts) -> Estimate:
    sides = [(side.tn, side.tn + side.fp) for side in (group, others)]
    return _share_difference(sides, "negative labels")


def _rejection_precision(group: GroupCounts, others: GroupCounts) -> Estimate:
    sides = [(side.tn, side.tn + side.fn) for side in (group, others)]
    return _share_difference(sides, "negative decisions")


def _share_difference(sides: Sequence[tuple[float, float]], what: str) -> Estimate:
    """The first share less the second, with Newcombe's 95% interval."""
    (x, n), (x_others, n_others) = sides
    if not n or not n_others:
        return Estimate(None, reason=f"a group has no {what}")
    interval = newcombe(x, n, x_others, n_others)
    return Estimate(x / n - x_others / n_others, interval=interval, n=int(n))


def _impact(group: GroupCounts, others: GroupCounts) -> Estimate:
    if not group.selection[1] or not others.selection[1] or not others.selection[0]:
        return Estimate(None, reason="the others have no positive decision")
    return rate_ratio("selection_rate", group, others)


def _ratio(part: float, whole: float, what: str) -> float | str:
    return part / whole if whole else f"a group has no {what}"


def _difference(sides: Sequence[float | str], group: GroupCounts) -> Estimate:
    first, second = sides
    for side in sides:
        if isinstance(side, str):
            return Estimate(None, reason=side)
    assert isinstance(first, float)
    assert isinstance(second, float)
    value = first - second
    return Estimate(value if math.isfinite(value) else None, n=int(group.labelled))


CLARIFY: Mapping[str, Callable[[GroupCounts, GroupCounts], Estimate]] = {
    "CI": class_imbalance,
    "DPL": _opposite("base_rate"),
    **{
        name: lambda group, others, name=name: label_divergence(name, group, others)  # type: ignore[misc]
        for name in ("KL", "JS", "LP", "TVD", "KS")
    },
    "DPPL": _opposite("selection_rate"),
    "DI": _impact,
    "DCA": _acceptance,
    "DCR": _rejection,
    "SD": _specificity,
    "RD": _opposite("true_positive_rate"),
    "DAR": _opposite("precision"),
    "DRR": _rejection_precision,
    "AD": _opposite("accuracy"),
    "TE": treatment_equality,
    "GE": lambda group, others: generalised_entropy(group + others),
}
"""Clarify's metrics of two groups, by name. CDDL and CDDPL need strata: `conditional_disparity`."""
