"""Says why the times of rows can't be used, with a first example of each reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.types.loss_reasons import LossReasons


@dataclass(frozen=True, slots=True, kw_only=True)
class CredibleTimes:
    """The event times that are credible, microseconds, both ends included."""

    earliest: int
    latest: int


def add_time_faults(
    reasons: LossReasons,
    name: str,
    array: pa.Array | None,
    events: NDArray[np.int64],
    readable: NDArray[np.bool_],
    credible: CredibleTimes,
    offset: int,
) -> None:
    """Count the rows of one batch whose time can't be used, by reason.

    `name` is the column of the records that holds the time and `array` its values, None where the
    records have no such column. `events` are the times in microseconds, int64, and `readable` says
    which of them are times at all, both of shape (rows,). `offset` is the number of rows before.
    """
    rows = len(events)
    if array is None or array.null_count == rows:
        if rows:
            text = f"no time: the column {name} is missing or empty"
            reasons.add(text, count=rows, place=offset + 1)
        return
    empty = np.asarray(array.is_null().to_numpy(zero_copy_only=False), bool)
    faults = (
        (f"no time: {name} is empty", empty),
        (f"the time in {name} can't be read", ~empty & ~readable),
        (f"the time in {name} is in the future", readable & (events > credible.latest)),
        (f"the time in {name} is before the year 2000", readable & (events < credible.earliest)),
    )
    for text, mask in faults:
        places = np.flatnonzero(mask)
        if len(places):
            first = int(places[0])
            example = "" if mask is empty else _text(array[first])
            reasons.add(text, count=len(places), place=offset + first + 1, example=example)


def _text(value: pa.Scalar) -> str:
    if pa.types.is_timestamp(value.type):
        # Python's times have no nanoseconds.
        value = pc.cast(value, pa.timestamp("us", value.type.tz), safe=False)
    return str(value.as_py())
