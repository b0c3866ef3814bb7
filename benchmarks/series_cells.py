"""Cells of simulated models: how the measurements of a model move while nothing changes.

A cell is a window length, a number of rows and columns, and regimes. The measurements are those
that the default checks make of each column: the shift of the mean, the spread, PSI, the missing
rate, and the share of one category. Simulated are the measurements, not rows: their laws are known.

Shapes: W windows, M models side by side, C columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
HOUR = 3_600_000_000
DAY = 24 * HOUR
FIRST_DAY = 20_089
"""Day since 1970 of the first window: 1 January 2025, a Wednesday."""
REFERENCE_ROWS = 10_000
BINS = 10
MISSING_RATE, CATEGORY_SHARE = 0.02, 0.1
MEMORY = 0.5
CORRELATION = 0.6
HOLIDAYS = (0, 6, 47, 92, 108, 120, 148, 170, 226, 275, 304, 358)
"""Days of a year on which a business rests."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One kind of model. Shifts are in standard deviations of a column."""

    name: str = "iid"
    length: int = HOUR
    """Length of a window, microseconds."""
    rows: int = 200
    """Rows of a window."""
    columns: int = 20
    category_share: float = CATEGORY_SHARE
    """Share of the rows in the category that is counted."""
    missing_rate: float = MISSING_RATE
    wobble: float = 0.0
    """Standard deviation of the shift that the windows of a day share."""
    heavy_tails: bool = False
    """Whether the shifts of days follow Student's t with 3 degrees of freedom."""
    memory: float = 0.0
    """Autocorrelation of the shifts of windows."""
    hour_wave: float = 0.0
    """Amplitude of a sine over the hours of a day."""
    weekday: float = 0.0
    """Shift of the weekend."""
    month_end: float = 0.0
    """Shift of the last day of a month."""
    skew: float = 0.0
    """Standard deviation of the constant shift between training and serving."""
    correlation: float = 0.0
    """Correlation of the columns."""
    month_begin_rows: float = 1.0
    """Factor on the rows of the first three days of a month."""
    holiday_rows: float = 1.0
    """Factor on the rows of `HOLIDAYS`."""
    doubling_days: float = 0.0
    """Days in which the rows double; 0 for never."""
    yearly: float = 0.0
    """Amplitude of a sine over the year. The reference is a year then."""

    @property
    def days(self) -> int:
        """Days to simulate: a year; two where years repeat."""
        return 731 if self.yearly else 366


BASE = Cell()
REGIMES: dict[str, dict[str, float | bool]] = {
    "wobble 0.05": {"wobble": 0.05},
    "wobble 0.1": {"wobble": 0.1},
    "hour wave 0.3": {"hour_wave": 0.3},
    "weekday 0.2": {"weekday": 0.2},
    "memory 0.5": {"memory": MEMORY, "wobble": 0.0},
    "t3": {"wobble": 0.05, "heavy_tails": True},
    "month end": {"month_end": 0.3},
    "skew 0.15": {"skew": 0.15},
    "correlated 0.6": {"correlation": CORRELATION},
    "rows x1.8 on days 1 to 3": {"month_begin_rows": 1.8},
    "12 holidays": {"holiday_rows": 0.3},
    "rows double in 6 months": {"doubling_days": 182.0},
    "yearly 0.3": {"yearly": 0.3},
}
"""Each changes the base cell in one way."""
SIZES = {
    "5 rows": {"rows": 5},
    "50 rows": {"rows": 50},
    "1,000 rows": {"rows": 1_000},
    "10,000 rows": {"rows": 10_000},
}
LENGTHS = {
    "6 hours": {"length": 6 * HOUR},
    "1 day": {"length": DAY},
    "1 week": {"length": 7 * DAY},
    "5 minutes": {"length": HOUR // 12, "columns": 8},
}


def single_cells() -> list[Cell]:
    """The base cell, and each regime, size and length alone."""
    changes = {**LENGTHS, **SIZES, **REGIMES}
    return [BASE, *(replace(BASE, name=name, **settings) for name, settings in changes.items())]


def daily_cells() -> list[Cell]:
    """Each regime in daily windows, which cost a twentieth of hourly ones."""
    return [
        replace(BASE, name=f"1 day + {name}", length=DAY, **settings)
        for name, settings in REGIMES.items()
        if name != "hour wave 0.3"
    ]


def random_pairs(count: int, seed: int = 1) -> list[Cell]:
    """`count` cells that differ from the base cell in two ways; 5 minutes are left out."""
    rng = np.random.default_rng(seed)
    kinds = [REGIMES, SIZES, {name: LENGTHS[name] for name in ("6 hours", "1 day", "1 week")}]
    changes = [(name, settings, kind) for kind in kinds for name, settings in kind.items()]
    pairs: dict[str, Cell] = {}
    while len(pairs) < count:
        first, second = (changes[index] for index in rng.choice(len(changes), 2, replace=False))
        same_kind = first[2] is second[2] and first[2] is not REGIMES
        if same_kind or first[1].keys() & second[1].keys():
            continue
        name = " + ".join(sorted((first[0], second[0])))
        pairs.setdefault(name, replace(BASE, name=name, **{**first[1], **second[1]}))
    return list(pairs.values())


class WindowValues(NamedTuple):
    """The measurements of one window, shape (M, C) each, and what they rest on."""

    start: int
    """Microseconds."""
    rows: Floats
    """Shape (M, 1)."""
    mean_shift: Floats
    spread: Floats
    """Logarithm of the ratio of standard deviations."""
    psi: Floats
    """Without the part that chance adds."""
    raw_psi: Floats
    missing: Floats
    """Rows without a value."""
    in_category: Floats
    """Rows in one category."""

    @classmethod
    def side_by_side(cls, values: Sequence[WindowValues]) -> WindowValues:
        """The models of several cells in one window, one after the other."""
        arrays = zip(*(each[1:] for each in values), strict=True)
        return cls(values[0].start, *(np.concatenate(parts) for parts in arrays))


def simulate(cell: Cell, *, models: int, days: int, seed: int) -> Iterator[WindowValues]:
    """Simulate M models for so many days, window by window."""
    # No two cells share random numbers: their alarms are added up.
    entropy = (seed, cell.length // HOUR, cell.rows, crc32(cell.name.encode()))
    rng = np.random.default_rng(entropy)
    shape = (models, cell.columns)
    noise = _Noise(rng, cell, shape)
    skew = rng.normal(0, cell.skew, shape) + noise.draw() / np.sqrt(REFERENCE_ROWS)
    spread_rng = np.random.default_rng((*entropy, 1))
    spread_skew = spread_rng.normal(size=shape) / np.sqrt(2 * REFERENCE_ROWS)
    phase = rng.uniform(0, 2 * np.pi, shape)
    lasting = np.zeros(shape)
    innovation = 0.05 * np.sqrt(1 - cell.memory**2)
    day_shift, newest_day = np.zeros(shape), -1
    for window in range(days * DAY // cell.length):
        start = FIRST_DAY * DAY + window * cell.length
        day, hour = start // DAY, start % DAY / HOUR
        if day != newest_day:
            day_shift, newest_day = noise.draw_day(), day
        shift = skew + day_shift
        if cell.memory:
            lasting = cell.memory * lasting + innovation * noise.draw()
            shift = shift + lasting
        if cell.hour_wave and cell.length < DAY:
            shift = shift + cell.hour_wave * np.sin(hour / 24 * 2 * np.pi + phase)
        if cell.yearly:
            shift = shift + cell.yearly * np.sin(day / 365.25 * 2 * np.pi + phase)
        date = np.datetime64(int(day), "D")
        if cell.length <= DAY:
            shift = shift + cell.weekday * (day % 7 in (2, 3))
            is_month_end = (date + 1).astype("datetime64[M]") != date.astype("datetime64[M]")
            shift = shift + cell.month_end * bool(is_month_end)
        expected_rows = cell.rows * _rows_factor(cell, day, date)
        rows = max(1, int(rng.poisson(expected_rows)))
        mean_shift = shift + noise.draw() / np.sqrt(rows)
        chance = 1 / rows + 1 / REFERENCE_ROWS
        raw_psi = chance * rng.noncentral_chisquare(BINS - 1, shift**2 / chance + 1e-9)
        odds = cell.category_share / (1 - cell.category_share) * np.exp(shift)
        yield WindowValues(
            start=start,
            rows=np.full((models, 1), float(rows)),
            mean_shift=mean_shift,
            spread=spread_skew + spread_rng.normal(size=shape) / np.sqrt(2 * rows),
            psi=np.maximum(raw_psi - (BINS - 1) * chance, 0.0),
            raw_psi=raw_psi,
            missing=rng.binomial(rows, cell.missing_rate, shape).astype(float),
            in_category=rng.binomial(rows, odds / (1 + odds)).astype(float),
        )


def _rows_factor(cell: Cell, day: int, date: np.datetime64) -> float:
    month_day = int((date - date.astype("datetime64[M]").astype("datetime64[D]")).astype(int)) + 1
    year_day = int((date - date.astype("datetime64[Y]").astype("datetime64[D]")).astype(int))
    factor = cell.month_begin_rows if month_day <= 3 else 1.0
    factor *= cell.holiday_rows if year_day in HOLIDAYS else 1.0
    if cell.doubling_days:
        factor *= 2 ** ((day - FIRST_DAY) / cell.doubling_days)
    return factor


class _Noise:
    """Standard normal numbers of M models and C columns, correlated as the cell says."""

    def __init__(self, rng: np.random.Generator, cell: Cell, shape: tuple[int, int]) -> None:
        self._rng, self._cell, self._shape = rng, cell, shape

    def draw(self) -> Floats:
        """Numbers of one window, shape (M, C)."""
        return self._mix(
            self._rng.normal(size=self._shape), self._rng.normal(size=(self._shape[0], 1))
        )

    def draw_day(self) -> Floats:
        """The shifts that the windows of a day share, shape (M, C)."""
        if not self._cell.wobble:
            return np.zeros(self._shape)
        if self._cell.heavy_tails:
            return self._cell.wobble / np.sqrt(3) * self._rng.standard_t(3, self._shape)
        return self._cell.wobble * self.draw()

    def _mix(self, own: Floats, shared: Floats) -> Floats:
        share = self._cell.correlation
        mixed: Floats = np.sqrt(1 - share) * own + np.sqrt(share) * shared
        return mixed
