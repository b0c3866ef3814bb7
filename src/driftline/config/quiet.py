"""What may stand under `mute_times` and `inhibit`: when messages wait.

Refuses to decide what waits: that is worked out when there is something to tell.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from driftline.types.matchers import Matchers
from driftline.types.scalars import Length


def _matchers(value: str) -> str:
    Matchers.parse(value)
    return value


def _cron(value: str) -> str:
    try:
        CronSim(value, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(
            f"should be a time in five fields, such as 0 22 * * 1-5: {error}"
        ) from None
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("should be the name of a time zone, such as Europe/Berlin") from None
    return value


Match = Annotated[str, AfterValidator(_matchers)]


class MuteTimeConfig(BaseModel):
    """A time that comes again, such as the night, in which messages wait; what is over by its end
    is not told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    cron: Annotated[str, AfterValidator(_cron)]
    """When it begins: minute, hour, day, month, weekday."""
    for_: Length = Field(alias="for")
    """How long it lasts, by the clock on the wall."""
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """The time zone of `cron`."""
    match: Match = ""
    """Which incidents wait: `model`, `severity`, `family`, `check`, `column`, `segment` or any
    label, such as `model=churn,severity=info|warning`; all of them when empty.
    """


class InhibitConfig(BaseModel):
    """While one incident of a model is open, others of the same model wait."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    while_: Match = Field(alias="while")
    """The incident that makes others doubtful, such as `family=service,check=volume`."""
    hold: Match
    """Those that wait meanwhile, such as `family=drift|quality`."""
