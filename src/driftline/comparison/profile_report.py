"""The columns of a profile as text and as a part of a page, with a small picture of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from driftline.comparison.bars import make_bars
from driftline.profiles.window import Column, NumericColumn
from driftline.types.phrasing import clean, count, number, share, value_text

MOST_COLUMNS = 500
"""Columns that a page shows."""
WIDTH, HEIGHT = 120, 24
"""Pixels of a picture."""


def profile_text(rows: int, columns: Mapping[str, Column]) -> str:
    """Return one line for each column, without control characters."""
    lines = [f"{count(rows, 'row')}, {count(len(columns), 'column')}"]
    width = min(max((len(clean(name, 60)) for name in columns), default=0), 40)
    lines += [
        f"{clean(name, 60):<{width}}  {column.kind}  {_facts(column)}"
        for name, column in columns.items()
    ]
    return "\n".join(lines)


def profile_html(rows: int, columns: Mapping[str, Column]) -> str:
    """Return a table of the columns, each with the shape of its values as bars."""
    return "".join(_table(rows, columns))


def _table(rows: int, columns: Mapping[str, Column]) -> Iterator[str]:
    yield f"<div><p>{count(rows, 'row')}, {count(len(columns), 'column')}</p>"
    yield '<table><thead><tr><th scope="col">Column</th><th scope="col">Kind</th>'
    yield '<th scope="col">Values</th><th scope="col">Spread</th></tr></thead><tbody>'
    for name, column in list(columns.items())[:MOST_COLUMNS]:
        yield f"<tr><td>{escape(clean(name, 80))}</td><td>{escape(str(column.kind))}</td>"
        yield f"<td>{escape(_facts(column))}</td><td>{_picture(name, column)}</td></tr>"
    yield "</tbody></table>"
    if len(columns) > MOST_COLUMNS:
        yield f"<p>and {count(len(columns) - MOST_COLUMNS, 'more column')}</p>"
    yield "</div>"


def _facts(column: Column) -> str:
    missing = f"{share(column.missing / column.rows)} missing" if column.rows else "no rows"
    if isinstance(column, NumericColumn):
        if not column.count or column.mean is None:
            return f"{missing}, no numbers"
        median = column.quantile(0.5)
        facts = [f"mean {number(column.mean)}"]
        facts += [f"sd {number(column.sd)}"] if column.sd is not None else []
        facts += [f"median {number(median)}"] if median is not None else []
        if column.minimum is not None and column.maximum is not None:
            facts.append(f"{number(column.minimum)} to {number(column.maximum)}")
        return ", ".join([missing, *facts])
    top = next(iter(column.counts.items()), None)
    facts = [missing, f"{column.distinct:,} distinct"]
    if top is not None:
        facts.append(f"most often {value_text(top[0])} ({share(top[1] / max(column.count, 1))})")
    return ", ".join(facts)


def _picture(name: str, column: Column) -> str:
    """Return the shares of ranges or categories as bars in SVG."""
    bars = make_bars(column, column)
    if not bars:
        return ""
    most = max(bar[1] for bar in bars) or 1.0
    step = WIDTH / len(bars)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(clean(f"spread of {name}", 100))}">'
    ]
    for place, (label, part, _) in enumerate(bars):
        height = round(HEIGHT * part / most, 1)
        parts.append(
            f'<rect x="{place * step:.1f}" y="{HEIGHT - height:.1f}" width="{step - 1:.1f}" '
            f'height="{height}" fill="#2f6fdd"><title>{escape(clean(label, 80))}: {share(part)}'
            "</title></rect>"
        )
    return "".join([*parts, "</svg>"])
