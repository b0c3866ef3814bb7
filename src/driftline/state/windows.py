"""Windows: which are due, what they hold, and what becomes of them with age.

Refuses to judge. Times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.spec import ProfileSpec
from driftline.state.tables import from_micros, measurements, objects, rollups, shares, windows
from driftline.types.model import LogObject
from driftline.types.records import DueWindow, WindowKey

DAY = 86_400_000_000
ROWS, LABELS = 1, 2
"""What came to a window since it was judged (`dirty`): rows, or labels for rows that it has."""


def list_versions(connection: Connection, model: str, begin: int, end: int) -> set[str]:
    """The versions that had rows in windows that start in [begin, end)."""
    c = windows.c
    query = (
        sa.select(c.version)
        .where(c.model == model, c.start >= begin, c.start < end, c.rows > 0)
        .distinct()
    )
    return set(connection.execute(query).scalars())


def add_empty_windows(
    connection: Connection, model: str, since: int, until: int, length: int
) -> None:
    """Add an empty window for every span of `length` in [since, until) that no row fell into.

    It belongs to the versions that the newest window with rows had.
    """
    first = -(-since // length) * length
    if first + length > until:
        return
    c = windows.c
    span = (
        sa.select(c.start)
        .where(c.model == model, c.segment == "", c.start >= first, c.end <= until)
        .distinct()
    )
    have = {row.start for row in connection.execute(span)}
    missing = [start for start in range(first, until - length + 1, length) if start not in have]
    if not missing:
        return
    newest = (
        sa.select(sa.func.max(c.start))
        .where(c.model == model, c.segment == "", c.rows > 0)
        .scalar_subquery()
    )
    lately = sa.select(c.version).where(
        c.model == model, c.segment == "", c.rows > 0, c.start == newest
    )
    versions = [row.version for row in connection.execute(lately)] or [""]
    rows = [
        {"model": model, "start": start, "version": version, "segment": "", "end": start + length}
        for start in missing
        for version in versions
    ]
    connection.execute(windows.insert(), rows)


def load_due(
    connection: Connection, model: str, until: int, limit: int = 1
) -> list[list[DueWindow]]:
    """The windows with new rows or labels, or never judged, that ended by `until`: by start, oldest
    first, `limit` groups.
    """
    c = windows.c
    ready = _ready(model, until)
    starts = [
        row.start
        for row in connection.execute(
            sa.select(c.start).where(ready).distinct().order_by(c.start).limit(limit)
        )
    ]
    groups = []
    for start in starts:
        query = sa.select(
            c.start, c.version, c.segment, c.end, c.rows, c.revision, c.quiet, c.dirty
        ).where(ready, c.start == start)
        groups.append(
            [
                DueWindow(
                    WindowKey(model, r.start, r.version, r.segment),
                    r.end,
                    r.rows,
                    r.revision,
                    r.quiet == 1,
                    r.dirty == LABELS,
                )
                for r in connection.execute(query.order_by(c.version, c.segment))
            ]
        )
    return groups


def _ready(model: str, until: int) -> sa.ColumnElement[bool]:
    # A settled window takes no more rows, but labels for those it has.
    c = windows.c
    changed = sa.or_(sa.and_(c.dirty == ROWS, c.settled == 0), c.dirty == LABELS)
    return sa.and_(c.model == model, changed, c.end <= until)


def relabel(
    connection: Connection, model: str, start: int, version: str, labelled: Mapping[str, bytes]
) -> bool:
    """Write what labels say of one window, by segment; what changed by it is due again. Returns
    whether anything did.
    """
    c = windows.c
    query = sa.select(c.segment, c.labelled, c.dirty).where(
        c.model == model, c.start == start, c.version == version
    )
    changed = False
    for row in connection.execute(query).all():
        content = labelled.get(row.segment)
        if content != row.labelled:
            values = {"labelled": content, "dirty": row.dirty or LABELS}
            connection.execute(
                windows.update()
                .where(_is(windows, WindowKey(model, start, version, row.segment)))
                .values(**values)
            )
            changed = True
    return changed


def count_due(connection: Connection, model: str, until: int) -> int:
    """How many spans of time are due."""
    starts = sa.func.count(sa.distinct(windows.c.start))
    return int(connection.execute(sa.select(starts).where(_ready(model, until))).scalar_one())


def load_length(connection: Connection, model: str) -> int | None:
    """How long the windows of a model are (microseconds); None while there is none."""
    return connection.execute(
        sa.select(windows.c.end - windows.c.start).where(windows.c.model == model).limit(1)
    ).scalar()


def count_windows(connection: Connection, model: str) -> tuple[int, int]:
    """(judged, still open), spans of time."""
    c = windows.c
    judged = sa.func.count(sa.distinct(sa.case((c.revision > 0, c.start))))
    still = sa.func.count(sa.distinct(sa.case((c.revision == 0, c.start))))
    row = connection.execute(sa.select(judged, still).where(c.model == model)).one()
    return int(row[0]), int(row[1])


def load_profile(
    connection: Connection, key: WindowKey, spec: ProfileSpec, collectors: Collectors
) -> Profile:
    """The profile of a window, with what labels say that came later. What was made by another spec
    is left out.
    """
    merged = _rows_of(connection, key, spec, collectors)
    late = connection.execute(sa.select(windows.c.labelled).where(_is(windows, key))).scalar()
    if late is not None:
        _merge(merged, late)
    return merged


def _rows_of(
    connection: Connection, key: WindowKey, spec: ProfileSpec, collectors: Collectors
) -> Profile:
    """Of its rows alone: its own once settled, else its shares merged."""
    merged = Profile(spec, collectors)
    own = connection.execute(sa.select(windows.c.profile).where(_is(windows, key))).scalar()
    pieces = [own] if own is not None else []
    if own is None:
        query = sa.select(shares.c.profile).where(_is(shares, key), shares.c.profile.is_not(None))
        pieces = [
            row.profile
            for row in connection.execute(query.order_by(shares.c.object_id, shares.c.piece))
        ]
    for piece in pieces:
        _merge(merged, piece)
    return merged


def _merge(profile: Profile, content: bytes) -> None:
    """Merge what was made by the same spec."""
    try:
        profile.merge(Profile.from_bytes(content, profile.spec, profile.collectors))
    except ValueError:
        return


def list_contributors(connection: Connection, key: WindowKey) -> list[LogObject]:
    """The objects whose rows a window counts, by name."""
    c = objects.c
    mine = sa.select(shares.c.object_id).where(_is(shares, key))
    query = (
        sa.select(c.uri, c.version, c.size, c.modified, c.lineage)
        .where(c.id.in_(mine))
        .order_by(c.uri)
    )
    return [
        LogObject(r.uri, r.version, r.size, from_micros(r.modified), lineage=r.lineage)
        for r in connection.execute(query)
    ]


def mark_judged(
    connection: Connection, group: Iterable[DueWindow], reference_id: int | None, config_digest: str
) -> None:
    """These windows stand as judged, with one more revision."""
    for item in group:
        connection.execute(
            windows.update()
            .where(_is(windows, item.key))
            .values(
                revision=item.revision + 1,
                dirty=0,
                quiet=int(item.quiet),
                reference_id=reference_id,
                config_digest=config_digest,
            )
        )


def settle_windows(
    connection: Connection,
    model: str,
    before: int,
    spec: ProfileSpec,
    collectors: Collectors,
    limit: int = 50,
) -> int:
    """Close judged windows that ended by `before` for good: their shares become one profile.
    Returns how many.
    """
    c = windows.c
    old = sa.select(c.start, c.version, c.segment).where(
        c.model == model, c.settled == 0, c.dirty == 0, c.revision > 0, c.end <= before
    )
    rows = connection.execute(old.order_by(c.start).limit(limit)).all()
    for row in rows:
        key = WindowKey(model, row.start, row.version, row.segment)
        profile = _rows_of(connection, key, spec, collectors)
        connection.execute(
            windows.update().where(_is(windows, key)).values(settled=1, profile=profile.to_bytes())
        )
        connection.execute(shares.update().where(_is(shares, key)).values(profile=None))
    return len(rows)


def roll_up(
    connection: Connection,
    model: str,
    before: int,
    spec: ProfileSpec,
    collectors: Collectors,
    limit: int = 50,
) -> int:
    """Merge profiles of settled windows that ended by `before` into their days. Returns how
    many.
    """
    c = windows.c
    old = sa.select(c.start, c.version, c.segment).where(
        c.model == model, c.settled == 1, c.dirty == 0, c.profile.is_not(None), c.end <= before
    )
    rows = connection.execute(old.order_by(c.start).limit(limit)).all()
    for row in rows:
        key = WindowKey(model, row.start, row.version, row.segment)
        profile = load_profile(connection, key, spec, collectors)
        if profile.rows:
            _into_day(connection, replace(key, start=row.start // DAY * DAY), profile)
        connection.execute(
            windows.update().where(_is(windows, key)).values(profile=None, labelled=None)
        )
    return len(rows)


def _into_day(connection: Connection, key: WindowKey, profile: Profile) -> None:
    spec, collectors = profile.spec, profile.collectors
    have = connection.execute(
        sa.select(rollups.c.profile, rollups.c.spec_digest).where(_is(rollups, key))
    ).one_or_none()
    if have is not None and have.spec_digest == spec.digest:
        profile.merge(Profile.from_bytes(have.profile, spec, collectors))
    values = {"rows": profile.rows, "spec_digest": spec.digest, "profile": profile.to_bytes()}
    if have is not None:
        connection.execute(rollups.update().where(_is(rollups, key)).values(**values))
        return
    row = {
        "model": key.model,
        "start": key.start,
        "version": key.version,
        "segment": key.segment,
        "end": key.start + DAY,
    }
    connection.execute(rollups.insert().values(**row, **values))


def expire_rows(
    connection: Connection, model: str, profiles_before: int, measurements_before: int
) -> None:
    """Forget days of profiles, and measurements, that are older than this. The ledger and the
    windows' rows stay.
    """
    connection.execute(
        rollups.delete().where(rollups.c.model == model, rollups.c.end <= profiles_before)
    )
    connection.execute(
        measurements.delete().where(
            measurements.c.model == model, measurements.c.start < measurements_before
        )
    )


def load_trailing_profile(
    connection: Connection,
    model: str,
    segment: str,
    since: int,
    until: int,
    spec: ProfileSpec,
    collectors: Collectors,
) -> Profile:
    """All versions' rows of a segment in [since, until), from days and windows alike."""
    merged = Profile(spec, collectors)
    c = rollups.c
    days = sa.select(c.profile).where(
        c.model == model,
        c.segment == segment,
        c.start >= since,
        c.end <= until,
        c.spec_digest == spec.digest,
    )
    for row in connection.execute(days):
        merged.merge(Profile.from_bytes(row.profile, spec, collectors))
    c = windows.c
    spans = connection.execute(
        sa.select(c.start, c.version).where(
            c.model == model, c.segment == segment, c.start >= since, c.end <= until, c.rows > 0
        )
    ).all()
    for row in spans:
        merged.merge(
            load_profile(
                connection, WindowKey(model, row.start, row.version, segment), spec, collectors
            )
        )
    return merged


def find_newest_event(
    connection: Connection, key: WindowKey, spec: ProfileSpec, collectors: Collectors
) -> int | None:
    """The newest event time (microseconds) of the same version and segment before the window
    `key`.
    """
    c = windows.c
    query = sa.select(c.start).where(
        c.model == key.model,
        c.version == key.version,
        c.segment == key.segment,
        c.rows > 0,
        c.start < key.start,
    )
    start = connection.execute(query.order_by(c.start.desc()).limit(1)).scalar()
    if start is None:
        return None
    return (
        load_profile(
            connection, WindowKey(key.model, start, key.version, key.segment), spec, collectors
        ).last
        or start
    )


def _is(table: sa.Table, key: WindowKey) -> sa.ColumnElement[bool]:
    c = table.c
    return sa.and_(
        c.model == key.model,
        c.start == key.start,
        c.version == key.version,
        c.segment == key.segment,
    )


@dataclass(frozen=True, slots=True)
class WindowHistory:
    """The windows of a model in a span of time."""

    groups: list[list[DueWindow]]
    """By start, oldest first; as never judged."""
    missing_starts: int
    """Starts whose windows are only in their day any more, or nowhere."""


def load_history_groups(
    connection: Connection, model: str, since: int, until: int
) -> WindowHistory:
    """The windows that start in [since, until), microseconds."""
    c = windows.c
    mine = sa.and_(
        shares.c.model == c.model,
        shares.c.start == c.start,
        shares.c.version == c.version,
        shares.c.segment == c.segment,
    )
    shared = sa.exists().where(mine, shares.c.profile.is_not(None))
    whole = sa.or_(c.rows == 0, c.profile.is_not(None), sa.and_(c.settled == 0, shared)).label(
        "whole"
    )
    query = sa.select(c.start, c.version, c.segment, c.end, c.rows, whole)
    query = query.where(c.model == model, c.start >= since, c.start < until).order_by(
        c.start, c.version, c.segment
    )
    groups, missing = [], 0
    for _, rows in groupby(connection.execute(query), key=lambda row: int(row.start)):
        found = list(rows)
        if all(row.whole for row in found):
            groups.append(
                [
                    DueWindow(
                        WindowKey(model, row.start, row.version, row.segment), row.end, row.rows, 0
                    )
                    for row in found
                ]
            )
        else:
            missing += 1
    return WindowHistory(groups, missing)


def find_history_span(connection: Connection, model: str) -> tuple[int, int] | None:
    """Begin of the first and end of the last window, microseconds; None without windows."""
    c = windows.c
    row = connection.execute(
        sa.select(sa.func.min(c.start), sa.func.max(c.end)).where(c.model == model)
    ).one()
    return None if row[0] is None else (int(row[0]), int(row[1]))
