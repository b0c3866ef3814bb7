"""The numbers of an alert as plain fields, for receivers whose rules read fields."""

from __future__ import annotations

from typing import Any

from driftline.types.notification import AlertFact


def alert_fields(alert: AlertFact) -> dict[str, Any]:
    """Return check, measurement, labels, value, usual value, interval, limit, unit and rows.

    What the alert does not have is left out.
    """
    fields: dict[str, Any] = {
        **alert.labels,
        "check": alert.check,
        "measurement": alert.measurement,
        "severity": alert.severity.value,
        "value": alert.value,
        "usual": alert.was,
        "interval": None if alert.interval is None else list(alert.interval),
        "limit": None if alert.bound is None else alert.bound.value,
        "unit": alert.unit,
        "rows": alert.rows,
        "since": alert.since.isoformat(),
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}
