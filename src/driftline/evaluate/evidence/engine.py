"""The evidence engine: when the windows of a model add up to more than chance, and in which of its
streams.

Each stream's new window is compared with windows like it (season and memory removed), which gives a
p-value, and that an e-value: a number whose expectation is at most 1 while nothing changes. The
totals of Shiryaev and Roberts over these, weighted over the streams, pass `windows per false page`
once in so many windows on average, while nothing changes, whatever the streams have to do with each
other (Shin, Ramdas and Rinaldo 2024, "E-detectors"; Roberts 1966). Refuses to alarm for a change
too small to matter, and to know what a measurement means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline import stats
from driftline.evaluate.evidence.baseline import DAY, Baseline, Floats
from driftline.evaluate.evidence.trail import TRACE, Stream, Trail

YEAR = 365.25 * DAY
LAG = 14
"""Windows that a change has to be found in before it would join the baseline."""
FEWEST, FEWEST_LONG, DAYS = 28, 20, 14
"""Baseline windows that are needed, for windows longer than a day, and the days that shorter ones
must span.
"""
DAILY, SHORTER, WEEKS = 120, 2016, 8
"""The most baseline windows: of a day or longer, of shorter ones, and the weeks that these span at
most.
"""
KAPPA = 0.3
"""Beside the average of all calibrators k p^(k-1), this one: it is quicker where evidence comes in
small pieces.
"""
BOUND, SPAN_BOUND = 2.0, 3.0
"""Standard errors by which the effect must be beyond what matters: over the whole run, and over its
newest windows, of which there are many to choose from.
"""
SPANS = (2, 4, 7, 14)
"""Windows over which an effect is averaged, beside the whole run."""
SHARES = {"performance": 0.40, "quality": 0.25, "drift": 0.25, "service": 0.25, "business": 0.10}
"""Of the budget for false pages, by family; those that a model has share all of it."""
STRONG_MEMORY = 0.3
NAMED = 0.1
"""e-BH names the streams that moved at this level."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One stream's number of one window, and what matters about it."""

    stream: Stream
    level: float
    """NaN where there is none."""
    size: float
    least_sd: float = 0.0
    """Of the level, made by the number of rows alone."""
    tolerance: float = 0.0
    """Changes of size below it don't matter."""
    above: bool = True
    below: bool = True
    """Which sides are watched."""
    family: str = "drift"
    weight: float = 1.0
    """Of its family's share, beside the other streams."""
    cusum: bool = False
    """Whether CUSUM adds up the evidence, not Shiryaev-Roberts."""
    shared_by_versions: bool = False
    """Whether other model versions have the same stream: of features, not of what the model makes
    of them.
    """


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """J streams that are judged together: what about them stays the same from window to window."""

    streams: tuple[Stream, ...]
    tolerance: Floats
    sides: NDArray[np.bool_]
    """Which are watched, shape (2, J): above, below."""
    family: NDArray[np.int64]
    """Of each stream, the place of its family of its budget in `shares`."""
    shares: Floats
    """What the families have of their budgets."""
    budget_of_family: NDArray[np.int64]
    budget: NDArray[np.int64]
    """Streams of one number share one budget: all streams of a model."""
    weight: Floats
    cusum: NDArray[np.bool_]
    shared_by_versions: tuple[bool, ...]

    @classmethod
    def of(cls, given: Sequence[Observation], budgets: Sequence[int] | None = None) -> Panel:
        """Of one window's numbers."""
        budget = np.array(budgets if budgets is not None else [0] * len(given), np.int64)
        named = [(int(number), one.family) for number, one in zip(budget, given, strict=True)]
        known = {name: place for place, name in enumerate(dict.fromkeys(named))}
        return cls(
            tuple(one.stream for one in given),
            np.array([one.tolerance for one in given]),
            np.array([[one.above for one in given], [one.below for one in given]]),
            np.array([known[name] for name in named], np.int64),
            np.array([SHARES.get(family, min(SHARES.values())) for _, family in known]),
            np.array([number for number, _ in known], np.int64),
            budget,
            np.array([one.weight for one in given]),
            np.array([one.cusum for one in given]),
            tuple(one.shared_by_versions for one in given),
        )


@dataclass(frozen=True, slots=True, eq=False)
class WindowEvidence:
    """What one window came to, by stream; shapes (J,) or (2, J)."""

    traces: NDArray[np.void]
    """The traces."""
    previous: NDArray[np.void]
    """Those of the window before."""
    baseline: Baseline
    recent_effects: Floats
    """Effects of the newest windows, newest first, shape (windows, J)."""
    p_values: Floats
    """By side; 1 where a side is not watched."""
    weights: Floats
    """By side, of the budget."""


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """How long windows are, and how often nothing may look like something."""

    length: int
    """Microseconds."""
    false_pages_per_year: float = 1.0
    baseline_lifetime: int = 0
    """Microseconds for which a baseline is not made anew, if that is longer than usual."""

    @property
    def refresh_interval(self) -> int:
        """Microseconds after which a baseline is made anew: 0 for every window, a day where windows
        are shorter.
        """
        return max(self.baseline_lifetime, DAY if self.length < DAY else 0)

    @property
    def alarm_threshold(self) -> float:
        """Windows per false page: what the weighted totals have to reach."""
        return YEAR / self.length / self.false_pages_per_year

    @property
    def max_windows(self) -> int:
        """Windows of a baseline at most."""
        if self.length >= DAY:
            return DAILY
        return max(DAILY, min(SHORTER, WEEKS * 7 * DAY // self.length))

    @property
    def min_windows(self) -> int:
        """Windows of a baseline at least."""
        if self.length > DAY:
            return FEWEST_LONG
        return (
            min(max(FEWEST, -(-DAYS * DAY // self.length)), self.max_windows // 2)
            if self.length < DAY
            else FEWEST
        )

    def make_trail(self) -> Trail:
        """An empty trail."""
        return Trail(self.length, self.max_windows, LAG)


def add_window(
    trail: Trail,
    start: int,
    panel: Panel,
    level: Floats,
    size: Floats,
    least_sd: Floats,
    policy: AlarmPolicy,
) -> WindowEvidence:
    """The window `start` of each stream weighed, and added to the trail; `level`, `size`,
    `least_sd` as in `Given`, (J,).
    """
    columns = trail.columns_of(panel.streams)
    baseline = trail.baseline(
        start, panel.streams, panel.shared_by_versions, policy.min_windows, policy.refresh_interval
    )
    last, before = trail.newest_before(start, columns), trail.levels_before(start, columns)
    seen = baseline.compare(start, level, size, before, least_sd)
    judged = np.isfinite(level) & np.isfinite(size) & (baseline.windows >= policy.min_windows)
    watched = panel.sides & judged
    p = np.where(watched & ~np.isnan(seen.p), seen.p, 1.0)
    now = _added(last, p, watched, panel.cusum, start, seen.effect)
    now["level"], now["size"] = np.where(np.isfinite(size), level, np.nan), size
    now["effect"], now["deviation"] = seen.effect, seen.deviation
    now["judged"] += judged
    recent = np.vstack((seen.effect[None], trail.effects_before(start, columns, SPANS[-1] - 1)))
    _go_on(
        now, last, recent, np.maximum(panel.tolerance / 2, baseline.size_sd), judged, seen.effect
    )
    weights = _weights(panel, judged, baseline)
    evidence = now["total"].mean(axis=1).T
    if _over(weights * evidence, panel, policy).any():
        _alarm(
            now,
            weights,
            evidence * _material(now, recent, baseline, panel.tolerance, judged),
            panel,
            policy,
        )
    trail.write(start, panel.streams, now)
    return WindowEvidence(now, last, baseline, recent, p, weights)


def _added(
    last: NDArray[np.void],
    p: Floats,
    watched: NDArray[np.bool_],
    cusum: NDArray[np.bool_],
    start: int,
    effect: Floats,
) -> NDArray[np.void]:
    """The evidence of one more window added; shape (J,)."""
    now = np.zeros(len(last), TRACE)
    e = np.stack([stats.calibrate(p), KAPPA * np.maximum(p, 1e-200) ** (KAPPA - 1)])
    fresh = np.isnan(last["level"])
    total = np.where(fresh, 0.0, np.moveaxis(last["total"], 0, -1))
    joined = np.where(cusum, np.maximum(total, 1.0), total + 1.0)
    now["total"] = np.moveaxis(np.where(watched, np.minimum(joined * e, 1e200), total), -1, 0)
    capital = np.where(fresh, 1.0, last["capital"].T)
    begins = capital <= 1.0
    signed = np.stack([effect, -effect])
    windows = np.where(begins, 0.0, last["windows"].T) + 1
    effects = np.where(begins, 0.0, last["effects"].T) + signed
    began = np.where(begins, float(start), last["began"].T)
    now["capital"] = np.where(watched, np.clip(np.maximum(capital, 1.0) * e[0], 1.0, 1e200), 1.0).T
    now["windows"], now["effects"], now["began"] = windows.T, effects.T, began.T
    now["judged"] = np.where(fresh, 0.0, last["judged"])
    now["since"] = now["side"] = np.nan
    return now


def _go_on(
    now: NDArray[np.void],
    last: NDArray[np.void],
    recent: Floats,
    near: Floats,
    judged: NDArray[np.bool_],
    effect: Floats,
) -> None:
    """A change that is on stays on until two of the newest three windows are near what is
    expected.
    """
    on = np.isfinite(last["since"])
    if not on.any():
        return
    newest = np.where(np.isfinite(recent[:3]), recent[:3], recent[0])
    middle = np.abs(np.sort(newest, axis=0)[1])
    stays = on & ~(judged & (middle < near))
    for name in ("since", "side", "odds"):
        now[name] = np.where(stays, last[name], now[name])
    for place in np.flatnonzero(on):
        now["total"][place], now["capital"][place], now["judged"][place] = 0.0, 1.0, 0.0
        if stays[place]:
            side = int(last["side"][place])
            now["windows"][place, side] = last["windows"][place, side] + 1
            now["effects"][place, side] = last["effects"][place, side] + (
                effect[place] if side == 0 else -effect[place]
            )
            now["began"][place, side] = last["began"][place, side]
            # Above 1, so that the run goes on in the next window.
            now["capital"][place, side] = 2.0


def _weights(panel: Panel, judged: NDArray[np.bool_], baseline: Baseline) -> Floats:
    """Each stream's and side's share of its budget, shape (2, J); strong memory between windows
    lowers it.
    """
    memory = np.where(baseline.memory > STRONG_MEMORY, baseline.inflation**2, 1.0)
    found: Floats = (
        budget_shares(panel, judged) / memory * panel.sides / np.maximum(panel.sides.sum(axis=0), 1)
    )
    return found


def budget_shares(panel: Panel, judged: NDArray[Any]) -> Floats:
    """What each stream has of its budget, shape (J,): those that are judged share all of it."""
    own = panel.weight * judged
    members = np.bincount(panel.family, own, len(panel.shares))
    of_family = np.where(members > 0, panel.shares, 0.0)
    whole = np.bincount(panel.budget_of_family, of_family)[panel.budget_of_family]
    scale = of_family / np.where(members > 0, whole * members, 1.0)
    found: Floats = own * scale[panel.family]
    return found


def _material(
    now: NDArray[np.void],
    recent: Floats,
    baseline: Baseline,
    tolerance: Floats,
    judged: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Where the effect is beyond what matters, error allowed for: over the whole run, or over its
    newest windows; (2, J).
    """
    windows = now["windows"].T
    lower = now["effects"].T / windows - BOUND * baseline.size_sd * baseline.widening(
        windows
    ) / np.sqrt(windows)
    for span in SPANS:
        known = np.isfinite(recent[:span])
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, recent[:span], 0.0).sum(axis=0) / count
        margin = SPAN_BOUND * baseline.size_sd * baseline.widening(count) / np.sqrt(count)
        lower = np.where(span < windows, np.maximum(lower, np.stack([mean, -mean]) - margin), lower)
    found: NDArray[np.bool_] = judged & (lower >= tolerance)
    return found


def _over(weighted: Floats, panel: Panel, policy: AlarmPolicy) -> NDArray[np.bool_]:
    """Which budgets' weighted evidence reaches the bar."""
    found: NDArray[np.bool_] = (
        np.bincount(panel.budget, weighted.sum(axis=0)) >= policy.alarm_threshold
    )
    return found


def _alarm(
    now: NDArray[np.void], weights: Floats, evidence: Floats, panel: Panel, policy: AlarmPolicy
) -> None:
    """Where the weighted totals of what matters reach the bar, the streams behind it are changed
    since their run began.
    """
    side = np.argmax(evidence, axis=0)
    strongest, weighted = evidence.max(axis=0), weights * evidence
    odds = strongest / np.maximum(now["judged"], 1)
    for budget in np.flatnonzero(_over(weighted, panel, policy)):
        mine = np.flatnonzero(panel.budget == budget)
        named = mine[stats.e_bh(odds[mine], NAMED) & (strongest[mine] > 0)]
        for place in {int(mine[np.argmax(weighted[:, mine].max(axis=0))]), *named.tolist()}:
            now["since"][place] = now["began"][place, side[place]]
            now["side"][place], now["odds"][place] = side[place], odds[place]
            now["total"][place], now["judged"][place] = 0.0, 0.0
            now["capital"][place] = 1.0
            now["capital"][place, side[place]] = 2.0
