"""Loads stored numbers of one window: those behind an incident's message, or all of a model.

Incidents about the agent itself and digests of other incidents have no such numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from driftline.alerting.digest import CAUSE as DIGEST
from driftline.state.measurement_reader import (
    Selection,
    at_window,
    find_newest_start,
    read_measurements,
)
from driftline.state.notification_json import parse_notification
from driftline.state.stored_measurement import StoredMeasurement
from driftline.state.tables import incident_events, incidents, windows
from driftline.types.family import Family
from driftline.types.labels import labels_json
from driftline.types.notification import AlertFact, Notification
from driftline.types.records import WindowKey
from driftline.types.times import as_micros, from_micros

CAUSES_WITHOUT_NUMBERS = {
    DIGEST: "stands for other incidents: name one of them",
    Family.MONITORING: "is about the agent itself",
}


class NoNumbersError(ValueError):
    """An incident has no stored numbers of a window; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNumbers:
    """Stored numbers of the windows of a model with one start."""

    model: str
    rows: Sequence[StoredMeasurement]
    """Those of a message have the most important first."""
    windows: Mapping[WindowKey, Row[Any]]
    """The windows that were measured, by version and segment."""
    message: NotifiedMessage | None = None
    """None where the numbers were not asked for by an incident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifiedMessage:
    """The message that had the numbers."""

    incident: Row[Any]
    notified_at: datetime
    """When the message was made."""
    missing_numbers: int
    """Numbers of the message that were not measured in that window."""


def load_window_numbers(
    connection: Connection, model: str, at: datetime | None, checks: Sequence[str] = ()
) -> StoredNumbers:
    """All numbers of the windows of a model that start at `at`; None stands for the newest ones.

    `checks` chooses the checks; all without any. Raises NoNumbersError.
    """
    selection = Selection(model=model, checks=checks or None)
    start = find_newest_start(connection, selection) if at is None else as_micros(at)
    rows = [] if start is None else read_measurements(connection, at_window(selection, start))
    if not rows:
        where = "" if at is None else f" in a window from {at:%Y-%m-%d %H:%M} UTC"
        what = f" of {', '.join(checks)}" if checks else ""
        raise NoNumbersError(f"{model}: no number{what} is kept{where}")
    return StoredNumbers(model=model, rows=rows, windows=_load_windows(connection, rows))


def load_notified_numbers(connection: Connection, name: str, at: datetime | None) -> StoredNumbers:
    """The numbers that the incident `name` notified, in the window that starts at `at`.

    None stands for the newest window of its message. Raises NoNumbersError.
    """
    incident = connection.execute(sa.select(incidents).where(incidents.c.id == name)).one()
    if incident.cause in CAUSES_WITHOUT_NUMBERS:
        reason = CAUSES_WITHOUT_NUMBERS[incident.cause]
        raise NoNumbersError(f"{name} {reason}; no number of a window is behind it")
    event, notification, firing = _load_message(connection, name)
    series = [_find_series(incident.model, notification, alert) for alert in firing]
    if at is None:
        end = as_micros(notification.window[1]) if notification.window is not None else event.at
        starts = [
            find_newest_start(connection, replace(selection, until=end)) for selection in series
        ]
        start = max((value for value in starts if value is not None), default=None)
    else:
        start = as_micros(at)
    rows = [
        row
        for selection in series
        if start is not None
        for row in read_measurements(connection, at_window(selection, start))
    ]
    if start is None or not rows:
        where = "" if at is None else f" in a window from {at:%Y-%m-%d %H:%M} UTC"
        raise NoNumbersError(
            f"{name}: none of its numbers is kept{where}; `driftline explain {name}` shows what is"
        )
    return StoredNumbers(
        model=incident.model,
        rows=rows,
        windows=_load_windows(connection, rows),
        message=NotifiedMessage(
            incident=incident,
            notified_at=from_micros(event.at),
            missing_numbers=len(series) - len(rows),
        ),
    )


def _load_windows(
    connection: Connection, rows: Sequence[StoredMeasurement]
) -> dict[WindowKey, Row[Any]]:
    keys = dict.fromkeys(WindowKey(row.model, row.start, row.version, row.segment) for row in rows)
    return {key: _load_window(connection, key) for key in keys}


def _load_message(
    connection: Connection, name: str
) -> tuple[Row[Any], Notification, list[AlertFact]]:
    """The newest event with a firing alert, its notification, and its firing alerts.

    An event that people were notified of comes before one that was held back.
    """
    c = incident_events.c
    query = (
        sa.select(incident_events)
        .where(c.incident == name)
        .order_by((c.held == "").desc(), c.revision.desc())
    )
    for event in connection.execute(query):
        notification = parse_notification(event.facts)
        firing = [alert for alert in notification.alerts if alert.state == "firing"]
        if firing:
            return event, notification, firing
    raise NoNumbersError(f"{name} has notified no number")


def _find_series(model: str, notification: Notification, alert: AlertFact) -> Selection:
    """The measurements of an alert."""
    labels = {
        name: value for name, value in alert.labels.items() if name not in ("segment", "version")
    }
    return Selection(
        model=model,
        versions=(alert.labels.get("version", notification.model_version),),
        segments=(alert.labels.get("segment", ""),),
        checks=(alert.check,),
        names=(alert.measurement,),
        labels=labels_json(labels),
    )


def _load_window(connection: Connection, key: WindowKey) -> Row[Any]:
    c = windows.c
    is_window = (
        c.model == key.model,
        c.start == key.start,
        c.version == key.version,
        c.segment == key.segment,
    )
    return connection.execute(sa.select(windows).where(*is_window)).one()
