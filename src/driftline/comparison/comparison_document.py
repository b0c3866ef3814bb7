"""A comparison as a document: for the forms that its HTML, made for notebooks, does not have."""

from __future__ import annotations

from driftline.charts.distribution_chart import distribution_specification
from driftline.comparison.records import NO_PAST, ColumnComparison, ComparisonRecords
from driftline.comparison.text_report import (
    RecordGroup,
    heading,
    largest_changes,
    name_list,
    reading_guide,
    record_groups,
    size_text,
)
from driftline.documents.document import Figure, ReportDocument, Section, Table
from driftline.types.model import Verdict
from driftline.types.phrasing import share

MOST_ROWS, MOST_CHARTS, CHART_WIDTH = 500, 24, 430
"""Rows of the table, charts, and pixels of a chart."""


def comparison_document(comparison: ComparisonRecords) -> ReportDocument:
    """Return what a comparison found as titles, tables and charts."""
    names, headline, _ = heading(comparison)
    charts = [row for row in comparison.columns if row.bars and row.verdict == Verdict.CHANGED]
    same = [row.name for row in comparison.columns if row.verdict == Verdict.OK]
    sections = [
        Section(title=group.title, table=_table(group)) for group in record_groups(comparison)
    ]
    if charts:
        text = "Share of the rows with a value: narrow bars are the current table, wide bars the "
        sections.append(
            Section(
                title="How the values are spread",
                text=text + "reference.",
                figures=[_figure(row) for row in charts[:MOST_CHARTS]],
            )
        )
    sections += [
        Section(title=f"{label} ({len(part):,})", text=name_list(part))
        for label, part in (
            ("Without a change", same),
            ("Only in the reference", comparison.removed),
            ("Only in the current table", comparison.added),
            ("Not compared", comparison.left_out),
        )
        if part
    ]
    guide = Table(head=("Word", "What it means"), rows=reading_guide(comparison), widths=(4, 16))
    sections.append(Section(title="How to read this", table=guide))
    return ReportDocument(
        title=headline,
        subject=names,
        lines=[NO_PAST, *largest_changes(comparison), *comparison.notes],
        sections=sections,
    )


def _table(group: RecordGroup) -> Table:
    return Table(
        head=(group.head, "Verdict", "How much: reference → current", "Size"),
        rows=[(row.name, row.verdict, row.text, size_text(row)) for row in group.rows[:MOST_ROWS]],
        widths=(4, 2, 12, 2),
    )


def _figure(row: ColumnComparison) -> Figure:
    is_numeric = row.kind == "numeric"
    return Figure(
        title=row.name,
        text=row.text,
        specification=distribution_specification(
            [(bar.name, bar.current, bar.reference) for bar in row.bars],
            is_numeric=is_numeric,
            description="shares of rows",
            width=CHART_WIDTH if is_numeric else CHART_WIDTH - 130,
        ),
        table=Table(
            head=("Values", "Current", "Reference"),
            rows=[(bar.name, share(bar.current), share(bar.reference)) for bar in row.bars],
        ),
    )
