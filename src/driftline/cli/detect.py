"""`driftline detect` and `driftline changepoints`: look at any series in a CSV file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import F, json_option

if TYPE_CHECKING:
    from driftline.cli.series_file import SeriesFile
    from driftline.types.arrays import Floats


def _series_options(function: F) -> F:
    """Add the file and the names of its columns."""
    decorators: tuple[Callable[[F], F], ...] = (
        json_option,
        click.option("--value", metavar="COLUMN", help="The column of the numbers."),
        click.option("--time", metavar="COLUMN", help="The column of the times."),
        click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
    )
    for decorate in decorators:
        function = decorate(function)
    return function


@click.command()
@_series_options
def detect(file: Path, time: str | None, value: str | None, as_json: bool) -> int:
    """Score each value of a series in FILE, a CSV of time and value.

    Each value is compared with a forecast from the values before it: season, trend and noise are
    learnt on the way. The score lies between 0, as usual, and 1. Exits with 1 when a value is an
    anomaly.
    """
    from driftline import stats
    from driftline.cli.series_file import read_series

    series = read_series(file, time, value)
    scored = list(stats.score_series(series.values.tolist()))
    rows: list[dict[str, Any]] = [
        {
            "time": _iso(int(at)),
            "row": int(row),
            "value": item.value if item.value == item.value else None,
            "score": round(item.score, 6),
            "expected": item.expected,
            "anomaly": item.is_anomaly,
        }
        for at, row, item in zip(series.times, series.rows, scored, strict=True)
    ]
    anomalies = [row for row in rows if row["anomaly"]]
    if as_json:
        click.echo(json.dumps(rows))
        _say_losses(series, err=True)
        return 1 if anomalies else 0
    _print(
        ["time", "value", "expected", "score"],
        [
            [row["time"], _number(row["value"]), _number(row["expected"]), f"{row['score']:.4f}"]
            for row in anomalies
        ],
    )
    count = _count(len(anomalies), "anomaly", "anomalies")
    click.echo(f"{count} in {len(rows):,} values of {series.value_column}")
    _say_losses(series)
    return 1 if anomalies else 0


@click.command()
@_series_options
@click.option(
    "--bound",
    type=float,
    metavar="NUMBER",
    help="Say when the series will cross this number at its present slope.",
)
def changepoints(
    file: Path, time: str | None, value: str | None, as_json: bool, bound: float | None
) -> int:
    """Date the lasting changes of the series in FILE, a CSV of time and value.

    Season and steady trend are no changes. Each change has the span in which it began at 95%. Exits
    with 1 when there is a change.
    """
    import numpy as np

    from driftline import stats
    from driftline.cli.series_file import read_series

    if bound is not None and not np.isfinite(bound):
        raise click.BadParameter("a number that is finite", param_hint="--bound")
    series = read_series(file, time, value)
    known = np.flatnonzero(~np.isnan(series.values))
    changes = stats.find_change_points(series.values[known])
    rows: list[dict[str, Any]] = [
        {
            "time": _iso(int(series.times[known[change.place]])),
            "from": _iso(int(series.times[known[change.low]])),
            "to": _iso(int(series.times[known[change.high]])),
            "row": int(series.rows[known[change.place]]),
            "kind": change.kind,
            "before": change.before,
            "after": change.after,
        }
        for change in changes
    ]
    forecast = None if bound is None else _forecast(series.values[known], bound)
    if as_json:
        click.echo(json.dumps(rows))
        if forecast is not None:
            click.echo(forecast, err=True)
        _say_losses(series, err=True)
        return 1 if rows else 0
    _print(
        ["since", "at 95% between", "what", "before", "after"],
        [
            [
                row["time"],
                f"{row['from']} and {row['to']}",
                row["kind"],
                _number(row["before"]),
                _number(row["after"]),
            ]
            for row in rows
        ],
    )
    count = _count(len(rows), "change", "changes")
    click.echo(f"{count} in {len(known):,} values of {series.value_column}")
    if forecast is not None:
        click.echo(forecast)
    _say_losses(series)
    return 1 if rows else 0


def _forecast(values: Floats, bound: float) -> str:
    """When the series crosses a bound, for people."""
    import math

    from driftline import stats

    crossing = stats.forecast_crossing(values, bound)
    if crossing is None:
        return f"no slope that is proven leads to {bound:g}"
    latest = f"{crossing.latest:,.0f}" if math.isfinite(crossing.latest) else "any number"
    return (
        f"crosses {bound:g} in about {crossing.steps:,.0f} values at the present slope "
        f"(95%: {crossing.earliest:,.0f} to {latest})"
    )


def _say_losses(series: SeriesFile, err: bool = False) -> None:
    """Say what is left out of the series, and why."""
    if series.skipped:
        rows = _count(series.skipped, "row", "rows")
        click.echo(f"{rows} without a readable time left out", err=err)
    if series.torn:
        rows = _count(series.torn, "row", "rows")
        click.echo(f"{rows} with too few or too many values left out", err=err)
    if series.words:
        values = _count(series.words, "value that is", "values that are")
        click.echo(f"{values} no finite number left out, such as {series.word[:40]!r}", err=err)


def _count(count: int, singular: str, plural: str) -> str:
    return f"{count:,} {singular if count == 1 else plural}"


def _iso(micros: int) -> str:
    from driftline.types.times import from_micros

    return from_micros(micros).isoformat().replace("+00:00", "Z")


def _number(value: float | None) -> str:
    from driftline.types.phrasing import number

    return "" if value is None else number(value)


def _print(names: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return
    table = Table(box=None, header_style="bold")
    for name in names:
        table.add_column(name, no_wrap=name != "at 95% between")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
