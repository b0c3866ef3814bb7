"""Finds the formats of dates whose numbers do not show which of them is the day: 03/04/2026."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftline.ingest.columns.timestamps import to_micros
from driftline.kit.decoding.plain_types import is_text_type
from driftline.types.time_form import TimeForm

SHARE = 0.95
"""The share of values that must be alike."""
DATE = re.compile(r"[0-9]{1,2}(?P<separator>[/.-])[0-9]{1,2}(?P=separator)(?P<year>[0-9]{4})")
"""A date whose first number may be the day or the month."""
GAP = re.compile(r"[ T,]*")
TIMES = ("", "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%H:%M:%S%z")
"""Formats of the time of the day."""
MAX_TEXTS = 1000
"""Distinct texts that are compared with the formats."""


def has_unclear_dates(array: pa.Array) -> bool:
    """Whether nearly all texts begin with a date such as 03/04/2026: day or month first."""
    if not is_text_type(array.type):
        return False
    dates = pc.match_substring_regex(array.drop_null(), r"^[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{4}")
    return bool(len(dates) and pc.mean(dates).as_py() >= SHARE)


def fitting_date_formats(array: pa.Array) -> list[str]:
    """Return the formats of `strptime` in which nearly all texts are dates, day first or month.

    Both fit where no number shows which is the day. None fits texts that are no such dates.
    """
    if not is_text_type(array.type):
        return []
    texts = pc.utf8_trim_whitespace(array.drop_null()).unique()[:MAX_TEXTS]
    first = DATE.match(texts[0].as_py()) if len(texts) else None
    if first is None:
        return []
    separator, gap = first["separator"], GAP.match(first.string, first.end())
    between = gap.group() if gap else ""
    formats = (
        f"{order[0]}{separator}{order[1]}{separator}%Y{between if time else ''}{time}"
        for order in (("%d", "%m"), ("%m", "%d"))
        for time in TIMES
    )
    return [
        form for form in formats if np.mean(to_micros(texts, TimeForm(format=form))[1]) >= SHARE
    ]
