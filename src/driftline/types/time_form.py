"""How the event times of a log are written, where they do not say it themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimeForm:
    """The format and the zone of the times of a column."""

    format: str = ""
    """A format of `strptime`, such as `%d/%m/%Y %H:%M`; empty for the usual spellings."""
    zone: str = ""
    """The IANA name of the zone of times that name none, such as `Europe/Berlin`; empty for UTC."""
