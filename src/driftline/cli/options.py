"""Options that several commands share, so that they look and work the same everywhere."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from driftline.types.times import as_utc

F = TypeVar("F", bound=Callable[..., Any])
PAINT = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
"""The rich style of each severity."""


def config_option(function: F) -> F:
    """Add `-c FILE`, as the argument `config` of type Path."""
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        default="driftline.yaml",
        show_default=True,
        metavar="FILE",
        help="The configuration file.",
    )(function)


def json_option(function: F) -> F:
    """Add `--json`, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(
        function
    )


def author_options(function: F) -> F:
    """Add `--author`, by default the login name, and `--reason`, by default empty."""
    function = click.option(
        "--reason", default="", metavar="TEXT", help="The reason, kept in the history."
    )(function)
    return click.option(
        "--author", default=_login_name, metavar="NAME", help="Your name. Default: your login name."
    )(function)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def duration_option(*names: str, text: str) -> Callable[[F], F]:
    """Add a required option for a duration such as 4h, as an argument of type timedelta."""
    return click.option(*names, required=True, callback=read_duration, metavar="TIME", help=text)


def read_duration(context: click.Context, parameter: click.Parameter, value: str) -> timedelta:
    """Return the duration that an option gives. Raises click.BadParameter."""
    from driftline.types.scalars import parse_duration

    try:
        length = parse_duration(value)
        # A time that no calendar has is found here, not when the length is added to a time.
        datetime.now(UTC) + length
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    except OverflowError:
        raise click.BadParameter(f"{value!r} ends after the year 9999") from None
    return length


def parse_time(option: str, text: str) -> datetime:
    """Read the time that an option gives, UTC where it names no zone. Raises click.UsageError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(
            f"{option} {text}: should be a time such as 2026-03-02 or 2026-03-02T09:00"
        ) from None
    return as_utc(at)
