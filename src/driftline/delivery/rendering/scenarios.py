"""Sample messages to try a sink with; each says that it is a test.

All are about the model `driftline-test`, with an incident of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from driftline.types.incident import Reason
from driftline.types.model import Bound, BoundSide, Severity
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.notification import IN_ALL, WHY, AlertFact, Event, Notification
from driftline.types.times import HOUR

MODEL = "driftline-test"
HOSTILE = (
    "<!channel> @everyone `*_~|& </td><script>alert(1)</script> =1+1 [a](javascript:b) "
    "\u202e\x1b[31m " + "x" * 5000
)


def scenario(name: str, token: str, now: datetime) -> list[Notification]:
    """The messages of a scenario, in order; `token` makes their ids unique."""
    return [
        notification.model_copy(update={"id": f"msg_{token}_{notification.revision}"})
        for notification in SCENARIOS[name](f"inc_test_{token}", now)
    ]


def _alert(now: datetime, column: str = "amount", **changes: Any) -> AlertFact:
    values: dict[str, Any] = {
        "check": "drift",
        "measurement": "mean_shift",
        "labels": {"column": column},
        "state": "firing",
        "severity": Severity.CRITICAL,
        "value": 1.8,
        "unit": "sd",
        "interval": (1.6, 2.0),
        "since": now - 3 * HOUR,
        "rows": 41_202,
        "detail": {"mean": 10_790.0, "mean_was": 180.0, "odds": 12_000.0},
        "reason": (
            "usually 0, now 1.8 sd; evidence 12,000:1 for a change; 0.12 sd shows within 7 windows"
        ),
    }
    return AlertFact(**{**values, **changes})


def _make_notification(
    incident: str, now: datetime, *alerts: AlertFact, **changes: Any
) -> Notification:
    values: dict[str, Any] = {
        "id": "",
        "incident": incident,
        "revision": 1,
        "event": Event.OPENED,
        "model": MODEL,
        "model_version": "v3",
        "cause": "drift",
        "severity": Severity.CRITICAL,
        "since": now - 3 * HOUR,
        "window": (now - 2 * HOUR, now - HOUR),
        "title": (
            f"{MODEL}: TEST, nothing is wrong: “amount”: the mean went from 180 to 10,790 (×59.9)"
        ),
        "rows": 41_202,
        "reference": "train.parquet, 2,666 rows",
        "alerts": alerts,
        "sent_before": False,
        "links": {"Documentation": "https://www.example.org/driftline"},
        "facts": {
            WHY: Reason.FIRST_ALERT.text,
            "likely cause": "amounts come in cents since a deploy at 08:55",
            "cost so far": "about 1,200 wrong decisions",
            "decision": "roll back",
            "runbook": "https://www.example.org/runbook",
        },
        "reason": Reason.FIRST_ALERT,
    }
    whole = {**values, **changes}
    return Notification(
        **whole, reason_text=whole["reason"].text, own_facts=frozenset({WHY, IN_ALL})
    )


def _firing(incident: str, now: datetime) -> list[Notification]:
    return [
        _make_notification(
            incident, now, _alert(now), _alert(now, "country", severity=Severity.WARNING)
        )
    ]


def _resolve(incident: str, now: datetime) -> list[Notification]:
    over = {
        "event": Event.RESOLVED,
        "revision": 2,
        "resolved_at": now,
        "facts": {WHY: Reason.ALL_RESOLVED.text},
        "reason": Reason.ALL_RESOLVED,
        "sent_before": True,
    }
    over["title"] = f"{MODEL}: TEST, nothing was wrong: “amount” is back to normal after 3 h"
    calm = _alert(now, state="resolved", value=0.01, interval=(-0.02, 0.04), detail={}, reason="")
    return [*_firing(incident, now), _make_notification(incident, now, calm, **over)]


def _storm(incident: str, now: datetime) -> list[Notification]:
    alerts = [
        _alert(
            now,
            f"feature_{place:03}",
            value=4 - place / 100,
            detail={},
            reason="above 0.5",
            bound=Bound(BoundSide.ABOVE, 0.5),
        )
        for place in range(50)
    ]
    title = (
        f"{MODEL}: TEST, nothing is wrong: 200 columns changed: "
        "“feature_000” 4 sd, “feature_001” 3.99 sd, 198 more"
    )
    return [
        _make_notification(
            incident,
            now,
            *alerts,
            title=title,
            facts={WHY: Reason.FIRST_ALERT.text, IN_ALL: "200"},
            alert_count=200,
        )
    ]


def _hostile(incident: str, now: datetime) -> list[Notification]:
    detail = {"category": HOSTILE[:200], "share_was": 0.0, "share": 0.0004}
    alert = _alert(
        now, HOSTILE, check=HOSTILE, reason=HOSTILE, unit=HOSTILE, value=1e300, detail=detail
    )
    links = {HOSTILE: "https://www.example.org/?a=1&b=<x>|y", "no": "javascript:alert(1)"}
    return [
        _make_notification(
            incident,
            now,
            alert,
            title=f"{MODEL}: TEST: {HOSTILE}",
            facts={HOSTILE: HOSTILE},
            links=links,
        )
    ]


def _unsure(incident: str, now: datetime) -> list[Notification]:
    reason = (
        "amount: about 12,000 more rows a window are needed: 800 here; "
        "0.4 sd shows within 7 windows"
    )
    alert = _alert(
        now,
        state="unsure",
        severity=Severity.INFO,
        measurement=MonitoringKind.UNSURE.value,
        labels={},
        value=None,
        interval=None,
        detail={},
        reason=reason,
        rows=800,
    )
    title = (
        f"{MODEL}: TEST, nothing is wrong: too little data to judge drift: "
        "amount: about 12,000 more rows a window are needed"
    )
    values: dict[str, Any] = {
        "severity": Severity.INFO,
        "cause": "monitoring",
        "reference": "",
        "facts": {WHY: Reason.FIRST_ALERT.text},
    }
    return [_make_notification(incident, now, alert, title=title, rows=800, **values)]


def _trouble(incident: str, now: datetime) -> list[Notification]:
    reason = "bucket ml-logs can't be listed: AccessDenied"
    alert = _alert(
        now,
        check="source",
        measurement=MonitoringKind.READING.value,
        labels={},
        value=None,
        interval=None,
        detail={},
        reason=reason,
    )
    title = f"{MODEL}: TEST, nothing is wrong: driftline can't read the log: {reason}"
    return [
        _make_notification(
            incident,
            now,
            alert,
            title=title,
            cause="monitoring",
            window=None,
            rows=0,
            reference="",
            facts={WHY: Reason.FIRST_ALERT.text},
        )
    ]


SCENARIOS: Mapping[str, Callable[[str, datetime], list[Notification]]] = {
    "firing": _firing,
    "resolved": _resolve,
    "storm": _storm,
    "hostile": _hostile,
    "unsure": _unsure,
    "trouble": _trouble,
}
