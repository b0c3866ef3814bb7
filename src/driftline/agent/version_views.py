"""What the page of a model shows of its versions, side by side. Reads the state only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import Connection

from driftline.agent.series_groups import Series, group_series
from driftline.state import series
from driftline.state.series import WindowRows
from driftline.state.tables import windows
from driftline.types.family import Family
from driftline.types.model import Verdict

if TYPE_CHECKING:
    from driftline.agent.model_settings import ModelSettings
    from driftline.extensions.phrasebook import Phrasebook

MOST_VERSIONS = 5
"""Versions beside each other: those with the newest windows."""
FAMILIES = (Family.PERFORMANCE, Family.BUSINESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSummary:
    """One version of a model in the shown windows."""

    version: str
    rows: int
    """Rows of all shown windows."""
    first: int
    """The start of its first window with rows among them, in microseconds."""
    last: int
    """The start of its newest one."""
    changed: int
    """Measurements of its newest window that changed."""
    metrics: Sequence[Series]
    """Performance and business value of its newest window, for the model as a whole."""


def load_versions(
    connection: Connection,
    settings: ModelSettings,
    phrasebook: Phrasebook,
    shown: Sequence[WindowRows],
) -> list[VersionSummary]:
    """Load the versions with rows in the shown windows, newest first; empty for fewer than two."""
    if not shown:
        return []
    c = windows.c
    query = (
        sa.select(c.version, sa.func.sum(c.rows), sa.func.min(c.start), sa.func.max(c.start))
        .where(
            c.model == settings.name,
            c.segment == "",
            c.rows > 0,
            c.start >= shown[0].start,
            c.start <= shown[-1].start,
        )
        .group_by(c.version)
        .order_by(sa.func.max(c.start).desc(), sa.func.min(c.start).desc())
        .limit(MOST_VERSIONS)
    )
    rows = connection.execute(query).all()
    if len(rows) < 2:
        return []
    summaries = []
    for version, count, first, last in rows:
        values = series.load_series(connection, settings.name, [last], version=version)
        items = group_series(values, settings, phrasebook)
        summaries.append(
            VersionSummary(
                version=version,
                rows=int(count),
                first=first,
                last=last,
                changed=sum(item.newest.verdict == Verdict.CHANGED for item in items),
                metrics=[item for item in items if item.family in FAMILIES and not item.subject],
            )
        )
    return summaries
