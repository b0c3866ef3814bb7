"""Where people look at incidents, and where their acts come in, from the command line, the pages
and programs.

Refuses an act without an author, and on an incident that is not there. Each leaves a row for the
agent that leads; what that makes of it comes back where it can.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from driftline.alerting.acts import Kind
from driftline.extensions.phrasebook import Line, Phrasebook, installed_phrasebook
from driftline.state import action_runs, incidents, people
from driftline.state.store import Store
from driftline.state.tables import from_micros
from driftline.types.errors import DriftlineError
from driftline.types.matchers import Matchers
from driftline.types.notification import AlertFact, Notification
from driftline.types.phrasing import clean

Plain = dict[str, Any]
LONGEST = 500
"""Characters of an author or a reason that are kept."""
FURTHEST = timedelta(days=366)


class Refused(DriftlineError):
    """What was asked can't be done: it is the asker's mistake."""


@dataclass(frozen=True)
class Desk:
    """Takes acts on the incidents of one state."""

    store: Store
    clock: Callable[[], datetime]
    attend: Callable[[str], None] = lambda model: None
    """Lets the agent in this process deal with what waits for a model at once; nothing where
    another process leads.
    """
    picture: Callable[[Notification], bytes | None] = lambda notification: None
    """Draws what was told of an incident, as PNG."""
    by_link: Collection[str] = ()
    """The actions whose runs may be approved by whoever has a link."""
    phrasebook: Phrasebook | None = None
    """How alerts read; as the installed plugins say when None."""

    def lines(self, alerts: Sequence[AlertFact]) -> list[Line]:
        """Alerts in sentences, one line a subject."""
        return (self.phrasebook or installed_phrasebook()).lines(alerts)

    def listed(
        self, *, every: bool = False, model: str | None = None, limit: int = 100
    ) -> list[Plain]:
        """The open incidents, or the newest of all."""
        with self.store.read() as connection:
            return [
                _plain(row)
                for row in incidents.load_incidents(
                    connection, model, firing=not every, limit=limit
                )
            ]

    def incident(self, name: str) -> Plain:
        """An incident with its history. Raises Refused when there is none of this name, or several
        that begin so.
        """
        with self.store.read() as connection:
            row = incidents.load_incident(connection, self._named(name))
            history = incidents.load_incident_history(connection, row.id)
            runs = action_runs.load_runs(connection, row.id)
        return {
            **_plain(row),
            "history": [
                {
                    "event": one.event,
                    "at": one.at.isoformat(),
                    "reason": one.reason,
                    "author": one.author,
                    "held": one.held_reason,
                }
                for one in history
            ],
            "actions": [run.plain() for run in runs],
        }

    def told(self, name: str) -> Notification:
        """What was last told of an incident, or would have been. Raises Refused when there is none
        of this name.
        """
        with self.store.read() as connection:
            told = incidents.load_newest_message(connection, self._named(name))
        assert told is not None
        return told

    def chart(self, name: str) -> bytes | None:
        """The picture of an incident, PNG; None when nothing can be drawn. Raises Refused when
        there is none of this name.
        """
        return self.picture(self.told(name))

    def actions(self, *, incident: str | None = None, limit: int = 100) -> list[Plain]:
        """The newest runs of actions; with `incident` of that one alone."""
        with self.store.read() as connection:
            return [run.plain() for run in action_runs.load_runs(connection, incident, limit)]

    def action(self, token: str) -> Plain:
        """A run of an action. Raises Refused when there is none of this token."""
        with self.store.read() as connection:
            run = action_runs.find_run(connection, token)
        if run is None:
            raise Refused(f"there is no run {token}")
        return run.plain()

    def decide(self, token: str, author: str, reason: str, *, approve: bool) -> Plain:
        """Let a run of an action go that awaits approval, or refuse it. Returns it. Raises Refused,
        also without a reason.
        """
        author, reason = _author(author), clean(reason, LONGEST)
        if not reason:
            raise Refused("say why: the word on an action needs a reason")
        decided = action_runs.mark_approved if approve else action_runs.mark_rejected
        model = self.action(token)["model"]
        with self.store.note() as connection:
            why = decided(connection, token, author, reason, self.clock())
        if why:
            raise Refused(f"{token}: {why}")
        self.attend(model)
        return self.action(token)

    def ask(
        self,
        kind: Kind,
        name: str,
        author: str,
        reason: str = "",
        *,
        lasting: timedelta | None = None,
    ) -> tuple[str, str]:
        """Ask something of an incident. Returns its id, and what came of it: `done`, or `waits` for
        the agent that leads.

        Raises Refused when nothing can come of it.
        """
        author, reason, now = _author(author), clean(reason, LONGEST), self.clock()
        until = None
        if kind is Kind.SNOOZE:
            if lasting is None or not timedelta(0) < lasting <= FURTHEST:
                raise Refused("a snooze needs its length, a year at most")
            until = now + lasting
        found = self.incident(name)
        if found["state"] != "firing":
            raise Refused(f"{found['id']} is over: {found['title']}")
        with self.store.note() as connection:
            row = people.add_act(
                connection, kind.value, found["model"], found["id"], author, reason, now, until
            )
        self.attend(found["model"])
        with self.store.read() as connection:
            outcome = people.load_act_outcome(connection, row)
        if outcome:
            raise Refused(f"{found['id']}: {outcome}")
        return found["id"], "waits" if outcome is None else "done"

    def silence(
        self,
        matchers: str,
        author: str,
        reason: str = "",
        *,
        lasting: timedelta,
        start: datetime | None = None,
    ) -> int:
        """Begin a silence, now or later; returns its number. Raises Refused for matchers that can't
        be read, or none.
        """
        author, reason, now = _author(author), clean(reason, LONGEST), self.clock()
        try:
            read = Matchers.parse(matchers)
        except ValueError as error:
            raise Refused(str(error)) from None
        if not read.pairs:
            raise Refused("say what is to be silent, such as model=churn; model=* is everything")
        begin = start or now
        if not timedelta(0) < lasting <= FURTHEST or begin + lasting <= now:
            raise Refused("a silence needs an end that is still to come, a year on at most")
        with self.store.note() as connection:
            number = people.insert_silence(
                connection, str(read), begin, begin + lasting, author, reason, now
            )
        self._attend_all()
        return number

    def silence_incident(
        self, name: str, author: str, reason: str = "", *, lasting: timedelta
    ) -> int:
        """Silence what is like an incident: the same model, family and columns, also once it is
        over and comes back.
        """
        return self.silence(_like(self.told(name)), author, reason, lasting=lasting)

    def silences(self) -> list[Plain]:
        """The silences that are on or still to come."""
        with self.store.read() as connection:
            rows = people.load_silences(connection, self.clock())
        return [
            {
                "id": row.id, "matchers": row.matchers, "from": row.start.isoformat(), "until": row.until.isoformat(),
                "author": row.author, "reason": row.reason,
            }
            for row in rows
        ]  # fmt: skip

    def expire(self, number: int, author: str, reason: str = "") -> None:
        """End a silence. Raises Refused when there is none of this number."""
        with self.store.note() as connection:
            ended = people.expire_silence(
                connection, number, _author(author), clean(reason, LONGEST), self.clock()
            )
        if not ended:
            raise Refused(f"there is no silence {number} that is not over")
        self._attend_all()

    def _attend_all(self) -> None:
        for model in sorted({str(row["model"]) for row in self.listed()}):
            self.attend(model)

    def _named(self, name: str) -> str:
        with self.store.read() as connection:
            found = incidents.find_incident_ids(connection, name)
        if len(found) == 1:
            return found[0]
        if name in found:
            return name
        raise Refused(
            f"several incidents begin with {name}: {', '.join(found)}"
            if found
            else f"there is no incident {name}"
        )


def _author(author: str) -> str:
    kept = clean(author, LONGEST)
    if not kept:
        raise Refused("say who you are: an act needs an author")
    return kept


def _like(told: Notification) -> str:
    columns = sorted({alert.labels["column"] for alert in told.alerts if "column" in alert.labels})
    plain = not any(
        set("|,=*?") & set(name) or name != name.strip() for name in [told.model, *columns]
    )
    if not plain:
        return f"id={told.incident}"
    about = f",column={'|'.join(columns)}" if columns else ""
    families = sorted({alert.cause for alert in told.alerts}) or [told.cause]
    return f"model={told.model},family={'|'.join(families)}{about}"


def _plain(row: incidents.IncidentRow) -> Plain:
    detail = json.loads(row.detail)
    snoozed = detail.get("snoozed")
    return {
        "id": row.id, "model": row.model, "family": row.cause, "state": row.state, "severity": row.severity, "title": row.title,
        "since": row.since.isoformat(), "resolved_at": row.resolved_at.isoformat() if row.resolved_at else None,
        "acknowledged_by": detail.get("acknowledged", ""), "held": detail.get("owed", ""),
        "snoozed_until": None if snoozed is None else from_micros(snoozed).isoformat(),
        "flapping": bool(detail.get("flapping", False)),
    }  # fmt: skip
