"""What the performance page shows of a model: metrics with labels and estimated, and scores.

Reads the state only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from driftline.agent.reference_state import load_reference
from driftline.agent.series_groups import Series, group_series
from driftline.charts.score_shapes import ScoreShapes, shape_scores
from driftline.state import series, windows
from driftline.state.series import SeriesValue, WindowRows
from driftline.types.family import Family
from driftline.types.records import WindowKey
from driftline.types.times import from_micros

if TYPE_CHECKING:
    from driftline.agent.model_settings import ModelSettings
    from driftline.extensions.phrasebook import Phrasebook
    from driftline.profiles.profile import Collectors
    from driftline.state.store import Store

FAMILIES = (Family.PERFORMANCE, Family.FAIRNESS, Family.BUSINESS)
SUMMED_WINDOWS = 24
"""The newest windows whose scores are summed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPair:
    """One metric of the model as a whole."""

    realised: Series | None
    """With labels."""
    estimated: Series | None
    """Without labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceView:
    """How well a model predicts."""

    model: str
    version: str
    metrics: Sequence[MetricPair]
    others: Mapping[str, Sequence[Series]]
    """Series of classes, groups and money by family."""
    segments: Mapping[str, Mapping[str, SeriesValue]]
    """Metrics of the newest window with any in segments, by segment and name."""
    now: ScoreShapes | None
    """Of the newest windows; None without labels."""
    before: ScoreShapes | None
    """Of the reference."""
    span: tuple[datetime, datetime] | None
    """The time of the windows in `now`."""


def load_performance(
    store: Store,
    settings: ModelSettings,
    collectors: Collectors,
    phrasebook: Phrasebook,
    *,
    count: int,
    until: int | None = None,
) -> PerformanceView:
    """Load the performance of a model in its newest `count` windows.

    With `until` (microseconds) only windows that start before it.
    """
    name = settings.name
    checks = [plan.name for plan in settings.plans if plan.check.cause in FAMILIES]
    with store.read() as connection:
        rows = series.load_window_rows(connection, name, count, until)
        version = series.find_newest_version(connection, name)
        starts = [window.start for window in rows]
        values = series.load_series(connection, name, starts, version=version, checks=checks)
        newest = max((value.start for value in values if value.value is not None), default=0)
        in_segments = series.load_segment_values(
            connection, name, newest, version=version, checks=checks
        )
    all_series = group_series(values, settings, phrasebook)
    estimates = {plan.name: plan.check.estimates for plan in settings.plans}
    segments: dict[str, dict[str, SeriesValue]] = {}
    for segment, value in in_segments:
        if value.value is not None and value.name not in estimates.get(value.check, {}):
            segments.setdefault(segment, {})[value.name] = value
    filled = [window for window in rows if window.rows][-SUMMED_WINDOWS:]
    now, before = _shapes(store, settings, collectors, version, filled)
    return PerformanceView(
        model=name,
        version=version,
        metrics=_pair(all_series),
        others={
            family.value: [
                item
                for item in all_series
                if item.family == family and (item.subject or family != Family.PERFORMANCE)
            ]
            for family in FAMILIES
        },
        segments=segments,
        now=now,
        before=before,
        span=(from_micros(filled[0].start), from_micros(filled[-1].end)) if filled else None,
    )


def _shapes(
    store: Store,
    settings: ModelSettings,
    collectors: Collectors,
    version: str,
    filled: Sequence[WindowRows],
) -> tuple[ScoreShapes | None, ScoreShapes | None]:
    reference = load_reference(store, settings, collectors)
    if reference is None or not filled:
        return None, None
    before = reference.window("")
    keys = [
        WindowKey(model=settings.name, start=window.start, version=version, segment="")
        for window in filled
    ]
    with store.read() as connection:
        total = windows.load_profile(connection, keys[0], reference.spec, collectors)
        for key in keys[1:]:
            total.merge(windows.load_profile(connection, key, reference.spec, collectors))
    return (
        shape_scores(total.window().scores),
        None if before is None else shape_scores(before.scores),
    )


def _pair(all_series: Sequence[Series]) -> list[MetricPair]:
    """The metrics of the model as a whole, in their order, each with its estimate."""
    own = [item for item in all_series if item.family == Family.PERFORMANCE and not item.subject]
    realised = {item.measurement: item for item in own if item.estimated is None}
    estimated = {
        item.estimated or item.measurement: item for item in own if item.estimated is not None
    }
    names = dict.fromkeys(item.estimated or item.measurement for item in own)
    return [
        MetricPair(realised=realised.get(name), estimated=estimated.get(name)) for name in names
    ]
