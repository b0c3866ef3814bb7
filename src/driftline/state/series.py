"""Reads what the pages of models show: windows with their rows, and series of measurements."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from driftline.state.measurement_block import SEVERITIES, VERDICTS, Block
from driftline.state.measurement_reader import Selection, read_measurement_blocks
from driftline.state.tables import measurement_blocks, windows
from driftline.types.times import END_OF_TIME

MOST_VALUES = 40_000
"""Measurements that one page reads."""


class WindowRows(msgspec.Struct, frozen=True):
    """One span of time with its rows of all versions; the overview reads many thousands."""

    start: int
    """Microseconds since the epoch."""
    end: int
    rows: int
    revision: int
    """0 until it is judged."""


class SeriesValue(msgspec.Struct, frozen=True):
    """One stored measurement; a page reads so many that dataclasses are slow."""

    start: int
    check: str
    name: str
    labels: str
    """JSON with sorted keys."""
    value: float | None
    low: float | None
    high: float | None
    was: float | None
    rows: int
    verdict: str
    severity: str
    reason: str
    unit: str


def load_window_rows(
    connection: Connection, model: str, limit: int, until: int | None = None
) -> list[WindowRows]:
    """Load the newest `limit` windows of all rows, oldest first.

    With `until` (microseconds) only windows that start before it.
    """
    begin, size = END_OF_TIME if until is None else until, limit + OTHER_VERSION_ROWS
    by_end: dict[int, list[WindowRows]] = {}
    for offset in itertools.count(step=size):
        parameters = {"model": model, "until": begin, "size": size, "offset": offset}
        page = connection.execute(_WINDOW_ROWS, parameters).all()
        for row in page:
            by_end.setdefault(row.end, []).append(WindowRows(*row))
        if len(page) < size or len(by_end) > limit:
            break
    newest = sorted(by_end, reverse=True)[:limit]
    return [_sum_versions(by_end[end]) for end in reversed(newest)]


def _sum_versions(parts: Sequence[WindowRows]) -> WindowRows:
    """One window of all versions."""
    if len(parts) == 1:
        return parts[0]
    return WindowRows(
        min(part.start for part in parts),
        parts[0].end,
        sum(part.rows for part in parts),
        max(part.revision for part in parts),
    )


def list_segments(connection: Connection, model: str, since: int) -> list[str]:
    """List the segments with windows that start at `since` (microseconds) or later."""
    c = windows.c
    query = sa.select(c.segment).where(c.model == model, c.start >= since, c.segment != "")
    return sorted(connection.execute(query.distinct()).scalars())


def find_newest_version(connection: Connection, model: str) -> str:
    """Find the version of the newest window with rows; empty without any."""
    c = windows.c
    query = (
        sa.select(c.version)
        .where(c.model == model, c.segment == "", c.rows > 0)
        .order_by(c.start.desc(), c.rows.desc())
        .limit(1)
    )
    return connection.execute(query).scalar() or ""


def load_series(
    connection: Connection,
    model: str,
    starts: Sequence[int],
    *,
    version: str,
    segment: str = "",
    column: str = "",
    checks: Collection[str] | None = None,
) -> list[SeriesValue]:
    """Load the measurements of the windows that start at `starts`, oldest first.

    They are those of one version, and of windows without version; with `column` those about this
    column alone, with `checks` those of these checks. Of many measurements the newest windows alone
    are read: at most `MOST_VALUES` measurements.
    """
    if not starts:
        return []
    selection = Selection(
        model=model,
        since=min(starts),
        until=max(starts) + 1,
        versions={version, ""},
        segments=(segment,),
        checks=checks,
        column=column,
    )
    newest = read_measurement_blocks(connection, selection, newest_first=True)
    pages: list[list[SeriesValue]] = []
    count = 0
    for _, blocks in itertools.groupby(newest, key=lambda block: block.key.start):
        pages.append([value for block in blocks for value in _series_values(block)])
        count += len(pages[-1])
        if count >= MOST_VALUES:
            break
    return [value for page in reversed(pages) for value in page][-MOST_VALUES:]


def count_series(
    connection: Connection, model: str, start: int, *, version: str, segment: str = ""
) -> int:
    """Count the measurements of the window that starts at `start` (microseconds)."""
    c = measurement_blocks.c
    query = sa.select(sa.func.sum(c.measurements)).where(
        c.model == model,
        c.start == start,
        c.version.in_({version, ""}),
        c.segment == segment,
    )
    return int(connection.execute(query).scalar_one() or 0)


def load_chosen_series(
    connection: Connection,
    model: str,
    starts: Sequence[int],
    newest: Collection[SeriesValue],
    *,
    version: str,
    segment: str = "",
) -> dict[SeriesName, list[SeriesValue]]:
    """Load the series of the values `newest` in the windows that start at `starts`, oldest first.

    All are read in one pass over the windows.
    """
    chosen: dict[SeriesName, list[SeriesValue]] = {series_name(value): [] for value in newest}
    selection = Selection(
        model=model,
        since=min(starts),
        until=max(starts) + 1,
        versions={version, ""},
        segments=(segment,),
        series=chosen.keys(),
    )
    for block in read_measurement_blocks(connection, selection):
        for value in _series_values(block):
            chosen[series_name(value)].append(value)
    return chosen


SeriesName = tuple[str, str, str]
"""Check, measurement, and labels as JSON with sorted keys."""


def series_name(value: SeriesValue) -> SeriesName:
    """The name of the series that a value belongs to."""
    return value.check, value.name, value.labels


def load_segment_values(
    connection: Connection, model: str, start: int, *, version: str, checks: Collection[str]
) -> list[tuple[str, SeriesValue]]:
    """Load the measurements without labels of some checks in the segments of one window.

    `start` is in microseconds. The result has each segment with its value, by segment.
    """
    selection = Selection(
        model=model,
        since=start,
        until=start + 1,
        versions={version, ""},
        checks=checks,
        labels="{}",
    )
    blocks = sorted(
        (block for block in read_measurement_blocks(connection, selection) if block.key.segment),
        key=lambda block: block.key.segment,
    )
    values = [(block.key.segment, value) for block in blocks for value in _series_values(block)]
    return values[:MOST_VALUES]


def _series_values(block: Block) -> list[SeriesValue]:
    """The selected measurements of one window."""
    figures = (block.figure(name).tolist() for name in ("value", "low", "high", "was"))
    columns = zip(
        block.selected_entries,
        *figures,
        block.rows.tolist(),
        block.verdicts.tolist(),
        block.severities.tolist(),
        block.reasons(),
        strict=True,
    )
    start = block.key.start
    return [
        SeriesValue(
            start,
            entry.check,
            entry.name,
            entry.labels,
            None if value != value else value,
            None if low != low else low,
            None if high != high else high,
            None if was != was else was,
            rows,
            VERDICTS[verdict],
            SEVERITIES[severity],
            reason,
            entry.unit,
        )
        for entry, value, low, high, was, rows, verdict, severity, reason in columns
    ]


OTHER_VERSION_ROWS = 8
"""Rows of windows that are read beyond the windows of a page: those of other versions."""
# The statement runs many times for one page.
_WINDOW_ROWS = (
    sa.select(windows.c.start, windows.c.end, windows.c.rows, windows.c.revision)
    .where(
        windows.c.model == sa.bindparam("model"),
        windows.c.segment == "",
        windows.c.start < sa.bindparam("until"),
    )
    .order_by(windows.c.start.desc(), windows.c.version)
    .limit(sa.bindparam("size"))
    .offset(sa.bindparam("offset"))
)
