"""Writes a report to a file, in the form that the end of its name says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from driftline.charts.picture import convert_svg
from driftline.documents.document import ReportDocument
from driftline.documents.html_file import write_html
from driftline.documents.markdown_file import write_markdown
from driftline.documents.sheet import draw_sheet
from driftline.types.errors import DriftlineError

FORMS = (".html", ".pdf", ".png", ".json", ".md")
NAME_LENGTH = 80
"""The most characters that a text from data has in the name of a file."""


def check_form(path: Path) -> str:
    """Return the end of a file name. Raises DriftlineError where no form has it."""
    suffix = path.suffix.lower()
    if suffix not in FORMS:
        raise DriftlineError(f"{path}: the name should end in one of {', '.join(FORMS)}")
    return suffix


def save_document(
    path: Path,
    make_document: Callable[[], ReportDocument],
    records: Callable[[], Mapping[str, Any]],
) -> None:
    """Write a report to `path`: of `records` as JSON, else of the document.

    Raises DriftlineError for another end of the name, and where a chart can't be drawn; OSError
    where the file can't be written.
    """
    suffix = check_form(path)
    path.write_bytes(_content(suffix, make_document, records))


def file_name(text: str) -> str:
    """Return text from data as a part of a file name: letters, digits, `-` and `_` only."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text)[:NAME_LENGTH].strip("_") or "report"


def _content(
    suffix: str,
    make_document: Callable[[], ReportDocument],
    records: Callable[[], Mapping[str, Any]],
) -> bytes:
    if suffix == ".json":
        text = json.dumps(records(), ensure_ascii=False, indent=2, allow_nan=False)
    elif suffix == ".md":
        text = write_markdown(make_document())
    elif suffix == ".html":
        text = write_html(make_document())
    else:
        return convert_svg(draw_sheet(make_document()), suffix)
    return text.encode("utf-8", "backslashreplace")
