"""Where a number comes from: the incident or the window, the measurement, its rule, its past, the
reference, the objects.

Refuses to compute: all of it is in the state, as it was when the window was judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from driftline.state import action_runs
from driftline.state.measurements import labels_json
from driftline.state.tables import (
    as_micros,
    configurations,
    from_micros,
    incident_events,
    incidents,
    measurements,
    objects,
    references,
    shares,
    windows,
)
from driftline.types.notification import AlertFact, Notification

Plain = dict[str, Any]
PAST = 10
"""Windows of a series that are shown."""
MOST = 1_000
"""Objects of a window that are named."""


def explain_incident(connection: Connection, name: str) -> Plain:
    """An incident with what each of its alerts rests on, in the newest window that showed it."""
    row = connection.execute(sa.select(incidents).where(incidents.c.id == name)).one()
    events = connection.execute(
        sa.select(incident_events)
        .where(incident_events.c.incident == name)
        .order_by(incident_events.c.revision)
    ).all()
    told = Notification.model_validate_json(events[-1].facts)
    found = [_of_alert(connection, row, told, alert) for alert in told.alerts]
    return {
        "incident": {
            "id": row.id, "model": row.model, "cause": row.cause, "state": row.state, "severity": row.severity,
            "title": row.title, "since": _iso(row.since), "resolved_at": _iso(row.resolved_at),
            "history": [
                {"event": e.event, "at": _iso(e.at), "reason": e.reason, "author": e.author, "held": e.held} for e in events
            ],
            "actions": [
                {
                    "run": run.token, "action": run.action, "at": run.created_at.isoformat(), "state": run.state, "why": run.trigger,
                    "author": run.author, "reason": run.reason, "request": None if run.request is None else str(run.request),
                    "answer": run.answer or run.error,
                }
                for run in action_runs.list_runs(connection, name)
            ],
        },
        "findings": found,
        "windows": _windows(connection, row.model, found),
    }  # fmt: skip


def newest_window(connection: Connection, model: str) -> datetime | None:
    """Start of the newest window of a model that was judged."""
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
) -> Plain:
    """The judged measurements of a window; of one check or column all of them. Changed ones come
    first.
    """
    c = measurements.c
    query = sa.select(measurements).where(c.model == model, c.start == as_micros(start))
    query = query.where(c.check == check) if check is not None else query
    query = query.where(c.verdict != "") if check is None and column is None else query
    order = {
        verdict: place for place, verdict in enumerate(("changed", "error", "unsure", "ok", ""))
    }
    rows = [
        row
        for row in connection.execute(
            query.order_by(c.version, c.segment, c.check, c.labels, c.name)
        )
        if column is None or json.loads(row.labels).get("column") == column
    ]
    rows.sort(key=lambda row: order.get(row.verdict, len(order)))
    found = [_of_measurement(connection, row) for row in rows]
    return {"incident": None, "findings": found, "windows": _windows(connection, model, found)}


def _of_alert(connection: Connection, row: Row[Any], told: Notification, alert: AlertFact) -> Plain:
    c = measurements.c
    labels = {
        name: value for name, value in alert.labels.items() if name not in ("segment", "version")
    }
    series = (
        c.model == row.model, c.version == alert.labels.get("version", told.model_version), c.check == alert.check,
        c.segment == alert.labels.get("segment", ""), c.name == alert.measurement, c.labels == labels_json(labels),
    )  # fmt: skip
    query = sa.select(measurements).where(*series, c.start >= as_micros(alert.since))
    if row.resolved_at is not None:
        query = query.where(c.start < row.resolved_at)
    newest = query.order_by((c.verdict == "changed").desc(), c.start.desc()).limit(1)
    found = connection.execute(newest).one_or_none()
    if found is not None:
        return _of_measurement(connection, found) | {"since": alert.since.isoformat()}
    # Trouble of the agent itself has no window, and old measurements expire: then what people were
    # told is all there is.
    return {
        "check": alert.check, "measurement": alert.measurement, "labels": labels, "version": told.model_version,
        "segment": alert.labels.get("segment", ""), "window": None, "verdict": "changed", "severity": alert.severity.value,
        "value": alert.value, "interval": alert.interval, "p_value": None, "was": alert.was, "unit": alert.unit,
        "rows": alert.rows, "reason": alert.reason, "detail": dict(alert.detail), "asked": {}, "past": [],
        "since": alert.since.isoformat(),
    }  # fmt: skip


def _of_measurement(connection: Connection, row: Row[Any]) -> Plain:
    labels = json.loads(row.labels)
    past = _past(connection, row)
    since = None
    for before in reversed(past):
        if before["verdict"] != "changed":
            break
        since = before["window"]
    return {
        "check": row.check, "measurement": row.name, "labels": labels, "version": row.version, "segment": row.segment,
        "window": _iso(row.start), "verdict": row.verdict, "severity": row.severity, "value": row.value,
        "interval": None if row.low is None else [row.low, row.high], "p_value": row.p_value, "was": row.was,
        "unit": row.unit, "rows": row.rows, "reason": row.reason, "detail": json.loads(row.detail),
        "asked": _asked(connection, row, labels.get("column")), "past": past, "since": since,
    }  # fmt: skip


def _past(connection: Connection, row: Row[Any]) -> list[Plain]:
    """The same series in the last windows up to this one, oldest first."""
    c = measurements.c
    series = (
        c.model == row.model, c.version == row.version, c.segment == row.segment, c.check == row.check,
        c.name == row.name, c.labels == row.labels, c.start <= row.start,
    )  # fmt: skip
    query = (
        sa.select(c.start, c.value, c.rows, c.verdict)
        .where(*series)
        .order_by(c.start.desc())
        .limit(PAST)
    )
    found = connection.execute(query).all()[::-1]
    return [
        {"window": _iso(r.start), "value": r.value, "rows": r.rows, "verdict": r.verdict}
        for r in found
    ]


def _asked(connection: Connection, row: Row[Any], column: str | None) -> Plain:
    """What the configuration of that window said of the check: its type, its rule, and what it asks
    of this column.
    """
    told = _configuration(connection, _judged_by(connection, row))
    check = ((told or {}).get("content", {}).get("checks") or {}).get(row.check)
    if not isinstance(check, dict):
        return {}
    options = check.get("options") or {}
    own = {
        f"options.{name}.{column}": p[column]
        for name, p in options.items()
        if isinstance(p, dict) and column in p
    }
    return {"type": check.get("type"), "rule": check.get("rule"), **own}


def _judged_by(connection: Connection, row: Row[Any]) -> str:
    c = windows.c
    mine = (
        c.model == row.model,
        c.start == row.start,
        c.version == row.version,
        c.segment == row.segment,
    )
    return connection.execute(sa.select(c.config_digest).where(*mine)).scalar() or ""


def _windows(connection: Connection, model: str, found: Iterable[Plain]) -> list[Plain]:
    """The windows that the findings are about, each with what stands behind it."""
    keys = dict.fromkeys(
        (f["window"], f["version"], f["segment"]) for f in found if f["window"] is not None
    )
    made = []
    for start, version, segment in sorted(keys):
        c = windows.c
        mine = (
            c.model == model,
            c.start == as_micros(datetime.fromisoformat(start)),
            c.version == version,
            c.segment == segment,
        )
        row = connection.execute(sa.select(windows).where(*mine)).one_or_none()
        if row is None:
            continue
        made.append(
            {
                "start": start, "end": _iso(row.end), "version": version, "segment": segment, "rows": row.rows,
                "revision": row.revision, "told": not row.quiet, "reference": _reference(connection, row.reference_id),
                "configuration": _configuration(connection, row.config_digest),
                "objects": _objects(connection, row),
            }
        )  # fmt: skip
    return made


def _reference(connection: Connection, id: int | None) -> Plain | None:
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


def _configuration(connection: Connection, digest: str) -> Plain | None:
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


def _objects(connection: Connection, row: Row[Any]) -> list[Plain]:
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
        .limit(MOST)
    )
    return [
        {
            "uri": r.uri,
            "version": r.version,
            "rows": int(r.share),
            "state": r.state,
            "rejected": r.rejected,
        }
        for r in connection.execute(query)
    ]


def _iso(value: int | None) -> str | None:
    return None if value is None else from_micros(value).isoformat()
