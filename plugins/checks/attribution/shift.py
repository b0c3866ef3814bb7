"""Measures how the use of features has moved between two sides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftline import CheckContext, Measurement, stats

MAX_NAMES = 5
ATTRIBUTION_MEASUREMENTS = ("attribution_ndcg", "attribution_moved", "attribution_spearman")
Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class FeatureUse:
    """What one feature adds to the score over the rows of a side."""

    size: stats.MeanSize
    """The mean size of its attributions, with its standard error."""
    mean: float | None
    """The mean of its attributions; None where a model has several outputs."""
    error: float
    """The standard error of the mean."""


@dataclass(frozen=True, slots=True)
class FeatureUses:
    """The uses of the features in the reference and now."""

    reference: Mapping[str, FeatureUse]
    current: Mapping[str, FeatureUse]
    rows: int


def use_of_values(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, FeatureUse]:
    """Return the use of each feature from attributions of shape (n, F, C).

    The size of several outputs is their sum.
    """
    sizes, single = np.abs(values).sum(axis=2), values.shape[2] == 1
    root = math.sqrt(len(values))
    ddof = 1 if len(values) > 1 else 0
    return {
        name: FeatureUse(
            stats.MeanSize(
                float(sizes[:, place].mean()), float(sizes[:, place].std(ddof=ddof)) / root
            ),
            float(values[:, place, 0].mean()) if single else None,
            float(values[:, place, 0].std(ddof=ddof)) / root,
        )
        for place, name in enumerate(names)
    }


def measure_shift(ctx: CheckContext, uses: FeatureUses, reason: str) -> Iterator[Measurement]:
    """Yield the three measurements of the shift, then importance and contribution of each feature.

    With a `reason`, the three have no value and there are no others.
    """
    ref, cur = uses.reference, uses.current
    features = list(ref)
    sizes = [[side[name].size for name in features] for side in (ref, cur)] if not reason else None
    shift = None if sizes is None else stats.attribution_shift(sizes[0], sizes[1], ctx.rng())
    if shift is None:
        reason = reason or "needs two features, and attributions other than 0"
        for name in ATTRIBUTION_MEASUREMENTS:
            yield Measurement(None, name=name, rows=uses.rows, reason=reason)
        return
    detail: dict[str, str | float | int | None] = {"moved": _name_moved(ref, cur)}
    for name, estimate in zip(ATTRIBUTION_MEASUREMENTS, shift, strict=True):
        reason = "" if estimate.value is not None else "all importances of a side are equal"
        yield Measurement(
            estimate.value,
            name=name,
            rows=uses.rows,
            interval=estimate.interval,
            reason=reason,
            detail=detail,
        )
    for feature in features:
        yield from _measure_feature(feature, ref[feature], cur[feature], uses.rows)


def _measure_feature(
    feature: str, before: FeatureUse, now: FeatureUse, rows: int
) -> Iterator[Measurement]:
    labels = {"column": feature}
    room = Z95 * now.size.se
    yield Measurement(
        now.size.value,
        labels,
        name="importance",
        rows=rows,
        interval=(max(0.0, now.size.value - room), now.size.value + room),
        was=before.size.value,
    )
    if now.mean is None or before.mean is None:
        return
    change, room = now.mean - before.mean, Z95 * math.hypot(now.error, before.error)
    yield Measurement(
        change,
        labels,
        name="score_contribution",
        rows=rows,
        interval=(change - room, change + room),
    )


def _name_moved(ref: Mapping[str, FeatureUse], cur: Mapping[str, FeatureUse]) -> str:
    """Return the features whose share of all importance changed most, with the changes."""
    all_was, all_now = (sum(use.size.value for use in side.values()) for side in (ref, cur))
    change = {name: cur[name].size.value / all_now - ref[name].size.value / all_was for name in ref}
    most = sorted(
        (name for name in change if change[name]), key=lambda name: (-abs(change[name]), name)
    )
    return ", ".join(f"{name} {change[name]:+.3f}" for name in most[:MAX_NAMES])
