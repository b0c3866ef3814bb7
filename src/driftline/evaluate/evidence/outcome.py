"""The outcome of a window for each stream, in the units of what was measured.

Does not compute evidence: the evidence engine does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.changes import day_sd
from driftline.evaluate.evidence.engine import WindowEvidence, add_window
from driftline.evaluate.evidence.observation import Panel, StreamNumbers
from driftline.evaluate.evidence.trail import Stream, Trail

DETECTION_WINDOWS = 7
"""Windows within which a change should be found; `detectable_effect` is the smallest such one."""
DEVIATION_PER_UNIT = 0.29
"""Deviation a window that adds one unit of log evidence in DETECTION_WINDOWS windows.

Measured in simulations: 2.9 for 10 units.
"""


@dataclass(slots=True, kw_only=True)  # Not frozen: a window makes hundreds of them.
class StreamOutcome:
    """The outcome of one window for one stream; sizes are on the scale of `Observation.size`."""

    windows: int
    """Windows in the baseline."""
    missing_windows: int
    """Windows that the baseline still lacks; without them the stream is not judged by its past."""
    is_changed: bool = False
    since: int | None = None
    """Estimated start of the change that is on, microseconds."""
    odds: float = 0.0
    """Evidence for the change that is on, when it was found: this to 1."""
    effect: float = 0.0
    """Mean effect over the change that is on; without one, the effect of this window."""
    expected: float = 0.0
    """Expected size of this window."""
    sd: float = 0.0
    """Standard deviation of sizes between windows."""
    recent_effect: float = 0.0
    """Mean effect over the newest 7 windows."""
    recent_effect_error: float = math.inf
    """Standard error of `recent_effect`; includes the error of the baseline."""
    p_value: float = 1.0
    """Smallest p-value of this window alone, over the sides that are watched."""
    detectable_effect: float = math.inf
    """The smallest lasting effect that would be found within 7 windows of this many rows."""
    neutral: float = math.nan
    """Size where window and reference agree; NaN where it is not compared with a reference."""
    baseline_distance: float = math.nan
    """How far the mean size of the baseline lies from the reference; NaN without a reference."""
    newest_distance: float = math.nan
    """The same of the newest windows, see `newest_effect`."""
    is_in_range: bool = False
    """Whether the newest windows lie in the range of the reference's own weeks or months."""
    newest_effect: float = 0.0
    """Median effect of the newest 3 windows; their mean over 24 hours where they are shorter."""
    has_day_blocks: bool = False
    """Whether windows are shorter than a day."""
    baseline_size: float = 0.0
    """Mean size of the baseline."""
    baseline_size_error: float = math.inf
    """Standard error of `baseline_size`."""
    correlated_streams: tuple[Stream, ...] = ()
    """The streams that moved with this one during its baseline; only while a change is on."""


def judge_window(
    trail: Trail, start: int, panel: Panel, numbers: StreamNumbers, policy: AlarmPolicy
) -> tuple[list[StreamOutcome], NDArray[np.void]]:
    """Judge the window that begins at `start` (microseconds), and add it to the trail.

    Returns the outcome and the trace of each stream of the panel, in their order.
    """
    evidence = add_window(trail, start, panel, numbers, policy)
    outcomes = stream_outcomes(evidence, panel, policy, range(len(panel.streams)))
    return outcomes, evidence.traces


def stream_outcomes(
    evidence: WindowEvidence, panel: Panel, policy: AlarmPolicy, places: Sequence[int]
) -> list[StreamOutcome]:
    """The outcomes of the streams at `places` of the panel, in that order."""
    at = np.array(places, np.int64)
    traces = evidence.traces[at]
    baseline = evidence.baseline
    windows, size_sd, inflation = baseline.windows[at], baseline.size_sd[at], baseline.inflation[at]
    recent_mean, recent_count = _finite_mean(evidence.recent_effects[:DETECTION_WINDOWS, at])
    baseline_count = np.maximum(windows, 1)
    is_on = np.isfinite(traces["since"])
    block_sd = day_sd(baseline, policy)[at]
    block_count = np.maximum(baseline.day_count[at], 1)
    recent_error = size_sd * inflation * np.sqrt(1 / recent_count + 1 / baseline_count)
    if policy.has_day_blocks:
        # The windows of a day share a shift, which no number of them averages out.
        recent_error = np.maximum(recent_error, block_sd * np.sqrt(1 + 1 / block_count))
    columns: dict[str, NDArray[np.generic]] = {
        "windows": windows.astype(np.int64),
        "missing_windows": np.maximum(policy.min_windows - windows, 0).astype(np.int64),
        "is_changed": is_on,
        "since": np.where(is_on, traces["since"], 0).astype(np.int64),
        "odds": np.where(is_on, traces["odds"], 0.0),
        "effect": np.where(is_on, _run_effect(traces, is_on), traces["effect"]),
        "expected": traces["size"] - traces["effect"],
        "sd": size_sd,
        "recent_effect": recent_mean,
        "recent_effect_error": recent_error,
        "p_value": evidence.p_values[:, at].min(axis=0),
        "detectable_effect": np.maximum(
            panel.tolerance[at], _detectable_deviation(evidence.weights[:, at], policy) * block_sd
        ),
        "neutral": evidence.neutral[at],
        "baseline_distance": evidence.baseline_distance[at],
        "newest_distance": evidence.newest_distance[at],
        "is_in_range": evidence.is_in_range[at],
        "newest_effect": evidence.newest_effect[at],
        "baseline_size": baseline.size_mean[at],
        "baseline_size_error": block_sd * inflation / np.sqrt(block_count),
    }
    numbers_present = np.isfinite(traces["level"]).tolist()
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    outcomes = []
    for place, is_present, row in zip(at.tolist(), numbers_present, rows, strict=True):
        values = dict(zip(columns, row, strict=True))
        values["has_day_blocks"] = policy.has_day_blocks
        if not is_present:
            outcomes.append(StreamOutcome(windows=values["windows"], missing_windows=0))
            continue
        if values["is_changed"]:
            values["correlated_streams"] = tuple(
                panel.streams[stream] for stream in baseline.correlated_with(place)
            )
        else:
            values["since"] = None
        outcomes.append(StreamOutcome(**values))
    return outcomes


def _finite_mean(
    effects: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean and number of the finite values of each column; the number is at least 1."""
    is_finite = np.isfinite(effects)
    count = np.maximum(is_finite.sum(axis=0), 1)
    return np.where(is_finite, effects, 0.0).sum(axis=0) / count, count


def _run_effect(traces: NDArray[np.void], is_on: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean effect over the run on the side of the change, shape (J,); upwards is positive."""
    side = np.where(is_on, traces["side"], 0).astype(np.int64)
    stream = np.arange(len(traces))
    effects, windows = traces["run_effects"][stream, side], traces["run_windows"][stream, side]
    mean: NDArray[np.float64] = effects / np.maximum(windows, 1) * np.where(side == 0, 1.0, -1.0)
    return mean


def _detectable_deviation(weights: NDArray[np.float64], policy: AlarmPolicy) -> NDArray[np.float64]:
    """The smallest lasting deviation, in standard deviations, that is found in 7 windows."""
    weight = weights.max(axis=0)
    needed_evidence = policy.alarm_threshold / np.where(weight > 0, weight, 1.0)
    deviation: NDArray[np.float64] = DEVIATION_PER_UNIT * np.log(
        np.maximum(needed_evidence, math.e)
    )
    return deviation
