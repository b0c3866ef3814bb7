"""A report as Markdown: its text and tables, without its charts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from driftline.documents.document import ReportDocument, Section, Table
from driftline.types.phrasing import clean

SYNTAX = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$&:=^])")
CALLS = re.compile(r"([@#])(?=\w)")
"""What hosts of Markdown turn into a mention or a link, also where it is escaped."""
BREAK = "\u200b"
"""A space without width."""


def write_markdown(document: ReportDocument) -> str:
    """Return the report as Markdown of GitHub. No text from data is markup, link or mention."""
    return "\n".join(_lines(document)) + "\n"


def escape_markdown(text: str, limit: int = 600) -> str:
    """Return text on one line that Markdown shows as it is."""
    return SYNTAX.sub(r"\\\1", CALLS.sub(rf"\1{BREAK}", clean(text, limit)))


def _lines(document: ReportDocument) -> Iterator[str]:
    yield f"# {escape_markdown(document.title)}"
    yield ""
    for line in (document.subject, *document.lines):
        yield escape_markdown(line)
        yield ""
    for section in document.sections:
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield f"## {escape_markdown(section.title)}"
    yield ""
    if section.text:
        yield escape_markdown(section.text)
        yield ""
    if section.table is not None:
        yield from _table(section.table)
    for figure in section.figures:
        yield f"- {escape_markdown(figure.title)}: {escape_markdown(figure.text)}"
    if section.figures:
        yield ""


def _table(table: Table) -> Iterator[str]:
    yield "| " + " | ".join(map(escape_markdown, table.head)) + " |"
    yield "|" + " --- |" * len(table.head)
    for row in table.rows:
        yield "| " + " | ".join(map(escape_markdown, row)) + " |"
    yield ""
