"""Options that several commands share, so that they are spelt the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


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
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(function)
