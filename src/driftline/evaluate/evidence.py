"""The evidence engine: when the windows of a model add up to more than chance, and in which of its streams.

Each stream's new window is compared with windows like it (season and memory removed), which gives a p-value, and that an
e-value: a number whose expectation is at most 1 while nothing changes. The totals of Shiryaev and Roberts over these, weighted
over the streams, pass `windows per false page` once in so many windows on average, while nothing changes, whatever the streams
have to do with each other (Shin, Ramdas and Rinaldo 2024, "E-detectors"; Roberts 1966). Refuses to alarm for a change too small
to matter, and to know what a measurement means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftline import stats
from driftline.evaluate.baseline import DAY, Baseline, Floats
from driftline.evaluate.trail import TRACE, Stream, Trail

YEAR = 365.25 * DAY
LAG = 14
"""Windows that a change has to be found in before it would join the baseline."""
FEWEST, FEWEST_LONG, DAYS = 28, 20, 14
"""Baseline windows that are needed, for windows longer than a day, and the days that shorter ones must span."""
DAILY, SHORTER, WEEKS = 120, 2016, 8
"""The most baseline windows: of a day or longer, of shorter ones, and the weeks that these span at most."""
KAPPA = 0.3
"""Beside the average of all calibrators k p^(k-1), this one: it is quicker where evidence comes in small pieces."""
BOUND, SPAN_BOUND = 2.0, 3.0
"""Standard errors by which the effect must be beyond what matters: over the whole run, and over its newest windows, of which
there are many to choose from."""
SPANS = (2, 4, 7, 14)
"""Windows over which an effect is averaged, beside the whole run."""
SHARES = {"performance": 0.40, "quality": 0.25, "drift": 0.25, "service": 0.25, "business": 0.10}
"""Of the budget for false pages, by family; those that a model has share all of it."""
MEMORY_FROM = 0.3
NAMED = 0.1
"""e-BH names the streams that moved at this level."""
WITHIN = 7
"""Windows within which a change should be found, for what is said of the smallest one that would be."""
FOUND_WITHIN = 0.29
"""Deviations that add up to one unit of log evidence in WITHIN windows, as measured: 2.9 for 10 units."""


@dataclass(frozen=True, slots=True)
class Given:
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
    kin: bool = False
    """Whether other model versions have the same stream: of features, not of what the model makes of them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out for one stream; sizes in the unit of `Given.size`."""

    windows: int
    """Of its baseline."""
    missing: int
    """Windows that the baseline still lacks."""
    changed: bool = False
    since: int | None = None
    """Of the change that is on: start of its first window, as estimated; microseconds."""
    odds: float = 0.0
    """Of the change that is on: 1 to this against chance, when it was found."""
    effect: float = 0.0
    """Over the change that is on, the mean; else of this window."""
    expected: float = 0.0
    sd: float = 0.0
    """Of sizes, between windows."""
    recent: float = 0.0
    """Mean effect over the newest 7 windows."""
    recent_error: float = math.inf
    """Its standard error, that of what is expected included."""
    surprise: float = 1.0
    """The p-value of this window alone, on the sides that are watched."""
    seen_from: float = math.inf
    """The smallest lasting effect that would be found within 7 windows at this traffic."""
    before: float = math.nan
    """Size of the window before."""
    usual: float = 0.0
    """Mean size of the baseline."""
    usual_error: float = math.inf


@dataclass(frozen=True, slots=True)
class Policy:
    """How long windows are, and how often nothing may look like something."""

    length: int
    """Microseconds."""
    false_pages_per_year: float = 1.0

    @property
    def bar(self) -> float:
        """Windows per false page: what the weighted totals have to reach."""
        return YEAR / self.length / self.false_pages_per_year

    @property
    def most(self) -> int:
        """Windows of a baseline at most."""
        if self.length >= DAY:
            return DAILY
        return max(DAILY, min(SHORTER, WEEKS * 7 * DAY // self.length))

    @property
    def needed(self) -> int:
        """Windows of a baseline at least."""
        if self.length > DAY:
            return FEWEST_LONG
        return min(max(FEWEST, -(-DAYS * DAY // self.length)), self.most // 2) if self.length < DAY else FEWEST

    def trail(self) -> Trail:
        """An empty trail."""
        return Trail(self.length, self.most, LAG)


def advance(trail: Trail, start: int, given: Sequence[Given], policy: Policy) -> tuple[list[Outcome], NDArray[np.void]]:
    """Judge the window `start` of each stream, and add it to the trail. Returns the outcomes and the traces, in order."""
    streams = [one.stream for one in given]
    columns = trail.places(streams)
    every = DAY if policy.length < DAY else 0
    baseline = trail.baseline(start, streams, [one.kin for one in given], policy.needed, every)
    last, before = trail.last(start, columns), trail.before(start, columns)
    level, size = np.array([one.level for one in given]), np.array([one.size for one in given])
    seen = baseline.see(start, level, size, before, np.array([one.least_sd for one in given]))
    sides = np.array([[one.above for one in given], [one.below for one in given]])
    judged = np.isfinite(level) & np.isfinite(size) & (baseline.windows >= policy.needed)
    p = np.where(sides & judged, np.nan_to_num(seen.p, nan=1.0), 1.0)
    now = _added(last, p, sides & judged, np.array([one.cusum for one in given]), start, seen.effect)
    now["level"], now["size"] = np.where(np.isfinite(size), level, np.nan), size
    now["effect"], now["deviation"] = seen.effect, seen.deviation
    now["judged"] += judged
    recent = np.vstack((seen.effect[None], trail.effects(start, columns, SPANS[-1] - 1)))
    tolerance = np.array([one.tolerance for one in given])
    _go_on(now, last, recent, np.maximum(tolerance / 2, baseline.size_sd), judged, seen.effect)
    weights = _weights(given, judged, sides, baseline)
    _alarm(now, weights, _material(now, recent, baseline, tolerance, judged), start, policy)
    trail.put(start, streams, now)
    return _outcomes(now, last, given, baseline, recent, p, weights, policy), now


def _added(
    last: NDArray[np.void], p: Floats, watched: NDArray[np.bool_], cusum: NDArray[np.bool_], start: int, effect: Floats
) -> NDArray[np.void]:
    """The evidence of one more window added; shape (J,)."""
    now = np.zeros(len(last), TRACE)
    e = np.stack([stats.calibrate(p), KAPPA * np.maximum(p, 1e-200) ** (KAPPA - 1)])
    total = np.nan_to_num(np.moveaxis(last["total"], 0, -1))
    joined = np.where(cusum, np.maximum(total, 1.0), total + 1.0)
    now["total"] = np.moveaxis(np.where(watched, np.minimum(joined * e, 1e200), total), -1, 0)
    capital = np.nan_to_num(last["capital"].T, nan=1.0)
    fresh = capital <= 1.0
    signed = np.stack([effect, -effect])
    windows = np.where(fresh, 0.0, np.nan_to_num(last["windows"].T)) + 1
    effects = np.where(fresh, 0.0, np.nan_to_num(last["effects"].T)) + signed
    began = np.where(fresh, float(start), last["began"].T)
    now["capital"] = np.where(watched, np.clip(np.maximum(capital, 1.0) * e[0], 1.0, 1e200), 1.0).T
    now["windows"], now["effects"], now["began"] = windows.T, effects.T, began.T
    now["judged"] = np.nan_to_num(last["judged"])
    now["since"] = now["side"] = np.nan
    return now


def _go_on(
    now: NDArray[np.void], last: NDArray[np.void], recent: Floats, near: Floats, judged: NDArray[np.bool_], effect: Floats
) -> None:
    """A change that is on stays on until two of the newest three windows are near what is expected."""
    on = np.isfinite(last["since"])
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
            now["effects"][place, side] = last["effects"][place, side] + (effect[place] if side == 0 else -effect[place])
            now["began"][place, side] = last["began"][place, side]
            # Above 1, so that the run goes on in the next window.
            now["capital"][place, side] = 2.0


def _weights(given: Sequence[Given], judged: NDArray[np.bool_], sides: NDArray[np.bool_], baseline: Baseline) -> Floats:
    """Each stream's and side's share of the budget, shape (2, J); strong memory between windows lowers it."""
    own = np.array([one.weight for one in given]) * judged
    family = [one.family for one in given]
    shares = {
        name: SHARES.get(name, min(SHARES.values())) for name in {f for f, known in zip(family, judged, strict=True) if known}
    }
    whole = sum(shares.values())
    total = {name: sum(w for w, f in zip(own, family, strict=True) if f == name) for name in shares}
    scale = np.array([shares[f] / whole / total[f] if total.get(f) else 0.0 for f in family])
    memory = np.where(baseline.memory > MEMORY_FROM, baseline.inflation**2, 1.0)
    found: Floats = own * scale / memory * sides / np.maximum(sides.sum(axis=0), 1)
    return found


def _material(
    now: NDArray[np.void], recent: Floats, baseline: Baseline, tolerance: Floats, judged: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Where the effect is beyond what matters, error allowed for: over the whole run, or over its newest windows; (2, J)."""
    windows = now["windows"].T
    widened = np.where(windows > 1, baseline.inflation, 1.0)
    lower = now["effects"].T / windows - BOUND * baseline.size_sd * widened / np.sqrt(windows)
    for span in SPANS:
        known = np.isfinite(recent[:span])
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, recent[:span], 0.0).sum(axis=0) / count
        margin = SPAN_BOUND * baseline.size_sd * baseline.inflation / np.sqrt(count)
        lower = np.where(span < windows, np.maximum(lower, np.stack([mean, -mean]) - margin), lower)
    found: NDArray[np.bool_] = judged & (lower >= tolerance)
    return found


def _alarm(now: NDArray[np.void], weights: Floats, material: NDArray[np.bool_], start: int, policy: Policy) -> None:
    """Where the weighted totals of what matters reach the bar, the streams behind it are changed since their run began."""
    evidence = now["total"].mean(axis=1).T * material
    if (weights * evidence).sum() < policy.bar:
        return
    side = np.argmax(evidence, axis=0)
    strongest = evidence.max(axis=0)
    odds = strongest / np.maximum(now["judged"], 1)
    named = stats.e_bh(odds, NAMED) & (strongest > 0)
    named[np.argmax((weights * evidence).max(axis=0))] = True
    for place in np.flatnonzero(named):
        now["since"][place] = now["began"][place, side[place]]
        now["side"][place], now["odds"][place] = side[place], odds[place]
        now["total"][place], now["judged"][place] = 0.0, 0.0
        now["capital"][place] = 1.0
        now["capital"][place, side[place]] = 2.0


def _outcomes(
    now: NDArray[np.void],
    last: NDArray[np.void],
    given: Sequence[Given],
    baseline: Baseline,
    recent: Floats,
    p: Floats,
    weights: Floats,
    policy: Policy,
) -> list[Outcome]:
    newest = recent[:WITHIN]
    known = np.isfinite(newest)
    count = np.maximum(known.sum(axis=0), 1)
    means = np.where(known, newest, 0.0).sum(axis=0) / count
    windows = baseline.windows
    error = baseline.size_sd * baseline.inflation * np.sqrt(1 / count + 1 / np.maximum(windows, 1))
    share = weights.max(axis=0)
    wanted = FOUND_WITHIN * np.log(np.maximum(policy.bar / np.where(share > 0, share, 1.0), math.e))
    on = np.isfinite(now["since"])
    side = np.where(on, now["side"], 0).astype(np.int64)
    places = np.arange(len(given))
    ran = now["effects"][places, side] / np.maximum(now["windows"][places, side], 1) * np.where(side == 0, 1.0, -1.0)
    columns = (
        windows.astype(np.int64),
        np.maximum(policy.needed - windows, 0).astype(np.int64),
        on,
        np.where(on, now["since"], 0).astype(np.int64),
        np.where(on, now["odds"], 0.0),
        np.where(on, ran, now["effect"]),
        now["size"] - now["effect"],
        baseline.size_sd,
        means,
        error,
        p.min(axis=0),
        np.maximum([one.tolerance for one in given], wanted * baseline.size_sd),
        last["size"],
        baseline.size_mean,
        baseline.size_sd * baseline.inflation / np.sqrt(np.maximum(windows, 1)),
    )
    known_now = np.isfinite(now["level"])
    found = []
    for known_here, *values in zip(known_now.tolist(), *(column.tolist() for column in columns), strict=True):
        if not known_here:
            found.append(Outcome(values[0], 0))
            continue
        if not values[2]:
            values[3] = None
        found.append(Outcome(*values))
    return found
