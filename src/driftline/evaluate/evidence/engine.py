"""The evidence engine: adds up evidence for a change, stream by stream, and raises alarms.

A stream is one measurement of one column, version and segment, from window to window. For each new
window the engine does four steps:

1. It compares the number with the stream's baseline, season and memory removed: a p-value.
2. It calibrates the p-value to an e-value, whose expectation is at most 1 while nothing changes.
3. It adds the e-value to the stream's Shiryaev-Roberts total, R = (1 + R) e.
4. It weights the totals of all streams and compares their sum with the alarm threshold.

While nothing changes, the sum reaches the threshold of A windows at most once in A windows on
average, however the streams depend on each other (Shin, Ramdas and Rinaldo 2024, "E-detectors";
Roberts 1966). The formulas are in docs/statistics.md, "Many tests, many windows"; where the engine
differs from the papers is in docs/decisions/0012-evidence-over-windows.md.

Shapes: J streams, K windows. An array over both has windows along axis 0 and streams along axis 1.
An array by side has shape (2, J): row 0 for changes upwards, row 1 for changes downwards. Times are
microseconds since the Unix epoch.

Does not alarm for a change below a stream's tolerance. Does not know what a measurement means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline import stats
from driftline.evaluate.evidence.baseline import Baseline
from driftline.evaluate.evidence.trail import TRACE, Stream, Trail
from driftline.types.arrays import Floats
from driftline.types.family import Family
from driftline.types.times import DAY_MICROS

YEAR = 365.25 * DAY_MICROS
LAG = 14
"""Newest windows that are not in the baseline: a change is found before it would enter it."""
MIN_WINDOWS, MIN_LONG_WINDOWS, MIN_DAYS = 28, 20, 14
"""The fewest baseline windows; the fewest of windows longer than a day; the fewest days.

The days hold for windows shorter than a day.
"""
MAX_WINDOWS, MAX_SHORT_WINDOWS, MAX_WEEKS = 120, 2016, 8
"""The most baseline windows; the most of windows shorter than a day; the weeks these may span."""
KAPPA = 0.3
"""Exponent of the second calibrator, kappa p^(kappa-1), beside the average over all kappa.

It is quicker where evidence comes in small pieces.
"""
RUN_BOUND, SPAN_BOUND = 2.0, 3.0
"""Standard errors by which an effect must exceed the tolerance: over the whole run; over a span.

A span needs more, because there are several of them to choose from.
"""
SPANS = (2, 4, 7, 14)
"""Newest windows over which an effect is averaged, beside the whole run."""
SHARES: Mapping[str, float] = {
    Family.PERFORMANCE: 0.40,
    Family.QUALITY: 0.25,
    Family.DRIFT: 0.25,
    Family.SERVICE: 0.25,
    Family.BUSINESS: 0.10,
}
"""Share of the alarm budget, by family; the families that a model has divide all of it."""
STRONG_MEMORY = 0.3
"""Autocorrelation from which a stream's weight is lowered."""
NAMING_LEVEL = 0.1
"""Level of e-BH, which names the streams that changed."""
MOST_EVIDENCE = 1e200
"""Upper limit of a total, so that it stays finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One stream's number in one window, and how the stream is judged."""

    stream: Stream
    level: float
    """The number on the scale where its spread is even; NaN when there is none."""
    size: float
    """The number on the scale where changes are compared with the tolerance."""
    least_sd: float = 0.0
    """Standard deviation of the level that the number of rows alone makes."""
    tolerance: float = 0.0
    """Effects below it do not matter; on the scale of `size`."""
    above: bool = True
    """Whether changes upwards are watched."""
    below: bool = True
    """Whether changes downwards are watched."""
    family: str = Family.DRIFT.value
    """Key of `SHARES`."""
    weight: float = 1.0
    """Weight within its family, relative to the other streams."""
    cusum: bool = False
    """Whether a CUSUM, R = max(1, R) e, adds up the evidence instead of Shiryaev-Roberts."""
    shared_by_versions: bool = False
    """Whether the stream is the same for every model version: a feature is, a prediction is not."""


class StreamNumbers(NamedTuple):
    """The numbers of J streams in one window, shape (J,) each; see `Observation`."""

    level: Floats
    size: Floats
    least_sd: Floats

    @classmethod
    def of(cls, observations: Sequence[Observation]) -> StreamNumbers:
        """The numbers of these observations, in their order."""
        return cls(
            np.array([observation.level for observation in observations]),
            np.array([observation.size for observation in observations]),
            np.array([observation.least_sd for observation in observations]),
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Panel:
    """How J streams are judged together; the same for every window."""

    streams: tuple[Stream, ...]
    tolerance: Floats
    """Shape (J,)."""
    sides: NDArray[np.bool_]
    """Which sides are watched, shape (2, J)."""
    family: NDArray[np.int64]
    """Index into `shares` of each stream's family, shape (J,)."""
    shares: Floats
    """Share of the alarm budget, shape (families,)."""
    budget_of_family: NDArray[np.int64]
    """Number of the alarm budget of each family, shape (families,)."""
    budget: NDArray[np.int64]
    """Number of the alarm budget of each stream, shape (J,); a model has one budget."""
    weight: Floats
    """Weight within the family, shape (J,)."""
    cusum: NDArray[np.bool_]
    """Shape (J,)."""
    shared_by_versions: tuple[bool, ...]
    """Length J."""

    @classmethod
    def of(cls, observations: Sequence[Observation], budgets: Sequence[int] | None = None) -> Panel:
        """A panel of the streams of one window.

        `budgets` numbers the alarm budget of each stream; without it all share one.
        """
        numbers = np.array(budgets if budgets is not None else [0] * len(observations), np.int64)
        keys = [
            (int(number), observation.family)
            for number, observation in zip(numbers, observations, strict=True)
        ]
        families = {key: index for index, key in enumerate(dict.fromkeys(keys))}
        return cls(
            streams=tuple(observation.stream for observation in observations),
            tolerance=np.array([observation.tolerance for observation in observations]),
            sides=np.array(
                [
                    [observation.above for observation in observations],
                    [observation.below for observation in observations],
                ]
            ),
            family=np.array([families[key] for key in keys], np.int64),
            shares=np.array([SHARES.get(name, min(SHARES.values())) for _, name in families]),
            budget_of_family=np.array([number for number, _ in families], np.int64),
            budget=numbers,
            weight=np.array([observation.weight for observation in observations]),
            cusum=np.array([observation.cusum for observation in observations]),
            shared_by_versions=tuple(
                observation.shared_by_versions for observation in observations
            ),
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WindowEvidence:
    """The evidence after one window, by stream."""

    traces: NDArray[np.void]
    """One trace a stream, shape (J,)."""
    previous: NDArray[np.void]
    """The traces before this window, shape (J,)."""
    baseline: Baseline
    recent_effects: Floats
    """Effects of this window and those before it, newest first, shape (windows, J)."""
    p_values: Floats
    """Shape (2, J); 1 where a side is not watched."""
    weights: Floats
    """Weight of each stream's total, shape (2, J)."""


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """The length of the windows and the accepted rate of false alarms."""

    length: int
    """Length of a window, microseconds."""
    false_pages_per_year: float = 1.0
    baseline_lifetime: int = 0
    """Microseconds for which a baseline is used again, when that is longer than the default."""

    @property
    def refresh_interval(self) -> int:
        """Microseconds for which a baseline is used again; 0 makes one for every window."""
        return max(self.baseline_lifetime, DAY_MICROS if self.length < DAY_MICROS else 0)

    @property
    def alarm_threshold(self) -> float:
        """Windows per false page: the sum of weighted totals that raises an alarm."""
        return YEAR / self.length / self.false_pages_per_year

    @property
    def max_windows(self) -> int:
        """The most windows of a baseline."""
        if self.length >= DAY_MICROS:
            return MAX_WINDOWS
        return max(MAX_WINDOWS, min(MAX_SHORT_WINDOWS, MAX_WEEKS * 7 * DAY_MICROS // self.length))

    @property
    def min_windows(self) -> int:
        """The fewest windows of a baseline; with fewer, streams are not judged by their past."""
        if self.length > DAY_MICROS:
            return MIN_LONG_WINDOWS
        if self.length == DAY_MICROS:
            return MIN_WINDOWS
        return min(
            max(MIN_WINDOWS, -(-MIN_DAYS * DAY_MICROS // self.length)), self.max_windows // 2
        )

    def make_trail(self) -> Trail:
        """An empty trail."""
        return Trail(self.length, self.max_windows, LAG)


def add_window(
    trail: Trail, start: int, panel: Panel, numbers: StreamNumbers, policy: AlarmPolicy
) -> WindowEvidence:
    """Compute the evidence of the window that begins at `start`, and write it to the trail."""
    level, size, least_sd = numbers
    columns = trail.columns_of(panel.streams)
    baseline = trail.baseline(
        start, panel.streams, panel.shared_by_versions, policy.min_windows, policy.refresh_interval
    )
    previous = trail.newest_before(start, columns)
    comparison = baseline.compare(start, level, size, trail.levels_before(start, columns), least_sd)
    effect = comparison.effect
    is_judged = np.isfinite(level) & np.isfinite(size) & (baseline.windows >= policy.min_windows)
    is_watched = panel.sides & is_judged
    p_values = np.where(is_watched & ~np.isnan(comparison.p_values), comparison.p_values, 1.0)
    e_values = _calibrate(p_values)
    traces = _accumulate(previous, e_values, is_watched, panel.cusum)
    _extend_runs(traces, previous, e_values[0], is_watched, start=start, effect=effect)
    traces["level"], traces["size"] = np.where(np.isfinite(size), level, np.nan), size
    traces["effect"], traces["deviation"] = effect, comparison.deviation
    traces["judged"] += is_judged
    earlier_effects = trail.effects_before(start, columns, SPANS[-1] - 1)
    recent_effects = np.vstack((effect[None], earlier_effects))
    near = np.maximum(panel.tolerance / 2, baseline.size_sd)
    _continue_changes(traces, previous, recent_effects, near, is_judged)
    weights = _weights(panel, is_judged, baseline)
    evidence = traces["total"].mean(axis=1).T
    if _reaches_threshold(weights * evidence, panel, policy).any():
        material = _material_sides(traces, recent_effects, baseline, panel.tolerance, is_judged)
        _raise_alarms(traces, weights, evidence * material, panel, policy)
    trail.write(start, panel.streams, traces)
    return WindowEvidence(
        traces=traces,
        previous=previous,
        baseline=baseline,
        recent_effects=recent_effects,
        p_values=p_values,
        weights=weights,
    )


def _calibrate(p_values: Floats) -> Floats:
    """The e-values of two calibrators, shape (2, 2, J): the average over all kappa, and KAPPA."""
    at_kappa = KAPPA * np.maximum(p_values, 1e-200) ** (KAPPA - 1)
    return np.stack([stats.calibrate(p_values), at_kappa])


def _accumulate(
    previous: NDArray[np.void],
    e_values: Floats,
    is_watched: NDArray[np.bool_],
    cusum: NDArray[np.bool_],
) -> NDArray[np.void]:
    """New traces, shape (J,), with the totals of `previous` and the evidence of one more window.

    There is a total for each calibrator and side. The mean over calibrators is an e-process, as
    each of them is.
    """
    traces = np.zeros(len(previous), TRACE)
    is_new = np.isnan(previous["level"])
    total = np.where(is_new, 0.0, np.moveaxis(previous["total"], 0, -1))
    base = np.where(cusum, np.maximum(total, 1.0), total + 1.0)
    total = np.where(is_watched, np.minimum(base * e_values, MOST_EVIDENCE), total)
    traces["total"] = np.moveaxis(total, -1, 0)
    traces["judged"] = np.where(is_new, 0.0, previous["judged"])
    traces["since"] = traces["side"] = np.nan
    return traces


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


def _continue_changes(
    traces: NDArray[np.void],
    previous: NDArray[np.void],
    recent_effects: Floats,
    near: Floats,
    is_judged: NDArray[np.bool_],
) -> None:
    """Keep a change on until two of the newest three windows lie within `near` of expectation."""
    is_on = np.isfinite(previous["since"])
    if not is_on.any():
        return
    newest = np.where(np.isfinite(recent_effects[:3]), recent_effects[:3], recent_effects[0])
    median = np.abs(np.sort(newest, axis=0)[1])
    stays = is_on & ~(is_judged & (median < near))
    for name in ("since", "side", "odds"):
        traces[name] = np.where(stays, previous[name], traces[name])
    for stream in np.flatnonzero(is_on):
        traces["total"][stream], traces["judged"][stream] = 0.0, 0.0
        traces["run_evidence"][stream] = 1.0
        if stays[stream]:
            side = int(previous["side"][stream])
            effect = recent_effects[0, stream]
            traces["run_windows"][stream, side] = previous["run_windows"][stream, side] + 1
            traces["run_effects"][stream, side] = previous["run_effects"][stream, side] + (
                effect if side == 0 else -effect
            )
            traces["run_start"][stream, side] = previous["run_start"][stream, side]
            # Above 1, so that the run goes on in the next window.
            traces["run_evidence"][stream, side] = 2.0


def _weights(panel: Panel, is_judged: NDArray[np.bool_], baseline: Baseline) -> Floats:
    """The weight of each total, shape (2, J); strong memory between windows lowers it."""
    penalty = np.where(baseline.memory > STRONG_MEMORY, baseline.inflation**2, 1.0)
    watched_sides = np.maximum(panel.sides.sum(axis=0), 1)
    weights: Floats = budget_shares(panel, is_judged) / penalty * panel.sides / watched_sides
    return weights


def budget_shares(panel: Panel, is_judged: NDArray[Any]) -> Floats:
    """The share of its alarm budget that each stream has, shape (J,).

    The streams where `is_judged` (shape (J,)) is true divide the whole budget.
    """
    weight = panel.weight * is_judged
    family_weight = np.bincount(panel.family, weight, len(panel.shares))
    family_share = np.where(family_weight > 0, panel.shares, 0.0)
    budget_share = np.bincount(panel.budget_of_family, family_share)[panel.budget_of_family]
    scale = family_share / np.where(family_weight > 0, budget_share * family_weight, 1.0)
    shares: Floats = weight * scale[panel.family]
    return shares


def _material_sides(
    traces: NDArray[np.void],
    recent_effects: Floats,
    baseline: Baseline,
    tolerance: Floats,
    is_judged: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Where the lower bound of the effect reaches the tolerance, shape (2, J).

    The bound is the largest of those over the whole run and over each of `SPANS`.
    """
    windows = traces["run_windows"].T
    error = RUN_BOUND * baseline.size_sd * baseline.widening(windows) / np.sqrt(windows)
    lower_bound = traces["run_effects"].T / windows - error
    for span in SPANS:
        is_finite = np.isfinite(recent_effects[:span])
        count = np.maximum(is_finite.sum(axis=0), 1)
        mean = np.where(is_finite, recent_effects[:span], 0.0).sum(axis=0) / count
        error = SPAN_BOUND * baseline.size_sd * baseline.widening(count) / np.sqrt(count)
        span_bound = np.stack([mean, -mean]) - error
        lower_bound = np.where(span < windows, np.maximum(lower_bound, span_bound), lower_bound)
    material: NDArray[np.bool_] = is_judged & (lower_bound >= tolerance)
    return material


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
) -> None:
    """Mark the streams behind an alarm as changed since the begin of their run.

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
            traces["since"][stream] = traces["run_start"][stream, side[stream]]
            traces["side"][stream], traces["odds"][stream] = side[stream], odds[stream]
            traces["total"][stream], traces["judged"][stream] = 0.0, 0.0
            traces["run_evidence"][stream] = 1.0
            traces["run_evidence"][stream, side[stream]] = 2.0
