"""Measuring stored windows again: every check on every window, on all processors, into arrays.

Refuses to judge by the past: what comes out is what each window says by itself. Windows are
measured in as many stretches as there are processors; checks and charts that ask for earlier values
find those of this run, for which each stretch begins with the windows before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline.agent.closing import ModelEvaluation
from driftline.backtest.parallel import ReportProgress, run_parallel
from driftline.contracts.check import Earlier
from driftline.contracts.rule import Unusual
from driftline.evaluate.evidence.unusual_rule import observe
from driftline.evaluate.judge_windows import measure_window
from driftline.state.measurements import labels_json
from driftline.state.store import Store
from driftline.state.tables import moment
from driftline.types.model import Judgement, Measurement, Schema, Severity, Verdict
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey

Floats = NDArray[np.float64]
REACH = 1000
"""Earlier windows that a check can ask for."""
FEWEST = 50
"""Groups of windows that are worth a process."""


class Series(NamedTuple):
    """What stays the same of one judged measurement from window to window."""

    version: str
    segment: str
    check: str
    name: str
    labels: tuple[tuple[str, str], ...]
    unit: str
    cause: str
    rule: Unusual | None
    """Where its past judges it."""


VALUE, WAS, LOW, HIGH, ROWS, RAW, LEVEL, SIZE, LEAST_SD = range(9)


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredWindows:
    """All windows with one start."""

    group: tuple[DueWindow, ...]
    series: tuple[Series, ...]
    """Those that a rule judges."""
    numbers: Floats
    """Shape (9, J): value, reference's value, interval, rows, raw value, and for the engine level,
    size and least sd.
    """
    judgements: Mapping[int, Judgement]
    """What is not `ok` by itself, by place."""
    details: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """Of those that a bound or chart finds changed, by place."""
    check_errors: Mapping[str, str] = field(default_factory=dict)
    """Why a check could not run, by check; empty for one that could."""

    def row(self, place: int) -> JudgedMeasurement:
        """The judged row as it was; of what its past judges without details, which are too many to
        keep.
        """
        one, numbers = self.series[place], self.numbers[:, place]
        low, high, was, raw = (_known(float(numbers[number])) for number in (LOW, HIGH, WAS, RAW))
        m = Measurement(
            _known(float(numbers[VALUE])), dict(one.labels), one.name, int(numbers[ROWS]),
            None if low is None or high is None else (low, high), was=was, unit=one.unit,
            detail=self.details.get(place, {} if raw is None else {"raw": raw}),
        )  # fmt: skip
        said = self.judgements.get(place, Judgement(Verdict.OK))
        severity = said.severity.value if said.severity else ""
        rows = int(numbers[ROWS])
        return JudgedMeasurement(
            one.check,
            m,
            said.verdict.value,
            severity,
            said.reason,
            rows,
            one.cause,
            said.within,
            one.rule,
        )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


@dataclass
class _History:
    """Earlier values of this run, by series; each check and rule that asks is remembered."""

    values: dict[tuple[str, str, str, str, str], list[Earlier]] = field(
        default_factory=lambda: defaultdict(list)
    )
    asked: set[str] = field(default_factory=set)

    def __call__(
        self, key: WindowKey, check: str, name: str, labels: Mapping[str, str], limit: int
    ) -> Sequence[Earlier]:
        self.asked.add(check)
        return self.values[(key.version, key.segment, check, name, labels_json(labels))][-limit:]

    def add(self, key: WindowKey, rows: Sequence[JudgedMeasurement]) -> None:
        for row in rows:
            m = row.measurement
            if m.value is not None and row.check in self.asked:
                series = self.values[
                    (key.version, key.segment, row.check, m.name, labels_json(m.labels))
                ]
                series.append(Earlier(moment(key.start), m.value, row.rows, row.verdict))
                if len(series) > 2 * REACH:
                    del series[:REACH]


def measure_history(
    judgeable: ModelEvaluation,
    open_store: Callable[[], Store],
    groups: Sequence[Sequence[DueWindow]],
    progress: Callable[[int, int], None] = lambda done, total: None,
    processes: int = 1,
) -> list[MeasuredWindows]:
    """Every group of windows, in order. `open_store` is called once in each process."""
    pieces = processes if len(groups) >= FEWEST * processes else 1
    ends = [round(len(groups) * place / pieces) for place in range(pieces + 1)]

    def work(place: int, note: ReportProgress) -> list[MeasuredWindows]:
        return _stretch(judgeable, open_store, groups[: ends[place + 1]], ends[place], note)

    found = run_parallel(work, pieces, processes, lambda done: progress(done, len(groups)))
    return [one for stretch in found for one in stretch]


def _stretch(
    judgeable: ModelEvaluation,
    open_store: Callable[[], Store],
    groups: Sequence[Sequence[DueWindow]],
    first: int,
    note: ReportProgress,
) -> list[MeasuredWindows]:
    """The groups from `first` on; before them, of the checks that ask for earlier values, those
    that they ask for.
    """
    history, packer, found = (
        _History(),
        _Packer(judgeable.reference.schema),
        list[MeasuredWindows](),
    )
    store = open_store()
    try:
        with store.read() as connection:
            inputs = judgeable.inputs(connection, history=history)
            if first and groups[first:]:
                for due in groups[first]:
                    measure_window(due, inputs)
                asking = [plan for plan in judgeable.plans if plan.name in history.asked]
                before = replace(judgeable, plans=asking).inputs(connection, history=history)
                for group in groups[max(0, first - REACH) : first] if asking else ():
                    for due in group:
                        history.add(due.key, measure_window(due, before).judged)
            for count, group in enumerate(groups[first:], 1):
                measured = [(due, measure_window(due, inputs).judged) for due in group]
                for due, rows in measured:
                    history.add(due.key, rows)
                found.append(packer.pack(measured))
                note(count)
    finally:
        store.close()
    return found


class _Packer:
    """Packs judged rows into arrays, and keeps one object for each series and each set of
    series.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._series: dict[tuple[object, ...], Series] = {}
        self._layouts: dict[tuple[int, ...], tuple[Series, ...]] = {}

    def pack(
        self, measured: Sequence[tuple[DueWindow, Sequence[JudgedMeasurement]]]
    ) -> MeasuredWindows:
        broken: dict[str, str] = {}
        series, numbers = list[Series](), list[tuple[float, ...]]()
        said, details = dict[int, Judgement](), dict[int, Mapping[str, Any]]()
        for due, rows in measured:
            for row in rows:
                if row.verdict == Verdict.ERROR:
                    broken[row.check] = row.reason
                    continue
                broken.setdefault(row.check, "")
                if not row.verdict:
                    continue
                if row.verdict != Verdict.OK:
                    severity = Severity(row.severity) if row.severity else None
                    said[len(series)] = Judgement(
                        Verdict(row.verdict), severity, row.reason, row.within
                    )
                    if row.verdict == Verdict.CHANGED and row.watched is None:
                        details[len(series)] = row.measurement.detail
                series.append(self._of(due.key, row))
                numbers.append(self._numbers(due.key, row))
        layout = tuple(series)
        layout = self._layouts.setdefault(tuple(map(id, layout)), layout)
        packed = np.array(numbers, np.float64).reshape(-1, LEAST_SD + 1).T
        return MeasuredWindows(
            tuple(due for due, _ in measured), layout, packed, said, details, broken
        )

    def _of(self, key: WindowKey, row: JudgedMeasurement) -> Series:
        m, watched = row.measurement, row.watched is not None
        known = (
            key.version,
            key.segment,
            row.check,
            m.name,
            labels_json(m.labels),
            m.unit,
            watched,
        )
        if known not in self._series:
            labels = tuple(sorted(m.labels.items()))
            self._series[known] = Series(
                key.version, key.segment, row.check, m.name, labels, m.unit, row.cause, row.watched
            )
        return self._series[known]

    def _numbers(self, key: WindowKey, row: JudgedMeasurement) -> tuple[float, ...]:
        m = row.measurement
        low, high = m.interval or (np.nan, np.nan)
        raw = m.detail.get("raw")
        told = (
            _nan(m.value),
            _nan(m.was),
            low,
            high,
            row.rows,
            raw if isinstance(raw, (int, float)) else np.nan,
        )
        if row.watched is None:
            return (*told, np.nan, np.nan, np.nan)
        engine = observe(key, row, row.watched, self._schema)
        return (*told, engine.level, engine.size, engine.least_sd)


def _nan(value: float | None) -> float:
    return np.nan if value is None else value
