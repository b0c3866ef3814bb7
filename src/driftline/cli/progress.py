"""A progress bar on the terminal, one line a stage; nothing where standard error is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Show(Protocol):
    """Takes the name of a stage, how much is done, how much there is, and the rows so far."""

    def __call__(self, stage: str, done: int, total: int, rows: int = 0) -> None:
        """Move the stage's bar."""
        ...


@contextmanager
def bar(*, rows: bool = False) -> Iterator[Show]:
    """The bar; with `rows` these are shown, too."""
    if not sys.stderr.isatty():
        yield lambda stage, done, total, rows=0: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    counted = (TextColumn("{task.fields[rows]:,} rows"),) if rows else ()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *counted,
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int, rows: int = 0) -> None:
            if stage not in tasks:
                tasks[stage] = shown.add_task(stage, total=total, rows=rows)
            shown.update(tasks[stage], completed=done, total=total, rows=rows)

        yield show
