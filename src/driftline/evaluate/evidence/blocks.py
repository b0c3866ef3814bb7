"""Adds up the evidence of the windows of a block, and of block after block.

A block is one window, or one day where windows are shorter than a day. Arrays by calibrator, side
and stream have shape (2, 2, J).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from driftline import stats
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.baseline import Baseline
from driftline.evaluate.evidence.missing import zero_missing
from driftline.types.arrays import Floats

MOST_EVIDENCE = 1e200
"""Upper limit of a total, so that it stays finite."""
WHOLE_DAY = 0.5
"""Share of the planned windows from which on a day counts as whole."""
KAPPA = 0.3
"""Exponent of the second calibrator, kappa p^(kappa-1), beside the average over all kappa.

It is quicker where evidence comes in small pieces.
"""


def calibrate(p_values: Floats) -> Floats:
    """The e-values of two calibrators, shape (2, 2, J): the average over all kappa, and KAPPA.

    `p_values` has shape (2, J).
    """
    at_kappa = KAPPA * np.maximum(p_values, 1e-200) ** (KAPPA - 1)
    return np.stack([stats.calibrate(p_values), at_kappa])


def begin_block(
    traces: NDArray[np.void],
    previous: NDArray[np.void],
    baseline: Baseline,
    policy: AlarmPolicy,
    cusum: NDArray[np.bool_],
) -> None:
    """Write into `traces`, shape (J,), what the windows before this one leave to it.

    Within a block that is its sum so far; in a new block, the total with the block before added.
    """
    block = policy.block_start(int(traces["start"][0])) if len(traces) else 0
    is_new_stream = np.isnan(previous["start"])
    is_same_block = previous["start"] >= block
    total = np.moveaxis(previous["total"], 0, -1)
    is_over = ~is_new_stream & ~is_same_block
    if is_over.any():
        evidence = _block_evidence(previous, baseline, policy, cusum, is_over=True)
        total = np.where(is_over, np.minimum(evidence, MOST_EVIDENCE), total)
    traces["total"] = np.moveaxis(np.where(is_new_stream, 0.0, total), -1, 0)
    for name in ("block_total", "block_windows", "block_offset"):
        values = previous[name]
        stays = is_same_block.reshape(-1, *[1] * (values.ndim - 1))
        traces[name] = np.where(stays, values, 0.0)
    is_next_day = is_over & (previous["start"] >= block - policy.block_length)
    mean_offset = previous["block_offset"] / np.maximum(previous["block_windows"], 1)
    traces["previous_offset"] = np.where(
        is_same_block, previous["previous_offset"], np.where(is_next_day, mean_offset, np.nan)
    )
    traces["judged"] = np.where(is_new_stream, 0.0, previous["judged"])
    traces["odds"] = 0.0


def add_to_block(
    traces: NDArray[np.void],
    e_values: Floats,
    is_watched: NDArray[np.bool_],
    is_judged: NDArray[np.bool_],
) -> None:
    """Add the e-values of one window, shape (2, 2, J), to its block.

    `is_watched` has shape (2, J), `is_judged` shape (J,). A side that is not watched has no
    evidence.
    """
    evidence = np.where(is_watched & is_judged, e_values, 0.0)
    total = np.minimum(np.moveaxis(traces["block_total"], 0, -1) + evidence, MOST_EVIDENCE)
    traces["block_total"] = np.moveaxis(total, -1, 0)
    traces["block_windows"] += is_judged
    traces["block_offset"] += np.where(is_judged, zero_missing(traces["offset"]), 0.0)


def block_evidence(
    traces: NDArray[np.void], baseline: Baseline, policy: AlarmPolicy, cusum: NDArray[np.bool_]
) -> Floats:
    """The totals with the evidence of the present block so far, shape (2, 2, J)."""
    return _block_evidence(traces, baseline, policy, cusum, is_over=False)


def _block_evidence(
    traces: NDArray[np.void],
    baseline: Baseline,
    policy: AlarmPolicy,
    cusum: NDArray[np.bool_],
    *,
    is_over: bool,
) -> Floats:
    total, block_total = (np.moveaxis(traces[name], 0, -1) for name in ("total", "block_total"))
    base = np.where(cusum, np.maximum(total, 1.0), total + 1.0)
    if not policy.has_day_blocks:
        has_window = traces["block_windows"] > 0
        evidence: Floats = np.where(has_window, base * block_total, total)
        return evidence
    starts = zero_missing(traces["start"]).astype(np.int64)
    evidence = np.empty_like(base)
    # Streams differ in their newest window only where some have none in this span of time.
    for start in np.unique(starts).tolist():
        at = starts == start
        block = policy.block_start(start)
        planned = policy.planned_windows(block)
        elapsed = planned if is_over else policy.planned_windows(block, start + policy.length)
        windows = traces["block_windows"]
        # A window that is missing counts 1 once its time is over.
        mean = (block_total + np.maximum(elapsed - windows, 0.0)) / planned
        if is_over or elapsed >= planned:
            is_whole = windows >= WHOLE_DAY * planned
            offset = traces["block_offset"] / np.maximum(windows, 1)
            p_values = baseline.day_p_values(offset, traces["previous_offset"])
            day = np.where(is_whole, calibrate(p_values), 1.0)
        else:
            day = np.zeros_like(mean)
        evidence[..., at] = (base * (mean + day) / 2)[..., at]
    return evidence


def clear_evidence(traces: NDArray[np.void], stream: int) -> None:
    """Forget the evidence of one stream: a change is on, or has ended."""
    traces["total"][stream], traces["block_total"][stream] = 0.0, 0.0
    traces["judged"][stream] = 0.0
    traces["run_evidence"][stream] = 1.0
