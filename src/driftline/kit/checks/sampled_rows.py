"""Gives checks the sampled rows of a window and of its reference, in the same columns.

It is for checks that compare several columns at once. Does not return the id, time and version
columns, which always separate the two sides, nor the label, which comes late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from driftline.contracts.check import CheckContext

Columns = Mapping[str, Sequence[Any]]


class Both(NamedTuple):
    """Two samples by column, or the reason why there are none.

    Rows stand in the order of their hashes, which is as good as a random order.
    """

    reference: Columns
    current: Columns
    reason: str = ""

    @property
    def rows(self) -> int:
        """Rows in the sample of the window."""
        return max((len(values) for values in self.current.values()), default=0)


def both(ctx: CheckContext, columns: Iterable[str] = (), ignore: Iterable[str] = ()) -> Both:
    """Return the samples of both sides in `columns`, without those in `ignore`.

    All columns are returned when `columns` is empty. A column that is text on one side and numbers
    on the other is left out, as is one that a side lacks.
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
    """Return whether a column holds text; None when it has no values."""
    first = next((value for value in values if value is not None), None)
    return None if first is None else isinstance(first, str)
