"""Gives checks the sampled rows of a window and of its reference, in the same columns.

It is for checks that compare several columns at once. Does not return the id, time and version
columns, which always separate the two sides, nor the label, which comes late.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from driftline.contracts.check import CheckContext
from driftline.types.arrays import Columns as Columns


class SamplePair(NamedTuple):
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


def select_samples(
    ctx: CheckContext, columns: Iterable[str] = (), ignore: Iterable[str] = ()
) -> SamplePair:
    """Return the samples of both sides in `columns`, without those in `ignore`.

    All columns are returned when `columns` is empty. A column that is text on one side and numbers
    on the other is left out, as is one that a side lacks.
    """
    ref_sample = ctx.reference.summaries.get("sample", {}) if ctx.reference else {}
    cur_sample = ctx.current.summaries.get("sample", {})
    schema = ctx.schema
    fields = (schema.id, schema.timestamp, schema.version, schema.joins, schema.label)
    ignored_names = {field.name for field in fields if field is not None} | set(ignore)
    common_columns = [
        name
        for name in columns or ref_sample
        if name in ref_sample and name in cur_sample and name not in ignored_names
    ]
    names = [
        name
        for name in common_columns
        if _text(ref_sample[name]) in (None, _text(cur_sample[name]))
        or _text(cur_sample[name]) is None
    ]
    samples = SamplePair(
        {name: ref_sample[name] for name in names}, {name: cur_sample[name] for name in names}
    )
    if ctx.reference is None:
        return samples._replace(reason="no reference yet")
    if not ref_sample or not cur_sample:
        return samples._replace(
            reason=f"no sample of the {'window' if ref_sample else 'reference'}"
        )
    if not names:
        return samples._replace(
            reason="the window and the reference have no such columns in common"
        )
    return samples


def _text(values: Sequence[Any]) -> bool | None:
    """Return whether a column holds text; None when it has no values."""
    first = next((value for value in values if value is not None), None)
    return None if first is None else isinstance(first, str)
