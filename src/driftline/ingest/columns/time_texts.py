"""Reads one time in the spellings that Arrow's own parser does not know.

A date whose order of day and month is not clear is not read, and neither is a time with the name
of a zone that is not UTC or GMT.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from driftline.types.times import EPOCH

MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
_ZONE = (
    r"(?:(?P<zone>Z|z|UTC|GMT|UT)|(?:UTC|GMT)?(?P<sign>[+-])(?P<hours>\d\d)(?::?(?P<minutes>\d\d))?"
    r"(?:\s+[A-Z]{3,4}|\s+\([A-Za-z ]+\))?)"
)
SPELLINGS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        # ISO 8601 with any separator, also of Go and of Java's ZonedDateTime
        r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})"
        rf"(?:(?:[Tt_, ]|\s+){_CLOCK}\s*"
        rf"(?:{_ZONE}(?:\[[\w/+-]+\]|\s+UTC)?|\[(?P<named>UTC|GMT)\])?)?",
        # RFC 2822
        r"(?:[A-Za-z]{3},?\s+)?(?P<day>\d{1,2})[\s-](?P<name>[A-Za-z]{3})[\s-](?P<year>\d{4})"
        rf"\s+{_CLOCK}(?:\s*{_ZONE})?",
        # RFC 850, of older web servers
        r"[A-Za-z]{3,6}day,?\s+(?P<day>\d{1,2})-(?P<name>[A-Za-z]{3})-(?P<short_year>\d\d)"
        rf"\s+{_CLOCK}\s*{_ZONE}",
        # C's ctime, the command date, and Java's Date
        r"[A-Za-z]{3}\s+(?P<name>[A-Za-z]{3})\s+(?P<day>\d{1,2})\s+"
        rf"{_CLOCK}\s+(?:{_ZONE}\s+)?(?P<year>\d{{4}})",
        # Apache's common log format
        r"\[?(?P<day>\d{1,2})/(?P<name>[A-Za-z]{3})/(?P<year>\d{4}):"
        rf"{_CLOCK}(?:\s*{_ZONE})?\]?",
    )
)
DOTNET = re.compile(r"/Date\((-?\d{1,14})(?:[+-]\d{4})?\)/", re.ASCII)
"""The milliseconds since the epoch that .NET writes; the offset only says how to show them."""


def parse_time(text: str) -> datetime | None:
    """Return the time, without zone where the text names none; None for a text that is no time."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        matches = (spelling.fullmatch(text) for spelling in SPELLINGS)
        match = next((match for match in matches if match is not None), None)
        if match is not None:
            return _time(match.groupdict())
        number = DOTNET.fullmatch(text)
        return None if number is None else EPOCH + int(number[1]) * timedelta(milliseconds=1)


def parse_with_format(text: str, spelling: str) -> datetime | None:
    """Return the time of a text in a format of `strptime`; None for a text in another format."""
    try:
        return datetime.strptime(text, spelling)  # noqa: DTZ007 - without a zone it is local
    except ValueError:
        return None


def _time(parts: dict[str, str | None]) -> datetime | None:
    """Return the time of the parts of a match; None where they are no date."""
    month = MONTHS.get((parts.get("name") or "").lower()) or int(parts.get("month") or 0)
    year = int(parts.get("year") or 0)
    if parts.get("short_year"):
        # RFC 850 has two digits: as strptime, 69 to 99 are of the last century.
        year = int(parts["short_year"] or 0)
        year += 1900 if year >= 69 else 2000
    fraction = (parts["fraction"] or "")[:6].ljust(6, "0")
    try:
        return datetime(
            year,
            month,
            int(parts["day"] or 0),
            int(parts["hour"] or 0),
            int(parts["minute"] or 0),
            int(parts["second"] or 0),
            int(fraction),
            tzinfo=_zone(parts),
        )
    except ValueError:
        return None


def _zone(parts: dict[str, str | None]) -> timezone | None:
    if not parts["sign"]:
        return UTC if parts["zone"] or parts.get("named") else None
    offset = timedelta(hours=int(parts["hours"] or 0), minutes=int(parts["minutes"] or 0))
    return timezone(-offset if parts["sign"] == "-" else offset)
