"""The charts of incidents, drawn from their stored measurements and cached.

A chart that can't be drawn never stops a message. One chart is drawn at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection

from driftline.state.store import Store
from driftline.types.errors import DriftlineError
from driftline.types.notification import AlertFact, Event, Notification
from driftline.types.phrasing import subject
from driftline.types.times import as_micros

if TYPE_CHECKING:
    from driftline.charts.series_points import SeriesLine

WINDOWS = 60
"""The number of newest windows in a chart."""
CACHE_SIZE = 16
"""Charts in the cache: the sinks and the pages show the same."""


@dataclass(frozen=True)
class ChartCache:
    """Draws the incidents of one state."""

    store: Store
    log: Any
    _charts: dict[tuple[str, int], bytes] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def chart(self, notification: Notification) -> bytes | None:
        """PNG of the first alerts of a message; None where nothing can be drawn. Thread-safe."""
        if notification.event in (Event.TEST, Event.REPORT):
            return None
        key = notification.incident, notification.revision
        with self._lock:
            if key not in self._charts:
                chart = self._draw(notification)
                if chart is None:
                    return None
                while len(self._charts) >= CACHE_SIZE:
                    del self._charts[next(iter(self._charts))]
                self._charts[key] = chart
            return self._charts[key]

    def _draw(self, notification: Notification) -> bytes | None:
        from driftline.charts.incident import MAX_SERIES, render_incident

        try:
            with self.store.read() as connection:
                lines = [
                    _line(connection, notification, alert)
                    for alert in notification.alerts[:MAX_SERIES]
                ]
            return render_incident(notification.title, lines)
        except DriftlineError as error:
            self.log.debug("no chart", error=str(error))
            return None


def _line(connection: Connection, notification: Notification, alert: AlertFact) -> SeriesLine:
    from driftline.charts.series_points import SeriesLine, SeriesPoint

    # Most passes draw no chart.
    from driftline.incidents.alert_values import load_alert_values

    rows = load_alert_values(connection, notification, alert, WINDOWS)
    since = as_micros(alert.since)
    points = [
        SeriesPoint(
            start=row.start,
            value=row.value,
            low=row.low,
            high=row.high,
            severity=alert.severity if row.start >= since else "",
        )
        for row in rows
    ]
    return SeriesLine(
        name=_name(alert),
        severity=alert.severity,
        since=since,
        points=points,
        usual=_usual(alert),
    )


def _name(alert: AlertFact) -> str:
    column, measurement = subject(alert), alert.measurement.replace("_", " ")
    unit = f" ({alert.unit})" if alert.unit else ""
    return f"{column}: {measurement}{unit}" if column else measurement


def _usual(alert: AlertFact) -> float | None:
    usual = alert.detail.get("usual")
    return float(usual) if isinstance(usual, (int, float)) else alert.was
