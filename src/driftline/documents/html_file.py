"""A report as one HTML file: no script, no address that is loaded, charts as SVG inside."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from driftline.charts.picture import draw_svg
from driftline.charts.theme import PAGE
from driftline.documents.document import Figure, ReportDocument, Section, Table
from driftline.types.phrasing import clean

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
TONES = ("critical", "warning", "info", "changed", "unsure", "error", "ok")
"""Words of a cell that have a colour."""
STYLE = """
:root{--ink:#1d2939;--soft:#5b6577;--line:#d9dee7;--paper:#fff;--link:#175cd3;--critical:#b42318;
--warning:#8a5300;--info:#175cd3;--ok:#1c6b41}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#a3adbf;--line:#344054;
--paper:#12161f;--link:#84adff;--critical:#ff9a8f;--warning:#f3bd6b;--info:#84caff;--ok:#7fd6a6}}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:62rem;margin:0 auto;padding:1.5rem}
h1{font-size:1.5rem;line-height:1.25;margin:.2rem 0 .6rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
h3{font-size:1rem;margin:0 0 .2rem}p{margin:.3rem 0}.quiet{color:var(--soft)}
h1,h3,p,td{overflow-wrap:anywhere}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line);text-align:left;
vertical-align:top;min-width:4.5rem}
td:first-child{min-width:9rem}
th{font-size:.85rem;color:var(--soft)}
.mark{font-weight:600;white-space:nowrap}
.changed,.critical{color:var(--critical)}.warning,.unsure,.error{color:var(--warning)}
.info{color:var(--info)}.ok{color:var(--ok)}
figure{margin:1.2rem 0;padding:1rem 0 0;border-top:1px solid var(--line)}
svg{max-width:100%;height:auto;display:block;margin:.6rem 0}
summary{cursor:pointer;color:var(--link);padding:.3rem 0}
@media print{main{max-width:none;padding:0}figure{break-inside:avoid}}
"""


def write_html(document: ReportDocument) -> str:
    """Return the whole page. Raises DriftlineError where a chart can't be drawn."""
    return "".join(_parts(document))


def _parts(document: ReportDocument) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    # Without an icon of its own a browser asks for one.
    yield f"<title>{_text(document.title)}</title><style>{STYLE}</style></head><body><main>"
    yield f'<p class="quiet">{_text(document.subject, 460)}</p>'
    yield f"<h1>{_text(document.title, 300)}</h1>"
    yield from (f"<p>{_text(line, 600)}</p>" for line in document.lines)
    for section in document.sections:
        yield from _section(section)
    yield "</main></body></html>\n"


def _section(section: Section) -> Iterator[str]:
    yield f"<section><h2>{_text(section.title)}</h2>"
    if section.text:
        yield f'<p class="quiet">{_text(section.text, 600)}</p>'
    if section.table is not None:
        yield from _table(section.table, section.title)
    for figure in section.figures:
        yield from _figure(figure)
    yield "</section>"


def _figure(figure: Figure) -> Iterator[str]:
    name = f"{figure.title}: {figure.text}" if figure.text else figure.title
    svg = draw_svg(figure.specification, PAGE)
    yield f"<figure><h3>{_text(figure.title)}</h3><p>{_text(figure.text, 600)}</p>"
    yield svg.replace("<svg ", f'<svg role="img" aria-label="{_text(name, 400)}" ', 1)
    if figure.table is not None:
        yield "<details><summary>As a table</summary>"
        yield from _table(figure.table, figure.title)
        yield "</details>"
    yield "</figure>"


def _table(table: Table, name: str) -> Iterator[str]:
    yield f'<div class="scroll" role="region" tabindex="0" aria-label="{_text(name)}"><table>'
    yield "<thead><tr>"
    yield from (f'<th scope="col">{_text(cell)}</th>' for cell in table.head)
    yield "</tr></thead><tbody>"
    for row in table.rows:
        yield "<tr>"
        yield from (f"<td>{_cell(cell)}</td>" for cell in row)
        yield "</tr>"
    yield "</tbody></table></div>"


def _cell(cell: str) -> str:
    return f'<span class="mark {cell}">{cell}</span>' if cell in TONES else _text(cell, 600)


def _text(text: str, limit: int = 200) -> str:
    """Return text of one line, cut and escaped."""
    return escape(clean(text, limit))
