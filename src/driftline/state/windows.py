"""Stores windows: which are due, their profiles, and their ageing.

Does not judge. Times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.spec import ProfileSpec
from driftline.state.tables import objects, rollups, shares, windows
from driftline.types.model import LogObject
from driftline.types.records import DueWindow, WindowKey
from driftline.types.times import DAY_MICROS, from_micros

_KEY = ("model", "start", "version", "segment")
# The statements that run for each window are made once.
_WINDOW_PROFILES = sa.select(windows.c.profile, windows.c.labelled).where(
    *(windows.c[name] == sa.bindparam(name) for name in _KEY)
)
_SHARE_PROFILES = (
    sa.select(shares.c.profile)
    .where(*(shares.c[name] == sa.bindparam(name) for name in _KEY), shares.c.profile.is_not(None))
    .order_by(shares.c.object_id, shares.c.piece)
)
_MARK_JUDGED = (
    windows.update()
    .where(
        *(windows.c[name] == sa.bindparam(f"of_{name}") for name in _KEY if name != "start"),
        # A joined window consists of several base windows.
        windows.c.start >= sa.bindparam("of_start"),
        windows.c.start < sa.bindparam("of_end"),
    )
    .values(
        revision=sa.bindparam("new_revision"),
        dirty=0,
        quiet=sa.bindparam("is_quiet"),
        reference_id=sa.bindparam("reference"),
        config_digest=sa.bindparam("digest"),
    )
)
MOST_JOINED = 24
"""The most base windows that are judged as one window, see `windows.rows`."""
ROWS, LABELS = 1, 2
"""Values of `dirty`: a window got rows, or labels for its rows, since it was judged."""


def list_versions(connection: Connection, model: str, begin: int, end: int) -> set[str]:
    """List the versions with rows in windows that start in [begin, end)."""
    c = windows.c
    query = (
        sa.select(c.version)
        .where(c.model == model, c.start >= begin, c.start < end, c.rows > 0)
        .distinct()
    )
    return set(connection.execute(query).scalars())


def load_due(
    connection: Connection, model: str, until: int, limit: int = 1, *, length: int
) -> list[list[DueWindow]]:
    """Load windows that must be judged and ended by `until`: groups of one span, oldest first.

    `limit` is the largest number of groups, `length` that of a base window in microseconds. Of a
    window that was joined of several base windows all are counted.
    """
    c = windows.c
    is_due = _is_due(model, until)
    ends = connection.execute(
        sa.select(c.end, sa.func.min(c.start))
        .where(is_due)
        .group_by(c.end)
        .order_by(c.end)
        .limit(limit)
    ).all()
    if not ends:
        return []
    first = min(start for _, start in ends) - (MOST_JOINED - 1) * length
    columns = (c.start, c.version, c.segment, c.end, c.rows, c.revision, c.quiet, c.dirty)
    query = sa.select(*columns, sa.case((is_due, 1), else_=0).label("is_due")).where(
        c.model == model, c.start >= first, c.end.in_([end for end, _ in ends])
    )
    rows = connection.execute(query.order_by(c.end, c.version, c.segment, c.start)).all()
    groups = []
    for end, end_rows in groupby(rows, key=lambda row: int(row.end)):
        members = list(end_rows)
        start = min(int(row.start) for row in members)
        groups.append(list(_due_windows(model, start, end, members)))
    return groups


def _due_windows(model: str, start: int, end: int, members: Iterable[Any]) -> Iterator[DueWindow]:
    """Yield the windows of one span that are due, from their base windows by version, segment."""
    for (version, segment), rows in groupby(members, key=lambda row: (row.version, row.segment)):
        bases = list(rows)
        due = [row for row in bases if row.is_due]
        if due:
            yield DueWindow(
                key=WindowKey(model, start, version, segment),
                end=end,
                rows=sum(row.rows for row in bases),
                revision=max(row.revision for row in bases),
                quiet=any(row.quiet == 1 for row in bases),
                labels_only=all(row.dirty == LABELS for row in due),
            )


def _is_due(model: str, until: int) -> sa.ColumnElement[bool]:
    # A settled window takes no more rows, but labels for those it has.
    c = windows.c
    has_news = sa.or_(sa.and_(c.dirty == ROWS, c.settled == 0), c.dirty == LABELS)
    return sa.and_(c.model == model, has_news, c.end <= until)


def relabel(
    connection: Connection,
    model: str,
    start: int,
    version: str,
    labels_by_segment: Mapping[str, bytes],
) -> bool:
    """Store the profiles of labelled rows of one window, by segment.

    Segments whose profile changed are due again. Returns whether any did.
    """
    c = windows.c
    query = sa.select(c.segment, c.labelled, c.dirty).where(
        c.model == model, c.start == start, c.version == version
    )
    has_changed = False
    for row in connection.execute(query).all():
        content = labels_by_segment.get(row.segment)
        if content != row.labelled:
            values = {"labelled": content, "dirty": row.dirty or LABELS}
            connection.execute(
                windows.update()
                .where(_has_key(windows, WindowKey(model, start, version, row.segment)))
                .values(**values)
            )
            has_changed = True
    return has_changed


def count_due(connection: Connection, model: str, until: int) -> int:
    """Count the spans of time that are due."""
    ends = sa.func.count(sa.distinct(windows.c.end))
    return int(connection.execute(sa.select(ends).where(_is_due(model, until))).scalar_one())


def load_length(connection: Connection, model: str) -> int | None:
    """Load the length of the base windows of a model (microseconds); None while it has none."""
    return connection.execute(
        sa.select(sa.func.min(windows.c.end - windows.c.start)).where(windows.c.model == model)
    ).scalar()


def count_windows(connection: Connection, model: str) -> tuple[int, int]:
    """Count spans of time: (judged, still open)."""
    c = windows.c
    judged_count = sa.func.count(sa.distinct(sa.case((c.revision > 0, c.start))))
    open_count = sa.func.count(sa.distinct(sa.case((c.revision == 0, c.start))))
    row = connection.execute(sa.select(judged_count, open_count).where(c.model == model)).one()
    return int(row[0]), int(row[1])


def load_profile(
    connection: Connection, key: WindowKey, spec: ProfileSpec, collectors: Collectors
) -> Profile:
    """Load the profile of a window, with labels that came later.

    Profiles of another spec are left out.
    """
    stored = connection.execute(_WINDOW_PROFILES, _key_values(key)).one_or_none()
    window_profile, late_labels = (None, None) if stored is None else stored
    profile = _merge_counted_rows(connection, key, window_profile, spec, collectors)
    if late_labels is not None:
        _merge(profile, late_labels)
    return profile


def _load_counted_rows(
    connection: Connection, key: WindowKey, spec: ProfileSpec, collectors: Collectors
) -> Profile:
    """Load the profile without later labels: of the settled window, else from its shares."""
    window_profile = connection.execute(
        sa.select(windows.c.profile).where(_has_key(windows, key))
    ).scalar()
    return _merge_counted_rows(connection, key, window_profile, spec, collectors)


def _merge_counted_rows(
    connection: Connection,
    key: WindowKey,
    window_profile: bytes | None,
    spec: ProfileSpec,
    collectors: Collectors,
) -> Profile:
    """Decode the profile of a settled window, or merge the shares of one that is not settled."""
    contents = (
        [row.profile for row in connection.execute(_SHARE_PROFILES, _key_values(key))]
        if window_profile is None
        else [window_profile]
    )
    total: Profile | None = None
    for content in contents:
        profile = _decode(content, spec, collectors)
        if total is None:
            total = profile
        elif profile is not None:
            total.merge(profile)
    return Profile(spec, collectors) if total is None else total


def _decode(content: bytes, spec: ProfileSpec, collectors: Collectors) -> Profile | None:
    """Decode a profile; None for one of another spec."""
    try:
        return Profile.from_bytes(content, spec, collectors)
    except ValueError:
        return None


def _merge(profile: Profile, content: bytes) -> None:
    """Merge an encoded profile, unless it has another spec."""
    other = _decode(content, profile.spec, profile.collectors)
    if other is not None:
        profile.merge(other)


def list_contributors(connection: Connection, key: WindowKey) -> list[LogObject]:
    """List the objects whose rows a base window counts, by URI."""
    c = objects.c
    object_ids = sa.select(shares.c.object_id).where(_has_key(shares, key))
    query = (
        sa.select(c.uri, c.version, c.size, c.modified, c.lineage)
        .where(c.id.in_(object_ids))
        .order_by(c.uri)
    )
    return [
        LogObject(
            uri=r.uri,
            version=r.version,
            size=r.size,
            modified=from_micros(r.modified),
            lineage=r.lineage,
        )
        for r in connection.execute(query)
    ]


def mark_judged(
    connection: Connection, group: Iterable[DueWindow], reference_id: int | None, config_digest: str
) -> None:
    """Mark windows as judged, with one more revision."""
    connection.execute(
        _MARK_JUDGED,
        [
            {
                **{f"of_{name}": value for name, value in _key_values(item.key).items()},
                "of_end": item.end,
                "new_revision": item.revision + 1,
                "is_quiet": int(item.quiet),
                "reference": reference_id,
                "digest": config_digest,
            }
            for item in group
        ],
    )


def settle_windows(
    connection: Connection,
    model: str,
    before: int,
    spec: ProfileSpec,
    collectors: Collectors,
    limit: int = 50,
) -> int:
    """Settle judged windows that ended by `before`; return how many.

    Their shares are merged into one profile, and they take no more rows.
    """
    c = windows.c
    query = sa.select(c.start, c.version, c.segment).where(
        c.model == model, c.settled == 0, c.dirty == 0, c.revision > 0, c.end <= before
    )
    rows = connection.execute(query.order_by(c.start).limit(limit)).all()
    for row in rows:
        key = WindowKey(model, row.start, row.version, row.segment)
        profile = _load_counted_rows(connection, key, spec, collectors)
        connection.execute(
            windows.update()
            .where(_has_key(windows, key))
            .values(settled=1, profile=profile.to_bytes())
        )
        connection.execute(shares.update().where(_has_key(shares, key)).values(profile=None))
    return len(rows)


def roll_up(
    connection: Connection,
    model: str,
    before: int,
    spec: ProfileSpec,
    collectors: Collectors,
    limit: int = 50,
) -> int:
    """Merge profiles of settled windows that ended by `before` into days; return how many."""
    c = windows.c
    query = sa.select(c.start, c.version, c.segment).where(
        c.model == model, c.settled == 1, c.dirty == 0, c.profile.is_not(None), c.end <= before
    )
    rows = connection.execute(query.order_by(c.start).limit(limit)).all()
    for row in rows:
        key = WindowKey(model, row.start, row.version, row.segment)
        profile = load_profile(connection, key, spec, collectors)
        if profile.rows:
            _add_to_day(
                connection, replace(key, start=row.start // DAY_MICROS * DAY_MICROS), profile
            )
        connection.execute(
            windows.update().where(_has_key(windows, key)).values(profile=None, labelled=None)
        )
    return len(rows)


def _add_to_day(connection: Connection, key: WindowKey, profile: Profile) -> None:
    spec, collectors = profile.spec, profile.collectors
    day = connection.execute(
        sa.select(rollups.c.profile, rollups.c.spec_digest).where(_has_key(rollups, key))
    ).one_or_none()
    if day is not None and day.spec_digest == spec.digest:
        profile.merge(Profile.from_bytes(day.profile, spec, collectors))
    values = {"rows": profile.rows, "spec_digest": spec.digest, "profile": profile.to_bytes()}
    if day is not None:
        connection.execute(rollups.update().where(_has_key(rollups, key)).values(**values))
        return
    row = {
        "model": key.model,
        "start": key.start,
        "version": key.version,
        "segment": key.segment,
        "end": key.start + DAY_MICROS,
    }
    connection.execute(rollups.insert().values(**row, **values))


def expire_day_profiles(connection: Connection, model: str, before: int) -> None:
    """Delete the profiles of days that end before `before`, microseconds. Row counts stay."""
    connection.execute(rollups.delete().where(rollups.c.model == model, rollups.c.end <= before))


def load_day_profiles(
    connection: Connection,
    model: str,
    segment: str,
    since: int,
    until: int,
    spec: ProfileSpec,
    collectors: Collectors,
    *,
    without: Sequence[tuple[int, int]] = (),
) -> Profile:
    """Load the rows of all versions of a segment in [since, until) that were merged into days.

    Days that overlap one of the spans `without` are left out.
    """
    profile = Profile(spec, collectors)
    c = rollups.c
    days = sa.select(c.profile).where(
        c.model == model,
        c.segment == segment,
        c.start >= since,
        c.end <= until,
        c.spec_digest == spec.digest,
        *(sa.or_(c.end <= begin, c.start >= end) for begin, end in without),
    )
    for row in connection.execute(days):
        profile.merge(Profile.from_bytes(row.profile, spec, collectors))
    return profile


def load_window_profiles(
    connection: Connection,
    model: str,
    segment: str,
    *,
    since: int,
    ended_after: int,
    until: int,
    spec: ProfileSpec,
    collectors: Collectors,
) -> list[tuple[int, Profile]]:
    """Load start and profile of each window with rows, of all versions of a segment.

    They start in [since, until), end after `ended_after` and by `until`, and are oldest first. One
    that was merged into a day has an empty profile.
    """
    c = windows.c
    spans = connection.execute(
        sa.select(c.start, c.version, c.profile, c.labelled)
        .where(
            c.model == model,
            c.segment == segment,
            c.start >= since,
            c.end > ended_after,
            c.end <= until,
            c.rows > 0,
        )
        .order_by(c.start, c.version)
    ).all()
    profiles = []
    for row in spans:
        key = WindowKey(model, row.start, row.version, segment)
        profile = _merge_counted_rows(connection, key, row.profile, spec, collectors)
        if row.labelled is not None:
            _merge(profile, row.labelled)
        profiles.append((int(row.start), profile))
    return profiles


def find_newest_event(
    connection: Connection, key: WindowKey, spec: ProfileSpec, collectors: Collectors
) -> int | None:
    """Find the newest event time before the window `key`, of its version and segment."""
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


def _key_values(key: WindowKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in _KEY}


def _has_key(table: sa.Table, key: WindowKey) -> sa.ColumnElement[bool]:
    c = table.c
    return sa.and_(
        c.model == key.model,
        c.start == key.start,
        c.version == key.version,
        c.segment == key.segment,
    )


@dataclass(frozen=True, slots=True)
class WindowHistory:
    """The windows of a model in a span of time that can be judged again."""

    groups: list[list[DueWindow]]
    """Windows of one span each, oldest first, with revision 0."""
    missing_starts: int
    """Starts whose windows have no profile of their own any more."""


def load_history_groups(
    connection: Connection, model: str, since: int, until: int
) -> WindowHistory:
    """Load the windows that start in [since, until) (microseconds)."""
    c = windows.c
    same_window = sa.and_(
        shares.c.model == c.model,
        shares.c.start == c.start,
        shares.c.version == c.version,
        shares.c.segment == c.segment,
    )
    has_share_profiles = sa.exists().where(same_window, shares.c.profile.is_not(None))
    whole = sa.or_(
        c.rows == 0, c.profile.is_not(None), sa.and_(c.settled == 0, has_share_profiles)
    ).label("whole")
    columns = (c.start, c.version, c.segment, c.end, c.rows, whole)
    query = sa.select(*columns)
    query = query.where(c.model == model, c.start >= since, c.start < until).order_by(
        c.start, c.version, c.segment
    )
    groups, missing_starts = [], 0
    rows = sorted(
        connection.execute(query).all(), key=lambda row: (row.end, row.version, row.segment)
    )
    for end, end_rows in groupby(rows, key=lambda row: int(row.end)):
        window_rows = list(end_rows)
        if not all(row.whole for row in window_rows):
            missing_starts += 1
            continue
        start = min(int(row.start) for row in window_rows)
        by_key = groupby(window_rows, key=lambda row: (row.version, row.segment))
        groups.append(
            [
                DueWindow(
                    key=WindowKey(model, start, version, segment),
                    end=end,
                    rows=sum(row.rows for row in bases),
                    revision=0,
                )
                for (version, segment), bases in by_key
            ]
        )
    return WindowHistory(groups, missing_starts)


def find_history_span(connection: Connection, model: str) -> tuple[int, int] | None:
    """Find the start of the first and the end of the last window; None without windows."""
    c = windows.c
    row = connection.execute(
        sa.select(sa.func.min(c.start), sa.func.max(c.end)).where(c.model == model)
    ).one()
    return None if row[0] is None else (int(row[0]), int(row[1]))
