"""Messages, incidents in the outbox, and sinks that do what they are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from facts import flat_fact
from pydantic import PrivateAttr

from driftline import Notification, Severity, Sink, Verdict
from driftline.alerting import AlertingState, retire, step
from driftline.state.incident_store import SinkPlan, enqueue, save_step
from driftline.state.store import Store

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
CHAT = SinkPlan("chat")


def tell(
    store: Store,
    name: str,
    *events: str,
    plans: tuple[SinkPlan, ...] = (CHAT,),
    now: datetime = NOW,
) -> None:
    """Write one incident about a column into the outbox: `opened`, then `updated` as often as
    named, then `resolved`.
    """
    state = AlertingState()
    for hour, event in enumerate(events, 1):
        given: dict[str, Any] = {
            "cause": "drift",
            "check": "drift",
            "measurement": "psi",
            "value": 1.0,
            "reason": "above 0.25",
        }
        start = NOW + hour * HOUR
        column = (("column", f"{name}{hour}"),)
        fact = flat_fact(
            model=name,
            labels=column,
            start=start,
            end=start + HOUR,
            verdict=Verdict.CHANGED,
            severity=Severity.WARNING,
            **given,
        )
        done = (
            retire(state, lambda alert: True, start)
            if event == "resolved"
            else step(state, [fact], now)
        )
        assert [event] == [change.event.value for change in done.changes]
        with store.write() as connection:
            save_step(connection, done)
            for change in done.changes:
                enqueue(connection, change, plans, now)
        state = done.state


class Scripted(Sink):
    """Raises or returns what its script says, one for each send, then takes everything."""

    type = "scripted"
    pace = 0.0
    _script: list[Any] = PrivateAttr(default_factory=list)
    _sent: list[Notification] = PrivateAttr(default_factory=list)

    @classmethod
    def made(cls, *script: Any) -> Scripted:
        sink = cls()
        sink._script.extend(script)
        return sink

    def send(self, notification: Notification) -> str | None:
        """As the script says."""
        does = self._script.pop(0) if self._script else None
        if isinstance(does, Exception):
            raise does
        if callable(does):
            does()
        self._sent.append(notification)
        return "remote-1"

    @property
    def heard(self) -> list[tuple[str, str]]:
        """Model and event of each message taken."""
        return [(told.model, told.event.value) for told in self._sent]
