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
from driftline.types.records import WindowKey

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
