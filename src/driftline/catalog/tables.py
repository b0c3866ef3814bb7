"""Writes the answer to a question as JSON, CSV, Parquet, a table for people, or a chart."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from driftline.catalog.measurement_query import QueryResult
from driftline.types.phrasing import clean


class OutputForm(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    CHART = "chart"


FORMULA = re.compile(r"[\s\0]*[=+\-@＝＋－＠]|[\t\r\n]")
"""How a text begins that spreadsheets take for a formula (OWASP, CSV Injection)."""
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
BARS = "▁▂▃▄▅▆▇█"
WIDEST = 40
"""The widest column of a table, in characters."""
LONGEST_CHART = 100
"""The most values that one line of a chart shows: the newest ones."""


def to_json(answer: QueryResult) -> str:
    """Return the rows as a JSON list of objects; times are ISO 8601."""
    return json.dumps(answer.rows, default=_plain, ensure_ascii=False, indent=2)


def to_csv(answer: QueryResult) -> str:
    """Return the rows as CSV with a header; what is missing is empty.

    Text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, answer.columns, lineterminator="\n")
    writer.writeheader()
    for row in answer.rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def to_parquet(answer: QueryResult) -> bytes:
    """Return the rows as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: [row[name] for row in answer.rows] for name in answer.columns})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def to_table(answer: QueryResult) -> str:
    """Return the rows as aligned columns; columns that are empty throughout are left out."""
    names = [
        name for name in answer.columns if any(row[name] not in (None, "") for row in answer.rows)
    ]
    if not names:
        return "no rows"
    cells = [[_short(row[name]) for name in names] for row in answer.rows]
    widths = [
        min(max(len(name), *(len(row[place]) for row in cells)), WIDEST)
        for place, name in enumerate(names)
    ]
    lines = ["  ".join(name.ljust(width) for name, width in zip(names, widths, strict=True))]
    lines += [
        "  ".join(_cut(text).ljust(width) for text, width in zip(row, widths, strict=True))
        for row in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def _cut(text: str) -> str:
    """Return the text as it fits a column; an ellipsis shows that its end is left out."""
    return text if len(text) <= WIDEST else text[: WIDEST - 1].rstrip() + "…"


def to_chart(answer: QueryResult) -> str:
    """Return a line of bars for each series; a summary has one bar for each of its rows."""
    if "mean" in answer.columns:
        return _bar_lines(answer)
    series: dict[str, list[Mapping[str, Any]]] = {}
    for row in answer.rows:
        name = " ".join(str(row[key]) for key in _series_keys(answer) if row[key])
        series.setdefault(name, []).append(row)
    lines = []
    for name, rows in series.items():
        values = [row["value"] for row in rows if row["value"] is not None][-LONGEST_CHART:]
        if values:
            low, high = min(values), max(values)
            ends = f"{_short(rows[0]['start'])} to {_short(rows[-1]['start'])}"
            lines += [f"{name or answer.rows[0]['metric']}  {low:.4g} to {high:.4g}  ({ends})"]
            lines += ["".join(_bar(value, low, high) for value in values), ""]
    return "\n".join(lines).rstrip() or "no rows"


Writer = Callable[[QueryResult], str | bytes]
WRITERS: Mapping[OutputForm, Writer] = {
    OutputForm.TABLE: to_table,
    OutputForm.JSON: to_json,
    OutputForm.CSV: to_csv,
    OutputForm.PARQUET: to_parquet,
    OutputForm.CHART: to_chart,
}
"""The writer of each format."""


def _series_keys(answer: QueryResult) -> Sequence[str]:
    place = answer.columns.index("value")
    return ("version", "segment", "check", *answer.columns[6:place])


def _bar_lines(answer: QueryResult) -> str:
    rows = [row for row in answer.rows if row["mean"] is not None]
    if not rows:
        return "no rows"
    by = answer.columns[0]
    most = max(abs(row["mean"]) for row in rows) or 1.0
    width = max(len(_short(row[by])) for row in rows)
    return "\n".join(
        f"{_short(row[by]).ljust(width)}  {'█' * max(round(30 * abs(row['mean']) / most), 1)} "
        f"{row['mean']:.4g}"
        for row in rows
    )


def _bar(value: float, low: float, high: float) -> str:
    share = (value - low) / (high - low) if high > low else 0.5
    return BARS[min(int(share * len(BARS)), len(BARS) - 1)]


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    raise TypeError(type(value).__name__)


def _cell(value: Any) -> Any:
    if isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value):
        return f"'{value}"
    return _plain(value) if isinstance(value, datetime) else value


def _short(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return f"{value:.5g}" if isinstance(value, float) else clean(value)
