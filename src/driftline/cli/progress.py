"""A progress bar on standard error, one line a stage; nothing where that is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Show(Protocol):
    """Takes a stage's name, the work done and the total in units, and the rows so far."""

    def __call__(self, stage: str, count: int, total: int, rows: int = 0) -> None:
        """Move the bar of the stage."""
        ...


@contextmanager
def bar(*, rows: bool = False) -> Iterator[Show]:
    """Show a bar while the block runs, with a column for rows if `rows` is true."""
    if not sys.stderr.isatty():
        yield lambda stage, count, total, rows=0: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    row_column = (TextColumn("{task.fields[rows]:,} rows"),) if rows else ()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *row_column,
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, Any] = {}

        def show(stage: str, count: int, total: int, rows: int = 0) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total, rows=rows)
            progress.update(tasks[stage], completed=count, total=total, rows=rows)

        yield show
