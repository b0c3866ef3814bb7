"""The metrics that an agent of one model has once each of its counters has a value."""

from driftline.telemetry.metrics import Metrics


def fill_metrics(metrics: Metrics, *, leads: bool, tick_seconds: float) -> None:
    """Give each metric but those of measurements a value, and add 1 to each counter."""
    metrics.leading.set(int(leads))
    for counter in (metrics.rows, metrics.rejected, metrics.windows_closed):
        counter.labels("churn").inc()
    metrics.verdicts.labels("churn", "ok").inc()
    metrics.alerts_firing.labels("churn", "warning").set(1)
    metrics.notifications.labels("team", "delivered").inc()
    metrics.outbox_pending.labels("team").set(1)
    metrics.tick_seconds.labels("churn").observe(tick_seconds)
    metrics.plugin_errors.labels("source").inc()
    metrics.last_event.labels("churn").set(1.0)
    metrics.set_alerts("churn", [("drift", "psi", "tenure", "", "", "warning")])
