"""Joins consecutive base windows until they hold enough rows to be judged as one window.

Every base window keeps its own rows. The ones that are judged together have one `end`: that of the
last. The joined window has the key of the first. Times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.spec import ProfileSpec
from driftline.state.tables import windows
from driftline.state.windows import MOST_JOINED, ROWS, load_profile
from driftline.types.records import WindowKey

_LATER_STARTS = (
    sa.select(windows.c.start)
    .where(
        windows.c.model == sa.bindparam("model"),
        windows.c.version == sa.bindparam("version"),
        windows.c.segment == sa.bindparam("segment"),
        windows.c.start > sa.bindparam("first"),
        windows.c.start < sa.bindparam("end"),
    )
    .order_by(windows.c.start)
)
"""Made once, because it runs for each window."""


def join_windows(connection: Connection, model: str, *, length: int, rows: int, until: int) -> int:
    """Join the base windows of a model that ended by `until` and belong to no window yet.

    A window is complete when it holds `rows` rows of all versions, spans `MOST_JOINED` base windows
    or ends where one begins that was judged. Returns the end of the last complete window, or
    `until` where no base window waits for more rows.
    """
    _extend_late_windows(connection, model, length)
    run: list[int] = []
    row_count = 0
    for start, base_rows, is_free in _load_bases(connection, model, length, until):
        if run and (not is_free or start - run[0] >= MOST_JOINED * length):
            _join(connection, model, run, length)
            run, row_count = [], 0
        if not is_free:
            continue
        run.append(start)
        row_count += base_rows
        if row_count >= rows or len(run) == MOST_JOINED:
            _join(connection, model, run, length)
            run, row_count = [], 0
    return run[0] if run else until


def _load_bases(
    connection: Connection, model: str, length: int, until: int
) -> list[tuple[int, int, bool]]:
    """Load start and rows of base windows, and whether they belong to no window yet.

    They are those from the oldest one that was not judged on.
    """
    c = windows.c
    oldest = sa.select(sa.func.min(c.start)).where(
        c.model == model, c.revision == 0, c.end <= until
    )
    rows_of_all = sa.case((c.segment == "", c.rows), else_=0)
    query = (
        sa.select(
            c.start,
            sa.func.max(c.end),
            sa.func.max(c.revision),
            sa.func.sum(rows_of_all),
        )
        .where(c.model == model, c.start >= oldest.scalar_subquery(), c.end <= until)
        .group_by(c.start)
        .order_by(c.start)
    )
    bases, previous_end = [], 0
    for start, end, revision, rows in connection.execute(query):
        # The last base window of a joined one ends as any other, but the one before has its end.
        is_joined = end - start > length or end == previous_end
        bases.append((int(start), int(rows), not is_joined and revision == 0))
        previous_end = end
    return bases


def _join(connection: Connection, model: str, starts: Sequence[int], length: int) -> None:
    """Make one window of the base windows with these starts."""
    if len(starts) == 1:
        return
    c = windows.c
    end = starts[-1] + length
    connection.execute(
        windows.update()
        .where(c.model == model, c.start >= starts[0], c.start <= starts[-1])
        .values(end=end)
    )
    _add_keys(connection, model, starts[0], end)


def _add_keys(connection: Connection, model: str, start: int, end: int) -> None:
    """Add the versions and segments of a joined window that its first base window lacks."""
    c = windows.c
    in_window = c.model == model, c.start >= start, c.end == end, c.start < end
    rows = connection.execute(sa.select(c.start, c.version, c.segment).where(*in_window)).all()
    present = {(row.version, row.segment) for row in rows if row.start == start}
    missing = {(row.version, row.segment) for row in rows} - present
    if missing:
        connection.execute(
            windows.insert(),
            [
                {
                    "model": model,
                    "start": start,
                    "version": version,
                    "segment": segment,
                    "end": end,
                }
                for version, segment in sorted(missing)
            ],
        )


def _extend_late_windows(connection: Connection, model: str, length: int) -> None:
    """Give late rows of a new version or segment the end of the window that they belong to."""
    c, judged = windows.c, windows.alias()
    j = judged.c
    covering_end = (
        sa.select(sa.func.max(j.end))
        .where(
            j.model == c.model,
            j.start <= c.start,
            j.start > c.start - MOST_JOINED * length,
            j.end > c.start + length,
            j.end - j.start <= MOST_JOINED * length,
        )
        .scalar_subquery()
    )
    query = sa.select(c.start, c.version, c.segment, covering_end).where(
        c.model == model,
        c.revision == 0,
        c.dirty == ROWS,
        c.end == c.start + length,
        covering_end.is_not(None),
    )
    for start, version, segment, end in connection.execute(query).all():
        connection.execute(
            windows.update()
            .where(c.model == model, c.start == start, c.version == version, c.segment == segment)
            .values(end=end)
        )
        first = connection.execute(
            sa.select(sa.func.min(c.start)).where(
                c.model == model, c.end == end, c.start > end - MOST_JOINED * length - 1
            )
        ).scalar_one()
        _add_keys(connection, model, int(first), int(end))


def load_joined_profile(
    connection: Connection,
    key: WindowKey,
    end: int,
    spec: ProfileSpec,
    collectors: Collectors,
) -> Profile:
    """Load the profile of the window from the start of `key` to `end`, of all its base windows."""
    profile = load_profile(connection, key, spec, collectors)
    for base in _list_later_keys(connection, key, end):
        profile.merge(load_profile(connection, base, spec, collectors))
    return profile


def list_base_keys(connection: Connection, key: WindowKey) -> list[WindowKey]:
    """List the keys of the base windows of a window, its own first."""
    c = windows.c
    end = connection.execute(
        sa.select(c.end).where(
            c.model == key.model,
            c.start == key.start,
            c.version == key.version,
            c.segment == key.segment,
        )
    ).scalar()
    return [key] if end is None else [key, *_list_later_keys(connection, key, int(end))]


def _list_later_keys(connection: Connection, key: WindowKey, end: int) -> list[WindowKey]:
    parts = {
        "model": key.model,
        "first": key.start,
        "end": end,
        "version": key.version,
        "segment": key.segment,
    }
    starts = connection.execute(_LATER_STARTS, parts).scalars()
    return [WindowKey(key.model, int(start), key.version, key.segment) for start in starts]
