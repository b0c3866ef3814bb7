"""A report as one picture: its title, its first rows and its first charts on one sheet.

The sheet is SVG; `vl-convert` turns it into PNG or PDF. Text does not wrap by itself in SVG, so
lines are cut by a mean width of letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from textwrap import wrap

from driftline.charts.picture import draw_svg
from driftline.charts.theme import PAPER
from driftline.documents.document import Figure, ReportDocument, Section, Table
from driftline.types.phrasing import clean

WIDTH, MARGIN, GAP = 1000, 36, 28
"""Pixels of the sheet, of its edge, and between parts."""
LETTER = 0.53
"""The mean width of a letter as a share of its size."""
MOST_ROWS, MOST_FIGURES, MOST_LINES = 40, 24, 3
"""Rows of a table, charts, and lines of a cell; all others stand in the other forms."""
TONES = {
    "changed": PAPER.critical,
    "critical": PAPER.critical,
    "warning": PAPER.estimate,
    "unsure": PAPER.estimate,
    "error": PAPER.estimate,
    "info": PAPER.now,
    "ok": "#1c6b41",
}
FONT = "Liberation Sans, Helvetica, Arial, sans-serif"


def draw_sheet(document: ReportDocument) -> str:
    """Return the sheet as SVG. Raises DriftlineError where a chart can't be drawn."""
    return _Sheet().draw(document)


class _Sheet:
    """A sheet that grows downwards."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.y = float(MARGIN)
        self.drawn = 0

    def draw(self, document: ReportDocument) -> str:
        self._paragraph(document.subject, 13, PAPER.soft)
        self._paragraph(document.title, 22, PAPER.ink, is_bold=True)
        for line in document.lines:
            self._paragraph(line, 13, PAPER.ink)
        for section in document.sections:
            self._section(section)
        height = round(self.y + MARGIN)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-family="{FONT}">'
            f'<rect width="{WIDTH}" height="{height}" fill="{PAPER.paper}"/>'
            f"{''.join(self.parts)}</svg>"
        )

    def _section(self, section: Section) -> None:
        self.y += GAP * 0.6
        self._paragraph(section.title, 16, PAPER.ink, is_bold=True)
        if section.text:
            self._paragraph(section.text, 12, PAPER.soft)
        if section.table is not None:
            self._table(section.table)
        figures = section.figures[: max(MOST_FIGURES - self.drawn, 0)]
        for place in range(0, len(figures), 2):
            self._pair(figures[place : place + 2])
        self.drawn += len(figures)
        if len(section.figures) > len(figures):
            self._paragraph(f"and {len(section.figures) - len(figures)} more", 12, PAPER.soft)

    def _paragraph(self, text: str, size: int, colour: str, *, is_bold: bool = False) -> None:
        for line in _wrap(text, WIDTH - 2 * MARGIN, size, MOST_LINES):
            self.y += size * 1.4
            self._line(line, MARGIN, self.y, size, colour, is_bold=is_bold)
        self.y += size * 0.3

    def _line(
        self, text: str, x: float, y: float, size: int, colour: str, *, is_bold: bool = False
    ) -> None:
        weight = ' font-weight="bold"' if is_bold else ""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}"{weight}>'
            f"{escape(_drawable(text))}</text>"
        )

    def _table(self, table: Table) -> None:
        shares = table.widths or [1] * len(table.head)
        room = (WIDTH - 2 * MARGIN) / sum(shares)
        edges = [MARGIN + room * sum(shares[:place]) for place in range(len(shares))]
        widths = [room * part - 12 for part in shares]
        self.y += 6
        for number, row in enumerate([table.head, *table.rows[:MOST_ROWS]]):
            cells = [
                _wrap(cell, width, 12, MOST_LINES) for cell, width in zip(row, widths, strict=True)
            ]
            for x, lines in zip(edges, cells, strict=True):
                for place, line in enumerate(lines):
                    colour = PAPER.soft if number == 0 else TONES.get(line, PAPER.ink)
                    self._line(line, x, self.y + 16 * (place + 1), 12, colour)
            self.y += 16 * max(map(len, cells)) + 7
            self.parts.append(
                f'<path d="M{MARGIN} {self.y:.1f}H{WIDTH - MARGIN}" stroke="{PAPER.grid}"/>'
            )
        if len(table.rows) > MOST_ROWS:
            self._paragraph(f"and {len(table.rows) - MOST_ROWS} more rows", 12, PAPER.soft)

    def _pair(self, figures: Sequence[Figure]) -> None:
        """Two charts beside each other."""
        width = (WIDTH - 2 * MARGIN - GAP) // 2
        below = self.y
        for place, figure in enumerate(figures):
            x, y = MARGIN + place * (width + GAP), self.y + GAP * 0.5
            for line in _wrap(figure.title, width, 13, 2):
                y += 18
                self._line(line, x, y, 13, PAPER.ink, is_bold=True)
            for line in _wrap(figure.text, width, 11, 2):
                y += 15
                self._line(line, x, y, 11, PAPER.soft)
            svg = draw_svg(figure.specification)
            box = svg[svg.index("viewBox=") :].split('"')[1].split()
            wide, tall = float(box[2]), float(box[3])
            scale = min(1.0, width / wide)
            self.parts.append(
                svg.replace(
                    svg[: svg.index(">") + 1],
                    f'<svg x="{x}" y="{y + 4:.1f}" width="{wide * scale:.1f}" '
                    f'height="{tall * scale:.1f}" viewBox="{" ".join(box)}" '
                    'xmlns:xlink="http://www.w3.org/1999/xlink">',
                    1,
                )
            )
            below = max(below, y + 4 + tall * scale)
        self.y = below


def _wrap(text: str, width: float, size: int, most: int) -> list[str]:
    """Cut text into at most `most` lines of `width` pixels; the last ends with … where more is."""
    letters = max(int(width / (size * LETTER)), 4)
    lines = wrap(clean(text, 600), letters, break_long_words=True) or [""]
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1][:-1] + "…"]


def _drawable(text: str) -> str:
    """Return text without the halves of characters that XML does not take."""
    return text.encode("utf-8", "replace").decode("utf-8")
