"""Measures stored windows again: every check on every window, into arrays.

The windows are split into as many stretches as there are processes. A check that reads earlier
values gets those of this run, so each stretch first measures the windows before its own.

Does not judge windows by earlier ones: the replay does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from driftline.agent.closing import ModelEvaluation
from driftline.backtest.parallel import ReportProgress, run_parallel
from driftline.contracts.check import PastValue
from driftline.contracts.loss import Loss
from driftline.contracts.rule import Unusual
from driftline.evaluate.evidence.unusual_rule import stream_numbers
from driftline.evaluate.judge_windows import measure_window
from driftline.state.store import Store
from driftline.types.arrays import Floats
from driftline.types.labels import labels_json
from driftline.types.model import OK, Judgement, Measurement, Verdict
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey
from driftline.types.times import from_micros

MAX_EARLIER_WINDOWS = 1000
"""The most earlier windows that a check can read."""
MIN_GROUPS = 50
"""The fewest groups of windows for which a process of its own pays."""


class MeasuredSeries(NamedTuple):
    """The parts of a judged measurement that stay the same from window to window."""

    version: str
    segment: str
    check: str
    name: str
    labels: tuple[tuple[str, str], ...]
    unit: str
    cause: str
    rule: Unusual | None
    """The rule `unusual` that judges it by earlier windows; None where none does."""
    loss: Loss | None = None
    """The rule `loss` that judges it by earlier windows; None where none does."""


VALUE, WAS, LOW, HIGH, WAS_LOW, WAS_HIGH, ROWS, RAW = range(8)
LEVEL, SIZE, LEAST_SD, SIZE_ERROR, NEUTRAL = range(8, 13)
"""Rows of `MeasuredWindows.numbers`."""
ENGINE_ROWS = [LEVEL, SIZE, LEAST_SD, ROWS, SIZE_ERROR, NEUTRAL]
"""The rows that the evidence engine takes, in its order."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredWindows:
    """The measurements of all windows with one start; J series that a rule judges."""

    group: tuple[DueWindow, ...]
    series: tuple[MeasuredSeries, ...]
    """Length J."""
    numbers: Floats
    """Shape (13, J): value, reference's value, interval, interval of the reference, rows, raw
    value, level, size, least sd, standard error of the size, and the size where window and
    reference agree.
    """
    judgements: Mapping[int, Judgement]
    """Judgements of the window by itself that are not `ok`, by index of the series."""
    details: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """Details of measurements that a bound or a chart finds changed, by index of the series."""
    check_errors: Mapping[str, str] = field(default_factory=dict)
    """Why a check could not run, by check; empty for a check that could."""

    def row(self, index: int) -> JudgedMeasurement:
        """The judged measurement of one series.

        Details of a measurement that is judged by earlier windows are not kept: they are too many.
        """
        series, numbers = self.series[index], self.numbers[:, index]
        low, high, was_low, was_high, was, raw = (
            _none_if_nan(float(numbers[number]))
            for number in (LOW, HIGH, WAS_LOW, WAS_HIGH, WAS, RAW)
        )
        rows = int(numbers[ROWS])
        measurement = Measurement(
            value=_none_if_nan(float(numbers[VALUE])),
            labels=dict(series.labels),
            name=series.name,
            rows=rows,
            interval=None if low is None or high is None else (low, high),
            was=was,
            was_interval=None if was_low is None or was_high is None else (was_low, was_high),
            unit=series.unit,
            detail=self.details.get(index, {} if raw is None else {"raw": raw}),
        )
        judgement = self.judgements.get(index, OK)
        return JudgedMeasurement(
            check=series.check,
            measurement=measurement,
            judgement=judgement,
            rows=rows,
            cause=series.cause,
            past_rule=series.rule or series.loss,
        )


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else value


def _nan_if_none(value: float | None) -> float:
    return np.nan if value is None else value


@dataclass
class _EarlierValues:
    """Values of earlier windows of this run, for the checks that read them."""

    values: dict[tuple[str, str, str, str, str], list[PastValue]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By version, segment, check, name and labels; oldest first."""
    readers: set[str] = field(default_factory=set)
    """Names of the checks that have read earlier values; only theirs are kept."""

    def __call__(
        self, key: WindowKey, check: str, name: str, labels: Mapping[str, str], limit: int
    ) -> Sequence[PastValue]:
        """The newest `limit` values of a series; see `evaluate.judge_windows.HistoryOf`."""
        self.readers.add(check)
        return self.values[(key.version, key.segment, check, name, labels_json(labels))][-limit:]

    def add(self, key: WindowKey, rows: Sequence[JudgedMeasurement]) -> None:
        for row in rows:
            m = row.measurement
            if m.value is not None and row.check in self.readers:
                series = self.values[
                    (key.version, key.segment, row.check, m.name, labels_json(m.labels))
                ]
                series.append(PastValue(from_micros(key.start), m.value, row.rows, row.verdict))
                if len(series) > 2 * MAX_EARLIER_WINDOWS:
                    del series[:MAX_EARLIER_WINDOWS]


def measure_history(
    evaluation: ModelEvaluation,
    open_store: Callable[[], Store],
    groups: Sequence[Sequence[DueWindow]],
    progress: Callable[[int, int], None] = lambda count, total: None,
    processes: int = 1,
) -> list[MeasuredWindows]:
    """Measure every group of windows, in order; a group is the windows with one start.

    `open_store` is called once in each process. `progress` gets the number of groups measured and
    the number of all.
    """
    stretches = processes if len(groups) >= MIN_GROUPS * processes else 1
    ends = [round(len(groups) * index / stretches) for index in range(stretches + 1)]

    def measure_stretch(index: int, report_progress: ReportProgress) -> list[MeasuredWindows]:
        return _measure_stretch(
            evaluation, open_store, groups[: ends[index + 1]], ends[index], report_progress
        )

    results = run_parallel(
        measure_stretch, stretches, processes, lambda count: progress(count, len(groups))
    )
    return [windows for stretch in results for windows in stretch]


def _measure_stretch(
    evaluation: ModelEvaluation,
    open_store: Callable[[], Store],
    groups: Sequence[Sequence[DueWindow]],
    first: int,
    report_progress: ReportProgress,
) -> list[MeasuredWindows]:
    """Measure the groups from index `first` on.

    The checks that read earlier values measure the windows before `first` too.
    """
    earlier_values, packer = _EarlierValues(), _Packer()
    results: list[MeasuredWindows] = []
    store = open_store()
    try:
        with store.read() as connection:
            inputs = evaluation.inputs(connection, history=earlier_values)
            if first and groups[first:]:
                # One window shows which checks read earlier values.
                for due in groups[first]:
                    measure_window(due, inputs)
                readers = [plan for plan in evaluation.plans if plan.name in earlier_values.readers]
                reader_inputs = replace(evaluation, plans=readers).inputs(
                    connection, history=earlier_values
                )
                start = max(0, first - MAX_EARLIER_WINDOWS)
                for group in groups[start:first] if readers else ():
                    for due in group:
                        earlier_values.add(due.key, measure_window(due, reader_inputs).judged)
            for count, group in enumerate(groups[first:], 1):
                windows = [(due, measure_window(due, inputs).judged) for due in group]
                for due, rows in windows:
                    earlier_values.add(due.key, rows)
                results.append(packer.pack(windows))
                report_progress(count)
    finally:
        store.close()
    return results


class _Packer:
    """Packs judged measurements into arrays; equal series become one object."""

    def __init__(self) -> None:
        self._series: dict[tuple[object, ...], MeasuredSeries] = {}
        self._layouts: dict[tuple[int, ...], tuple[MeasuredSeries, ...]] = {}

    def pack(
        self, windows: Sequence[tuple[DueWindow, Sequence[JudgedMeasurement]]]
    ) -> MeasuredWindows:
        check_errors: dict[str, str] = {}
        series, numbers = list[MeasuredSeries](), list[tuple[float, ...]]()
        judgements, details = dict[int, Judgement](), dict[int, Mapping[str, Any]]()
        watched_rows = dict[int, JudgedMeasurement]()
        for due, rows in windows:
            for row in rows:
                if row.verdict == Verdict.ERROR:
                    check_errors[row.check] = row.reason
                    continue
                check_errors.setdefault(row.check, "")
                if row.judgement is None:
                    continue
                if row.judgement.verdict is not Verdict.OK:
                    judgements[len(series)] = row.judgement
                    if row.verdict == Verdict.CHANGED and row.past_rule is None:
                        details[len(series)] = row.measurement.detail
                if isinstance(row.past_rule, Unusual):
                    watched_rows[len(series)] = row
                series.append(self._series_of(due.key, row))
                numbers.append(_numbers(row))
        all_numbers = np.full((NEUTRAL + 1, len(numbers)), np.nan)
        all_numbers[: RAW + 1] = np.array(numbers, np.float64).reshape(-1, RAW + 1).T
        if watched_rows:
            rows = list(watched_rows.values())
            engine = stream_numbers(rows, [row.past_rule for row in rows])
            all_numbers[RAW + 1 :, list(watched_rows)] = (
                engine.level,
                engine.size,
                engine.least_sd,
                engine.size_error,
                engine.neutral,
            )
        layout = tuple(series)
        layout = self._layouts.setdefault(tuple(map(id, layout)), layout)
        return MeasuredWindows(
            group=tuple(due for due, _ in windows),
            series=layout,
            numbers=all_numbers,
            judgements=judgements,
            details=details,
            check_errors=check_errors,
        )

    def _series_of(self, key: WindowKey, row: JudgedMeasurement) -> MeasuredSeries:
        m, rule = row.measurement, row.past_rule
        labels = labels_json(m.labels)
        identity = (key.version, key.segment, row.check, m.name, labels, m.unit, type(rule))
        if identity not in self._series:
            self._series[identity] = MeasuredSeries(
                version=key.version,
                segment=key.segment,
                check=row.check,
                name=m.name,
                labels=tuple(sorted(m.labels.items())),
                unit=m.unit,
                cause=row.cause,
                rule=rule if isinstance(rule, Unusual) else None,
                loss=rule if isinstance(rule, Loss) else None,
            )
        return self._series[identity]


def _numbers(row: JudgedMeasurement) -> tuple[float, ...]:
    """The first numbers of one column of `MeasuredWindows.numbers`, up to RAW."""
    m = row.measurement
    interval = m.interval or (np.nan, np.nan)
    was_interval = m.was_interval or (np.nan, np.nan)
    raw = m.detail.get("raw")
    raw_value = raw if isinstance(raw, (int, float)) else np.nan
    both_values = _nan_if_none(m.value), _nan_if_none(m.was)
    return (*both_values, *interval, *was_interval, row.rows, raw_value)
