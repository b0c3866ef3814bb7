"""What stands behind windows, precisely enough to read it again: objects, the piece of each, and
the rows it gave.

Refuses to say what is there now: this is what was counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import from_micros, objects, shares
from driftline.types.model import LogObject
from driftline.types.records import WindowKey

PAGE = 500


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an object that was read in one go, and gave rows to some windows."""

    start: int
    """Its first byte."""
    end: int
    """Where the next one begins, or what was read of the object ends."""
    rows: Mapping[WindowKey, int]


@dataclass(frozen=True, slots=True)
class CountedObject:
    """An object behind some windows, as the ledger knows it."""

    object: LogObject
    mark: str
    """See `Entry.mark`; of the bytes before the end of the last piece."""
    offset: int
    """See `Entry.offset`; an object that is only read as a whole has none."""
    pieces: tuple[Piece, ...] = ()
    """Those that gave rows to the windows, in order."""

    @property
    def end(self) -> int:
        """Up to where it was counted: bytes after the last whole record were not; 0 where its
        source tells no size.
        """
        return self.offset if self.offset > 0 else self.object.size

    @property
    def rows(self) -> int:
        """Of whole windows, not counted again for their segments."""
        return sum(
            count for piece in self.pieces for key, count in piece.rows.items() if not key.segment
        )


def load_counted_objects(connection: Connection, keys: Iterable[WindowKey]) -> list[CountedObject]:
    """The objects behind some windows with one start, by URI."""
    asked = set(keys)
    if not asked:
        return []
    one, s, o = next(iter(asked)), shares.c, objects.c
    gave: dict[int, dict[int, dict[WindowKey, int]]] = defaultdict(lambda: defaultdict(dict))
    query = sa.select(s.object_id, s.piece, s.version, s.segment, s.rows).where(
        s.model == one.model, s.start == one.start
    )
    for share in connection.execute(query):
        key = WindowKey(one.model, one.start, share.version, share.segment)
        if key in asked:
            gave[share.object_id][share.piece][key] = share.rows
    found = []
    ids = list(gave)
    for page in (ids[first : first + PAGE] for first in range(0, len(ids), PAGE)):
        begins: dict[int, list[int]] = defaultdict(list)
        every = (
            sa.select(s.object_id, s.piece)
            .where(s.object_id.in_(page))
            .distinct()
            .order_by(s.piece)
        )
        for known in connection.execute(every):
            begins[known.object_id].append(known.piece)
        columns = (o.id, o.uri, o.version, o.size, o.modified, o.lineage, o.mark, o.offset)
        for row in connection.execute(sa.select(*columns).where(o.id.in_(page))):
            obj = LogObject(
                row.uri, row.version, row.size, from_micros(row.modified), lineage=row.lineage
            )
            each = CountedObject(obj, row.mark, row.offset)
            ends = dict(zip(begins[row.id], [*begins[row.id][1:], each.end], strict=True))
            found.append(
                replace(
                    each,
                    pieces=tuple(
                        Piece(at, ends[at], counted) for at, counted in sorted(gave[row.id].items())
                    ),
                )
            )
    return sorted(found, key=lambda each: each.object.uri)
