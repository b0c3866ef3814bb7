"""Reports a tick to the log and the metrics: what was read, the errors, and what is open."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from driftline.agent.services import Services
from driftline.agent.tick import Tick
from driftline.alerting.step import firing_alerts
from driftline.evaluate.expected_band import expected_band
from driftline.state import models, outbox
from driftline.state.incident_store import load_alerting_state
from driftline.state.store import Store
from driftline.types.model import Severity, Verdict
from driftline.types.phrasing import count

if TYPE_CHECKING:
    from driftline.telemetry.metrics import Metrics

MAX_ERRORS = 3
"""Errors of objects that are logged in one tick."""


def log_reading(model: str, report: Tick, services: Services) -> None:
    """Log what was read, before it is judged."""
    log, reading = services.log.bind(model=model), report.reading
    for warning in report.warnings:
        log.warning(f"please check: {warning}")
    if report.has_new_reference and (losses := report.reference_losses.describe()):
        log.warning(losses)
    if reading.objects:
        quarantine_note = (
            f", {count(reading.quarantined, 'object')} quarantined" if reading.quarantined else ""
        )
        held = reading.rows_held_back
        held_note = f", {count(held, 'row')} held back" if held else ""
        gone_note = f", {count(reading.gone, 'object')} vanished" if reading.gone else ""
        log.info(
            f"read {count(reading.objects, 'object')}, {count(reading.rows, 'row')}, "
            f"{count(reading.rejected_records, 'record')} rejected"
            f"{quarantine_note}{held_note}{gone_note}"
        )
    if reading.rejected_records:
        log.warning(
            f"{count(reading.rejected_records, 'record')} rejected in "
            f"{reading.rejected_reasons.first_name}: {reading.rejected_reasons.describe('record')}"
        )
    if reading.rows_held_back:
        log.warning(
            f"{count(reading.rows_held_back, 'row')} held back in "
            f"{reading.held_reasons.first_name}: "
            f"{reading.held_reasons.describe('row')}"
        )
    for error in reading.errors[:MAX_ERRORS]:
        log.warning("could not read", object=error)


def log_judging(model: str, report: Tick, services: Services) -> None:
    """Log what was judged in one tick."""
    log, closing = services.log.bind(model=model), report.closing
    if closing.windows:
        counts = ", ".join(
            f"{number:,} {verdict}" for verdict, number in sorted(closing.verdicts.items())
        )
        total = sum(closing.verdicts.values())
        log.info(f"judged {count(closing.windows, 'window')}: {count(total, 'verdict')}, {counts}")
    if closing.silenced_windows:
        log.info(
            f"{closing.silenced_windows:,} of them ended too long ago for a "
            "message (windows.notify_within)"
        )
    for change in closing.changes:
        title = change.incident.headline
        log.info(f"incident {change.event}: {title}", incident=change.incident.id)
    if report.error:
        log.error(report.error)


def count_tick(model: str, report: Tick, metrics: Metrics) -> None:
    """Count in the metrics what one tick read and judged."""
    reading, closing = report.reading, report.closing
    metrics.objects.labels(model).inc(reading.objects)
    metrics.rows.labels(model).inc(reading.rows)
    metrics.rejected.labels(model).inc(reading.rejected_records)
    metrics.reference_losses.labels(model).set(report.reference_losses.records)
    metrics.held.labels(model).inc(reading.rows_held_back)
    metrics.windows_closed.labels(model).inc(closing.windows)
    metrics.tick_seconds.labels(model).observe(report.seconds)
    for verdict in Verdict:
        metrics.verdicts.labels(model, verdict).inc(closing.verdicts.get(verdict, 0))
    for key, row in closing.newest_rows:
        if not key.segment:
            metrics.set_measurement(
                model=model,
                check=row.check,
                measurement=row.measurement.name,
                value=row.measurement.value,
                column=row.measurement.labels.get("column", ""),
                version=key.version,
                expected=expected_band(row.measurement),
            )


def update_state_metrics(model: str, store: Store, metrics: Metrics) -> None:
    """Set the metrics of firing alerts, waiting messages and the newest event of a model."""
    with store.read() as connection:
        state = models.load_model(connection, model)
        alerts = firing_alerts(load_alerting_state(connection, model))
        sinks = outbox.load_sink_status(connection)
    metrics.set_alerts(
        model,
        [
            (
                alert.check,
                alert.measurement,
                dict(alert.labels).get("column", ""),
                alert.segment,
                alert.version,
                str(alert.phase.severity or ""),
            )
            for alert in alerts
        ],
    )
    counts = Counter(alert.phase.severity for alert in alerts)
    for severity in Severity:
        metrics.alerts_firing.labels(model, severity).set(counts[severity])
    for name, status in sinks.items():
        metrics.outbox_pending.labels(name).set(status.waiting)
    if state is not None and state.last_event is not None:
        metrics.last_event.labels(model).set(state.last_event / 1e6)
