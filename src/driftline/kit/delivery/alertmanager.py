"""The body of Alertmanager's webhook, for receivers that already understand Alertmanager.

The format is version 4 of https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.
Does not send: a sink posts the body.
"""

from __future__ import annotations

import re
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
    """Return the body for `notification`: each incident is one group of alerts.

    `receiver` is the name of the sink; `describe` writes an alert in a sentence, see
    `Sink.describe`.
    """
    group = {"incident": notification.incident, "model": notification.model}
    alerts = [_alert(notification, alert, group, describe) for alert in notification.alerts]
    alerts = alerts or [_alert(notification, None, group, describe)]
    page = next(iter(phrasing.links(notification).values()), "")
    reasons = {
        Event.RESOLVED: "all alerts resolved",
        Event.OPENED: "first notification",
        Event.REPORT: "report",
    }
    line_count = len(phrasing.group_by_subject(notification.alerts))
    return {
        "version": "4",
        "groupKey": f'{{}}:{{incident="{notification.incident}"}}',
        "truncatedAlerts": max(0, phrasing.count_hidden(notification, line_count)),
        "status": "resolved" if notification.event in OVER else "firing",
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": _common([alert["labels"] for alert in alerts]),
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": page,
        "notification_reason": reasons.get(notification.event, "new alerts added"),
        "alerts": alerts,
    }


def _alert(
    notification: Notification,
    alert: AlertFact | None,
    group: Mapping[str, str],
    describe: Callable[[AlertFact], str],
) -> dict[str, Any]:
    is_resolved = notification.event in OVER or (alert and alert.state == "resolved")
    names = (
        {"alertname": alert.measurement, "check": alert.check, **alert.labels}
        if alert
        else {"alertname": notification.event.value}
    )
    severity = alert.severity if alert else notification.severity
    labels = {
        re.sub(r"\W|^(?=\d)", "_", name, flags=re.ASCII): value for name, value in names.items()
    }
    labels |= {**group, "severity": severity.value, "family": notification.cause}
    text = describe(alert) if alert else ""
    annotations = {"summary": notification.title, "description": phrasing.clean(text, 1000)}
    annotations |= phrasing.plugin_facts(notification)
    since = (alert or notification).since
    window_end = notification.window[1] if notification.window else notification.since
    end = max(since, notification.resolved_at or window_end)
    return {
        "status": "resolved" if is_resolved else "firing",
        "labels": labels,
        "annotations": {name: text for name, text in annotations.items() if text},
        "startsAt": since.isoformat(),
        "endsAt": end.isoformat() if is_resolved else ZERO,
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


def _common(mappings: list[dict[str, str]]) -> dict[str, str]:
    first, *next_mappings = mappings
    return {
        name: text
        for name, text in first.items()
        if all(mapping.get(name) == text for mapping in next_mappings)
    }
