"""The evidence engine: adds up evidence for a change, stream by stream, and raises alarms.

A stream is one measurement of one column, version and segment, from window to window. For each new
window the engine does four steps:

1. It compares the number with the stream's baseline, season and memory removed: a p-value.
2. It calibrates the p-value to an e-value, whose expectation is at most 1 while nothing changes.
3. It adds the e-value of a block to the stream's Shiryaev-Roberts total, R = (1 + R) e.
4. It weights the totals of all streams and compares their sum with the alarm threshold.

A block is one window, or one day (UTC) where windows are shorter than a day: the windows of a day
share a shift, so their evidence must not be multiplied. The e-value of a day is half the sum of the
e-values of its windows so far over the number of windows planned, and half the e-value of the
day's mean once the day is over. Its expectation is at most 1 whatever the windows of the day have
in common.

While nothing changes, the sum reaches the threshold of A blocks at most once in A blocks on
average, however the streams depend on each other (Shin, Ramdas and Rinaldo 2024, "E-detectors";
Roberts 1966). The formulas are in docs/statistics.md, "Many tests, many windows"; where the engine
differs from the papers is in docs/decisions/0012-evidence-over-windows.md and
docs/decisions/0016-days-are-blocks.md.

Beside the evidence there is a fast lane: a difference that one window alone proves to be beyond
`obvious`, and that the window before had as well, is a change at once. Without a baseline it is
taken from the reference, over whole days where windows are shorter than a day; with one, from what
is usual.

Shapes: J streams, K windows. An array over both has windows along axis 0 and streams along axis 1.
An array by side has shape (2, J): row 0 for changes upwards, row 1 for changes downwards. Times are
microseconds since the Unix epoch.

Does not alarm for a change below a stream's tolerance. Does not know what a measurement means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline import stats
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.baseline import Baseline
from driftline.evaluate.evidence.blocks import (
    MOST_EVIDENCE,
    add_to_block,
    begin_block,
    block_evidence,
    calibrate,
    clear_evidence,
)
from driftline.evaluate.evidence.changes import (
    SPANS,
    RecentWindows,
    begin_obvious_changes,
    continue_changes,
    estimate_begin,
    material_sides,
    returning_sides,
)
from driftline.evaluate.evidence.observation import Panel, StreamNumbers
from driftline.evaluate.evidence.trail import TRACE, Trail
from driftline.types.arrays import Floats

STRONG_MEMORY = 0.3
"""Autocorrelation from which a stream's weight is lowered."""
NAMING_LEVEL = 0.1
"""Level of e-BH, which names the streams that changed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WindowEvidence:
    """The evidence after one window, by stream."""

    traces: NDArray[np.void]
    """One trace a stream, shape (J,)."""
    previous: NDArray[np.void]
    """The traces before this window, shape (J,)."""
    baseline: Baseline
    recent_effects: Floats
    """Effects of this window and those before it, newest first, shape (windows, J)."""
    newest_effect: Floats
    """Effect of the newest windows together, shape (J,); see `RecentWindows.effect`."""
    neutral: Floats
    """Sizes where window and reference agree, shape (J,)."""
    baseline_distance: Floats
    """How far the mean size of the baseline lies from the reference, shape (J,)."""
    newest_distance: Floats
    """The same of the newest windows, shape (J,)."""
    is_in_range: NDArray[np.bool_]
    """Whether the newest windows lie in the range of the reference, see `RecentWindows`, (J,)."""
    p_values: Floats
    """Shape (2, J); 1 where a side is not watched."""
    weights: Floats
    """Weight of each stream's total, shape (2, J)."""


def add_window(
    trail: Trail, start: int, panel: Panel, numbers: StreamNumbers, policy: AlarmPolicy
) -> WindowEvidence:
    """Compute the evidence of the window that begins at `start`, and write it to the trail."""
    level, size, least_sd = numbers.level, numbers.size, numbers.least_sd
    columns = trail.columns_of(panel.streams)
    baseline = trail.baseline(
        start, panel.streams, panel.shared_by_versions, policy.min_windows, policy.refresh_interval
    )
    previous = trail.newest_before(start, columns)
    traces = np.full(len(columns), np.nan, TRACE)
    traces["start"], traces["rows"] = start, numbers.rows
    traces["size_error"] = numbers.size_error
    traces["level"], traces["size"] = np.where(np.isfinite(size), level, np.nan), size
    begin_block(traces, previous, baseline, policy, panel.cusum)
    if policy.has_day_blocks:
        previous_offset = traces["previous_offset"]
    else:
        previous_offset = trail.offset_before(start, columns)
    comparison = baseline.compare(start, level, size, previous_offset, least_sd)
    is_judged = np.isfinite(level) & np.isfinite(size) & (baseline.windows >= policy.min_windows)
    # Without a baseline, the reference says what to expect.
    from_reference = ~is_judged & np.isfinite(numbers.neutral)
    traces["effect"] = np.where(
        from_reference, panel.distance(size, numbers.neutral), comparison.effect
    )
    traces["deviation"], traces["offset"] = comparison.deviation, comparison.offset
    is_watched = panel.sides & is_judged
    p_values = np.where(is_watched & ~np.isnan(comparison.p_values), comparison.p_values, 1.0)
    e_values = calibrate(p_values)
    add_to_block(traces, e_values, is_watched, is_judged)
    traces["judged"] += is_judged / policy.planned_windows(policy.block_start(start))
    _extend_runs(traces, previous, e_values[0], is_watched, start=start, effect=traces["effect"])
    recent = RecentWindows(trail, start=start, columns=columns, traces=traces, policy=policy)
    continue_changes(traces, previous, panel, numbers, recent, policy, baseline, is_judged)
    is_in_range = recent.is_in_range(panel, numbers, baseline)
    weights = _weights(panel, is_judged, baseline)
    evidence = block_evidence(traces, baseline, policy, panel.cusum).mean(axis=0)
    returns = returning_sides(panel, numbers, recent, policy, baseline)
    if _reaches_threshold(weights * evidence, panel, policy).any():
        material = material_sides(traces, panel, numbers, recent, policy, baseline, is_judged)
        material &= ~returns & ~is_in_range
        _raise_alarms(traces, weights, evidence * material, panel, policy, recent)
    begin_obvious_changes(
        traces,
        previous,
        panel,
        numbers,
        recent,
        policy,
        least_p_value=1 / (baseline.evidence_windows + 1),
        p_values=p_values,
        returns=returns,
        is_judged=is_judged,
        is_in_range=is_in_range,
    )
    trail.write(start, panel.streams, traces)
    return WindowEvidence(
        traces=traces,
        previous=previous,
        baseline=baseline,
        recent_effects=recent.effects(SPANS[-1]),
        newest_effect=recent.effect,
        neutral=numbers.neutral,
        baseline_distance=panel.distance(baseline.size_mean, numbers.neutral),
        newest_distance=panel.distance(baseline.size_mean + recent.effect, numbers.neutral),
        is_in_range=is_in_range,
        p_values=p_values,
        weights=weights,
    )


def _extend_runs(
    traces: NDArray[np.void],
    previous: NDArray[np.void],
    e_values: Floats,
    is_watched: NDArray[np.bool_],
    *,
    start: int,
    effect: Floats,
) -> None:
    """Write into `traces` the run that each side is in: the windows since its evidence was 1.

    The begin of the run estimates the begin of a change. `e_values` and `is_watched` have shape
    (2, J), `effect` has shape (J,).
    """
    evidence = np.where(np.isnan(previous["level"]), 1.0, previous["run_evidence"].T)
    begins = evidence <= 1.0
    signed_effect = np.stack([effect, -effect])
    windows = np.where(begins, 0.0, previous["run_windows"].T) + 1
    effects = np.where(begins, 0.0, previous["run_effects"].T) + signed_effect
    run_start = np.where(begins, float(start), previous["run_start"].T)
    evidence = np.clip(np.maximum(evidence, 1.0) * e_values, 1.0, MOST_EVIDENCE)
    traces["run_evidence"] = np.where(is_watched, evidence, 1.0).T
    traces["run_windows"], traces["run_effects"] = windows.T, effects.T
    traces["run_start"] = run_start.T


def _weights(panel: Panel, is_judged: NDArray[np.bool_], baseline: Baseline) -> Floats:
    """The weight of each total, shape (2, J); strong memory between windows lowers it."""
    penalty = np.where(baseline.memory > STRONG_MEMORY, baseline.inflation**2, 1.0)
    watched_sides = np.maximum(panel.sides.sum(axis=0), 1)
    weights: Floats = budget_shares(panel, is_judged) / penalty * panel.sides / watched_sides
    return weights


def budget_shares(panel: Panel, is_judged: NDArray[Any]) -> Floats:
    """The share of its alarm budget that each stream has, shape (J,).

    The streams of a family where `is_judged` (shape (J,)) is true divide the share of the family.
    """
    weight = panel.weight * is_judged
    family_weight = np.bincount(panel.family, weight, len(panel.shares))
    scale = panel.shares / np.where(family_weight > 0, family_weight, 1.0)
    shares: Floats = weight * scale[panel.family]
    return shares


def _reaches_threshold(
    weighted_evidence: Floats, panel: Panel, policy: AlarmPolicy
) -> NDArray[np.bool_]:
    """Whether the evidence of each budget reaches the alarm threshold, shape (budgets,)."""
    sums = np.bincount(panel.budget, weighted_evidence.sum(axis=0))
    reaches: NDArray[np.bool_] = sums >= policy.alarm_threshold
    return reaches


def _raise_alarms(
    traces: NDArray[np.void],
    weights: Floats,
    evidence: Floats,
    panel: Panel,
    policy: AlarmPolicy,
    recent: RecentWindows,
) -> None:
    """Mark the streams behind an alarm as changed since their estimated begin.

    `evidence`, shape (2, J), is that of material effects. Named are the stream that contributes
    most, and all that e-BH at NAMING_LEVEL selects (`stats.e_bh`; Wang and Ramdas 2022).
    """
    side = np.argmax(evidence, axis=0)
    strongest, contribution = evidence.max(axis=0), weights * evidence
    odds = strongest / np.maximum(traces["judged"], 1)
    for budget in np.flatnonzero(_reaches_threshold(contribution, panel, policy)):
        streams = np.flatnonzero(panel.budget == budget)
        named_streams = streams[stats.e_bh(odds[streams], NAMING_LEVEL) & (strongest[streams] > 0)]
        largest = int(streams[np.argmax(contribution[:, streams].max(axis=0))])
        for stream in {largest, *named_streams.tolist()}:
            begin = estimate_begin(recent, policy, stream, int(side[stream]))
            traces["since"][stream] = np.fmax(begin, traces["run_start"][stream, side[stream]])
            traces["side"][stream], traces["odds"][stream] = side[stream], odds[stream]
            clear_evidence(traces, stream)
            traces["run_evidence"][stream, side[stream]] = 2.0
