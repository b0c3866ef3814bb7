"""The sampled rows of a window beside those of its reference: the same columns, whole rows, for
checks that look at several columns at once.

Refuses what tells the two sides apart for nothing: the columns that are id, time or version, and
the label, which comes late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from driftline.contracts.check import CheckContext

Columns = Mapping[str, Sequence[Any]]


class Both(NamedTuple):
    """Two samples by column, or why there are none. Rows stand in the order of their hashes: as
    good as a random one.
    """

    reference: Columns
    current: Columns
    reason: str = ""

    @property
    def rows(self) -> int:
        """Of the window's sample."""
        return max((len(values) for values in self.current.values()), default=0)


def both(ctx: CheckContext, columns: Iterable[str] = (), ignore: Iterable[str] = ()) -> Both:
    """The samples of both sides in `columns`, all there are when empty, without those to `ignore`.

    A column that is text on one side and numbers on the other is left out, as is one that either
    side lacks.
    """
    was = ctx.reference.summaries.get("sample", {}) if ctx.reference else {}
    now = ctx.current.summaries.get("sample", {})
    schema = ctx.schema
    parts = (schema.id, schema.timestamp, schema.version, schema.joins, schema.label)
    never = {part.name for part in parts if part is not None} | set(ignore)
    wanted = [name for name in columns or was if name in was and name in now and name not in never]
    kept = [
        name
        for name in wanted
        if _text(was[name]) in (None, _text(now[name])) or _text(now[name]) is None
    ]
    found = Both({name: was[name] for name in kept}, {name: now[name] for name in kept})
    if ctx.reference is None:
        return found._replace(reason="no reference yet")
    if not was or not now:
        return found._replace(reason=f"no sample of the {'window' if was else 'reference'}")
    if not kept:
        return found._replace(reason="the window and the reference have no such columns in common")
    return found


def _text(values: Sequence[Any]) -> bool | None:
    """Whether a column holds text; None for one without values."""
    first = next((value for value in values if value is not None), None)
    return None if first is None else isinstance(first, str)
