"""Parses and formats durations, sizes, time spans and counts of windows of the configuration.

A number without its unit is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from driftline.types.times import as_utc

_UNITS = {"ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SIZES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
SIZE = r"^(\d+(\.\d+)?)(MB|GB|TB)$"
OF = r"^(\d+) of (\d+)$"
MAX_AMONG = 16
"""The most windows that a count `3 of 5` may look at: an alert remembers so many."""
PATTERN = r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$"


class Bytes(int):
    """A number of bytes."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        serial = core_schema.plain_serializer_function_ser_schema(
            format_scalar, return_schema=core_schema.str_schema()
        )
        return core_schema.no_info_plain_validator_function(parse_size, serialization=serial)


def parse_duration(value: Any) -> timedelta:
    """Parse a duration such as `90s`, `15m`, `1h30m`, `28d` or `2w`. Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and re.fullmatch(PATTERN.strip("^$"), value):
        try:
            return timedelta(
                seconds=sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
            )
        except OverflowError:
            pass
    raise ValueError("should be a time with its unit, such as 90s, 15m, 1h or 28d")


def format_scalar(value: timedelta | Bytes) -> str:
    """Write a duration as `1h30m`, or a size as `2GB`, in its shortest form."""
    if isinstance(value, Bytes):
        unit = next((unit for unit in ("TB", "GB") if value >= _SIZES[unit]), "MB")
        return f"{value / _SIZES[unit]:g}{unit}"
    left = round(value.total_seconds() * 1000)
    text = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def check_positive(value: timedelta) -> timedelta:
    """Return a duration that is longer than 0. Raises ValueError for any other one."""
    if value <= timedelta(0):
        raise ValueError("should be longer than 0")
    return value


_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": PATTERN, "examples": ["90s", "15m", "1h", "28d"]}
)
_SERIAL = PlainSerializer(format_scalar, return_type=str)

Duration = Annotated[timedelta, BeforeValidator(parse_duration), _SERIAL, _SCHEMA]
"""A duration of 0 or more."""
Length = Annotated[
    timedelta,
    BeforeValidator(lambda value: check_positive(parse_duration(value))),
    _SERIAL,
    _SCHEMA,
]
"""A duration longer than 0."""


def parse_size(value: Any) -> Bytes:
    """Parse a size such as `500MB` or `2GB`. Raises ValueError."""
    if isinstance(value, Bytes):
        return value
    if isinstance(value, str) and (match := re.fullmatch(SIZE.strip("^$"), value)):
        result = Bytes(float(match[1]) * _SIZES[match[3]])
        if result > 0:
            return result
    raise ValueError("should be a size with its unit, such as 500MB or 2GB")


Size = Annotated[
    Bytes, WithJsonSchema({"type": "string", "pattern": SIZE, "examples": ["500MB", "2GB"]})
]
"""A number of bytes, more than 0."""


def parse_span(value: Any) -> tuple[datetime, datetime]:
    """Parse start and end from `2024-05-01/2024-06-01`: dates or times, UTC. Raises ValueError."""
    if isinstance(value, tuple):
        return value
    start, slash, end = value.partition("/") if isinstance(value, str) else ("", "", "")
    try:
        if not slash:
            raise ValueError
        result = (_moment(start.strip()), _moment(end.strip()))
    except ValueError:
        raise ValueError(
            "should be START/END, such as 2024-05-01/2024-06-01 (dates or times, UTC)"
        ) from None
    if result[0] >= result[1]:
        raise ValueError("ends before it begins")
    return result


def _moment(text: str) -> datetime:
    return as_utc(datetime.fromisoformat(text))


Span = Annotated[
    tuple[datetime, datetime],
    BeforeValidator(parse_span),
    PlainSerializer(lambda pair: f"{pair[0].isoformat()}/{pair[1].isoformat()}", return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2024-05-01/2024-06-01"]}),
]


@dataclass(frozen=True, slots=True)
class Persistence:
    """How many windows are changed before a change counts."""

    changed: int = 1
    among: int | None = None
    """The newest windows among which they are; None: they are in a row."""

    @property
    def setting(self) -> int | str:
        """How a configuration writes it."""
        return self.changed if self.among is None else f"{self.changed} of {self.among}"


def parse_persistence(value: Any) -> Persistence:
    """Parse a count of windows: `2`, or `3 of 5`. Raises ValueError."""
    if isinstance(value, Persistence):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return Persistence(value)
    match = re.fullmatch(OF.strip("^$"), value) if isinstance(value, str) else None
    if match and 1 <= (changed := int(match[1])) <= (among := int(match[2])) <= MAX_AMONG:
        return Persistence(changed, None if changed == among else among)
    raise ValueError(
        "should be a count of windows in a row, such as 2, or a count among the newest windows, "
        f"such as 3 of 5 (at most {MAX_AMONG})"
    )


ChangedWindows = Annotated[
    Persistence,
    BeforeValidator(parse_persistence),
    PlainSerializer(lambda value: value.setting, return_type=int | str),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": OF}],
            "examples": [2, "3 of 5"],
        }
    ),
]
"""How many windows are changed before a change counts."""
