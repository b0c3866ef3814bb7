"""Acceptance of a change: the windows since it become the reference of later windows.

The new reference and the end of the incident are one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from driftline.agent.model_alerts import ModelAlerts
from driftline.agent.model_settings import Origin
from driftline.agent.reference_state import ReferenceState
from driftline.alerting.acts import Act, ActKind, explain_refusal
from driftline.alerting.incident import Change
from driftline.state import people
from driftline.state.incident_store import load_acts, load_alerting_state
from driftline.state.store import Store
from driftline.types.alert import Alert
from driftline.types.errors import DriftlineError, StateError
from driftline.types.family import Family
from driftline.types.incident import Incident

CAUSE = Family.DRIFT.value
"""Only what is compared with the reference can become normal by another reference."""
BuildReference = Callable[
    [Origin, Mapping[str, object], Callable[[Connection], None]], ReferenceState
]
"""Builds a reference of a span of the model's own records.

The second argument is stored with it; the third is called in its transaction.
"""


def apply_acceptances(
    alerts: ModelAlerts,
    build_reference: BuildReference,
    length: timedelta,
    until: datetime,
    now: datetime,
) -> tuple[ReferenceState | None, list[Change]]:
    """Apply the acceptances that people ask for.

    `length` is that of a window, `until` the end of what was judged. An acceptance that can't be
    applied is closed with the reason. Returns the new reference, None without one, and the changes
    of incidents.
    """
    reference, changes = None, list[Change]()
    with alerts.store.read() as connection:
        requests = [
            request
            for request in load_acts(connection, alerts.model)
            if request.kind is ActKind.ACCEPT
        ]
        if not requests:
            return None, changes
        state = load_alerting_state(connection, alerts.model)
    for request in requests:
        incident = state.incidents.get(request.incident)
        keys = () if incident is None else incident.keys
        members = [state.alerts[key] for key in keys if key in state.alerts]
        reason = _obstacle(incident, members, length, until)
        if incident is None or reason:
            _close(alerts.store, request, reason, now)
            continue
        span = _span(incident, length, until)
        note = {
            "incident": incident.id,
            "author": request.author,
            "reason": request.reason,
            "at": now.isoformat(),
        }

        def end_incident(connection: Connection, request: Act = request) -> None:
            changes.extend(alerts.accept(connection, request, now))

        try:
            with alerts.lock:
                reference = build_reference(Origin(span=span), note, end_incident)
        except StateError:
            raise
        except DriftlineError as error:
            reason = f"no reference can be made of {span[0]:%Y-%m-%d %H:%M} on: {error}"
            _close(alerts.store, request, reason, now)
    alerts.callbacks.on_changes(changes)
    return reference, changes


def _obstacle(
    incident: Incident | None, alerts: Iterable[Alert], length: timedelta, until: datetime
) -> str:
    """Return why an incident can't be accepted; empty when it can."""
    reason = explain_refusal(incident)
    if incident is None or reason:
        return reason
    if not any(alert.is_firing and alert.cause == CAUSE for alert in alerts):
        return (
            f"{incident.cause} trouble is not measured against the reference: only drift can be "
            "the new normal"
        )
    begin, end = _span(incident, length, until)
    return "" if begin < end else "no whole window has come since the change: try again later"


def _span(incident: Incident, length: timedelta, until: datetime) -> tuple[datetime, datetime]:
    """Return begin and end of the whole windows since the change."""
    return incident.since, until - (until - incident.since) % length


def _close(store: Store, request: Act, reason: str, now: datetime) -> None:
    with store.write() as connection:
        people.mark_act_applied(connection, request.id, " ".join(reason.split())[:500], now)
