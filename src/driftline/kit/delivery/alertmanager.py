"""The body of Alertmanager's webhook, for receivers that already understand Alertmanager.

The format is version 4 of https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.
Does not send: a sink posts the body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from driftline.types import phrasing
from driftline.types.notification import AlertFact, Event, Notification

ZERO = "0001-01-01T00:00:00Z"
"""Alertmanager's end time of an alert that still fires."""
OVER = (Event.RESOLVED, Event.REPORT)
"""Events after which nothing fires."""


def alertmanager_body(
    notification: Notification, receiver: str, describe: Callable[[AlertFact], str]
) -> dict[str, Any]:
    """Return the body for `notification`: one alert for each incident.

    Its labels never change, so that the end of an incident ends what its opening began. What may
    change stands in annotations. `receiver` is the name of the sink; `describe` writes an alert in
    a sentence, see `Sink.describe`.
    """
    alert = _alert(notification, describe)
    reasons = {
        Event.RESOLVED: "all alerts resolved",
        Event.OPENED: "first notification",
        Event.REPORT: "report",
    }
    return {
        "version": "4",
        "groupKey": f'{{}}:{{driftline_incident="{notification.incident}"}}',
        "truncatedAlerts": 0,
        "status": alert["status"],
        "receiver": receiver,
        "groupLabels": alert["labels"],
        "commonLabels": alert["labels"],
        "commonAnnotations": alert["annotations"],
        "externalURL": alert["generatorURL"],
        "notification_reason": reasons.get(notification.event, "new alerts added"),
        "alerts": [alert],
    }


def _alert(notification: Notification, describe: Callable[[AlertFact], str]) -> dict[str, Any]:
    is_over = notification.event in OVER
    labels = {
        "alertname": "DriftlineIncident",
        "driftline_incident": notification.incident,
        "driftline_model": notification.model,
    }
    sentences = [phrasing.clean(describe(alert), 1000) for alert in notification.alerts]
    columns = {
        alert.labels["column"]: None for alert in notification.alerts if "column" in alert.labels
    }
    annotations = {
        "summary": notification.title,
        "description": "\n".join(sentences),
        "severity": notification.severity.value,
        "family": notification.cause,
        "checks": ", ".join({alert.check: None for alert in notification.alerts}),
        "columns": ", ".join(columns),
        **phrasing.plugin_facts(notification),
    }
    window_end = notification.window[1] if notification.window else notification.since
    end = max(notification.since, notification.resolved_at or window_end)
    return {
        "status": "resolved" if is_over else "firing",
        "labels": labels,
        "annotations": {name: text for name, text in annotations.items() if text},
        "startsAt": notification.since.isoformat(),
        "endsAt": end.isoformat() if is_over else ZERO,
        "generatorURL": next(iter(phrasing.links(notification).values()), ""),
        "fingerprint": label_fingerprint(labels),
    }


def label_fingerprint(labels: Mapping[str, str]) -> str:
    """Return 16 hex digits: FNV-1a (64 bit) over names and values, as Alertmanager computes it."""
    digest = 14695981039346656037
    for name, value in sorted(labels.items()):
        for byte in name.encode() + b"\xff" + value.encode("utf-8", "replace") + b"\xff":
            digest = (digest ^ byte) * 1099511628211 % 2**64
    return f"{digest:016x}"
