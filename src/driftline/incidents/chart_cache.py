"""The chart of an incident, from what the state has of its measurements.

Refuses to fail a message, for without the extra `charts`, or without a past, there is no picture;
and to draw two at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from sqlalchemy.engine import Connection

from driftline.charts.incident import MAX_SERIES, SeriesLine, SeriesPoint, render_incident
from driftline.state import measurements
from driftline.state.store import Store
from driftline.state.tables import as_micros, from_micros
from driftline.types.errors import DriftlineError
from driftline.types.notification import AlertFact, Event, Notification
from driftline.types.phrasing import subject
from driftline.types.records import WindowKey

WINDOWS = 60
"""Newest windows that are drawn."""
KEPT = 16
"""Pictures that are kept: the sinks and the pages show the same."""


@dataclass(frozen=True)
class Pictures:
    """Draws incidents of the models in one state."""

    store: Store
    log: Any
    _drawn: dict[tuple[str, int], bytes] = field(default_factory=dict, repr=False)
    _one: Lock = field(default_factory=Lock, repr=False)

    def chart(self, notification: Notification) -> bytes | None:
        """PNG of the most telling alerts; None where nothing can be drawn. Safe from any thread."""
        if notification.event is Event.TEST:
            return None
        known = notification.incident, notification.revision
        with self._one:
            if known not in self._drawn:
                made = self._draw(notification)
                if made is None:
                    return None
                while len(self._drawn) >= KEPT:
                    del self._drawn[next(iter(self._drawn))]
                self._drawn[known] = made
            return self._drawn[known]

    def _draw(self, notification: Notification) -> bytes | None:
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
    labels = dict(alert.labels)
    segment, version = labels.pop("segment", ""), labels.pop("version", notification.model_version)
    until = notification.window[1] if notification.window is not None else alert.since
    key = WindowKey(notification.model, as_micros(until), version, segment)
    rows = measurements.load_intervals(
        connection, key, alert.check, alert.measurement, labels, WINDOWS
    )
    points = [SeriesPoint(from_micros(row.start), row.value, row.low, row.high) for row in rows]
    return SeriesLine(_name(alert), alert.severity, alert.since, points, _usual(alert))


def _name(alert: AlertFact) -> str:
    about = subject(alert)
    what = alert.measurement.replace("_", " ")
    return f"{about}: {what}" + (f" ({alert.unit})" if alert.unit else "") if about else what


def _usual(alert: AlertFact) -> float | None:
    known = alert.detail.get("usual")
    return float(known) if isinstance(known, (int, float)) else alert.was
