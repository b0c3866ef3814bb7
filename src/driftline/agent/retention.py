"""Removes and merges what is old in the state of one model."""

from __future__ import annotations

from datetime import datetime

from driftline.agent.late_labels import LateLabels
from driftline.agent.model_settings import ModelSettings, microseconds
from driftline.agent.services import Services
from driftline.agent.tick import Tick
from driftline.profiles.spec import ProfileSpec
from driftline.state import measurements, models, pair_rows, windows
from driftline.types.times import as_micros

MAX_WINDOWS = 200
"""Windows that are settled or merged in one tick at most, so that judging is never delayed."""


def apply_retention(
    services: Services,
    settings: ModelSettings,
    spec: ProfileSpec,
    labels: LateLabels | None,
    now: datetime,
    report: Tick,
) -> None:
    """Settle and merge old windows, and remove what is older than the configuration keeps."""
    retention, collectors, model = services.retention, services.collectors, settings.name
    limits, length = settings.config.windows, settings.window_length
    with services.store.write() as connection:
        # Age is measured by event time, so that a replayed log is not old before newer rows come.
        state = models.load_model(connection, model)
        newest = as_micros(now)
        if state is not None and state.last_event is not None:
            newest = min(newest, state.last_event)
        settled_before = newest - microseconds(limits.lateness + limits.reopen_for)
        windows.settle_windows(
            connection, model, settled_before, spec, collectors, limit=MAX_WINDOWS
        )
        pair_rows.drop_finished(connection, model, settled_before, length)
        hourly = retention.profiles_hourly
        if labels is not None:
            has_new = report.reading.objects + report.labels.reading.objects > 0
            labels.expire(connection, newest, has_new=has_new, report=report.labels)
            # Windows that labels may still restate are not merged into days.
            hourly = max(hourly, labels.labels.config.wait_for)
        windows.roll_up(
            connection, model, newest - microseconds(hourly), spec, collectors, limit=MAX_WINDOWS
        )
        windows.expire_day_profiles(
            connection, model, newest - microseconds(retention.profiles_daily)
        )
        measurements.expire_measurements(
            connection, model, newest - microseconds(retention.measurements)
        )
