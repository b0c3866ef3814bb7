"""`driftline challenge`: whether a challenger is better than the champion, on history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftline.cli.options import json_option

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.stats import Challenge


@click.command()
@click.argument("champion", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument(
    "candidate",
    metavar="CHALLENGER",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--label", metavar="COLUMN", required=True, help="The true outcome.")
@click.option("--prediction", metavar="COLUMN", required=True, help="What the model predicted.")
@click.option("--id", "key", metavar="COLUMN", help="Pair the rows that share this id.")
@click.option(
    "--errors",
    type=click.Choice(["auto", "classes", "numbers"]),
    default="auto",
    help="Wrong classes, or absolute errors; auto: numbers where labels have more than 20 values.",
)
@click.option(
    "--least-gain",
    type=float,
    default=0.01,
    help="The difference of mean errors from which on the challenger is worth it. Default: 0.01.",
)
@json_option
def challenge(
    champion: Path,
    candidate: Path,
    label: str,
    prediction: str,
    key: str | None,
    errors: str,
    least_gain: float,
    as_json: bool,
) -> int:
    """Compare the predictions of two models: promote the challenger, keep the champion, or wait.

    CHAMPION and CHALLENGER are files: CSV, Parquet or JSON lines. The answer is valid however often
    the command is run on growing files. Exits with 0 for promote, and with 1 otherwise.
    """
    from driftline import stats

    if not 0 <= least_gain < float("inf"):
        raise click.BadParameter("a number of at least 0", param_hint="--least-gain")
    names = [label, prediction, *([key] if key else [])]
    tables = [_read(path, names) for path in (champion, candidate)]
    labels = [table.column(label).to_pylist() for table in tables]
    is_number = errors == "numbers" or (errors == "auto" and _has_many_numbers(labels))
    losses = [
        [_loss(*pair, is_number=is_number) for pair in zip(known, predicted, strict=True)]
        for known, predicted in zip(
            labels, (table.column(prediction).to_pylist() for table in tables), strict=True
        )
    ]
    if key is None:
        difference = stats.unpaired_difference_of(*losses)
        reason = ""
    else:
        sides = [
            dict(zip(table.column(key).to_pylist(), side, strict=True))
            for table, side in zip(tables, losses, strict=True)
        ]
        common = [name for name in sides[0] if name is not None and name in sides[1]]
        difference = stats.paired_difference_of(
            *([side[name] for name in common] for side in sides)
        )
        reason = "" if common else "no id stands in both files"
    result = stats.judge_challenger(difference, least_gain=least_gain)
    values = _values(result, reason)
    values["rows_left_out"] = sum(
        int((~stats.is_usable_loss(side)).sum()) for side in losses if side
    )
    if key is not None:
        values["ids_repeated"] = sum(map(_count_repeated, (t.column(key) for t in tables)))
    click.echo(json.dumps(values, ensure_ascii=False) if as_json else _text(values))
    return 0 if result.verdict is stats.ChallengeVerdict.PROMOTE else 1


def _read(path: Path, names: list[str]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv, parquet
    from pyarrow import json as json_lines

    suffix = path.suffix.lower()
    try:
        if suffix in (".parquet", ".pq"):
            table = parquet.read_table(path)
        elif suffix in (".jsonl", ".json", ".ndjson"):
            table = json_lines.read_json(path)
        else:
            table = csv.read_csv(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise click.UsageError(f"{path}: {' '.join(str(error).split())[:200]}") from None
    missing = [name for name in names if name not in table.column_names]
    if missing:
        known = ", ".join(table.column_names[:20])
        raise click.UsageError(f"{path}: no column {', '.join(missing)}; there are: {known}")
    return table.select(names)


def _count_repeated(ids: pa.ChunkedArray) -> int:
    """Rows whose id a later row of the same file has, too: the last one counts."""
    known = ids.drop_null()
    return len(known) - len(known.unique())


def _has_many_numbers(sides: list[list[Any]]) -> bool:
    values = {value for side in sides for value in side if value is not None}
    return len(values) > 20 and all(isinstance(value, int | float) for value in values)


def _loss(label: Any, prediction: Any, *, is_number: bool) -> float:
    """The loss of a row; NaN without a label or a prediction."""
    if label is None or prediction is None:
        return float("nan")
    if not is_number:
        return float(str(label) != str(prediction))
    try:
        return abs(float(label) - float(prediction))
    except ValueError:
        return float("nan")


def _values(result: Challenge, reason: str) -> dict[str, Any]:
    return {
        "verdict": result.verdict.value,
        "reason": reason or result.reason,
        "difference": result.difference,
        "interval": None if result.interval is None else list(result.interval),
        "rows": result.rows,
        "rows_needed": result.rows_needed,
    }


def _text(values: dict[str, Any]) -> str:
    text = f"{values['verdict']}: {values['reason']}"
    if values["difference"] is not None:
        text += "; the error of the champion less that of the challenger is "
        text += f"{values['difference']:+.4g}"
    if values["interval"] is not None:
        low, high = values["interval"]
        text += f" (at all times: {low:+.4g} to {high:+.4g})"
    text += f", {_rows(values['rows'])}"
    if values["rows_needed"] is not None:
        text += f"; about {values['rows_needed']:,} more are needed"
    if values["rows_left_out"]:
        text += f"; {_rows(values['rows_left_out'])} left out: no label, no prediction or no number"
    if values.get("ids_repeated"):
        text += f"; {_rows(values['ids_repeated'])} left out: a later row has the same id"
    return text


def _rows(count: int) -> str:
    return f"{count:,} row" + ("s" if count != 1 else "")
