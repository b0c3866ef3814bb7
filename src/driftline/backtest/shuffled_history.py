"""History in which nothing changes: windows of one season in another order, and how often the
evidence engine alarms then.

What changed once is spread over the whole of it, and trends and memory are gone: windows of one
hour and weekday are alike, so an alarm is a false one. Refuses bounds and p-values: they know no
past, and say the same of a window wherever it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats as law

from driftline.alerting.fact import lane
from driftline.backtest.measure_history import (
    LEAST_SD,
    LEVEL,
    SIZE,
    Floats,
    MeasuredWindows,
    Series,
)
from driftline.backtest.parallel import ReportProgress
from driftline.evaluate.evidence.baseline import DAY, Baseline, Calendar
from driftline.evaluate.evidence.engine import (
    STRONG_MEMORY,
    YEAR,
    AlarmPolicy,
    Observation,
    Panel,
    StreamNumbers,
    add_window,
    budget_shares,
)
from driftline.evaluate.evidence.trail import Stream
from driftline.evaluate.evidence.unusual_rule import observe
from driftline.types.model import Schema
from driftline.types.records import WindowKey

REFRESHED = 7 * DAY
"""How often baselines are made anew here: the windows are alike by construction."""
SURE, STRONG = 0.95, 0.5


@dataclass(frozen=True, slots=True)
class AlarmRate:
    """False alarms in shuffled history."""

    alarms: int
    years: float

    @property
    def mean(self) -> float:
        """Alarms a year."""
        return self.alarms / self.years if self.years else 0.0

    @property
    def upper_bound(self) -> float:
        """The one-sided 95% upper bound of a Poisson rate, a year."""
        return (
            float(law.chi2.ppf(SURE, 2 * self.alarms + 2) / 2 / self.years)
            if self.years
            else np.inf
        )

    @property
    def lower_bound(self) -> float:
        """The one-sided 95% lower bound, a year."""
        return (
            float(law.chi2.ppf(1 - SURE, 2 * self.alarms) / 2 / self.years) if self.alarms else 0.0
        )


@dataclass(frozen=True, slots=True)
class NoisySeries:
    """A series that alarms more often than its share of the budget when nothing changes."""

    series: Series
    rate: AlarmRate
    share: float
    """Alarms a year that are its own."""
    cause: str

    @property
    def column(self) -> str:
        """Empty where it is of none."""
        return dict(self.series.labels).get("column", "")


@dataclass(frozen=True, eq=False)
class SeriesMatrix:
    """The watched series of a model over its windows."""

    starts: NDArray[np.int64]
    """Shape (K,), microseconds."""
    series: tuple[Series, ...]
    observations: tuple[Observation, ...]
    numbers: Floats
    """Level, size and least sd, shape (3, K, J); NaN where there is none."""

    @classmethod
    def of(cls, windows: Sequence[MeasuredWindows], model: str, schema: Schema) -> SeriesMatrix:
        """All watched series that are in any of the windows."""
        places: dict[Series, int] = {}
        found: list[Observation] = []
        rows: list[tuple[int, NDArray[np.int64], Floats]] = []
        layouts: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        for count, window in enumerate(windows):
            if id(window.series) not in layouts:
                watched = [place for place, one in enumerate(window.series) if one.rule is not None]
                for place in watched:
                    one = window.series[place]
                    if one not in places:
                        places[one] = len(found)
                        key = WindowKey(model, window.group[0].key.start, one.version, one.segment)
                        assert one.rule is not None
                        found.append(observe(key, window.row(place), one.rule, schema))
                columns = [places[window.series[place]] for place in watched]
                layouts[id(window.series)] = (
                    np.array(watched, np.int64),
                    np.array(columns, np.int64),
                )
            watched_here, columns_here = layouts[id(window.series)]
            rows.append(
                (count, columns_here, window.numbers[[LEVEL, SIZE, LEAST_SD]][:, watched_here])
            )
        numbers = np.full((3, len(windows), len(found)), np.nan)
        numbers[2] = 0.0
        for count, columns_here, values in rows:
            numbers[:, count, columns_here] = values
        starts = np.array([window.group[0].key.start for window in windows], np.int64)
        return cls(starts, tuple(places), tuple(found), numbers)


def replay_shuffled(
    history: SeriesMatrix,
    policy: AlarmPolicy,
    seeds: Sequence[int],
    note: ReportProgress = lambda done: None,
) -> list[NDArray[np.bool_]]:
    """Where a change begins in each series, shape (K, J), for each seed; these are judged side by
    side.
    """
    calm = replace(policy, baseline_lifetime=REFRESHED)
    orders = [_order(history.starts, policy.length, np.random.default_rng(seed)) for seed in seeds]
    given = [
        replace(one, stream=_numbered(one.stream, number))
        for number in range(len(seeds))
        for one in history.observations
    ]
    panel = Panel.of(given, [number for number in range(len(seeds)) for _ in history.observations])
    trail, width = policy.make_trail(), len(history.observations)
    began = np.zeros((len(history.starts), len(given)), np.bool_)
    for place, start in enumerate(history.starts.tolist()):
        level, size, least_sd = (
            np.concatenate([kind[order[place]] for order in orders]) for kind in history.numbers
        )
        weighed = add_window(trail, start, panel, StreamNumbers(level, size, least_sd), calm)
        began[place] = np.isfinite(weighed.traces["since"]) & ~np.isfinite(
            weighed.previous["since"]
        )
        note(place + 1)
    return [began[:, number * width : (number + 1) * width] for number in range(len(seeds))]


def _numbered(stream: Stream, number: int) -> Stream:
    """The same series in another history; the segment tells them apart, as versions share their
    baselines.
    """
    return stream._replace(segment=f"{stream.segment}\n{number}")


def _order(starts: NDArray[np.int64], length: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Which window stands in each place: those of one hour and weekday exchanged. Month ends are
    too few for a season of their own.
    """
    calendar = Calendar(length)
    season = np.zeros(len(starts), np.int64)
    for group, count in calendar.groups(starts):
        season = season * count + group
    order = np.arange(len(starts))
    for number in np.unique(season).tolist():
        places = np.flatnonzero(season == number)
        order[places] = rng.permutation(places)
    return order


def alarm_rate(
    history: SeriesMatrix, began: Sequence[NDArray[np.bool_]], policy: AlarmPolicy
) -> AlarmRate:
    """Alarms of the model: series that may be one incident, and whose changes begin in one window,
    are one.
    """
    lanes = [lane(one.family, "", "") for one in history.observations]
    own = [np.array([one == about for one in lanes]) for about in sorted(set(lanes))]
    alarms = sum(int(each[:, mine].any(axis=1).sum()) for each in began for mine in own)
    return AlarmRate(alarms, len(began) * len(history.starts) * policy.length / YEAR)


def find_noisy_series(
    history: SeriesMatrix, began: Sequence[NDArray[np.bool_]], policy: AlarmPolicy
) -> list[NoisySeries]:
    """The series that alarm surely more often than their share, most alarms first."""
    panel = Panel.of(history.observations)
    share = policy.false_pages_per_year * budget_shares(panel, np.ones(len(history.observations)))
    found = []
    for place, one in enumerate(history.series):
        known = np.isfinite(history.numbers[0, :, place])
        years = len(began) * float(known.sum()) * policy.length / YEAR
        rate = AlarmRate(sum(int(each[:, place].sum()) for each in began), years)
        if rate.lower_bound > share[place]:
            found.append(
                NoisySeries(one, rate, float(share[place]), _cause(history, place, policy))
            )
    return sorted(found, key=lambda each: -each.rate.mean)


def _cause(history: SeriesMatrix, place: int, policy: AlarmPolicy) -> str:
    """What most likely makes a series alarm of itself."""
    known = np.isfinite(history.numbers[0, :, place])
    levels, starts = history.numbers[0, known, place][:, None], history.starts[known]
    if len(levels) < 2 * policy.min_windows:
        return f"too few windows: {len(levels)}"
    base = Baseline.estimate(levels, levels, starts, policy.length)
    time = np.arange(len(levels))
    slope = float(np.corrcoef(time, levels[:, 0])[0, 1]) if np.ptp(levels) > 0 else 0.0
    if abs(slope) > STRONG:
        return f"a trend: correlation {slope:.2f} with time"
    if float(base.memory[0]) > STRONG_MEMORY:
        return f"memory: correlation {float(base.memory[0]):.2f} with the window before"
    rests = levels[:, 0] - np.median(levels)
    return f"heavy tails: excess kurtosis {float(law.kurtosis(rests)):.1f}"
