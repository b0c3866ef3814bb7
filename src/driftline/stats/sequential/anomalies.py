"""Scores the values of a series one by one, each from the values before it alone.

Several forecasts run side by side: the last value, two moving averages, a trend, and a season once
a period is found. They are weighted by how well they did lately. The score compares the error of
the weighted forecast with the usual error. A moving average of errors finds changes that are small
and last. Large errors are cut before they enter a forecast or the usual error, so that an anomaly
does not hide the next one.

Sources: Hill 1975 (heavy tails); Winters 1960 (season and trend); Gelper, Fried & Croux 2010 (cut
errors); Cesa-Bianchi & Lugosi 2006 (weighted forecasts).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from driftline.stats.sequential.periods import find_period
from driftline.types.arrays import Floats

WARM_UP = 12
"""Values before the first score above 0."""
MEMORY = 4096
"""Newest values in which a period is looked for."""
FIRST_SEARCH = 32
"""Values before the first search for a period; then after each half as many more."""
CUT = 4.0
"""Usual errors at which an error is cut before it is learnt from."""
FORGET = 0.03
"""The weight of the newest error in the usual error of a forecast."""
SHARPNESS = 4.0
"""How much better forecasts count more."""
SLOW, FAST = 0.05, 0.4
"""Weights of the newest value in the two moving averages."""
TREND = 0.05
"""The weight of the newest step in the slope of the trend, relative to `FAST`."""
DRIFT = 0.25
"""The weight of the newest error in the moving average of errors."""
RECENT = 512
"""Newest errors that show how heavy their tail is."""
FEWEST_ERRORS = 100
"""Errors before the weight of their tail is measured."""
TAIL_SHARE = 0.1
"""The share of errors by which the tail is measured (Hill 1975)."""
ACCEPTED = 5
"""Anomalies in a row after which their middle is the new level."""
FREEDOM = 20.0
"""Degrees of freedom of Student's t, by which an error becomes a score."""
HUGE = 1e100
"""Largest absolute value of a series that is scored in its own unit."""
ANOMALY = 0.998
"""The least score of an anomaly."""


@dataclass(frozen=True, slots=True)
class ScoredValue:
    """One value with its score."""

    value: float
    score: float
    """From 0, as usual, to 1."""
    expected: float | None
    """The forecast; None for the first value."""

    @property
    def is_anomaly(self) -> bool:
        """Whether the score is at least `ANOMALY`."""
        return self.score >= ANOMALY


class AnomalyScorer:
    """Scores a series in one pass, in bounded memory.

    A value that is no finite number has the score 0 and is left out.
    """

    def __init__(self) -> None:
        self._values: list[float] = []
        self._count = 0
        self._next_search = FIRST_SEARCH
        self._slow = self._fast = self._level = self._slope = 0.0
        self._period: int | None = None
        self._season: list[float] = []
        self._base = 0.0
        self._losses = np.zeros(5)
        """The usual absolute error of each forecast; the last is that of the season."""
        self._usual = 0.0
        """The usual absolute error of the weighted forecast."""
        self._drift = 0.0
        self._last = 0.0
        """The newest value, with its error cut."""
        self._errors: deque[float] = deque(maxlen=RECENT)
        """Absolute errors in usual ones."""
        self._in_a_row = 0

    def update(self, value: float) -> ScoredValue:
        """Return the next value with its score, and learn from it."""
        if not math.isfinite(value):
            return ScoredValue(value, 0.0, None)
        if not self._count:
            self._last = self._slow = self._fast = self._level = self._base = value
            self._remember(value)
            return ScoredValue(value, 0.0, None)
        forecasts = self._forecasts()
        expected = self._weigh(forecasts)
        error = value - expected
        floor = 1e-9 * max(abs(value), abs(expected)) + 1e-300
        usual = max(self._usual * 1.2533, floor)  # The sd of normal errors of this mean size.
        score = 0.0
        if self._count >= WARM_UP:
            spread = usual * math.sqrt(DRIFT / (2 - DRIFT))
            drift = (1 - DRIFT) * self._drift + DRIFT * self._cut(error, usual)
            tails = min(self._heavier_tail(abs(error) / usual), 2 * _tail(abs(drift) / spread))
            score = min(max(1.0 - 2.0 * tails, 0.0), 1.0)
        self._learn(value, error, forecasts, usual)
        self._errors.append(abs(error) / usual)
        self._in_a_row = self._in_a_row + 1 if score >= ANOMALY else 0
        if self._in_a_row >= ACCEPTED:
            self._accept(np.array(self._values[-ACCEPTED:]))
        return ScoredValue(value, score, expected)

    def _heavier_tail(self, z: float) -> float:
        """The upper tail beyond `z`: the heavier one of Student's t and of the newest errors."""
        tail = _tail(z)
        if len(self._errors) < FEWEST_ERRORS:
            return tail
        errors = np.sort(np.fromiter(self._errors, np.float64))[::-1]
        count = int(TAIL_SHARE * len(errors))
        bound = errors[count]
        if not 0 < bound < z:
            return tail
        # The largest errors may be anomalies: they say nothing of the usual tail.
        usual_errors = errors[count // 10 : count]
        index = float(np.mean(np.log(usual_errors / bound)))
        if index <= 0:
            return tail
        return max(tail, TAIL_SHARE / 2 * float((z / bound) ** (-1 / index)))

    def _accept(self, newest: Floats) -> None:
        """Take the level of the newest values as the new one, and their spread as usual."""
        level = float(np.median(newest))
        self._usual = max(self._usual, float(np.mean(np.abs(newest - level))))
        shift = level - self._level
        self._last = self._slow = self._fast = self._level = level
        self._slope = self._drift = 0.0
        self._base += shift
        self._in_a_row = 0

    def _forecasts(self) -> Floats:
        season = math.nan
        if self._period is not None:
            season = self._base + self._season[self._count % self._period]
        return np.array([self._last, self._slow, self._fast, self._level + self._slope, season])

    def _weigh(self, forecasts: Floats) -> float:
        known = ~np.isnan(forecasts)
        losses = self._losses[known] + 1e-12 * (1 + np.abs(forecasts[known]).max())
        weights = (losses.min() / losses) ** SHARPNESS
        return float(weights @ forecasts[known] / weights.sum())

    def _cut(self, error: float, usual: float) -> float:
        return min(max(error, -CUT * usual), CUT * usual)

    def _learn(self, value: float, error: float, forecasts: Floats, usual: float) -> None:
        rate = max(FORGET, 1 / (self._count + 1))
        is_warm = self._count >= WARM_UP
        cut = self._cut(error, usual) if is_warm else error
        self._drift = (1 - DRIFT) * self._drift + DRIFT * cut
        self._usual += rate * (abs(cut) - self._usual)
        errors = np.abs(value - forecasts)
        known = ~np.isnan(errors)
        if is_warm:
            errors = np.minimum(errors, CUT * np.maximum(self._losses, usual))
        self._losses[known] += rate * (errors[known] - self._losses[known])
        gain = value if not is_warm else float(self._weigh(forecasts)) + cut
        self._slow += max(SLOW, 1 / (self._count + 1)) * (gain - self._slow)
        self._fast += FAST * (gain - self._fast)
        level = self._level + self._slope
        self._level = level + FAST * (gain - level)
        self._slope += FAST * TREND * (gain - level)
        if self._period is not None:
            place = self._count % self._period
            off = gain - self._base - self._season[place]
            self._base += 0.1 * off
            self._season[place] += 0.3 * off
        self._last = gain
        self._remember(value)
        if self._count >= self._next_search:
            self._search()

    def _remember(self, value: float) -> None:
        self._count += 1
        self._values.append(value)
        if len(self._values) > 2 * MEMORY:
            del self._values[:MEMORY]

    def _search(self) -> None:
        """Look for a period, and start the season of a new one from the values so far."""
        self._next_search = int(1.5 * self._next_search)
        recent = np.array(self._values[-MEMORY:])
        period = find_period(recent)
        if period is None or period == self._period:
            return
        self._period = period
        first = self._count - len(recent)
        phases = (first + np.arange(len(recent))) % period
        newest = recent[-period:]
        self._base = float(np.median(newest))
        whole = recent - np.median(recent)
        self._season = [float(np.median(whole[phases == phase])) for phase in range(period)]
        fit = self._base + np.array(self._season)[phases[-period:]]
        self._losses[-1] = float(np.mean(np.abs(newest - fit)))


def score_series(values: Iterable[float]) -> Iterator[ScoredValue]:
    """Yield the values of a series with their scores, in order; each from those before it alone.

    A value that is no finite number has the score 0 and no forecast, and is left out of later ones.
    The first `WARM_UP` values have the score 0.
    """
    scorer = AnomalyScorer()
    series = [float(value) for value in values]
    size = max((abs(value) for value in series if math.isfinite(value)), default=0.0)
    if size == 0 or 1 / HUGE <= size <= HUGE:
        return (scorer.update(value) for value in series)
    # Squares of huge and of tiny numbers do not exist.
    scored = ((value, scorer.update(value / size)) for value in series)
    return (
        replace(item, value=value, expected=None if item.expected is None else item.expected * size)
        for value, item in scored
    )


def _tail(z: float) -> float:
    """Return the probability of a Student's t with `FREEDOM` degrees above `z`."""
    from scipy.special import stdtr

    return float(stdtr(FREEDOM, -z))
