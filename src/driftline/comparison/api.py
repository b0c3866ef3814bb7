"""`driftline.compare`: two tables in, one result out. The composition root of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.comparison.compare_tables import compare_tables
from driftline.comparison.own_plugins import load_registry
from driftline.comparison.result import Comparison
from driftline.comparison.schema import ColumnRoles
from driftline.comparison.table_profile import TableProfile
from driftline.comparison.tables import open_table
from driftline.contracts.context import StartContext
from driftline.extensions.guard import Guard
from driftline.telemetry.logs import make_log

if TYPE_CHECKING:
    from os import PathLike


def compare(
    reference: str | PathLike[str] | Any,
    current: str | PathLike[str] | Any,
    *,
    label: str | None = None,
    prediction: str | None = None,
    score: str | None = None,
    segments: Sequence[str] | str = (),
    plugins: Sequence[Path | str] = (),
) -> Comparison:
    """Compare two tables, and return which columns changed, how much, and how sure that is.

    Each table is a path, a glob, a URI such as `s3://BUCKET/PREFIX`, an object with
    `__arrow_c_stream__` (a frame of pandas or polars, a table of pyarrow, a relation of DuckDB), or
    a profile that `profile` made, or its path. The schema is inferred from `reference`. With
    `label` and `prediction` or `score` (the probability of the positive class) the metrics of the
    model are compared, too; with `segments` (names of columns) also each of their groups.
    `plugins` are files or folders with your own checks.

    Raises ComparisonError when the tables can't be compared, SourceError when one can't be read,
    and TypeError for an object that is no table.
    """
    registry = load_registry(plugins)
    now = _clock()
    context = StartContext(
        name="comparison", log=make_log(), clock=_clock, config_folder=Path.cwd()
    )
    if isinstance(reference, TableProfile) and isinstance(current, TableProfile):
        current = current.on_grid_of(reference)
    with ExitStack() as stack:
        first = open_table(reference, "reference", registry, context, now)
        stack.callback(first.source.stop)
        second = open_table(current, "current", registry, context, now)
        stack.callback(second.source.stop)
        return compare_tables(
            first,
            second,
            ColumnRoles(
                label=label,
                prediction=prediction,
                score=score,
                segments=(segments,) if isinstance(segments, str) else tuple(segments),
            ),
            registry=registry,
            guard=Guard(_clock),
            now=now,
        )


def _clock() -> datetime:
    return datetime.now(UTC)
