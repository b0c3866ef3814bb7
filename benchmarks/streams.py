"""Simulated streams in which nothing happens, or one thing does on a known day: what the
false-alarm benchmark is made of.

    stream = Stream("weekend", rows=1000, seed=3, change=CHANGES["shift 0.25 sd"])
    stream.reference, stream.window(day)                # as profiles show them, drawn as counts:
    any number of rows
    stream.reference_batch, stream.batch(day)           # rows, for tools that need them

A reference of 10,000 rows without days in it, then one window a day for 425 days: 60 for a
baseline, and a year. `HourStream` has a window for each hour of these days. Each day moves each of 20 numeric and 5 categorical columns a little
(`REGIMES`), in standard deviations of the reference; categorical ones by their latent. Everything
is decided by the seed; a stream with a change is the stream without it up to that day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import signal
from stream_columns import COLUMNS, Categorical, Cells, Numeric, frozen, times

from driftline import Column, Field, Kind, Schema, Window
from driftline.kit.checks import Scores
from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.categories import count_categories
from driftline.profiles.profile import Profile
from driftline.profiles.spec import ProfileSpec, make_spec

Floats = NDArray[np.float64]
START = datetime(2024, 1, 1, tzinfo=UTC)
EPOCH, TICK = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
BASELINE, DAYS = 60, 425
REFERENCE_ROWS = 10_000
WOBBLE, MEMORY, WEEKEND, MONTH_END, TREND = 0.05, 0.5, 0.2, 0.3, 0.2
HOUR_WAVE = 0.3
_DAYS, _REFERENCE, _COUNTS, _ROWS = range(4)
"""What a generator is for; it is seeded by the stream's seed, this, and the day."""

_date = [START + timedelta(days=day) for day in range(DAYS)]
_weekend = np.array([date.weekday() >= 5 for date in _date])[:, None]
_month_end = np.array([(date + timedelta(days=1)).day == 1 for date in _date])[:, None]
_slope = np.linspace(0, 1, DAYS)[:, None]


def _remembering(noise: Floats) -> Floats:
    """AR(1) with the variance of `noise`, from its stationary law on."""
    start = np.vstack([noise[:1], noise[1:] * np.sqrt(1 - MEMORY**2)])
    return signal.lfilter([1.0], [1.0, -MEMORY], start, axis=0)


REGIMES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "iid": lambda _, shape: np.zeros(shape),
    "wobble": lambda rng, shape: rng.normal(0, WOBBLE, shape),
    "weekend": lambda rng, shape: rng.normal(0, WOBBLE, shape) + WEEKEND * _weekend,
    "ar": lambda rng, shape: _remembering(rng.normal(0, WOBBLE, shape)),
    "t3": lambda rng, shape: rng.standard_t(3, shape) * WOBBLE / np.sqrt(3),
    "month_end": lambda rng, shape: rng.normal(0, WOBBLE, shape) + MONTH_END * _month_end,
    "trend": lambda rng, shape: rng.normal(0, WOBBLE, shape) + TREND * _slope,
}
"""By name: how far each day moves each column, shape (425, 25), in standard deviations of the
reference.
"""


@dataclass(frozen=True)
class Change:
    """One thing that happens to one column, from a day on."""

    kind: str
    """`shift` (by `size` sd), `share` (`size` more of the first category), `missing` (the rate
    becomes `size`), `unit` (`size` times the values) or `frozen` (all values are the reference's
    median).
    """
    column: str
    size: float = 0.0
    day: int = 200


CHANGES = {
    **{f"shift {size} sd": Change("shift", "n00", size) for size in (0.1, 0.15, 0.25, 0.5)},
    "share +10 points": Change("share", "c1", 0.1),
    "missing 1% to 4%": Change("missing", "n04", 0.04),
    "unit x1000": Change("unit", "n07", 1000),
    "frozen": Change("frozen", "n01"),
}

SCHEMA = Schema(
    features={
        column.name: Field(
            column.name,
            column.name,
            Kind.NUMERIC if isinstance(column, Numeric) else Kind.CATEGORICAL,
        )
        for column in COLUMNS
    }
)


@dataclass(frozen=True)
class Today:
    """What a day is like in one column."""

    shift: float
    missing: float
    change: Change | None = None
    """None until it has happened."""

    def size(self, kind: str) -> float:
        """The size of the change where it is of this kind, else 0."""
        return self.change.size if self.change is not None and self.change.kind == kind else 0.0


class Stream:
    """One simulated model: its reference, and a window for each day from 0 to 424."""

    per_day = 1
    """Windows a day."""

    def __init__(self, regime: str, rows: int, seed: int, change: Change | None = None) -> None:
        self.rows, self.seed, self.change = rows, seed, change
        self.shifts = REGIMES[regime](self._rng(_DAYS), (DAYS, len(COLUMNS)))

    def span(self, number: int) -> tuple[datetime, datetime]:
        """Start and end of a window."""
        length = timedelta(days=1) / self.per_day
        return START + number * length, START + (number + 1) * length

    @cached_property
    def reference_batch(self) -> pa.RecordBatch:
        """The rows of the reference."""
        usual = [Today(0.0, column.missing) for column in COLUMNS]
        return self._batch(REFERENCE_ROWS, usual, self._rng(_REFERENCE))

    def batch(self, day: int) -> pa.RecordBatch:
        """The rows of a day: numbers as float64, categories dictionary-encoded, and nulls."""
        return self._batch(self.rows, self._today(day), self._rng(_ROWS, day))

    @cached_property
    def spec(self) -> ProfileSpec:
        """What an agent makes of the reference."""
        numeric, categorical = {}, {}
        for column in COLUMNS:
            values = self.reference_batch[column.name].drop_null()
            if isinstance(column, Numeric):
                numeric[column.name] = values.to_numpy()
            else:
                categorical[column.name] = dict(count_categories(values))
        return make_spec(SCHEMA, numeric, categorical, collectors=("numeric", "categories"))

    @cached_property
    def reference(self) -> Window:
        """The reference, profiled."""
        return self._profile(self.reference_batch).window(version="reference")

    def profile_window(self, day: int) -> Window:
        """The window of a day by drawing its rows and profiling them."""
        start, end = self.span(day)
        return self._profile(self.batch(day), start, end - TICK).window(start=start, end=end)

    def window(self, day: int) -> Window:
        """The window of a day, drawn as counts, as fast for a million rows as for a thousand."""
        rng = self._rng(_COUNTS, day)
        columns: dict[str, Column] = {}
        for column, today in zip(COLUMNS, self._today(day), strict=True):
            if isinstance(column, Categorical):
                shares = column.shift_shares(today.shift, today.size("share"))
                columns[column.name] = column.draw(self.rows, today.missing, shares, rng)
            else:
                window_column = self._cells[column.name].draw(
                    self.rows, today.missing, today.shift, rng
                )
                if today.change is not None and today.change.kind == "frozen":
                    window_column = frozen(window_column, self._median(column))
                columns[column.name] = (
                    times(window_column, today.size("unit"))
                    if today.size("unit")
                    else window_column
                )
        start, end = self.span(day)
        parts = {
            "numeric": {
                name: column for name, column in columns.items() if column.kind is Kind.NUMERIC
            },
            "categories": {
                name: column for name, column in columns.items() if column.kind is Kind.CATEGORICAL
            },
        }
        last = end - TICK
        return Window(
            rows=self.rows,
            columns=columns,
            scores=Scores(),
            start=start,
            end=end,
            version="",
            segment="",
            first_event=start,
            last_event=last,
            last_seen=last,
            summaries=parts,
        )

    def _rng(self, purpose: int, day: int = 0) -> np.random.Generator:
        return np.random.default_rng((self.seed, purpose, day))

    def _shifts(self, number: int) -> Floats:
        """How far the columns are moved in a window, in standard deviations."""
        return self.shifts[number]

    def _today(self, number: int) -> list[Today]:
        days = []
        day = number // self.per_day
        for column, shift in zip(COLUMNS, self._shifts(number).tolist(), strict=True):
            change = self.change
            has_happened = change is not None and change.column == column.name and day >= change.day
            today = Today(shift, column.missing, change if has_happened else None)
            days.append(
                Today(
                    shift + today.size("shift"),
                    today.size("missing") or column.missing,
                    today.change,
                )
            )
        return days

    def _batch(self, rows: int, days: list[Today], rng: np.random.Generator) -> pa.RecordBatch:
        arrays = []
        for column, today in zip(COLUMNS, days, strict=True):
            is_missing = rng.random(rows) < today.missing if today.missing else None
            if isinstance(column, Categorical):
                codes = column.codes(
                    rows, column.shift_shares(today.shift, today.size("share")), rng
                )
                indices = pa.array(codes, pa.int32(), mask=is_missing)
                arrays.append(pa.DictionaryArray.from_arrays(indices, pa.array(column.categories)))
                continue
            values = column.values(rows, today.shift, rng) * (today.size("unit") or 1.0)
            if today.change is not None and today.change.kind == "frozen":
                values[:] = self._median(column)
            arrays.append(pa.array(values, mask=is_missing))
        return pa.RecordBatch.from_arrays(arrays, [column.name for column in COLUMNS])

    def _profile(self, batch: pa.RecordBatch, *moments: datetime) -> Profile:
        profile = Profile(self.spec, BUILT_IN)
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        events = np.array([int((moment - EPOCH) / TICK) for moment in moments], np.int64)
        profile.update(Batch(rows=batch.num_rows, columns=columns, events=events))
        return profile

    @cached_property
    def _cells(self) -> dict[str, Cells]:
        numeric = (column for column in COLUMNS if isinstance(column, Numeric))
        return {
            column.name: Cells(column, self.reference.columns[column.name].edges)
            for column in numeric
        }

    def _median(self, column: Numeric) -> float:
        return self.reference.columns[column.name].quantile(0.5)


HOUR_REGIMES = ("iid", "wobble", "weekend", "hour wave")
HOUR_ROWS, HOUR_SHIFT = 200, Change("shift", "n00", 1.0, day=30)
"""Rows of an hour, and what happens after thirty quiet days, in the benchmarks of hourly windows."""


class HourStream(Stream):
    """One simulated model with a window for each hour, from 0 to 10,199.

    The hours of a day share its shift. In the regime `hour wave` the days wobble, and a sine over
    the hours moves each column by up to `HOUR_WAVE` standard deviations, each at another time.
    """

    per_day = 24

    def __init__(self, regime: str, rows: int, seed: int, change: Change | None = None) -> None:
        super().__init__("wobble" if regime == "hour wave" else regime, rows, seed, change)
        self._wave = HOUR_WAVE if regime == "hour wave" else 0.0

    def _shifts(self, number: int) -> Floats:
        day, hour = divmod(number, self.per_day)
        phase = (hour / self.per_day + np.arange(len(COLUMNS)) / len(COLUMNS)) * 2 * np.pi
        return self.shifts[day] + self._wave * np.sin(phase)
