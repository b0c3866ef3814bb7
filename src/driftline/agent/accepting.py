"""The new normal: the windows since a change become what later windows are compared with.

Refuses to end the incident without the new reference, and to make the reference without ending it:
both are one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from driftline.agent.closing import Closing
from driftline.agent.reference_state import Ground, Origin
from driftline.alerting.acts import Act, Kind, refused
from driftline.alerting.incident import Change
from driftline.alerting.work import AlertingState
from driftline.state import people
from driftline.state.incident_store import asked, load
from driftline.state.store import Store
from driftline.types.alert import Alert
from driftline.types.errors import DriftlineError
from driftline.types.incident import Incident

FAMILY = "drift"
"""Only what is compared with the reference can become normal by another one."""
Make = Callable[[Origin, Mapping[str, object], Callable[[Connection], None]], Ground]
"""Makes a ground of a span of the model's own records; what is accepted is kept with it, and the
last is called in its transaction.
"""


def accept_asked(
    closing: Closing, make: Make, length: timedelta, until: datetime, now: datetime
) -> tuple[Ground, list[Change]]:
    """Do what people ask: returns the ground that holds from now on, and the incidents that ended.

    `until` is the end of what was judged. An act that can't be done is closed with the reason.
    """
    ground, changes = closing.ground, list[Change]()
    with closing.store.read() as connection:
        wanted = [one for one in asked(connection, closing.model) if one.kind is Kind.ACCEPT]
        state = load(connection, closing.model) if wanted else AlertingState()
    for one in wanted:
        incident = state.incidents.get(one.incident)
        members = (
            [state.alerts[key] for key in incident.keys if key in state.alerts]
            if incident is not None
            else []
        )
        why = _refused(incident, members, length, until)
        if incident is None or why:
            _close(closing.store, one, why, now)
            continue
        span = _span(incident, length, until)
        told = {
            "incident": incident.id,
            "author": one.author,
            "reason": one.reason,
            "at": now.isoformat(),
        }

        def end(connection: Connection, one: Act = one) -> None:
            changes.extend(closing.accept(connection, one, now))

        try:
            with closing.alerting:
                ground = make(Origin(span=span), told, end)
        except DriftlineError as error:
            _close(
                closing.store,
                one,
                f"no reference can be made of {span[0]:%Y-%m-%d %H:%M} on: {error}",
                now,
            )
    closing.on_changes(changes)
    return ground, changes


def _refused(
    incident: Incident | None, alerts: Iterable[Alert], length: timedelta, until: datetime
) -> str:
    why = refused(incident)
    if incident is None or why:
        return why
    if not any(alert.fires and alert.cause == FAMILY for alert in alerts):
        return f"{incident.cause} trouble is not measured against the reference: only drift can be the new normal"
    begin, end = _span(incident, length, until)
    return "" if begin < end else "no whole window has come since the change: try again later"


def _span(incident: Incident, length: timedelta, until: datetime) -> tuple[datetime, datetime]:
    """Whole windows since the change."""
    return incident.since, until - (until - incident.since) % length


def _close(store: Store, one: Act, why: str, now: datetime) -> None:
    with store.write() as connection:
        people.applied(connection, one.id, " ".join(why.split())[:500], now)
