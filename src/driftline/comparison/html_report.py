"""A comparison as HTML: one page without scripts, or a part of a notebook.

All text from data is cleaned and escaped. Charts are inline SVG.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from driftline.comparison.records import NO_PAST, Bar, ColumnComparison, ComparisonRecords
from driftline.comparison.text_report import (
    RecordGroup,
    heading,
    largest_changes,
    name_list,
    reading_guide,
    record_groups,
    size_text,
)
from driftline.types.model import Verdict
from driftline.types.phrasing import clean, share

MOST_CHARTS = 60
"""Columns with a chart; a page stays small however many columns there are."""
MOST_ROWS = 500
"""Rows of a table."""
WIDTH, BAR, GAP, NAME = 560, 13, 9, 170
"""Pixels of a chart: its width, height of a bar, space between pairs, width of the names."""
STYLE = """
.dl{--ink:#1d2939;--quiet:#5b6577;--line:#d9dee7;--page:#fff;--before:#98a2b3;--now:#2f6fdd;
--changed:#b42318;--unsure:#8a5300;--ok:#1c6b41;color:var(--ink);background:var(--page);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;max-width:70rem;margin:0 auto;
padding:1.5rem;box-sizing:border-box}
.dl h1{font-size:1.5rem;line-height:1.25;margin:.2rem 0 .6rem}
.dl h2{font-size:1.1rem;margin:2rem 0 .5rem}.dl h3{font-size:1rem;margin:0 0 .2rem}
.dl p{margin:.3rem 0}.dl .quiet{color:var(--quiet)}
.dl h1,.dl h3,.dl p,.dl li,.dl td{overflow-wrap:anywhere}
.dl td,.dl th{text-align:left}
.dl th{white-space:nowrap}
.dl .scroll{overflow-x:auto}.dl table{border-collapse:collapse;width:100%;color:inherit}
.dl th,.dl td{padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--line);
vertical-align:top;background:none}
.dl td:first-child{width:13rem;min-width:8rem}.dl td:nth-child(2){width:5rem}
.dl td:nth-child(3){min-width:16rem}.dl td:nth-child(4){width:4rem}
.dl .size{white-space:nowrap}
.dl .mark{font-weight:600;white-space:nowrap}.dl .changed{color:var(--changed)}
.dl .unsure,.dl .error{color:var(--unsure)}.dl .ok{color:var(--ok)}
.dl dl{display:grid;grid-template-columns:minmax(7rem,auto) 1fr;gap:.3rem 1rem}
.dl dt{font-weight:600;overflow-wrap:anywhere}.dl dd{margin:0;color:var(--quiet)}
.dl section{margin:1.2rem 0;padding-top:1rem;border-top:1px solid var(--line)}
.dl svg{max-width:100%;height:auto;display:block;margin-top:.6rem}
.dl svg text{fill:var(--ink);font:12px system-ui,-apple-system,"Segoe UI",sans-serif}
.dl .before{fill:var(--before)}.dl .now{fill:var(--now)}
.dl .key{display:inline-block;width:.8rem;height:.8rem;margin:0 .35rem 0 0;vertical-align:-1px}
.dl .key.before{background:var(--before)}.dl .key.now{background:var(--now);margin-left:1rem}
@media (prefers-color-scheme:dark){.dl{--ink:#e6e9ef;--quiet:#a3adbf;--line:#344054;
--page:#12161f;--before:#75829a;--now:#6ea3ff;--changed:#ff9a8f;--unsure:#f3bd6b;--ok:#7fd6a6}}
@media print{.dl{max-width:none;padding:0}.dl section{break-inside:avoid}}
"""


def report_page(comparison: ComparisonRecords) -> str:
    """Return a whole page: one file that needs no network and runs no script."""
    title = escape(f"driftline compare: {comparison.headline}")
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}</title>"
        "<style>body{margin:0}@media (prefers-color-scheme:dark){body{background:#12161f}}</style>"
        f"</head><body><main>{report_part(comparison)}</main></body></html>\n"
    )


def report_part(comparison: ComparisonRecords) -> str:
    """Return the report as one element with its own style."""
    return "".join([f'<style>{STYLE}</style><div class="dl">', *_content(comparison), "</div>"])


def _content(comparison: ComparisonRecords) -> Iterator[str]:
    names, headline, _ = heading(comparison)
    yield f'<p class="quiet">{_text(names, 460)}</p><h1>{_text(headline)}</h1>'
    yield f'<p class="quiet">{escape(NO_PAST)}</p>'
    yield from (
        f"<p><strong>{_text(line, 300)}</strong></p>" for line in largest_changes(comparison)
    )
    for group in record_groups(comparison):
        yield from _table(group)
    charts = [row for row in comparison.columns if row.bars and row.verdict == Verdict.CHANGED]
    if charts:
        yield "<h2>How the values are spread</h2>"
        yield (
            '<p><span class="key before"></span>reference<span class="key now"></span>current, '
            "share of the rows with a value</p>"
        )
    for row in charts[:MOST_CHARTS]:
        yield f"<section><h3>{_text(row.name, 80)}</h3><p>{_text(row.text, 600)}</p>"
        yield f"{_bars(row)}</section>"
    if len(charts) > MOST_CHARTS:
        yield f"<p>Charts of {len(charts) - MOST_CHARTS:,} more columns are left out.</p>"
    yield from _rest(comparison)
    yield "<h2>How to read this</h2><dl>"
    yield from (
        f"<dt>{_text(word, 80)}</dt><dd>{_text(meaning, 400)}</dd>"
        for word, meaning in reading_guide(comparison)
    )
    yield "</dl>"


def _table(group: RecordGroup) -> Iterator[str]:
    yield f"<h2>{escape(group.title)}</h2>"
    yield f'<div class="scroll"><table><thead><tr><th scope="col">{escape(group.head)}</th>'
    yield '<th scope="col">Verdict</th><th scope="col">How much: reference → current</th>'
    yield '<th scope="col">Size</th></tr></thead><tbody>'
    for row in group.rows[:MOST_ROWS]:
        yield (
            f"<tr><td>{_text(row.name, 80)}</td><td>{_mark(row)}</td>"
            f'<td>{_text(row.text, 600)}</td><td class="size">{size_text(row)}</td></tr>'
        )
    yield "</tbody></table></div>"
    if len(group.rows) > MOST_ROWS:
        yield f"<p>and {len(group.rows) - MOST_ROWS:,} more, see the JSON</p>"


def _rest(comparison: ComparisonRecords) -> Iterator[str]:
    same = [row.name for row in comparison.columns if row.verdict == Verdict.OK]
    for label, names in (
        ("Without a change", same),
        ("Only in the reference", comparison.removed),
        ("Only in the current table", comparison.added),
        ("Not compared", comparison.left_out),
    ):
        if names:
            yield f"<h2>{label} ({len(names):,})</h2><p>{escape(name_list(names))}</p>"
    if comparison.notes:
        yield "<h2>Please check</h2><ul>"
        yield from (f"<li>{_text(note, 600)}</li>" for note in comparison.notes[:MOST_ROWS])
        yield "</ul>"


def _mark(row: ColumnComparison) -> str:
    verdict = escape(row.verdict)
    return f'<span class="mark {verdict}">{verdict}</span>'


def _bars(row: ColumnComparison) -> str:
    """Return the pairs of bars of one column as SVG."""
    most = max(max(bar.reference, bar.current) for bar in row.bars) or 1.0
    room = WIDTH - NAME - 60
    height = len(row.bars) * (2 * BAR + GAP) + GAP
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{_text(_description(row), 400)}">'
    ]
    for place, bar in enumerate(row.bars):
        top = GAP + place * (2 * BAR + GAP)
        parts.append(
            f'<text x="{NAME - 8}" y="{top + BAR + 4}" text-anchor="end">{_text(bar.name, 24)}'
            f"<title>{_text(bar.name, 80)}</title></text>"
        )
        for offset, style, value in ((0, "before", bar.reference), (BAR, "now", bar.current)):
            width = round(room * value / most, 1)
            parts.append(
                f'<rect class="{style}" x="{NAME}" y="{top + offset}" width="{width}" '
                f'height="{BAR - 1}"/><text x="{NAME + width + 5:.1f}" y="{top + offset + 10}">'
                f"{share(value)}</text>"
            )
    return "".join([*parts, "</svg>"])


def _description(row: ColumnComparison) -> str:
    """Return what a chart shows, for those who can't see it."""
    largest: Bar = max(row.bars, key=lambda bar: abs(bar.current - bar.reference))
    return (
        f"{row.name}: the share of {largest.name} went from {share(largest.reference)} to "
        f"{share(largest.current)}"
    )


def _text(text: str, limit: int = 200) -> str:
    """Return text of one line, cut and escaped."""
    return escape(clean(text, limit))
