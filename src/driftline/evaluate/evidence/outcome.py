"""What weighing a window came to, stream by stream, in the units of what was measured.

Refuses to weigh: that is the evidence engine's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from driftline.evaluate.evidence.engine import (
    AlarmPolicy,
    Observation,
    Panel,
    WindowEvidence,
    add_window,
)
from driftline.evaluate.evidence.trail import Stream, Trail

WITHIN = 7
"""Windows within which a change should be found, for what is said of the smallest one that would
be.
"""
FOUND_WITHIN = 0.29
"""Deviations that add up to one unit of log evidence in WITHIN windows, as measured: 2.9 for 10
units.
"""


@dataclass(frozen=True, slots=True)
class StreamOutcome:
    """What came out for one stream; sizes in the unit of `Given.size`."""

    windows: int
    """Of its baseline."""
    missing_windows: int
    """Windows that the baseline still lacks."""
    is_changed: bool = False
    since: int | None = None
    """Of the change that is on: start of its first window, as estimated; microseconds."""
    odds: float = 0.0
    """Of the change that is on: 1 to this against chance, when it was found."""
    effect: float = 0.0
    """Over the change that is on, the mean; else of this window."""
    expected: float = 0.0
    sd: float = 0.0
    """Of sizes, between windows."""
    recent_effect: float = 0.0
    """Mean effect over the newest 7 windows."""
    recent_effect_error: float = math.inf
    """Its standard error, that of what is expected included."""
    p_value: float = 1.0
    """The p-value of this window alone, on the sides that are watched."""
    detectable_effect: float = math.inf
    """The smallest lasting effect that would be found within 7 windows at this traffic."""
    previous_size: float = math.nan
    """Size of the window before."""
    baseline_size: float = 0.0
    """Mean size of the baseline."""
    baseline_size_error: float = math.inf
    correlated_streams: tuple[Stream, ...] = ()
    """Of a change that is on: the streams that moved together with this one while nothing was
    wrong.
    """


def judge_window(
    trail: Trail, start: int, given: Sequence[Observation], policy: AlarmPolicy
) -> tuple[list[StreamOutcome], NDArray[np.void]]:
    """Judge the window `start` of each stream, and add it to the trail. Returns the outcomes and
    the traces, in order.
    """
    panel = Panel.of(given)
    level, size, least_sd = (
        np.array([getattr(one, name) for one in given]) for name in ("level", "size", "least_sd")
    )
    weighed = add_window(trail, start, panel, level, size, least_sd, policy)
    return stream_outcomes(weighed, panel, policy, range(len(given))), weighed.traces


def stream_outcomes(
    weighed: WindowEvidence, panel: Panel, policy: AlarmPolicy, places: Sequence[int]
) -> list[StreamOutcome]:
    """Of the streams at `places`, in that order."""
    at = np.array(places, np.int64)
    now, last, recent = (
        weighed.traces[at],
        weighed.previous[at],
        weighed.recent_effects[:WITHIN, at],
    )
    base = weighed.baseline
    windows, size_sd, inflation = base.windows[at], base.size_sd[at], base.inflation[at]
    known = np.isfinite(recent)
    count = np.maximum(known.sum(axis=0), 1)
    means = np.where(known, recent, 0.0).sum(axis=0) / count
    error = size_sd * inflation * np.sqrt(1 / count + 1 / np.maximum(windows, 1))
    share = weighed.weights[:, at].max(axis=0)
    wanted = FOUND_WITHIN * np.log(
        np.maximum(policy.alarm_threshold / np.where(share > 0, share, 1.0), math.e)
    )
    on = np.isfinite(now["since"])
    side = np.where(on, now["side"], 0).astype(np.int64)
    every = np.arange(len(at))
    ran = (
        now["effects"][every, side]
        / np.maximum(now["windows"][every, side], 1)
        * np.where(side == 0, 1.0, -1.0)
    )
    columns = (
        windows.astype(np.int64),
        np.maximum(policy.min_windows - windows, 0).astype(np.int64),
        on,
        np.where(on, now["since"], 0).astype(np.int64),
        np.where(on, now["odds"], 0.0),
        np.where(on, ran, now["effect"]),
        now["size"] - now["effect"],
        size_sd,
        means,
        error,
        weighed.p_values[:, at].min(axis=0),
        np.maximum(panel.tolerance[at], wanted * size_sd),
        last["size"],
        base.size_mean[at],
        size_sd * inflation / np.sqrt(np.maximum(windows, 1)),
    )
    known_now = np.isfinite(now["level"])
    found = []
    for place, known_here, *values in zip(
        at.tolist(), known_now.tolist(), *(column.tolist() for column in columns), strict=True
    ):
        if not known_here:
            found.append(StreamOutcome(values[0], 0))
            continue
        if not values[2]:
            values[3] = None
        outcome = StreamOutcome(*values)
        if outcome.is_changed:
            outcome = replace(
                outcome,
                correlated_streams=tuple(
                    panel.streams[other] for other in base.correlated_with(place)
                ),
            )
        found.append(outcome)
    return found
