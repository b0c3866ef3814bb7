"""Explains where a number comes from: measurement, rule, earlier windows, reference and objects.

Does not compute: all of it is stored as it was when the window was judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from driftline.agent.decision_log import summarise_decision
from driftline.state import action_runs
from driftline.state.measurement_reader import (
    Selection,
    at_window,
    find_newest_changed,
    read_measurements,
    select_series,
    series_arguments,
)
from driftline.state.measurements import JUDGED, load_bound
from driftline.state.notification_json import parse_notification
from driftline.state.stored_measurement import StoredMeasurement
from driftline.state.tables import (
    configurations,
    incident_events,
    incidents,
    objects,
    references,
    shares,
    windows,
)
from driftline.types.labels import labels_json
from driftline.types.notification import AlertFact, Notification
from driftline.types.records import WindowKey
from driftline.types.times import as_micros, from_micros

Values = dict[str, Any]
PAST_WINDOWS = 10
"""Windows of a series that are shown."""
MAX_OBJECTS = 1_000
"""The most objects of a window that are named."""
VERDICT_ORDER = ("changed", "error", "unsure", "ok", "")


MOST_DATED, FEWEST_BEFORE = 120, 8
"""Newest windows in which the begin of a change is dated; the fewest of them before the alert."""


def explain_incident(connection: Connection, name: str) -> Values:
    """Explain an incident and each of its alerts, in the newest window that showed it.

    Returns values for JSON.
    """
    row = connection.execute(sa.select(incidents).where(incidents.c.id == name)).one()
    events = connection.execute(
        sa.select(incident_events)
        .where(incident_events.c.incident == name)
        .order_by(incident_events.c.revision)
    ).all()
    notification = parse_notification(events[-1].facts)
    findings = [
        _explain_alert(connection, row, notification, alert) for alert in notification.alerts
    ]
    return {
        "incident": {
            "id": row.id,
            "model": row.model,
            "cause": row.cause,
            "state": row.state,
            "severity": row.severity,
            "title": row.title,
            "since": _iso(row.since),
            "resolved_at": _iso(row.resolved_at),
            "history": [
                {
                    "event": event.event,
                    "at": _iso(event.at),
                    "reason": event.reason,
                    "author": event.author,
                    "held": event.held,
                }
                for event in events
            ],
            "actions": [
                {
                    "run": run.token,
                    "action": run.action,
                    "at": run.created_at.isoformat(),
                    "state": run.state,
                    "why": run.trigger,
                    "author": run.author,
                    "reason": run.reason,
                    "request": None if run.request is None else str(run.request),
                    "answer": run.answer or run.error,
                }
                for run in action_runs.load_runs(connection, name)
            ],
        },
        **_decision(connection, row.model),
        "findings": findings,
        "windows": _explain_windows(connection, row.model, findings),
    }


def _decision(connection: Connection, model: str) -> Values:
    """The newest decision of a model as `decision`; empty before the first one."""
    decision = summarise_decision(connection, model)
    return {} if decision is None else {"decision": decision}


def newest_window(connection: Connection, model: str) -> datetime | None:
    """Start of the newest window of a model that was judged; None without one."""
    c = windows.c
    start = connection.execute(
        sa.select(sa.func.max(c.start)).where(c.model == model, c.revision > 0)
    ).scalar()
    return None if start is None else from_micros(start)


def explain_window(
    connection: Connection,
    model: str,
    start: datetime,
    check: str | None = None,
    column: str | None = None,
) -> Values:
    """Explain the judged measurements of the window that starts at `start`; changed ones first.

    With a check or a column, all of its measurements, judged or not. Returns values for JSON.
    """
    selection = Selection(
        model=model,
        checks=None if check is None else (check,),
        column=column or "",
    )
    verdicts = JUDGED if check is None and column is None else None
    rows = read_measurements(connection, at_window(selection, as_micros(start)), verdicts=verdicts)
    rows.sort(key=lambda row: (row.version, row.segment, row.check, row.labels, row.name))
    order = {verdict: place for place, verdict in enumerate(VERDICT_ORDER)}
    rows.sort(key=lambda row: order.get(row.verdict, len(order)))
    findings = [_explain_measurement(connection, row) for row in rows]
    windows = _explain_windows(connection, model, findings)
    return {
        "incident": None,
        **_decision(connection, model),
        "findings": findings,
        "windows": windows,
    }


def _date_begin(connection: Connection, newest: StoredMeasurement, since: int) -> Values:
    """When the values of a series changed, as `began`: window, and the first and last it may be.

    Empty where fewer than 8 windows before it are stored. Times are microseconds.
    """
    from driftline import stats

    rows = read_measurements(
        connection,
        select_series(*series_arguments(newest), until=newest.start + 1),
        newest_first=True,
        limit=MOST_DATED,
        with_value=True,
    )[::-1]
    if sum(row.start < since for row in rows) < FEWEST_BEFORE:
        return {}
    dated = stats.date_change(np.array([row.value for row in rows], np.float64))
    if dated is None:
        return {}
    at, first, last = (_iso(rows[place].start) for place in dated)
    return {"began": {"at": at, "from": first, "to": last}}


def _explain_alert(
    connection: Connection, row: Row[Any], notification: Notification, alert: AlertFact
) -> Values:
    """Explain an alert by the newest measurement that showed it; `row` is its incident."""
    labels = {
        name: value for name, value in alert.labels.items() if name not in ("segment", "version")
    }
    segment = alert.labels.get("segment", "")
    version = alert.labels.get("version", notification.model_version)
    series = (
        WindowKey(row.model, as_micros(alert.since), version, segment),
        alert.check,
        alert.measurement,
        labels_json(labels),
    )
    measurement = _find_newest(connection, series, as_micros(alert.since), row.resolved_at)
    since = {"since": alert.since.isoformat()}
    if measurement is not None:
        began = _date_begin(connection, measurement, as_micros(alert.since))
        return _explain_measurement(connection, measurement) | since | began
    # Trouble of the agent itself has no window, and old measurements expire: then the message is
    # all there is.
    return {
        "check": alert.check,
        "measurement": alert.measurement,
        "labels": labels,
        "version": notification.model_version,
        "segment": segment,
        "window": None,
        "verdict": "changed",
        "severity": alert.severity.value,
        "value": alert.value,
        "interval": alert.interval,
        "p_value": None,
        "was": alert.was,
        "unit": alert.unit,
        "rows": alert.rows,
        "reason": alert.reason,
        "bound": alert.bound,
        "detail": dict(alert.detail),
        "asked": {},
        "past": [],
        **since,
    }


def _find_newest(
    connection: Connection,
    series: tuple[WindowKey, str, str, str],
    since: int,
    until: int | None,
) -> StoredMeasurement | None:
    """The newest changed measurement of a series; the newest one where none is changed."""
    selection = select_series(*series, since=since, until=until)
    changed = find_newest_changed(connection, *series, since=since, until=until)
    if changed is not None:
        selection = at_window(selection, changed)
    newest = read_measurements(connection, selection, newest_first=True, limit=1)
    return newest[0] if newest else None


def _explain_measurement(connection: Connection, row: StoredMeasurement) -> Values:
    labels = json.loads(row.labels)
    past = _past_values(connection, row)
    since = None
    for earlier in reversed(past):
        if earlier["verdict"] != "changed":
            break
        since = earlier["window"]
    return {
        "check": row.check,
        "measurement": row.name,
        "labels": labels,
        "version": row.version,
        "segment": row.segment,
        "window": _iso(row.start),
        "verdict": row.verdict,
        "severity": row.severity,
        "value": row.value,
        "interval": None if row.low is None else [row.low, row.high],
        "p_value": row.p_value,
        "was": row.was,
        "unit": row.unit,
        "rows": row.rows,
        "reason": row.reason,
        "bound": load_bound(row.bound_side, row.bound_value, row.reason),
        "detail": json.loads(row.detail),
        "asked": _check_settings(connection, row, labels.get("column")),
        "past": past,
        "since": since,
    }


def _past_values(connection: Connection, row: StoredMeasurement) -> list[Values]:
    """The values of the same series in the last windows up to this one, oldest first."""
    earlier_rows = read_measurements(
        connection,
        select_series(*series_arguments(row), until=row.start + 1),
        newest_first=True,
        limit=PAST_WINDOWS,
    )
    return [
        {
            "window": _iso(earlier.start),
            "value": earlier.value,
            "rows": earlier.rows,
            "verdict": earlier.verdict,
        }
        for earlier in earlier_rows[::-1]
    ]


def _check_settings(connection: Connection, row: StoredMeasurement, column: str | None) -> Values:
    """The settings of the check when the window was judged: type, rule, and options of a column."""
    configuration = _configuration(connection, _config_digest(connection, row))
    content = configuration["content"] if configuration is not None else {}
    check = (content.get("checks") or {}).get(row.check)
    if not isinstance(check, dict):
        return {}
    options = check.get("options") or {}
    column_options = {
        f"options.{name}.{column}": by_column[column]
        for name, by_column in options.items()
        if isinstance(by_column, dict) and column in by_column
    }
    return {"type": check.get("type"), "rule": check.get("rule"), **column_options}


def _config_digest(connection: Connection, row: StoredMeasurement) -> str:
    """The digest of the configuration that judged the window of a measurement."""
    c = windows.c
    query = sa.select(c.config_digest).where(
        c.model == row.model,
        c.start == row.start,
        c.version == row.version,
        c.segment == row.segment,
    )
    return connection.execute(query).scalar() or ""


def _explain_windows(
    connection: Connection, model: str, findings: Iterable[Values]
) -> list[Values]:
    """The windows of the findings, each with its reference, configuration and objects."""
    keys = {
        (finding["window"], finding["version"], finding["segment"])
        for finding in findings
        if finding["window"] is not None
    }
    entries: list[Values] = []
    for start, version, segment in sorted(keys):
        c = windows.c
        query = sa.select(windows).where(
            c.model == model,
            c.start == as_micros(datetime.fromisoformat(start)),
            c.version == version,
            c.segment == segment,
        )
        row = connection.execute(query).one_or_none()
        if row is None:
            continue
        entries.append(
            {
                "start": start,
                "end": _iso(row.end),
                "version": version,
                "segment": segment,
                "rows": row.rows,
                "revision": row.revision,
                "told": not row.quiet,
                "reference": _reference(connection, row.reference_id),
                "configuration": _configuration(connection, row.config_digest),
                "objects": _objects(connection, row),
            }
        )
    return entries


def _reference(connection: Connection, id: int | None) -> Values | None:
    c = references.c
    row = connection.execute(
        sa.select(c.number, c.rows, c.digest, c.origin).where(c.id == id)
    ).one_or_none()
    if row is None:
        return None
    return {
        "number": row.number,
        "rows": row.rows,
        "digest": row.digest,
        "objects": json.loads(row.origin),
    }


def _configuration(connection: Connection, digest: str) -> Values | None:
    row = connection.execute(
        sa.select(configurations).where(configurations.c.digest == digest)
    ).one_or_none()
    if row is None:
        return None
    content, plugins = json.loads(row.content), json.loads(row.plugins)
    return {
        "digest": digest,
        "first_used": _iso(row.first_used),
        "plugins": plugins,
        "content": content,
    }


def _objects(connection: Connection, row: Row[Any]) -> list[Values]:
    """The log objects with rows in a window, and how many each contributed."""
    s, o = shares.c, objects.c
    rows = sa.func.sum(s.rows).label("share")
    query = (
        sa.select(o.uri, o.version, o.state, o.rejected, rows)
        .join(shares, s.object_id == o.id)
        .where(
            s.model == row.model,
            s.start == row.start,
            s.version == row.version,
            s.segment == row.segment,
        )
        .group_by(o.id, o.uri, o.version, o.state, o.rejected)
        .order_by(o.uri)
        .limit(MAX_OBJECTS)
    )
    return [
        {
            "uri": contributor.uri,
            "version": contributor.version,
            "rows": int(contributor.share),
            "state": contributor.state,
            "rejected": contributor.rejected,
        }
        for contributor in connection.execute(query)
    ]


def _iso(value: int | None) -> str | None:
    return None if value is None else from_micros(value).isoformat()
