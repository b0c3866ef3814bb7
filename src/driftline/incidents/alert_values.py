"""The stored values behind an alert: what charts and pages of incidents show."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from driftline.state import measurements
from driftline.state.measurements import Interval
from driftline.types.notification import AlertFact, Notification
from driftline.types.records import WindowKey
from driftline.types.times import as_micros


def load_alert_values(
    connection: Connection, notification: Notification, alert: AlertFact, limit: int
) -> Sequence[Interval]:
    """Load the newest `limit` values of an alert's measurement with intervals, oldest first.

    They end with the window of the message.
    """
    labels = dict(alert.labels)
    segment, version = labels.pop("segment", ""), labels.pop("version", notification.model_version)
    until = notification.window[1] if notification.window is not None else alert.since
    key = WindowKey(notification.model, as_micros(until), version, segment)
    return measurements.load_intervals(
        connection,
        key,
        check=alert.check,
        name=alert.measurement,
        labels=labels,
        limit=limit,
    )
