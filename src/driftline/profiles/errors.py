"""Mergeable sums and counts of the errors of a regression, for all rows and by horizon.

The score collector has one `ErrorTallies`; it is no collector of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftline.profiles.exact import ExactSum, total_of, without_limit
from driftline.profiles.packing import narrow, widen
from driftline.profiles.window import ErrorSums
from driftline.stats.performance.error_quantiles import OFFSET, cells_of
from driftline.types.arrays import Floats

HORIZONS = 32
"""Horizons that are summed one by one: the shortest ones."""
COUNTS = ("n", "zeros", "beyond_log", "intervals", "crossed", "covered", "scaled")
SUMS = (
    "e",
    "abs_e",
    "e2",
    "e4",
    "abs_y",
    "y",
    "y2",
    "abs_off",
    "percent",
    "percent2",
    "symmetric",
    "symmetric2",
    "log2",
    "log4",
    "scaled_e",
    "scaled_e2",
    "quantile_loss",
    "quantile_loss2",
    "width",
    "width2",
)


class ErrorRows:
    """Complete rows of a batch: predictions p and labels y, finite, shape (n,)."""

    def __init__(
        self,
        p: Floats,
        y: Floats,
        *,
        centre: float,
        interval: tuple[Floats, Floats, NDArray[np.bool_]] | None = None,
        coverage: float = 0.9,
        scales: Floats | None = None,
    ) -> None:
        """`interval` is lower end, upper end and whether a row has both; `scales` the naive error
        of each row's series, NaN where there is none.
        """
        rows = len(y)
        if interval is None:
            interval = np.zeros(rows), np.zeros(rows), np.zeros(rows, bool)
        lower, upper, has_both = interval
        crossed = has_both & (lower > upper)
        has_interval = has_both & ~crossed
        is_beyond_log = (p <= -1) | (y <= -1)
        with np.errstate(all="ignore"):
            e, off = p - y, y - centre
            size, label_size = np.abs(e), np.abs(y)
            square = e * e
            percent = np.where(label_size > 0, size / label_size, 0.0)
            symmetric = np.where(size > 0, 2 * size / (np.abs(p) + label_size), 0.0)
            log2 = np.where(is_beyond_log, 0.0, np.log1p(p) - np.log1p(y)) ** 2
            scaled = np.full(rows, np.nan) if scales is None else size / scales
            has_scale = np.isfinite(scaled)
            scaled = np.where(has_scale, scaled, 0.0)
            width = np.where(has_interval, upper - lower, 0.0)
            tail = (1 - coverage) / 2
            ends = _pinball(y - lower, tail) + _pinball(y - upper, 1 - tail)
            quantile_loss = np.where(has_interval, ends / 2, 0.0)
            sums = {
                "e": e,
                "abs_e": size,
                "e2": square,
                "e4": square * square,
                "abs_y": label_size,
                "y": off,
                "y2": off * off,
                "abs_off": np.abs(off),
                "percent": percent,
                "percent2": percent * percent,
                "symmetric": symmetric,
                "symmetric2": symmetric * symmetric,
                "log2": log2,
                "log4": log2 * log2,
                "scaled_e": scaled,
                "scaled_e2": scaled * scaled,
                "quantile_loss": quantile_loss,
                "quantile_loss2": quantile_loss * quantile_loss,
                "width": width,
                "width2": width * width,
            }
        counts = {
            "n": np.ones(rows, bool),
            "zeros": label_size == 0,
            "beyond_log": is_beyond_log,
            "intervals": has_interval,
            "crossed": crossed,
            "covered": has_interval & (lower <= y) & (y <= upper),
            "scaled": has_scale,
        }
        self.sizes = size
        self.counts = np.array([counts[name] for name in COUNTS], bool)
        self.sums = np.array([sums[name] for name in SUMS], np.float64)


def _pinball(gap: Floats, level: float) -> Floats:
    return np.maximum(level * gap, (level - 1) * gap)


class ErrorTally:
    """The counts and exact sums of some rows."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(COUNTS, 0)
        self._sums = {name: ExactSum() for name in SUMS}
        self._largest = 0.0
        self._cells: dict[int, int] = {}
        """Rows by cell of the size of the error."""

    def add(self, rows: ErrorRows, places: NDArray[np.int64] | slice) -> None:
        """Add the rows at `places`."""
        sizes = rows.sizes[places]
        if not len(sizes):
            return
        for name, counts in zip(COUNTS, rows.counts[:, places].sum(axis=1).tolist(), strict=True):
            self._counts[name] += counts
        for name, values in zip(SUMS, rows.sums[:, places], strict=True):
            self._sums[name].add(total_of(values))
        self._largest = max(self._largest, float(sizes.max()))
        cells, counts = np.unique(cells_of(sizes), return_counts=True)
        for cell, count in zip(cells.tolist(), counts.tolist(), strict=True):
            self._cells[cell] = self._cells.get(cell, 0) + count

    def merge(self, other: ErrorTally) -> None:
        """Add another tally, which does not change."""
        for name, count in other._counts.items():
            self._counts[name] += count
        for name, total in other._sums.items():
            self._sums[name].merge(total)
        self._largest = max(self._largest, other._largest)
        for cell, count in other._cells.items():
            self._cells[cell] = self._cells.get(cell, 0) + count

    def summary(self, centre: float) -> ErrorSums:
        """The counts and sums as values."""
        cells = sorted(self._cells.items())
        sums: dict[str, Any] = {
            name: without_limit(total.value) for name, total in self._sums.items()
        }
        return ErrorSums(
            **self._counts,
            **sums,
            largest=self._largest,
            cells=np.array([cell for cell, _ in cells], np.int64),
            cell_rows=np.array([count for _, count in cells], np.int64),
            centre=centre,
        )

    def state(self) -> tuple[object, ...]:
        """The canonical form."""
        cells = sorted(self._cells.items())
        return (
            list(self._counts.values()),
            [total.partials() for total in self._sums.values()],
            self._largest,
            narrow(np.array([cell for cell, _ in cells], np.int64) + OFFSET),
            narrow(np.array([count for _, count in cells], np.int64)),
        )

    @classmethod
    def restore(cls, state: Sequence[Any]) -> ErrorTally:
        """The inverse of `state`."""
        tally = cls()
        counts, sums, tally._largest, cells, rows = state
        tally._counts = dict(zip(COUNTS, counts, strict=True))
        tally._sums = {name: ExactSum(parts) for name, parts in zip(SUMS, sums, strict=True)}
        tally._cells = dict(
            zip((widen(cells) - OFFSET).tolist(), widen(rows).tolist(), strict=True)
        )
        return tally


class ErrorTallies:
    """The tally of all rows, and those of the shortest horizons."""

    def __init__(self) -> None:
        self.infinite = 0
        """Labelled rows whose label or prediction is infinite."""
        self.total = ErrorTally()
        self.by_horizon: dict[str, ErrorTally] = {}
        self.is_cut = False
        """Whether longer horizons were left out."""

    def add(self, rows: ErrorRows, horizons: Mapping[str, NDArray[np.int64]]) -> None:
        """Add complete rows; `horizons` are the places of the rows of each horizon."""
        self.total.add(rows, slice(None))
        for horizon, places in horizons.items():
            self.by_horizon.setdefault(horizon, ErrorTally()).add(rows, places)
        self._cut()

    def merge(self, other: ErrorTallies) -> None:
        """Add other tallies, which do not change."""
        self.infinite += other.infinite
        self.total.merge(other.total)
        self.is_cut = self.is_cut or other.is_cut
        for horizon, tally in other.by_horizon.items():
            self.by_horizon.setdefault(horizon, ErrorTally()).merge(tally)
        self._cut()

    def _cut(self) -> None:
        """Keep the shortest horizons.

        A horizon that is among them in the end was among them in every part, so its sums are whole.
        """
        if len(self.by_horizon) > HORIZONS:
            self.is_cut = True
        names = sorted(self.by_horizon, key=_length)[:HORIZONS]
        self.by_horizon = {name: self.by_horizon[name] for name in names}

    def horizons(self) -> Iterator[tuple[str, ErrorTally]]:
        """The horizons, the shortest first."""
        return iter(sorted(self.by_horizon.items(), key=lambda item: _length(item[0])))

    def state(self) -> tuple[object, ...]:
        """The canonical form."""
        horizons = [(name, tally.state()) for name, tally in self.horizons()]
        return self.infinite, self.total.state(), horizons, self.is_cut

    @classmethod
    def restore(cls, state: Sequence[Any]) -> ErrorTallies:
        """The inverse of `state`."""
        tallies = cls()
        tallies.infinite, total, horizons, tallies.is_cut = state
        tallies.total = ErrorTally.restore(total)
        tallies.by_horizon = {name: ErrorTally.restore(part) for name, part in horizons}
        return tallies


def _length(horizon: str) -> tuple[float, str]:
    """The order of horizons: numbers by size, then texts."""
    try:
        length = float(horizon)
    except ValueError:
        return math.inf, horizon
    return (length, horizon) if math.isfinite(length) else (math.inf, horizon)
