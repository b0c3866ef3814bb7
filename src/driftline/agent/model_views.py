"""What the pages show of the models: traffic, series of measurements, and distributions.

Reads the state only. All values are plain: pages and the API show the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from driftline.agent.decision_log import summarise_decision
from driftline.agent.performance_views import PerformanceView, load_performance
from driftline.agent.reference_state import load_reference
from driftline.agent.series_groups import Series, group_series
from driftline.agent.version_views import VersionSummary, load_versions
from driftline.charts.histogram import Histogram, compare_columns
from driftline.state import incidents, series, windows
from driftline.state.accounts import Totals, load_totals
from driftline.state.incidents import IncidentRow
from driftline.state.series import WindowRows
from driftline.types.model import Severity
from driftline.types.records import WindowKey
from driftline.types.times import from_micros

if TYPE_CHECKING:
    from driftline.agent.model_settings import ModelSettings
    from driftline.extensions.phrasebook import Phrasebook
    from driftline.profiles.profile import Collectors
    from driftline.profiles.window import Window
    from driftline.state.store import Store

WINDOWS = 90
"""Newest windows that a page shows unless it is asked for others."""
MOST_WINDOWS = 720
"""The most windows that a page can ask for."""
SHOWN_SERIES = 12
"""Series of a family that a page shows at once."""
RANKED_WINDOWS = 12
"""The newest windows with rows, which say what series there are and which of them moved."""
MANY_VALUES = 12_000
"""Values of a page from which on it reads less of the series that it does not show at once."""
INCIDENTS = 20
"""The newest incidents that the page of a model lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """One model on the overview."""

    name: str
    severity: Severity | None
    """The highest of its open incidents; None without one."""
    open_incidents: int
    windows: Sequence[WindowRows]
    rows: int
    """Rows of the newest window."""
    newest: datetime | None
    """The end of the newest window with rows."""
    age: timedelta | None
    """How long ago that was."""
    headline: str
    """What its most important open incident says; empty without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """One model."""

    name: str
    version: str
    segment: str
    segments: Sequence[str]
    windows: Sequence[WindowRows]
    incidents: Sequence[IncidentRow]
    series: Sequence[Series]
    """What changed first."""
    totals: Totals
    versions: Sequence[VersionSummary] = ()
    """Those with rows in the shown windows, newest first; empty where there is one only."""
    decision: Mapping[str, Any] | None = None
    """What to do with it, with reasons, evidence and the effects of actions; None before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnView:
    """One column of a model."""

    model: str
    column: str
    series: Sequence[Series]
    windows: Sequence[WindowRows]
    distribution: Histogram | None
    """None where the reference or the window lacks the column."""
    start: int
    """The start of the window whose distribution is shown, in microseconds; 0 without one."""
    beside: int
    """The start of the window that it is compared with; 0 for the reference."""
    window: tuple[datetime, datetime] | None
    """The window whose distribution is shown."""


def _newest_starts(rows: Sequence[WindowRows]) -> list[int]:
    """The starts of the newest windows from the `RANKED_WINDOWS`-th with rows on, oldest first."""
    filled = [row.start for row in rows if row.rows][-RANKED_WINDOWS:]
    return [row.start for row in rows if filled and row.start >= filled[0]]


def _mark_first(all_series: Sequence[Series]) -> Iterator[tuple[Series, bool]]:
    """Each series, and whether it is one of the first of its family."""
    seen: Counter[str] = Counter()
    for item in all_series:
        seen[item.family] += 1
        yield item, seen[item.family] <= SHOWN_SERIES


class ModelViews:
    """Answers what the pages ask about models."""

    def __init__(
        self,
        *,
        store: Store,
        settings: Mapping[str, ModelSettings],
        collectors: Callable[[], Collectors],
        phrasebook: Phrasebook,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._settings, self._clock = store, settings, clock
        self._collectors, self._phrasebook = collectors, phrasebook

    @property
    def names(self) -> list[str]:
        """The models of the configuration."""
        return list(self._settings)

    def summaries(self, count: int = WINDOWS) -> list[ModelSummary]:
        """All models with `count` windows: those with the most severe open incidents first."""
        with self._store.read() as connection:
            firing = incidents.load_incidents(connection, firing=True, limit=1000)
            rows = {name: series.load_window_rows(connection, name, count) for name in self.names}
        by_model: dict[str, list[IncidentRow]] = {}
        for row in firing:
            by_model.setdefault(row.model, []).append(row)
        summaries = [self._summary(name, rows[name], by_model.get(name, [])) for name in self.names]
        return sorted(
            summaries, key=lambda item: (-item.severity.rank if item.severity else 1, item.name)
        )

    def _summary(
        self, name: str, rows: Sequence[WindowRows], firing: Sequence[IncidentRow]
    ) -> ModelSummary:
        worst = max(firing, key=lambda row: Severity(row.severity).rank, default=None)
        filled = [window for window in rows if window.rows]
        newest = from_micros(filled[-1].end) if filled else None
        return ModelSummary(
            name=name,
            severity=None if worst is None else Severity(worst.severity),
            open_incidents=len(firing),
            windows=rows,
            rows=filled[-1].rows if filled else 0,
            newest=newest,
            age=None if newest is None else max(self._clock() - newest, timedelta(0)),
            headline="" if worst is None else worst.headline,
        )

    def model(
        self,
        name: str,
        *,
        count: int = WINDOWS,
        segment: str = "",
        until: int | None = None,
        is_brief: bool = False,
    ) -> ModelView | None:
        """One model with its newest `count` windows; None where there is none of this name.

        With `until` (microseconds) only windows that start before it. With `is_brief`, where there
        are many series, all but the first ones of each family end with a few windows.
        """
        if name not in self._settings:
            return None
        settings = self._settings[name]
        with self._store.read() as connection:
            rows = series.load_window_rows(connection, name, min(count, MOST_WINDOWS), until)
            version = series.find_newest_version(connection, name)
            starts = [window.start for window in rows]
            newest = _newest_starts(rows)
            many = (
                bool(newest)
                and len(starts)
                * series.count_series(
                    connection, name, newest[-1], version=version, segment=segment
                )
                > MANY_VALUES
            )
            values = series.load_series(
                connection,
                name,
                newest if is_brief and many else starts,
                version=version,
                segment=segment,
            )
            all_series = group_series(values, settings, self._phrasebook)
            if is_brief and many:
                marked = list(_mark_first(all_series))
                long_series = series.load_chosen_series(
                    connection,
                    name,
                    starts,
                    [item.newest for item, is_first in marked if is_first],
                    version=version,
                    segment=segment,
                )
                all_series = [
                    replace(item, values=long_series[series.series_name(item.newest)])
                    if is_first
                    else item
                    for item, is_first in marked
                ]
            incident_rows = incidents.load_incidents(connection, name, limit=INCIDENTS)
            segments = series.list_segments(connection, name, starts[0]) if starts else []
            totals = load_totals(connection, name)
            decision = summarise_decision(connection, name)
            versions = load_versions(connection, settings, self._phrasebook, rows)
        return ModelView(
            name=name,
            version=version,
            segment=segment,
            segments=segments,
            windows=rows,
            incidents=incident_rows,
            series=all_series,
            totals=totals,
            decision=decision,
            versions=versions,
        )

    def column(
        self,
        name: str,
        column: str,
        *,
        count: int = WINDOWS,
        window: int | None = None,
        beside: int | None = None,
    ) -> ColumnView | None:
        """One column of a model; None where there is no such model.

        `window` and `beside` are starts of the windows whose distributions are compared
        (microseconds): the newest window and the reference where they are None or unknown.
        """
        if name not in self._settings:
            return None
        with self._store.read() as connection:
            rows = series.load_window_rows(connection, name, min(count, MOST_WINDOWS))
            version = series.find_newest_version(connection, name)
            starts = [window.start for window in rows]
            newest = series.load_series(
                connection, name, _newest_starts(rows), version=version, column=column
            )
            found = group_series(newest, self._settings[name], self._phrasebook)
            own = [item for item in found if item.column == column]
            long_series = (
                series.load_chosen_series(
                    connection, name, starts, [item.newest for item in own], version=version
                )
                if own
                else {}
            )
            series_of_column = [
                replace(item, values=long_series[series.series_name(item.newest)]) for item in own
            ]
        filled = {row.start: row for row in rows if row.rows}
        chosen = filled.get(window or 0) or next(reversed(filled.values()), None)
        other = filled.get(beside or 0)
        distribution = (
            None
            if chosen is None
            else self.distributions(name, [column], version, chosen, other).get(column)
        )
        return ColumnView(
            model=name,
            column=column,
            series=series_of_column,
            windows=rows,
            distribution=distribution,
            start=0 if chosen is None else chosen.start,
            beside=0 if other is None else other.start,
            window=None if chosen is None else (from_micros(chosen.start), from_micros(chosen.end)),
        )

    def performance(
        self, name: str, *, count: int = WINDOWS, until: int | None = None
    ) -> PerformanceView | None:
        """How well a model predicts; None where there is no such model.

        `until` is as in `model`.
        """
        if name not in self._settings:
            return None
        return load_performance(
            self._store,
            self._settings[name],
            self._collectors(),
            self._phrasebook,
            count=min(count, MOST_WINDOWS),
            until=until,
        )

    def distributions(
        self,
        name: str,
        columns: Sequence[str],
        version: str,
        window: WindowRows,
        other: WindowRows | None = None,
    ) -> dict[str, Histogram]:
        """The distributions of columns in a window, beside `other` or the reference.

        A column that is missing there, or that may not be shown, has none.
        """
        settings, collectors = self._settings[name], self._collectors()
        reference = load_reference(self._store, settings, collectors)
        if reference is None:
            return {}

        def load_window(row: WindowRows) -> Window:
            key = WindowKey(model=name, start=row.start, version=version, segment="")
            with self._store.read() as connection:
                return windows.load_profile(connection, key, reference.spec, collectors).window()

        now = load_window(window)
        before = reference.window("") if other is None else load_window(other)
        histograms = {
            column: compare_columns(
                now.columns[column], None if before is None else before.columns.get(column)
            )
            for column in columns
            if column not in reference.schema.redact and column in now.columns
        }
        return {column: item for column, item in histograms.items() if item is not None}
