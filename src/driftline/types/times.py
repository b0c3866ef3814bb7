"""Times as whole microseconds since the Unix epoch: exact, ordered, the same on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The time zero of all stored times."""
SECOND_MICROS = 1_000_000
HOUR_MICROS = 3_600 * SECOND_MICROS
DAY_MICROS = 24 * HOUR_MICROS
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
END_OF_TIME = 2**62
"""Microseconds after every stored time."""


def as_utc(moment: datetime) -> datetime:
    """Return a time in UTC; one without a zone is in UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def as_micros(moment: datetime) -> int:
    """Convert a time to microseconds since the epoch; TypeError for a time without zone."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    """Convert microseconds since the epoch to a time in UTC."""
    return EPOCH + timedelta(microseconds=value)


def from_micros_or_none(value: int | None) -> datetime | None:
    """Convert microseconds as `from_micros` does; None gives None."""
    return None if value is None else from_micros(value)
