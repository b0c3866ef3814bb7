"""What may stand under `routes`: a tree that says who is told of which incident.

Refuses to decide: who is told is worked out when there is something to tell.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from driftline.types.model import Severity


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
