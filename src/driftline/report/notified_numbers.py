"""The stored numbers that an incident's message told: of its newest window that people heard of, or
of another one.

Refuses what has no window behind it: trouble of the agent, and digests of other incidents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from driftline.alerting.digest import CAUSE as DIGEST
from driftline.alerting.fact import MONITORING
from driftline.state.measurements import labels_json
from driftline.state.tables import (
    as_micros,
    from_micros,
    incident_events,
    incidents,
    measurements,
    windows,
)
from driftline.types.notification import AlertFact, Notification
from driftline.types.records import WindowKey

ABOUT = {
    DIGEST: "stands for other incidents: name one of them",
    MONITORING: "is about the agent itself",
}


class NoNumbersError(ValueError):
    """There is no number of a window behind what was asked for; its text says why."""


@dataclass(frozen=True, slots=True)
class NotifiedNumbers:
    """Numbers of one window, most telling first."""

    incident: Row[Any]
    notified_at: datetime
    """When they were told."""
    rows: Sequence[Row[Any]]
    """Of `measurements`."""
    windows: Mapping[WindowKey, Row[Any]]
    """The windows that they are of: one start, by version and segment."""
    missing_numbers: int
    """Numbers of the message that were not measured in that window."""


def load_notified_numbers(
    connection: Connection, name: str, at: datetime | None
) -> NotifiedNumbers:
    """What the incident `name` told of the window from `at` on, of the newest that was told when
    None. Raises NothingTold.
    """
    incident = connection.execute(sa.select(incidents).where(incidents.c.id == name)).one()
    if incident.cause in ABOUT:
        raise NoNumbersError(f"{name} {ABOUT[incident.cause]}; no number of a window is behind it")
    event, told, firing = _message(connection, name)
    series = [_series(incident.model, told, alert) for alert in firing]
    c = measurements.c
    if at is None:
        end = as_micros(told.window[1]) if told.window is not None else event.at
        newest = sa.select(sa.func.max(c.start)).where(c.start < end)
        starts = [connection.execute(newest.where(*mine)).scalar() for mine in series]
        start = max((each for each in starts if each is not None), default=None)
    else:
        start = as_micros(at)
    found = [
        connection.execute(sa.select(measurements).where(*mine, c.start == start)).one_or_none()
        for mine in series
    ]
    rows = [row for row in found if row is not None]
    if start is None or not rows:
        where = "" if at is None else f" in a window from {at:%Y-%m-%d %H:%M} UTC"
        raise NoNumbersError(
            f"{name}: none of its numbers is kept{where}; `driftline explain {name}` shows what is"
        )
    keys = dict.fromkeys(WindowKey(row.model, row.start, row.version, row.segment) for row in rows)
    return NotifiedNumbers(
        incident,
        from_micros(event.at),
        rows,
        {key: _window(connection, key) for key in keys},
        len(series) - len(rows),
    )


def _message(connection: Connection, name: str) -> tuple[Row[Any], Notification, list[AlertFact]]:
    """The newest message with something that fires: one that people got, where they got any."""
    c = incident_events.c
    query = (
        sa.select(incident_events)
        .where(c.incident == name)
        .order_by((c.held == "").desc(), c.revision.desc())
    )
    for event in connection.execute(query):
        told = Notification.model_validate_json(event.facts)
        firing = [alert for alert in told.alerts if alert.state == "firing"]
        if firing:
            return event, told, firing
    raise NoNumbersError(f"{name} told no number")


def _series(model: str, told: Notification, alert: AlertFact) -> tuple[sa.ColumnElement[bool], ...]:
    c = measurements.c
    labels = {
        name: value for name, value in alert.labels.items() if name not in ("segment", "version")
    }
    return (
        c.model == model, c.version == alert.labels.get("version", told.model_version),
        c.segment == alert.labels.get("segment", ""), c.check == alert.check, c.name == alert.measurement,
        c.labels == labels_json(labels),
    )  # fmt: skip


def _window(connection: Connection, key: WindowKey) -> Row[Any]:
    c = windows.c
    mine = (
        c.model == key.model,
        c.start == key.start,
        c.version == key.version,
        c.segment == key.segment,
    )
    return connection.execute(sa.select(windows).where(*mine)).one()
