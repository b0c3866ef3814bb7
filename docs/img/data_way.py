"""Draws data-way.svg: the way of the data from a log object to a message.

.venv/bin/python docs/img/data_way.py
"""

from __future__ import annotations

from html import escape
from pathlib import Path

BOXES = (
    ("Source", "lists log objects", "S3, Cloud Storage,", "Blob Storage, BigQuery"),
    ("Format", "decodes records", "SageMaker, Vertex AI,", "Azure ML, CSV, Parquet"),
    ("Profile", "counts each row once", "one summary for each", "window and segment"),
    ("Check", "measures a window", "drift, missing values,", "performance, volume"),
    ("Rule", "judges a measurement", "ok, changed,", "unsure, error"),
    ("Incident", "groups alerts", "one for each cause,", "until it resolves"),
    ("Sink", "delivers a message", "Slack, PagerDuty,", "webhook, email"),
)
SIDES = (
    (2, "Labels", "arrive days later,", "joined by record id"),
    (3, "Reference", "training data or", "earlier windows"),
    (4, "History", "earlier measurements", "of the same series"),
)
"""Place of the box above, title, two lines."""
WIDTH, HEIGHT, STEP, LEFT = 148, 104, 176, 12


def box(x: int, y: int, lines: tuple[str, ...], fill: str) -> str:
    """A rounded box with a bold first line."""
    texts = "".join(
        f'<text x="{x + WIDTH / 2}" y="{y + 26 + 21 * row}" text-anchor="middle" '
        f'font-size="{16 if row == 0 else 12}" font-weight="{700 if row == 0 else 400}" '
        f'fill="#10312c">{escape(line)}</text>'
        for row, line in enumerate(lines)
    )
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="10" fill="{fill}" '
        f'stroke="#0f766e" stroke-width="1.5"/>{texts}'
    )


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line with an arrow head at its end."""
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#0f766e" stroke-width="2" '
        'marker-end="url(#head)"/>'
    )


def picture() -> str:
    """The whole picture as SVG."""
    width, height = LEFT * 2 + STEP * (len(BOXES) - 1) + WIDTH, 290
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif" role="img" aria-label="The way of the data">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#0f766e"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for place, lines in enumerate(BOXES):
        x = LEFT + STEP * place
        parts.append(box(x, 24, lines, "#ccfbf1"))
        if place:
            parts.append(arrow(x - STEP + WIDTH + 4, 76, x - 4, 76))
    for place, *lines in SIDES:
        x = LEFT + STEP * place
        parts.append(box(x, 172, tuple(lines), "#fef3c7"))
        middle = x + WIDTH / 2
        parts.append(arrow(middle, 168, middle, 132))
    parts.append("</svg>")
    return "".join(parts) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "data-way.svg").write_text(picture(), encoding="utf-8")
