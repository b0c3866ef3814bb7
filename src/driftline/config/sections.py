"""The settings of `routes`, `mute_times` and `inhibit`: who gets a message, and when it waits.

Does not decide anything: `delivery.routing` and `alerting` do that for each incident.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from driftline.types.matchers import Matchers
from driftline.types.model import Severity
from driftline.types.record_fields import DatasetFields, EventFields, VersionFields
from driftline.types.scalars import Length
from driftline.types.settings import Settings


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Patterns = Annotated[
    tuple[str, ...], BeforeValidator(_several, json_schema_input_type=str | list[str])
]
"""One pattern or a list; `*` stands for any text and `?` for any letter."""
Severities = Annotated[
    tuple[Severity, ...],
    BeforeValidator(_several, json_schema_input_type=Severity | list[Severity]),
]


class MatchConfig(Settings):
    """The conditions of a route. An incident must meet all of them.

    Each takes one value or a list. In a text, `*` stands for any text.
    """

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
    """The tags of the model, such as `team: growth`."""


class RouteConfig(Settings):
    """One route. The routes within it are tried in order, and inherit its settings."""

    match: MatchConfig = MatchConfig()
    """Which incidents take the route. Default: all that reach it."""
    sinks: tuple[str, ...] | None = None
    """The sinks that get the incident.

    Default: those of the outer route; all sinks if none names any.
    """
    fallback: tuple[str, ...] | None = None
    """The sinks that get a message when one of `sinks` rejects it or can't be reached.

    Default: those of the outer route.
    """
    continue_: bool = Field(default=False, alias="continue")
    """Whether the next routes are tried as well after this one was taken."""
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
            f"should be a cron time in five fields, such as 0 22 * * 1-5: {error}"
        ) from None
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("should be the name of a time zone, such as Europe/Berlin") from None
    return value


Match = Annotated[str, AfterValidator(_matchers)]


class MuteTimeConfig(Settings):
    """A recurring time in which messages wait, such as the night.

    An incident that is over by the end of that time is not sent.
    """

    cron: Annotated[str, AfterValidator(_cron)]
    """The begin in five fields: minute, hour, day, month, weekday."""
    for_: Length = Field(alias="for")
    """The length, in local time."""
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """The time zone of `cron`."""
    match: Match = ""
    """Which incidents wait, such as `model=churn,severity=info|warning`. Empty: all of them.

    Names are `model`, `severity`, `family`, `check`, `column`, `segment` or any label.
    """


class InhibitConfig(Settings):
    """Incidents of a model that wait while another incident of it is open, or while none is."""

    while_: Match | None = Field(default=None, alias="while")
    """The incident that makes others doubtful, such as `family=service,check=volume`."""
    unless: Match | None = None
    """The incident without which others do not count, such as `family=performance`.

    Give `while` or `unless`.
    """
    hold: Match
    """The incidents that wait, such as `family=drift|quality`."""

    @model_validator(mode="after")
    def _has_one_condition(self) -> InhibitConfig:
        if (self.while_ is None) == (self.unless is None):
            raise ValueError("give either while or unless")
        return self


class RecordConfig(Settings):
    """What is known of a model beside its numbers. The owner and tags stand in the model itself."""

    description: str = ""
    """What the model is for."""
    links: dict[str, str] = {}
    """Addresses by what they are, beside `runbook` and `dashboard`."""
    versions: dict[str, VersionFields] = {}
    """Its versions by name."""
    aliases: dict[str, str] = {}
    """Names for versions, such as `champion: v3`."""
    datasets: dict[str, DatasetFields] = {}
    """The datasets of its versions by name."""
    events: tuple[EventFields, ...] = ()
    """What happened: deployments, campaigns, changes of the schema or the configuration."""
