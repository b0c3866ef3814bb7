"""Loads which objects, and which pieces of them, gave rows to a window.

The result is precise enough to read the rows again. It is what was counted then; the objects may
have changed since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import objects, shares
from driftline.types.model import LogObject
from driftline.types.records import WindowKey
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


@dataclass(frozen=True, slots=True)
class CountedObject:
    """An object that gave rows to some windows, as the ledger has it."""

    object: LogObject
    mark: str
    """See `LedgerEntry.mark`; for the bytes before the end of the last piece."""
    offset: int
    """See `LedgerEntry.offset`; 0 for an object that is only read as a whole."""
    pieces: tuple[Piece, ...] = ()
    """The pieces that gave rows to the windows, in order."""

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
    """Load the objects that gave rows to some windows with one start, by URI."""
    key_set = set(keys)
    if not key_set:
        return []
    first_key, s, o = next(iter(key_set)), shares.c, objects.c
    model, start = first_key.model, first_key.start
    row_counts: dict[int, dict[int, dict[WindowKey, int]]] = defaultdict(lambda: defaultdict(dict))
    query = sa.select(s.object_id, s.piece, s.version, s.segment, s.rows).where(
        s.model == model, s.start == start
    )
    for share in connection.execute(query):
        key = WindowKey(model, start, share.version, share.segment)
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
        columns = (o.id, o.uri, o.version, o.size, o.modified, o.lineage, o.mark, o.offset)
        for row in connection.execute(sa.select(*columns).where(o.id.in_(page))):
            obj = LogObject(
                uri=row.uri,
                version=row.version,
                size=row.size,
                modified=from_micros(row.modified),
                lineage=row.lineage,
            )
            counted_object = CountedObject(obj, row.mark, row.offset)
            ends = dict(zip(begins[row.id], [*begins[row.id][1:], counted_object.end], strict=True))
            pieces = tuple(
                Piece(begin, ends[begin], rows)
                for begin, rows in sorted(row_counts[row.id].items())
            )
            counted_objects.append(replace(counted_object, pieces=pieces))
    return sorted(counted_objects, key=lambda item: item.object.uri)
