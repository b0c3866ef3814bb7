"""What a tick is worth telling: to the log, and to the metrics.

Refuses silence about trouble, and noise about nothing.
"""

from __future__ import annotations

from collections import Counter

from driftline.agent.parts import Parts
from driftline.agent.tick import Tick
from driftline.alerting.step import firing
from driftline.state import models, outbox
from driftline.state.incident_store import load
from driftline.types.model import Severity, Verdict


def tell_read(model: str, report: Tick, parts: Parts) -> None:
    """Log what was read, before it is judged."""
    log, taken = parts.log.bind(model=model), report.taken
    for doubt in report.doubts:
        log.warning(f"please check: {doubt}")
    if taken.objects:
        quarantined = f", {taken.quarantined:,} objects quarantined" if taken.quarantined else ""
        log.info(
            f"read {taken.objects:,} objects, {taken.rows:,} rows, {taken.rejected_records:,} records rejected{quarantined}"
        )
    for error in taken.errors[:3]:
        log.warning("could not read", object=error)


def tell_judged(model: str, report: Tick, parts: Parts) -> None:
    """Log what was judged in one tick, and count all of it."""
    log, metrics, taken, closed = (
        parts.log.bind(model=model),
        parts.metrics,
        report.taken,
        report.closed,
    )
    if closed.windows:
        said = ", ".join(
            f"{count:,} {verdict}" for verdict, count in sorted(closed.verdicts.items())
        )
        log.info(f"judged {closed.windows:,} windows: {said}")
    if closed.quiet:
        log.info(
            f"{closed.quiet:,} of them ended too long ago to tell anybody of (windows.notify_within)"
        )
    for change in closed.changes:
        title = change.notification.title.removeprefix(f"{model}: ").removeprefix(
            f"{change.event}: "
        )
        log.info(f"incident {change.event}: {title}", incident=change.incident.id)
    if report.error:
        log.error(report.error)
    metrics.objects.labels(model).inc(taken.objects)
    metrics.rows.labels(model).inc(taken.rows)
    metrics.rejected.labels(model).inc(taken.rejected_records)
    metrics.windows_closed.labels(model).inc(closed.windows)
    metrics.tick_seconds.labels(model).observe(report.seconds)
    for verdict in Verdict:
        metrics.verdicts.labels(model, verdict).inc(closed.verdicts.get(verdict, 0))
    for key, row in closed.judged:
        if not key.segment:
            metrics.set_measurement(
                model=model,
                check=row.check,
                measurement=row.measurement.name,
                value=row.measurement.value,
                column=row.measurement.labels.get("column", ""),
                version=key.version,
            )


def tell_state(model: str, parts: Parts) -> None:
    """Show in the metrics what fires, what waits to be sent, and how new the newest row is."""
    with parts.store.read() as connection:
        known = models.known(connection, model)
        alerts = firing(load(connection, model))
        waiting = outbox.status(connection)
    fires = Counter(alert.phase.severity for alert in alerts)
    parts.metrics.set_alerts(
        model,
        [
            (
                alert.check, alert.measurement, dict(alert.labels).get("column", ""), alert.segment, alert.version,
                str(alert.phase.severity or ""),
            )
            for alert in alerts
        ],
    )  # fmt: skip
    for severity in Severity:
        parts.metrics.alerts_firing.labels(model, severity).set(fires[severity])
    for name, status in waiting.items():
        parts.metrics.outbox_pending.labels(name).set(status.waiting)
    if known is not None and known.last_event is not None:
        parts.metrics.last_event.labels(model).set(known.last_event / 1e6)
