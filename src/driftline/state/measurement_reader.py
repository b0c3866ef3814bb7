"""Reads stored measurements: what pages, `explain`, `reproduce`, exports and the API build on.

A `Selection` says which measurements. `read_measurement_blocks` yields them window by window as
arrays, and unpacks a column when it is read. `read_measurements` returns them with all columns.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.measurement_block import VERDICTS, Block, Ints, unpack_places
from driftline.state.measurement_dictionaries import load_dictionaries
from driftline.state.measurement_tables import changed_measurements, measurement_blocks
from driftline.state.series_dictionary import SeriesDictionary, SeriesEntry
from driftline.state.stored_measurement import StoredMeasurement
from driftline.types.records import WindowKey

PAGE = 256
"""Blocks that one query reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which measurements of a model are read; None and "" for all, times in microseconds."""

    model: str
    since: int | None = None
    """Windows that start here or later."""
    until: int | None = None
    """Windows that start before."""
    starts: Collection[int] | None = None
    """Windows that start at these times alone."""
    versions: Collection[str] | None = None
    segments: Collection[str] | None = None
    """The empty segment is that of all rows."""
    checks: Collection[str] | None = None
    names: Collection[str] | None = None
    labels: str | None = None
    """JSON with sorted keys; the labels must be the same."""
    column: str = ""
    """The label `column`."""
    series: Collection[tuple[str, str, str]] | None = None
    """Check, name and labels of some series."""

    def has_entry(self, entry: SeriesEntry) -> bool:
        """Whether the measurements of an entry are selected."""
        return (
            (self.checks is None or entry.check in self.checks)
            and (self.names is None or entry.name in self.names)
            and (self.labels is None or entry.labels == self.labels)
            and (self.series is None or (entry.check, entry.name, entry.labels) in self.series)
            and (not self.column or json.loads(entry.labels).get("column") == self.column)
        )


def select_series(
    key: WindowKey,
    check: str,
    name: str,
    labels: str,
    *,
    since: int | None = None,
    until: int | None = None,
) -> Selection:
    """The selection of one series; `key` gives the model, version and segment.

    `labels` is JSON with sorted keys; see `Selection` for the times.
    """
    return Selection(
        model=key.model,
        versions=(key.version,),
        segments=(key.segment,),
        checks=(check,),
        names=(name,),
        labels=labels,
        since=since,
        until=until,
    )


def read_measurement_blocks(
    connection: Connection,
    selection: Selection,
    *,
    newest_first: bool = False,
    dictionaries: dict[int, SeriesDictionary] | None = None,
) -> Iterator[Block]:
    """Read the windows with selected measurements, by start, version and segment.

    Blocks are read in pages, so a caller may stop at any time. Within a window measurements are
    ordered by check, name and labels. `dictionaries` are those that earlier calls read; new ones
    are added.
    """
    places = _PlaceFinder(connection, selection, {} if dictionaries is None else dictionaries)
    for row in _read_rows(connection, selection, newest_first):
        block = places.make_block(row)
        if block is not None:
            yield block


def read_measurements(
    connection: Connection,
    selection: Selection,
    *,
    newest_first: bool = False,
    limit: int | None = None,
    verdicts: Collection[str] | None = None,
    with_value: bool = False,
) -> list[StoredMeasurement]:
    """Read at most `limit` measurements, in the order of `read_measurement_blocks`.

    With `verdicts` those with one of these verdicts, with `with_value` those that have a value.
    """
    result: list[StoredMeasurement] = []
    if limit == 0:
        return result
    wanted = None if verdicts is None else [VERDICTS.index(verdict) for verdict in verdicts]
    for block in read_measurement_blocks(connection, selection, newest_first=newest_first):
        keep = np.ones(len(block.selected), bool)
        if wanted is not None:
            keep &= np.isin(block.verdicts, wanted)
        if with_value:
            keep &= ~np.isnan(block.figure("value"))
        if not keep.all():
            block = block.select(block.selected[keep])
        if len(block.selected):
            result += block.measurements()
        if limit is not None and len(result) >= limit:
            break
    return result[:limit]


def find_newest_start(connection: Connection, selection: Selection) -> int | None:
    """The start of the newest window with a selected measurement, in microseconds."""
    newest = next(read_measurement_blocks(connection, selection, newest_first=True), None)
    return None if newest is None else newest.key.start


def find_newest_changed(
    connection: Connection,
    key: WindowKey,
    check: str,
    name: str,
    labels: str,
    *,
    since: int | None = None,
    until: int | None = None,
) -> int | None:
    """The start of the newest window in which a series was `changed`; see `select_series`."""
    c = changed_measurements.c
    selection = select_series(key, check, name, labels, since=since, until=until)
    query = sa.select(sa.func.max(c.start)).where(
        c.model == key.model,
        c.version == key.version,
        c.segment == key.segment,
        c.check == check,
        c.name == name,
        c.labels == labels,
        *_time_conditions(c, selection),
    )
    return connection.execute(query).scalar()


@dataclass(slots=True)
class _PlaceFinder:
    """Finds the selected measurements of blocks; windows mostly have the same series."""

    connection: Connection
    selection: Selection
    dictionaries: dict[int, SeriesDictionary]
    """By number; those of earlier reads may lack the newest entries."""
    _: KW_ONLY
    _selected_entries: dict[int, Ints] = field(default_factory=dict)
    """Places of the selected entries, by dictionary."""
    _found: dict[tuple[int, bytes], tuple[Ints, Ints]] = field(default_factory=dict)
    """Places and selected measurements of the newest blocks, by dictionary and packed places."""

    def make_block(self, row: Any) -> Block | None:
        """The block of a row with its selected measurements; None without any."""
        id = row.dictionary_id
        if id not in self.dictionaries:
            self._load(id)
        found = self._found.get((id, row.places))
        if found is None:
            if len(self._found) >= PAGE:
                self._found.clear()
            places = unpack_places(row.places)
            if len(places) and places.max() >= len(self.dictionaries[id].entries):
                self._load(id)
            is_selected = np.isin(places, self._select_entries(id))
            found = self._found[id, row.places] = places, np.flatnonzero(is_selected)
        places, selected = found
        if not len(selected):
            return None
        return Block(
            key=WindowKey(self.selection.model, row.start, row.version, row.segment),
            dictionary=self.dictionaries[id],
            places=places,
            selected=selected,
            packed_figures=row.figures,
            packed_details=row.details,
        )

    def _load(self, id: int) -> None:
        self.dictionaries[id] = load_dictionaries(self.connection, (id,))[id]
        self._selected_entries.pop(id, None)

    def _select_entries(self, id: int) -> Ints:
        """The places of the selected entries of a dictionary."""
        if id not in self._selected_entries:
            entries = enumerate(self.dictionaries[id].entries)
            selected = [place for place, entry in entries if self.selection.has_entry(entry)]
            self._selected_entries[id] = np.array(selected, np.int64)
        return self._selected_entries[id]


def _read_rows(connection: Connection, selection: Selection, newest_first: bool) -> Iterator[Any]:
    """Read the rows of the blocks, page by page."""
    c = measurement_blocks.c
    order = (c.start, c.version, c.segment)
    query = (
        sa.select(c.start, c.version, c.segment, c.dictionary_id, c.places, c.figures, c.details)
        .where(c.model == selection.model, *_time_conditions(c, selection))
        .limit(PAGE)
    )
    if selection.versions is not None:
        query = query.where(c.version.in_(sorted(selection.versions)))
    if selection.segments is not None:
        query = query.where(c.segment.in_(sorted(selection.segments)))
    if selection.starts is not None:
        query = query.where(c.start.in_(sorted(selection.starts)))
    query = query.order_by(*((c.start.desc(), *order[1:]) if newest_first else order))
    last: tuple[int, str, str] | None = None
    while True:
        page = query
        if last is not None:
            start, version, segment = last
            later = c.start < start if newest_first else c.start > start
            rest = sa.or_(c.version > version, sa.and_(c.version == version, c.segment > segment))
            page = query.where(sa.or_(later, sa.and_(c.start == start, rest)))
            page = page.where(c.start <= start if newest_first else c.start >= start)
        rows = connection.execute(page).all()
        yield from rows
        if len(rows) < PAGE:
            return
        last = (rows[-1].start, rows[-1].version, rows[-1].segment)


def _time_conditions(c: Any, selection: Selection) -> Sequence[sa.ColumnElement[bool]]:
    conditions = []
    if selection.since is not None:
        conditions.append(c.start >= selection.since)
    if selection.until is not None:
        conditions.append(c.start < selection.until)
    return conditions


def at_window(selection: Selection, start: int) -> Selection:
    """The same selection in the window that starts at `start`, in microseconds."""
    return replace(selection, since=start, until=start + 1)


def series_arguments(measurement: StoredMeasurement) -> tuple[WindowKey, str, str, str]:
    """The arguments of `select_series` for the series of a measurement."""
    key = WindowKey(measurement.model, measurement.start, measurement.version, measurement.segment)
    return key, measurement.check, measurement.name, measurement.labels
