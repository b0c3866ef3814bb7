"""The values of series before many windows, read once and then updated from window to window.

A span of 28 days has 672 hourly windows. To read that many values for each window takes longer than
to judge it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from driftline.contracts.check import PastValue
from driftline.state.measurements import load_earlier_values, load_values_since
from driftline.state.series_dictionary import SeriesDictionary
from driftline.types.labels import labels_json
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey
from driftline.types.times import from_micros

StoredSeriesKey = tuple[str, str, str, str, str, str]
"""Model, version, segment, check, measurement, and labels as JSON with sorted keys."""


@dataclass(slots=True)
class _Values:
    """The newest values of a series, as many as were asked for."""

    until: int
    """Start of the newest window that they are before, in microseconds."""
    values: deque[PastValue]
    """Oldest first."""


@dataclass(frozen=True, slots=True)
class EarlierValues:
    """The values of series before a window.

    It is made for windows that are judged one after the other. An earlier window that is judged
    again reads its series anew.
    """

    _series: dict[StoredSeriesKey, _Values] = field(default_factory=dict)
    _dictionaries: dict[int, SeriesDictionary] = field(default_factory=dict)

    def add(self, due: DueWindow, judged: Sequence[JudgedMeasurement]) -> None:
        """Take the values of a window that was judged and stored, so that they are not read.

        Only what earlier calls of `load` asked for is kept.
        """
        of_window = due.key.model, due.key.version, due.key.segment
        known = {
            series: values for series, values in self._series.items() if series[:3] == of_window
        }
        for series, values in known.items():
            # Other checks than those that ran on late labels keep the values that are stored.
            if due.labels_only or values.until != due.key.start:
                del self._series[series]
            else:
                values.until = due.end
        names = {series[3:5] for series in known}
        for row in judged:
            measurement = row.measurement
            if measurement.value is None or (row.check, measurement.name) not in names:
                continue
            series = (*of_window, row.check, measurement.name, labels_json(measurement.labels))
            if series in self._series:
                start = from_micros(due.key.start)
                value = PastValue(start, measurement.value, row.rows, row.verdict)
                self._series[series].values.append(value)

    def load(
        self,
        connection: Connection,
        key: WindowKey,
        check: str,
        name: str,
        labels: Mapping[str, str],
        limit: int,
    ) -> Sequence[PastValue]:
        """Load the newest `limit` values of one series before the window `key`, oldest first."""
        series = (key.model, key.version, key.segment, check, name, labels_json(labels))
        known = self._series.get(series)
        if known is None or key.start < known.until or limit > (known.values.maxlen or 0):
            values = load_earlier_values(
                connection, key, check, name, labels, limit, self._dictionaries
            )
            known = self._series[series] = _Values(key.start, deque(values, limit))
        elif key.start > known.until:
            known.values.extend(
                load_values_since(
                    connection, key, check, name, labels, known.until, self._dictionaries
                )
            )
            known.until = key.start
        return list(known.values)[-limit:]
