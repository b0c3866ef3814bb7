"""The settings of `routes`, `mute_times` and `inhibit`: who gets a message, and when it waits.

Does not decide anything: `delivery.routing` and `alerting` do that for each incident.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from driftline.types.matchers import Matchers
from driftline.types.model import Severity
from driftline.types.scalars import Length


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Patterns = Annotated[
    tuple[str, ...], BeforeValidator(_several, json_schema_input_type=str | list[str])
]
"""One name or several; `*` and `?` stand for any letters and any letter."""
Severities = Annotated[
    tuple[Severity, ...],
    BeforeValidator(_several, json_schema_input_type=Severity | list[Severity]),
]


class MatchConfig(BaseModel):
    """What an incident must be for a route: everything that is named here. Each takes one value or
    a list of them, and `*`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: Patterns = ()
    """The name of the model."""
    severity: Severities = ()
    """`info`, `warning` or `critical`."""
    family: Patterns = ()
    """`drift`, `quality`, `service`, `performance` or `monitoring`."""
    segment: Patterns = ()
    """The segment of one of its alerts, such as `plan=premium`."""
    check: Patterns = ()
    """The check of one of its alerts, by its name in the configuration."""
    tags: dict[str, Patterns] = {}
    """Tags of the model, such as `team: growth`."""


class RouteConfig(BaseModel):
    """One route. Routes within it are tried in order; what they don't say, they take from it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    match: MatchConfig = MatchConfig()
    """Which incidents take it; all that reach it when absent."""
    sinks: tuple[str, ...] | None = None
    """Who is told; as the route around says when absent, and all sinks where none says."""
    fallback: tuple[str, ...] | None = None
    """Who is told instead when one of the sinks refuses a message or can't be reached; as the route
    around says when absent.
    """
    continue_: bool = Field(default=False, alias="continue")
    """Whether the next routes are tried as well when this one was taken."""
    routes: tuple[RouteConfig, ...] = ()
    """Routes for some of these incidents."""


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
