"""Where people look at incidents and act on them: for commands, pages and programs.

Each act leaves a row for the agent that leads; its outcome comes back where it is known. An act
needs an author and an incident that is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from driftline.alerting.acts import ActKind
from driftline.extensions.phrasebook import Line, Phrasebook, installed_phrasebook
from driftline.incidents.alert_values import load_alert_values
from driftline.state import action_runs, incidents, people
from driftline.state.measurements import Interval
from driftline.state.store import Store
from driftline.types.errors import DriftlineError
from driftline.types.matchers import Matchers
from driftline.types.notification import AlertFact, Notification
from driftline.types.phrasing import clean
from driftline.types.times import from_micros

Plain = dict[str, Any]
LONGEST = 500
"""Characters of an author or a reason that are kept."""
FURTHEST = timedelta(days=366)
LEAD_VALUES = 60
"""Values of an incident's first alert that pages show."""


class ActRefused(DriftlineError):
    """The act can't be done; the message says why."""


@dataclass(frozen=True, slots=True)
class FoundIncident:
    """One incident of a search."""

    headline: str
    """The title without the model."""
    facts: Plain
    """The incident as a row of JSON."""
    values: Sequence[Interval]
    """The newest values of its first alert, oldest first."""


@dataclass(frozen=True, kw_only=True)
class IncidentService:
    """Shows the incidents of one state and takes acts on them."""

    store: Store
    clock: Callable[[], datetime]
    apply_acts: Callable[[str], None] = lambda model: None
    """Makes the agent of this process apply the acts of a model at once.

    It does nothing where another process leads.
    """
    draw_chart: Callable[[Notification], bytes | None] = lambda notification: None
    """Draws the chart of a message, as PNG; None where it can't."""
    link_approved_actions: Collection[str] = ()
    """Actions whose runs may be approved by whoever has a link."""
    phrasebook: Phrasebook | None = None
    """The words of the checks; those of the installed plugins when None."""

    def lines(self, alerts: Sequence[AlertFact]) -> list[Line]:
        """Alerts in sentences, one line for each subject."""
        return (self.phrasebook or installed_phrasebook()).lines(alerts)

    def list_incidents(
        self, *, every: bool = False, model: str | None = None, limit: int = 100
    ) -> list[Plain]:
        """List the open incidents, or with `every` the newest of all."""
        with self.store.read() as connection:
            return [
                _plain(row)
                for row in incidents.load_incidents(
                    connection, model, firing=not every, limit=limit
                )
            ]

    def search(
        self,
        *,
        model: str = "",
        state: str = "",
        severity: str = "",
        family: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> list[FoundIncident]:
        """Search incidents, the newest first, each with the values of its first alert."""
        with self.store.read() as connection:
            rows = incidents.search_incidents(
                connection,
                model=model,
                state=state,
                severity=severity,
                family=family,
                limit=limit,
                offset=offset,
            )
            return [self._search_result(connection, row) for row in rows]

    def _search_result(self, connection: Connection, row: incidents.IncidentRow) -> FoundIncident:
        message = incidents.load_newest_message(connection, row.id)
        return FoundIncident(row.headline, _plain(row), self._lead_values(connection, message))

    def families(self) -> list[str]:
        """The families that any incident has."""
        with self.store.read() as connection:
            return incidents.list_incident_families(connection)

    def lead_values(self, notification: Notification) -> Sequence[Interval]:
        """The newest values of a message's first alert, oldest first; empty where it has none."""
        with self.store.read() as connection:
            return self._lead_values(connection, notification)

    def _lead_values(
        self, connection: Connection, notification: Notification | None
    ) -> Sequence[Interval]:
        if notification is None or not notification.alerts:
            return ()
        return load_alert_values(connection, notification, notification.alerts[0], LEAD_VALUES)

    def incident(self, name: str) -> Plain:
        """An incident with its history. `name` is its id, or a prefix of only this id.

        Raises ActRefused when no id or several begin with `name`.
        """
        with self.store.read() as connection:
            row = incidents.load_incident(connection, self._find_id(name))
            history = incidents.load_incident_history(connection, row.id)
            runs = action_runs.load_runs(connection, row.id)
        return {
            **_plain(row),
            "history": [
                {
                    "event": entry.event,
                    "at": entry.at.isoformat(),
                    "reason": entry.reason,
                    "author": entry.author,
                    "held": entry.held_reason,
                }
                for entry in history
            ],
            "actions": [run.to_json_values() for run in runs],
        }

    def headline(self, name: str) -> str:
        """The title of an incident without its model. Raises ActRefused as `incident`."""
        with self.store.read() as connection:
            return incidents.load_incident(connection, self._find_id(name)).headline

    def newest_message(self, name: str) -> Notification:
        """The newest message of an incident, sent or held back. Raises ActRefused as `incident`."""
        with self.store.read() as connection:
            notification = incidents.load_newest_message(connection, self._find_id(name))
        assert notification is not None
        return notification

    def chart(self, name: str) -> bytes | None:
        """The chart of an incident, PNG, or None. Raises ActRefused as `incident`."""
        return self.draw_chart(self.newest_message(name))

    def actions(self, *, incident: str | None = None, limit: int = 100) -> list[Plain]:
        """The newest runs of actions; with `incident` only those for it."""
        with self.store.read() as connection:
            return [
                run.to_json_values() for run in action_runs.load_runs(connection, incident, limit)
            ]

    def action(self, token: str) -> Plain:
        """A run of an action. Raises ActRefused when there is none of this token."""
        with self.store.read() as connection:
            run = action_runs.find_run(connection, token)
        if run is None:
            raise ActRefused(f"there is no run {token}")
        return run.to_json_values()

    def decide(self, token: str, author: str, reason: str, *, approve: bool) -> Plain:
        """Approve or reject a run of an action that awaits approval; returns the run.

        Raises ActRefused when it does not await approval, and without author or reason.
        """
        author, reason = _author(author), clean(reason, LONGEST)
        if not reason:
            raise ActRefused("say why: the word on an action needs a reason")
        mark = action_runs.mark_approved if approve else action_runs.mark_rejected
        model = self.action(token)["model"]
        with self.store.note() as connection:
            refusal = mark(connection, token, author, reason, self.clock())
        if refusal:
            raise ActRefused(f"{token}: {refusal}")
        self.apply_acts(model)
        return self.action(token)

    def request_act(
        self,
        kind: ActKind,
        name: str,
        author: str,
        reason: str = "",
        *,
        length: timedelta | None = None,
    ) -> tuple[str, str]:
        """Ask for an act on an incident; `length` is the length of a snooze.

        Returns the id of the incident, and `done`, or `waits` if another process leads. Raises
        ActRefused when the act can't be done.
        """
        author, reason, now = _author(author), clean(reason, LONGEST), self.clock()
        until = None
        if kind is ActKind.SNOOZE:
            if length is None or not timedelta(0) < length <= FURTHEST:
                raise ActRefused("a snooze needs its length, a year at most")
            until = now + length
        incident = self.incident(name)
        if incident["state"] != "firing":
            raise ActRefused(f"{incident['id']} is over: {incident['title']}")
        with self.store.note() as connection:
            row = people.add_act(
                connection,
                kind=kind.value,
                model=incident["model"],
                incident=incident["id"],
                author=author,
                reason=reason,
                now=now,
                until=until,
            )
        self.apply_acts(incident["model"])
        with self.store.read() as connection:
            outcome = people.load_act_outcome(connection, row)
        if outcome:
            raise ActRefused(f"{incident['id']}: {outcome}")
        return incident["id"], "waits" if outcome is None else "done"

    def silence(
        self,
        matchers: str,
        author: str,
        reason: str = "",
        *,
        length: timedelta,
        start: datetime | None = None,
    ) -> int:
        """Begin a silence now or at `start`; returns its number.

        Raises ActRefused for matchers that can't be read, for none, and for a time that is over.
        """
        author, reason, now = _author(author), clean(reason, LONGEST), self.clock()
        try:
            parsed_matchers = Matchers.parse(matchers)
        except ValueError as error:
            raise ActRefused(str(error)) from None
        if not parsed_matchers.pairs:
            raise ActRefused("say what is to be silent, such as model=churn; model=* is everything")
        begin = start or now
        if not timedelta(0) < length <= FURTHEST or begin + length <= now:
            raise ActRefused("a silence needs an end that is still to come, a year on at most")
        with self.store.note() as connection:
            number = people.insert_silence(
                connection,
                matchers=str(parsed_matchers),
                start=begin,
                until=begin + length,
                author=author,
                reason=reason,
                now=now,
            )
        self._apply_all_acts()
        return number

    def silence_incident(
        self, name: str, author: str, reason: str = "", *, length: timedelta
    ) -> int:
        """Silence incidents with the same model, families and columns as this one.

        The silence also holds once this incident is over and comes back.
        """
        return self.silence(
            _similar_matchers(self.newest_message(name)), author, reason, length=length
        )

    def silences(self) -> list[Plain]:
        """The silences that are on or still to come."""
        with self.store.read() as connection:
            rows = people.load_silence_rows(connection, self.clock())
        return [
            {
                "id": row.id,
                "matchers": row.matchers,
                "from": row.start.isoformat(),
                "until": row.until.isoformat(),
                "author": row.author,
                "reason": row.reason,
            }
            for row in rows
        ]

    def expire(self, number: int, author: str, reason: str = "") -> None:
        """End a silence. Raises ActRefused when there is none of this number."""
        with self.store.note() as connection:
            was_active = people.expire_silence(
                connection, number, _author(author), clean(reason, LONGEST), self.clock()
            )
        if not was_active:
            raise ActRefused(f"there is no silence {number} that is not over")
        self._apply_all_acts()

    def _apply_all_acts(self) -> None:
        for model in sorted({str(row["model"]) for row in self.list_incidents()}):
            self.apply_acts(model)

    def _find_id(self, prefix: str) -> str:
        """The id of the one incident that begins with `prefix`."""
        with self.store.read() as connection:
            ids = incidents.find_incident_ids(connection, prefix)
        if len(ids) == 1:
            return ids[0]
        if prefix in ids:
            return prefix
        if not ids:
            raise ActRefused(f"there is no incident {prefix}")
        raise ActRefused(f"several incidents begin with {prefix}: {', '.join(ids)}")


def _author(author: str) -> str:
    """The name of an author on one line. Raises ActRefused without one."""
    name = clean(author, LONGEST)
    if not name:
        raise ActRefused("say who you are: an act needs an author")
    return name


def _similar_matchers(notification: Notification) -> str:
    """Matchers of incidents with the same model, families and columns."""
    columns = {alert.labels["column"] for alert in notification.alerts if "column" in alert.labels}
    names = [notification.model, *columns]
    if any(set("|,=*?") & set(name) or name != name.strip() for name in names):
        # Such a name can't be written as a matcher.
        return f"id={notification.incident}"
    families = {alert.cause for alert in notification.alerts} or {notification.cause}
    matchers = [f"model={notification.model}", f"family={'|'.join(sorted(families))}"]
    matchers += [f"column={'|'.join(sorted(columns))}"] if columns else []
    return ",".join(matchers)


def _plain(row: incidents.IncidentRow) -> Plain:
    """An incident as a row of JSON."""
    detail = json.loads(row.detail)
    snoozed_until = detail.get("snoozed")
    return {
        "id": row.id,
        "model": row.model,
        "family": row.cause,
        "state": row.state,
        "severity": row.severity,
        "title": row.title,
        "since": row.since.isoformat(),
        "resolved_at": row.resolved_at.isoformat() if row.resolved_at else None,
        "acknowledged_by": detail.get("acknowledged", ""),
        "held": detail.get("owed", ""),
        "snoozed_until": None if snoozed_until is None else from_micros(snoozed_until).isoformat(),
        "flapping": bool(detail.get("flapping", False)),
    }
