"""Options that several commands share, so that they are spelt the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
PAINT = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
"""How severities are painted."""


def config_option(function: F) -> F:
    """`-c FILE`, as the argument `config` of type Path."""
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        default="driftline.yaml",
        show_default=True,
        metavar="FILE",
        help="The configuration.",
    )(function)


def json_option(function: F) -> F:
    """`--json`, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(
        function
    )


def moment(option: str, text: str) -> datetime:
    """The time that an option gives, UTC where it names no zone. Raises click.UsageError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(
            f"{option} {text}: should be a time such as 2026-03-02 or 2026-03-02T09:00"
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
