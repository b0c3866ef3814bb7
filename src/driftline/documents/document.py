"""A report before it has a form: all its text is plain, and each writer escapes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from driftline.charts.theme import Specification


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of text below a head. A cell that is a verdict or a severity gets its colour."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[int] = ()
    """Shares of the width of each column, for pictures; all alike when empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart with what it shows in words."""

    title: str
    text: str
    specification: Specification
    table: Table | None = None
    """The numbers of the chart, folded away where the form allows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a report."""

    title: str
    text: str = ""
    table: Table | None = None
    figures: Sequence[Figure] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDocument:
    """A report."""

    title: str
    """The result in one sentence."""
    subject: str
    """What it is about, in one line above the title."""
    lines: Sequence[str] = ()
    """What a reader should know first."""
    sections: Sequence[Section] = field(default=())
