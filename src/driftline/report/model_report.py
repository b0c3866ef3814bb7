"""The report of a model at one window: what changed, how much, how sure, and since when.

Its numbers are those that the pages and the API show: it reads the same views of the state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from driftline.agent.model_views import ModelView, ModelViews
from driftline.agent.series_groups import Series, format_value
from driftline.agent.series_lines import find_beside, make_line
from driftline.charts.distribution_chart import distribution_specification
from driftline.charts.histogram import Histogram
from driftline.charts.series_chart import series_specification
from driftline.charts.series_points import REPORT_POINTS
from driftline.config.mistakes import unknown_name
from driftline.documents.document import Figure, ReportDocument, Section, Table
from driftline.documents.save import save_document
from driftline.state.incidents import IncidentRow
from driftline.state.series import WindowRows
from driftline.types.errors import DriftlineError
from driftline.types.model import Verdict
from driftline.types.phrasing import clean, number, share, utc
from driftline.types.times import as_micros, from_micros

PAST_WINDOWS = 300
"""Windows of the past in the charts."""
MOST_ROWS, MOST_SERIES, MOST_COLUMNS = 500, 16, 8
"""Rows of the table, charts of series, and charts of distributions."""
QUIET_SERIES = 4
"""Charts of a window without a change."""
TABLE_VALUES = 24
"""The newest values in the table below a chart."""
CHART_WIDTH = 430


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """All that is known of a model at one window."""

    view: ModelView
    window: WindowRows
    incidents: Sequence[IncidentRow]
    """Those that were open during the window, the newest first."""
    distributions: dict[str, Histogram]
    """Of the columns that changed, in the window and in the reference."""

    @property
    def changed(self) -> list[Series]:
        """The measurements whose newest verdict is `changed`, the most important first."""
        return [item for item in self.view.series if item.newest.verdict == Verdict.CHANGED]

    @property
    def headline(self) -> str:
        """The result in one sentence."""
        judged = sum(1 for item in self.view.series if item.newest.verdict)
        open_count = sum(1 for row in self.incidents if row.resolved_at is None)
        text = f"{len(self.changed)} of {judged} judged measurements changed"
        return f"{text}, {open_count} incident{'' if open_count == 1 else 's'} open"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values of JSON."""
        return {
            "model": self.view.name,
            "version": self.view.version,
            "segment": self.view.segment,
            "window": {
                "start": _iso(self.window.start),
                "end": _iso(self.window.end),
                "rows": self.window.rows,
            },
            "headline": self.headline,
            "incidents": [
                {
                    "id": row.id,
                    "severity": row.severity,
                    "text": row.headline,
                    "since": row.since.isoformat(),
                    "resolved": None if row.resolved_at is None else row.resolved_at.isoformat(),
                }
                for row in self.incidents
            ],
            "measurements": [_record(item) for item in self.view.series],
            "distributions": {
                column: [
                    {"values": bar.name, "share": bar.share, "reference": bar.share_before}
                    for bar in histogram.bars
                ]
                for column, histogram in self.distributions.items()
            },
        }

    def document(self) -> ReportDocument:
        """Return the report as titles, tables and charts."""
        view, window = self.view, self.window
        parts = [view.name]
        parts += [f"version {view.version}"] if view.version else []
        parts += [f"segment {view.segment}"] if view.segment else []
        parts.append(
            f"window {utc(from_micros(window.start))} to {utc(from_micros(window.end))}, "
            f"{window.rows:,} rows"
        )
        decision = view.decision
        return ReportDocument(
            title=self.headline,
            subject=" · ".join(clean(part, 120) for part in parts),
            lines=[] if decision is None else [clean(str(decision.get("text", "")), 400)],
            sections=[
                section
                for section in (
                    self._incidents(),
                    self._measurements(),
                    self._history(),
                    self._distributions(),
                )
                if section is not None
            ],
        )

    def save(self, path: str | Path) -> None:
        """Write the report: HTML, PDF, PNG, JSON or Markdown by the end of the name.

        Raises DriftlineError for another end, OSError where the file can't be written.
        """
        save_document(Path(path), self.document, self.to_dict)

    def _incidents(self) -> Section | None:
        rows = [
            (
                row.severity if row.resolved_at is None else "over",
                row.headline,
                utc(row.since),
                "" if row.resolved_at is None else utc(row.resolved_at),
            )
            for row in self.incidents
        ]
        table = Table(head=("State", "What", "Since", "Until"), rows=rows, widths=(2, 9, 4, 4))
        return Section(title="Incidents", table=table) if rows else None

    def _measurements(self) -> Section:
        head = ("What", "Value", "95% interval", "Reference", "Verdict", "Severity")
        shown = self.view.series[:MOST_ROWS]
        rows = [_cells(item, self.window.start) for item in shown]
        text = "What changed first. A value of an earlier window has its time."
        if len(self.view.series) > len(shown):
            text += f" {len(self.view.series) - len(shown):,} more stand in the JSON."
        return Section(
            title="Measurements",
            text=text,
            table=Table(head=head, rows=rows, widths=(7, 4, 4, 3, 2, 2)),
        )

    def _history(self) -> Section | None:
        chosen = self.changed[:MOST_SERIES] or list(self.view.series[:QUIET_SERIES])
        figures = [
            _figure(item, self.view, self.incidents)
            for item in chosen
            if sum(value.value is not None for value in item.values) > 1
        ]
        text = (
            "Line: the value of each window; blue area: its 95% interval; dashed: the reference; "
            "points: changed; shaded times: incidents. Times are UTC."
        )
        return Section(title="Over time", text=text, figures=figures) if figures else None

    def _distributions(self) -> Section | None:
        figures = [
            Figure(
                title=column,
                text="Share of the rows: narrow bars are this window, wide bars the reference.",
                specification=distribution_specification(
                    [(bar.name, bar.share, bar.share_before) for bar in histogram.bars],
                    is_numeric=histogram.is_numeric,
                    description="shares of rows",
                    width=CHART_WIDTH if histogram.is_numeric else CHART_WIDTH - 130,
                ),
                table=Table(
                    head=("Values", "Window", "Reference"),
                    rows=[
                        (
                            bar.name,
                            share(bar.share),
                            "" if bar.share_before is None else share(bar.share_before),
                        )
                        for bar in histogram.bars
                    ],
                ),
            )
            for column, histogram in self.distributions.items()
        ]
        return Section(title="How the values are spread", figures=figures) if figures else None


def load_report(
    views: ModelViews, model: str, *, start: datetime | None = None, segment: str = ""
) -> ModelReport:
    """Load the report of a model at the window that holds `start`, or at the newest with rows.

    Raises DriftlineError where there is no such model, segment or window.
    """
    until = None if start is None else as_micros(start) + 1
    view = views.model(model, count=PAST_WINDOWS, segment=segment, until=until, is_brief=True)
    if view is None:
        raise DriftlineError(f"there is no model {model!r}; models are: {', '.join(views.names)}")
    filled = [row for row in view.windows if row.rows]
    if segment and segment not in view.segments:
        text = f"{model} has no segment {segment!r}"
        raise DriftlineError(unknown_name(segment, view.segments, text))
    window = filled[-1] if start is None and filled else None
    if start is not None and view.windows and as_micros(start) < view.windows[-1].end:
        window = view.windows[-1]
    if window is None:
        when = "" if start is None else f" at {utc(start)}"
        raise DriftlineError(f"{model}: no window has been read{when}")
    incidents = [
        row
        for row in view.incidents
        if as_micros(row.since) < window.end
        and (row.resolved_at is None or as_micros(row.resolved_at) >= window.start)
    ]
    columns = dict.fromkeys(
        item.column
        for item in view.series
        if item.column and item.newest.verdict == Verdict.CHANGED
    )
    distributions = (
        views.distributions(model, list(columns)[:MOST_COLUMNS], view.version, window)
        if window.rows and not segment
        else {}
    )
    return ModelReport(view=view, window=window, incidents=incidents, distributions=distributions)


def _cells(item: Series, start: int) -> tuple[str, ...]:
    newest = item.newest
    value = format_value(newest.value, newest.unit) or clean(newest.reason, 120) or "no value"
    if newest.unit not in ("", "share") and newest.value is not None:
        value += f" {newest.unit}"
    if newest.start != start and newest.value is not None:
        value += f" ({utc(from_micros(newest.start))})"
    return (
        f"{item.subject} {item.noun}".strip(),
        value,
        _interval(newest.low, newest.high, newest.unit),
        format_value(newest.was, newest.unit),
        newest.verdict,
        newest.severity,
    )


def _interval(low: float | None, high: float | None, unit: str) -> str:
    if low is None or high is None:
        return ""
    return f"{format_value(low, unit)} to {format_value(high, unit)}"


def _figure(item: Series, view: ModelView, incidents: Sequence[IncidentRow]) -> Figure:
    newest = item.newest
    text = f"newest {format_value(newest.value, newest.unit)}"
    if interval := _interval(newest.low, newest.high, newest.unit):
        text += f" (95%: {interval})"
    if newest.was is not None:
        text += f", reference {format_value(newest.was, newest.unit)}"
    line = make_line(item, find_beside(item, view.series), incidents)
    known = [value for value in item.values if value.value is not None]
    return Figure(
        title=f"{item.subject}: {item.noun}" if item.subject else item.noun,
        text=text,
        specification=series_specification(line, width=CHART_WIDTH, most=REPORT_POINTS),
        table=Table(
            head=("Window", "Value", "95% interval", "Verdict"),
            rows=[
                (
                    utc(from_micros(value.start)),
                    number(value.value),
                    _interval(value.low, value.high, ""),
                    value.verdict,
                )
                for value in known[: -TABLE_VALUES - 1 : -1]
            ],
        ),
    )


def _record(item: Series) -> dict[str, Any]:
    newest = item.newest
    return {
        "check": item.check,
        "measurement": item.measurement,
        "column": item.column,
        "subject": item.subject,
        "family": item.family,
        "start": _iso(newest.start),
        "value": newest.value,
        "low": newest.low,
        "high": newest.high,
        "reference": newest.was,
        "unit": newest.unit,
        "rows": newest.rows,
        "verdict": newest.verdict,
        "severity": newest.severity,
        "reason": newest.reason,
    }


def _iso(micros: int) -> str:
    return from_micros(micros).isoformat()
