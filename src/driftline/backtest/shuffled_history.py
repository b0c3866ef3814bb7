"""Shuffled history: stored windows in an order in which nothing changes, and its false alarms.

Days of one weekday change places. Trends and memory disappear, and windows of known incidents are
left out, so an alarm in such a history is a false one.

Does not replay bounds and p-values: they judge a window the same wherever it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats as law

from driftline.alerting.fact import lane_of
from driftline.backtest.measure_history import ENGINE_ROWS, MeasuredSeries, MeasuredWindows
from driftline.backtest.parallel import ReportProgress
from driftline.backtest.score import KnownIncident
from driftline.evaluate.evidence.alarm_policy import YEAR, AlarmPolicy
from driftline.evaluate.evidence.baseline import Baseline
from driftline.evaluate.evidence.engine import STRONG_MEMORY, add_window, budget_shares
from driftline.evaluate.evidence.observation import Observation, Panel, StreamNumbers
from driftline.evaluate.evidence.trail import Stream
from driftline.evaluate.evidence.unusual_rule import make_observation
from driftline.types.arrays import Floats
from driftline.types.model import Schema
from driftline.types.records import WindowKey
from driftline.types.times import DAY_MICROS, as_micros

BASELINE_LIFETIME = 7 * DAY_MICROS
"""How long a baseline is used here: windows are alike, so it need not be newer."""
CONFIDENCE = 0.95
"""Confidence of the bounds of an alarm rate."""
STRONG_TREND = 0.5
"""Correlation with time from which a trend is named as the likely cause."""


@dataclass(frozen=True, slots=True)
class AlarmRate:
    """False alarms in shuffled history; a Poisson rate with exact one-sided bounds."""

    alarms: int
    years: float

    @property
    def mean(self) -> float:
        """Alarms a year; 0 without windows."""
        return self.alarms / self.years if self.years else 0.0

    @property
    def upper_bound(self) -> float:
        """The 95% upper bound, alarms a year (Garwood 1936)."""
        if not self.years:
            return np.inf
        return float(law.chi2.ppf(CONFIDENCE, 2 * self.alarms + 2) / 2 / self.years)

    @property
    def lower_bound(self) -> float:
        """The 95% lower bound, alarms a year (Garwood 1936)."""
        if not self.alarms:
            return 0.0
        return float(law.chi2.ppf(1 - CONFIDENCE, 2 * self.alarms) / 2 / self.years)


@dataclass(frozen=True, slots=True)
class NoisySeries:
    """A series that alarms more often than its share of the budget while nothing changes."""

    series: MeasuredSeries
    rate: AlarmRate
    share: float
    """Its share of the budget, alarms a year."""
    cause: str
    """The likely cause, for people."""

    @property
    def column(self) -> str:
        """The column that it measures; empty when it measures none."""
        return dict(self.series.labels).get("column", "")


@dataclass(frozen=True, eq=False)
class SeriesMatrix:
    """The series of a model that are judged by earlier windows: K windows, J series."""

    starts: NDArray[np.int64]
    """Shape (K,), microseconds."""
    series: tuple[MeasuredSeries, ...]
    """Length J."""
    observations: tuple[Observation, ...]
    """The first observation of each series, length J."""
    numbers: Floats
    """The numbers of `ENGINE_ROWS`, shape (6, K, J); NaN where there is none."""

    @classmethod
    def of(cls, windows: Sequence[MeasuredWindows], model: str, schema: Schema) -> SeriesMatrix:
        """All such series that are in any of the windows."""
        columns: dict[MeasuredSeries, int] = {}
        observations: list[Observation] = []
        # By id of the tuple of series: indices in the window, and columns of the matrix.
        layouts: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        rows: list[tuple[NDArray[np.int64], Floats]] = []
        for window in windows:
            if id(window.series) not in layouts:
                places = [
                    index for index, series in enumerate(window.series) if series.rule is not None
                ]
                for index in places:
                    series = window.series[index]
                    if series not in columns:
                        columns[series] = len(observations)
                        start = window.group[0].key.start
                        key = WindowKey(model, start, series.version, series.segment)
                        assert series.rule is not None
                        row = window.row(index)
                        observations.append(make_observation(key, row, series.rule, schema))
                layouts[id(window.series)] = (
                    np.array(places, np.int64),
                    np.array([columns[window.series[index]] for index in places], np.int64),
                )
            indices, window_columns = layouts[id(window.series)]
            rows.append((window_columns, window.numbers[ENGINE_ROWS][:, indices]))
        numbers = np.full((len(ENGINE_ROWS), len(windows), len(observations)), np.nan)
        numbers[2] = 0.0
        for place, (window_columns, values) in enumerate(rows):
            numbers[:, place, window_columns] = values
        starts = np.array([window.group[0].key.start for window in windows], np.int64)
        return cls(starts, tuple(columns), tuple(observations), numbers)

    def without(self, incidents: Sequence[KnownIncident]) -> SeriesMatrix:
        """The same windows, without numbers where a known incident shows."""
        numbers = self.numbers.copy()
        columns = [dict(series.labels).get("column", "") for series in self.series]
        for incident in incidents:
            begin, end = as_micros(incident.start), as_micros(incident.end)
            is_within = (self.starts >= begin) & (self.starts < end)
            shows = np.array(
                [not incident.columns or column in incident.columns for column in columns], np.bool_
            )
            numbers[:, is_within[:, None] & shows] = np.nan
        numbers[2][np.isnan(numbers[2])] = 0.0
        return replace(self, numbers=numbers)


def replay_shuffled(
    matrix: SeriesMatrix,
    policy: AlarmPolicy,
    seeds: Sequence[int],
    report_progress: ReportProgress = lambda count: None,
) -> list[NDArray[np.bool_]]:
    """Replay one shuffled history for each seed; all are judged side by side.

    Returns for each seed where a change begins in each series, shape (K, J).
    """
    policy = replace(policy, baseline_lifetime=BASELINE_LIFETIME)
    orders = [
        _shuffle_order(matrix.starts, policy.length, np.random.default_rng(seed)) for seed in seeds
    ]
    observations = [
        replace(observation, stream=_stream_of_history(observation.stream, number))
        for number in range(len(seeds))
        for observation in matrix.observations
    ]
    budgets = [number for number in range(len(seeds)) for _ in matrix.observations]
    panel = Panel.of(observations, budgets)
    trail, width = policy.make_trail(), len(matrix.observations)
    begins = np.zeros((len(matrix.starts), len(observations)), np.bool_)
    for place, start in enumerate(matrix.starts.tolist()):
        numbers = StreamNumbers(
            *(
                np.concatenate([values[order[place]] for order in orders])
                for values in matrix.numbers
            )
        )
        evidence = add_window(trail, start, panel, numbers, policy)
        was_on = np.isfinite(evidence.previous["since"])
        begins[place] = np.isfinite(evidence.traces["since"]) & ~was_on
        report_progress(place + 1)
    return [begins[:, number * width : (number + 1) * width] for number in range(len(seeds))]


def _stream_of_history(stream: Stream, number: int) -> Stream:
    """The same stream in another history.

    The segment separates them, because streams of other versions may share a baseline.
    """
    return stream._replace(segment=f"{stream.segment}\n{number}")


def _shuffle_order(
    starts: NDArray[np.int64], length: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The index of the window that takes each place, shape (K,).

    Whole days of one weekday change places where windows are shorter than a day, because the
    windows of a day belong together; days with the same hours do. Longer windows change places
    within their season. Month ends do not count: they are too few to be exchanged among each other.
    """
    days: dict[int, list[int]] = {}
    for place, start in enumerate(starts.tolist()):
        day = start // DAY_MICROS if length < DAY_MICROS else start // length
        days.setdefault(day, []).append(place)
    alike: dict[tuple[int, ...], list[list[int]]] = {}
    for day, places in days.items():
        weekday = day % 7 if length <= DAY_MICROS else 0
        hours = (int(starts[place]) % DAY_MICROS for place in places if length < DAY_MICROS)
        alike.setdefault((weekday, *hours), []).append(places)
    order = np.arange(len(starts))
    for group in alike.values():
        for target, source in enumerate(rng.permutation(len(group)).tolist()):
            order[group[target]] = group[source]
    return order


def alarm_rate(
    matrix: SeriesMatrix, begins: Sequence[NDArray[np.bool_]], policy: AlarmPolicy
) -> AlarmRate:
    """The alarms of the model in all shuffled histories; `begins` is that of `replay_shuffled`.

    Changes that begin in one window, in series that can be in one incident, are one alarm.
    """
    lanes = [lane_of(observation.family, "", "") for observation in matrix.observations]
    masks = [np.array([name == lane_ for name in lanes]) for lane_ in sorted(set(lanes))]
    alarms = sum(int(begin[:, mask].any(axis=1).sum()) for begin in begins for mask in masks)
    return AlarmRate(alarms, len(begins) * len(matrix.starts) * policy.length / YEAR)


def find_noisy_series(
    matrix: SeriesMatrix, begins: Sequence[NDArray[np.bool_]], policy: AlarmPolicy
) -> list[NoisySeries]:
    """The series whose lower bound is above their share of the budget, most alarms first."""
    panel = Panel.of(matrix.observations)
    all_judged = np.ones(len(matrix.observations))
    shares = policy.false_pages_per_year * budget_shares(panel, all_judged)
    noisy_series = []
    for index, series in enumerate(matrix.series):
        windows = float(np.isfinite(matrix.numbers[0, :, index]).sum())
        years = len(begins) * windows * policy.length / YEAR
        rate = AlarmRate(sum(int(begin[:, index].sum()) for begin in begins), years)
        if rate.lower_bound > shares[index]:
            noisy_series.append(
                NoisySeries(
                    series=series,
                    rate=rate,
                    share=float(shares[index]),
                    cause=_likely_cause(matrix, index, policy),
                )
            )
    return sorted(noisy_series, key=lambda noisy: -noisy.rate.mean)


def _likely_cause(matrix: SeriesMatrix, index: int, policy: AlarmPolicy) -> str:
    """Why a series most likely alarms while nothing changes, for people."""
    has_level = np.isfinite(matrix.numbers[0, :, index])
    levels, starts = matrix.numbers[0, has_level, index][:, None], matrix.starts[has_level]
    if len(levels) < 2 * policy.min_windows:
        return f"too few windows: {len(levels)}"
    baseline = Baseline.estimate(levels, levels, starts, policy.length)
    time = np.arange(len(levels))
    slope = float(np.corrcoef(time, levels[:, 0])[0, 1]) if np.ptp(levels) > 0 else 0.0
    if abs(slope) > STRONG_TREND:
        return f"a trend: correlation {slope:.2f} with time"
    memory = float(baseline.memory[0])
    if memory > STRONG_MEMORY:
        return f"memory: correlation {memory:.2f} with the window before"
    residuals = levels[:, 0] - np.median(levels)
    return f"heavy tails: excess kurtosis {float(law.kurtosis(residuals)):.1f}"
