"""Loads which objects, and which pieces of them, gave rows to windows.

The result is precise enough to read the rows again. It is what was counted then; the objects may
have changed since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from driftline.state.tables import objects, shares
from driftline.types.model import LogObject
from driftline.types.records import DONE, WindowKey
from driftline.types.times import from_micros

PAGE = 500


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an object that was read at once and gave rows to some windows."""

    start: int
    """Its first byte."""
    end: int
    """The first byte of the next piece, or the end of what was read of the object."""
    rows: Mapping[WindowKey, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedObject:
    """An object that gave rows to some windows, as the ledger has it."""

    object: LogObject
    mark: str
    """See `LedgerEntry.mark`; for the bytes before the end of the last piece."""
    offset: int
    """See `LedgerEntry.offset`; 0 for an object that is only read as a whole."""
    pieces: tuple[Piece, ...] = ()
    """The pieces that gave rows to the windows, in order."""
    all_rows: int = 0
    """Its rows of all windows; of labels and of responses that were logged apart, too."""

    @property
    def end(self) -> int:
        """The end of the counted bytes: after the last whole record; 0 when the size is unknown."""
        return self.offset if self.offset > 0 else self.object.size

    @property
    def rows(self) -> int:
        """Rows of whole windows, without counting them again for segments."""
        return sum(
            count for piece in self.pieces for key, count in piece.rows.items() if not key.segment
        )


def load_counted_objects(connection: Connection, keys: Iterable[WindowKey]) -> list[CountedObject]:
    """Load the objects that gave rows to some windows of one model, by URI."""
    key_set = set(keys)
    if not key_set:
        return []
    [model] = {key.model for key in key_set}
    starts = sorted({key.start for key in key_set})
    s = shares.c
    row_counts: dict[int, dict[int, dict[WindowKey, int]]] = defaultdict(lambda: defaultdict(dict))
    for page in (starts[first : first + PAGE] for first in range(0, len(starts), PAGE)):
        query = sa.select(s.object_id, s.piece, s.start, s.version, s.segment, s.rows).where(
            s.model == model, s.start.in_(page)
        )
        for share in connection.execute(query):
            key = WindowKey(model, share.start, share.version, share.segment)
            if key in key_set:
                row_counts[share.object_id][share.piece][key] = share.rows
    counted_objects = []
    ids = list(row_counts)
    for page in (ids[first : first + PAGE] for first in range(0, len(ids), PAGE)):
        begins: dict[int, list[int]] = defaultdict(list)
        piece_query = (
            sa.select(s.object_id, s.piece)
            .where(s.object_id.in_(page))
            .distinct()
            .order_by(s.piece)
        )
        for piece in connection.execute(piece_query):
            begins[piece.object_id].append(piece.piece)
        for row in connection.execute(sa.select(*_COLUMNS).where(objects.c.id.in_(page))):
            counted_object = _make_object(row)
            ends = dict(zip(begins[row.id], [*begins[row.id][1:], counted_object.end], strict=True))
            pieces = tuple(
                Piece(begin, ends[begin], rows)
                for begin, rows in sorted(row_counts[row.id].items())
            )
            counted_objects.append(replace(counted_object, pieces=pieces))
    return sorted(counted_objects, key=lambda item: item.object.uri)


def load_ledger_objects(
    connection: Connection, ledger: str, since: int | None, until: int | None
) -> list[CountedObject]:
    """Load all objects of a ledger as one piece each, by URI.

    Objects whose events are all before `since` or all after `until` (microseconds) are left out.
    """
    o = objects.c
    query = sa.select(*_COLUMNS).where(o.model == ledger, o.state == DONE)
    if since is not None:
        query = query.where(sa.or_(o.last_event.is_(None), o.last_event >= since))
    if until is not None:
        query = query.where(sa.or_(o.first_event.is_(None), o.first_event <= until))
    return [
        replace(counted_object, pieces=(Piece(0, counted_object.end, {}),))
        for counted_object in map(_make_object, connection.execute(query.order_by(o.uri)))
    ]


_COLUMNS = [
    objects.c[name]
    for name in ("id", "uri", "version", "size", "modified", "lineage", "mark", "offset", "rows")
]


def _make_object(row: Row[Any]) -> CountedObject:
    obj = LogObject(
        uri=row.uri,
        version=row.version,
        size=row.size,
        modified=from_micros(row.modified),
        lineage=row.lineage,
    )
    return CountedObject(
        object=obj, mark=row.mark, offset=row.offset, all_rows=row._mapping["rows"]
    )
