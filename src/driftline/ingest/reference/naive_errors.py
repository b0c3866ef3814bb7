"""The errors of the seasonal naive forecast in a reference, by series: what MASE divides by.

The forecast for a row is the label of the same series and horizon one season of rows before it, in
the order of their times. (Hyndman and Koehler 2006.)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from driftline.profiles.batch import Batch
from driftline.profiles.counting import name_hash
from driftline.profiles.numeric import LARGEST
from driftline.types.arrays import Floats, Ints
from driftline.types.model import Schema

SERIES = 1000
"""Series that have an error of their own: those with the smallest hashes."""
ROWS = 1 << 20
"""Labels that are in memory at a time; of more, whole series are left out."""


class NaiveErrors:
    """Collects the labels of a reference by series, horizon and time."""

    def __init__(self, schema: Schema) -> None:
        columns = schema.task_columns
        self._label = schema.label.name if schema.label else ""
        self._series = columns.series.name if columns.series else ""
        self._horizon = columns.horizon.name if columns.horizon else ""
        self._is_forecast = bool(self._series or self._horizon)
        self._season = columns.season
        self._codes: dict[str, dict[str, int]] = {"series": {}, "horizon": {}}
        self._parts: list[tuple[Ints, Ints, Ints, Floats]] = []
        """Codes of series and horizons, times in microseconds, and labels; each of shape (n,)."""
        self._rows = 0

    def add(self, batch: Batch, times: Ints | None) -> None:
        """Add the rows of a batch that have a label, a series, a horizon and a time (0: none)."""
        label = batch.columns.get(self._label)
        if not self._is_forecast or label is None or times is None:
            return
        labels = label.fill_null(np.nan).to_numpy(zero_copy_only=False)
        series = self._codes_of("series", batch, self._series)
        horizons = self._codes_of("horizon", batch, self._horizon)
        usable = (np.abs(labels) <= LARGEST) & (times > 0) & (series >= 0) & (horizons >= 0)
        part = series[usable], horizons[usable], times[usable], labels[usable]
        self._parts.append(part)
        self._rows += len(part[0])
        if self._rows > 2 * ROWS:
            self._leave_out_series()

    def _codes_of(self, kind: str, batch: Batch, name: str) -> Ints:
        """The code of each row; -1 without a value, 0 where the schema has no such column."""
        if not name:
            self._codes[kind].setdefault("", 0)
            return np.zeros(batch.rows, np.int64)
        array = batch.columns.get(name)
        if array is None:
            return np.full(batch.rows, -1, np.int64)
        known = self._codes[kind]
        own = [known.setdefault(value, len(known)) for value in array.dictionary.to_pylist()]
        places = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        codes: Ints = np.array([*own, -1], np.int64)[places]
        return codes

    def _leave_out_series(self) -> None:
        """Keep whole series, those with the smallest hashes, up to ROWS rows and at least one."""
        series, horizons, times, labels = self._columns()
        names = sorted(self._codes["series"], key=name_hash)
        sizes = np.bincount(series, minlength=len(names))
        kept: list[int] = []
        total = 0
        for name in names:
            code = self._codes["series"][name]
            total += int(sizes[code])
            if total > ROWS and kept:
                break
            kept.append(code)
        is_kept = np.isin(series, kept)
        self._parts = [(series[is_kept], horizons[is_kept], times[is_kept], labels[is_kept])]
        self._rows = int(is_kept.sum())

    def _columns(self) -> tuple[Ints, Ints, Ints, Floats]:
        series, horizons, times, labels = zip(*self._parts, strict=True)
        return (
            np.concatenate(series),
            np.concatenate(horizons),
            np.concatenate(times),
            np.concatenate(labels),
        )

    def by_series(self) -> Mapping[str, float]:
        """The mean absolute error of each series; one that is constant has none."""
        if not self._parts:
            return {}
        series, horizons, times, labels = self._columns()
        order = np.lexsort((times, horizons, series))
        series, horizons, labels = series[order], horizons[order], labels[order]
        lag = self._season
        same = (series[lag:] == series[:-lag]) & (horizons[lag:] == horizons[:-lag])
        owners = series[lag:][same]
        errors = np.abs(labels[lag:] - labels[:-lag])[same]
        totals = np.bincount(owners, errors, minlength=len(self._codes["series"]))
        counts = np.bincount(owners, minlength=len(self._codes["series"]))
        means = {
            name: float(totals[code] / counts[code])
            for name, code in self._codes["series"].items()
            if counts[code] and totals[code] > 0
        }
        names = sorted(means, key=name_hash)[:SERIES]
        return {name: means[name] for name in sorted(names)}
