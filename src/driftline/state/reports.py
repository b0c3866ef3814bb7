"""Stores the first report of each model version, and reads what it is made of.

Times are microseconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.spec import ProfileSpec
from driftline.state.notification_json import dump_notification, parse_notification
from driftline.state.tables import reports, windows
from driftline.state.windows import load_profile
from driftline.types.notification import Notification
from driftline.types.records import WindowKey


@dataclass(frozen=True, slots=True)
class StoredReport:
    """One report."""

    version: str
    at: int
    """When it was written."""
    title: str
    """Empty for a version that was watched before there were reports."""
    facts: dict[str, str]
    """What it says in sentences, by label."""


@dataclass(frozen=True, slots=True)
class ReadSpan:
    """The windows with rows of one model version."""

    windows: int
    rows: int
    start: int
    end: int


def load_reports(connection: Connection, model: str) -> list[StoredReport]:
    """Load the reports of a model, the newest first."""
    c = reports.c
    query = sa.select(c.version, c.at, c.title, c.payload).where(c.model == model)
    return [
        StoredReport(version=row.version, at=row.at, title=row.title, facts=_facts(row.payload))
        for row in connection.execute(query.order_by(c.at.desc(), c.version))
    ]


def _facts(payload: str) -> dict[str, str]:
    if not payload:
        return {}
    notification = parse_notification(payload)
    facts = notification.facts.items()
    return {name: text for name, text in facts if name not in notification.own_facts}


def add_report(
    connection: Connection, model: str, version: str, notification: Notification, at: int
) -> None:
    """Store the report of a version; there must be none yet."""
    connection.execute(
        reports.insert().values(
            model=model,
            version=version,
            at=at,
            title=notification.title,
            payload=dump_notification(notification),
        )
    )


def find_read_span(connection: Connection, model: str, version: str, end: int) -> ReadSpan | None:
    """Find the windows of a version that have rows and end by `end`; None without any."""
    c = windows.c
    query = sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(c.rows), 0),
        sa.func.min(c.start),
        sa.func.max(c.end),
    ).where(_has_rows(model, version), c.end <= end)
    row = connection.execute(query).one()
    return None if not row[0] else ReadSpan(int(row[0]), int(row[1]), int(row[2]), int(row[3]))


def load_newest_profile(
    connection: Connection,
    model: str,
    version: str,
    *,
    since: int,
    until: int,
    most: int,
    spec: ProfileSpec,
    collectors: Collectors,
) -> Profile:
    """Load the rows of a version in [since, until), of its newest `most` windows."""
    c = windows.c
    starts = connection.execute(
        sa.select(c.start)
        .where(_has_rows(model, version), c.start >= since, c.end <= until)
        .order_by(c.start.desc())
        .limit(most)
    ).scalars()
    profile = Profile(spec, collectors)
    for start in sorted(starts):
        key = WindowKey(model, start, version, "")
        profile.merge(load_profile(connection, key, spec, collectors))
    return profile


def _has_rows(model: str, version: str) -> sa.ColumnElement[bool]:
    c = windows.c
    return sa.and_(c.model == model, c.version == version, c.segment == "", c.rows > 0)
