"""Closing windows: what is due is judged, oldest first, and each span of time is one transaction.

Refuses to judge before a source was read to its end: a window is due by the time up to which
everything has been seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import pyarrow as pa
from sqlalchemy.engine import Connection

from driftline.agent.acting import Acting, Called
from driftline.agent.judgeable import Judgeable
from driftline.agent.reference_state import Ground
from driftline.alerting.acts import Act, accept, act
from driftline.alerting.fact import Fact
from driftline.alerting.hold_back import tell
from driftline.alerting.incident import Change
from driftline.alerting.lifespans import Life
from driftline.alerting.silencing import Quiet
from driftline.alerting.step import retire, step
from driftline.alerting.work import Step
from driftline.evaluate.check_plan import CheckPlan, Collect
from driftline.evaluate.evidence.engine import AlarmPolicy
from driftline.evaluate.evidence.trail import Stream
from driftline.evaluate.evidence.unusual_rule import PastJudge
from driftline.evaluate.judge_windows import Inputs, JudgedWindow, find_new_versions, judge_windows
from driftline.extensions.phrasebook import Phrasebook
from driftline.profiles.profile import Collectors
from driftline.profiles.window import Window
from driftline.state import measurements, people, traces, windows
from driftline.state.incident_store import SinkPlan, asked, enqueue, later, load, save, silences
from driftline.state.store import Store
from driftline.state.tables import micros, moment
from driftline.types.alert import Alert
from driftline.types.model import LogObject
from driftline.types.notification import Notification
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey

Enrich = Callable[[Notification], Mapping[str, str]]
Links = Callable[[Notification, datetime], Mapping[str, str]]
Reread = Callable[[WindowKey, Sequence[LogObject]], "Iterator[pa.RecordBatch]"]


@dataclass(slots=True)
class Closed:
    """What closing came to."""

    windows: int = 0
    quiet: int = 0
    """Of these, those that were too old to tell anybody of."""
    verdicts: dict[str, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    judged: list[tuple[WindowKey, JudgedMeasurement]] = field(default_factory=list)
    """Of the newest window judged."""


@dataclass(frozen=True)
class Closing:
    """Closes the windows of one model."""

    store: Store
    model: str
    ground: Ground
    plans: Sequence[CheckPlan]
    told: Callable[[Notification], Sequence[SinkPlan]]
    """Who is to hear of a notification."""
    kinds: Collectors
    collect: Collect
    config_digest: str
    alerting: AbstractContextManager[object]
    """Held from reading the alerts of this model to writing them: sinks tell of their trouble from
    other threads.
    """
    on_window: Callable[[Window], None] = lambda window: None
    enrich: Enrich = lambda notification: {}
    """What plugins know of an incident: added before its message is fixed."""
    on_changes: Callable[[Sequence[Change]], None] = lambda changes: None
    stopping: Callable[[], bool] = lambda: False
    notify_within: timedelta | None = None
    """How long ago a window may have ended, when it is first judged, for people to be told."""
    false_pages_per_year: float = 1.0
    """See `Policy`."""
    life: Life = field(default_factory=Life)
    """What of an incident's life is set."""
    quiet: Quiet = field(default_factory=Quiet)
    """What holds messages back, without the silences, which are in the store."""
    links: Links = lambda notification, now: {}
    """What can be done to an incident by a link in its message."""
    acting: Acting | None = None
    """What incidents call for beyond words."""
    phrasebook: Phrasebook | None = None
    """How alerts read; as the installed plugins say when None."""
    reread: Reread | None = None
    """Reads the rows of a window again."""

    def close_due(
        self,
        until: datetime,
        now: datetime,
        closed: Closed,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Judge every window that ended by `until`, and add what it came to to `closed`; what is
        left when the agent stops is judged after the next start.
        """
        limit, before, past = micros(until), closed.windows, None
        with self.store.read() as connection:
            total = windows.count_due(connection, self.model, limit)
        while True:
            with self.store.read() as connection:
                group = next(iter(windows.due(connection, self.model, limit)), None)
            if group is None or self.stopping():
                return
            past = past or self._past(group[0].end - group[0].key.start)
            self._close(group, past, now, closed)
            closed.windows += 1
            progress(closed.windows - before, max(total, closed.windows - before))

    def alert(self, facts: Sequence[Fact], now: datetime) -> list[Change]:
        """Tell alerting of facts that belong to no window."""
        with self.alerting:
            moved, called, outcomes = self._step(facts, now)
            with self.store.write() as connection:
                self._write(connection, moved, now, outcomes, called)
        self.on_changes(moved.changes)
        return list(moved.changes)

    def accept(self, connection: Connection, asked: Act, now: datetime) -> list[Change]:
        """End an incident in the transaction in which its windows become the reference; `alerting`
        must be held.
        """
        moved = accept(load(connection, self.model, self.phrasebook), asked, now)
        self._write(connection, moved, now, {asked.id: ""})
        return list(moved.changes)

    def retire(self, gone: Callable[[Alert], bool], now: datetime) -> list[Change]:
        """Forget alerts of what is no longer watched."""
        with self.alerting, self.store.write() as connection:
            moved = retire(load(connection, self.model, self.phrasebook), gone, now)
            self._write(connection, moved, now, {})
        self.on_changes(moved.changes)
        return list(moved.changes)

    def _past(self, length: int) -> PastJudge:
        """What was kept of the windows before."""
        policy = AlarmPolicy(length, self.false_pages_per_year)
        trail = policy.make_trail()
        with self.store.read() as connection:
            rows = traces.newest(connection, self.model, self.ground.reference_id, trail.capacity)
            trail.restore((row.start, Stream(*row[1:6]), row.trace) for row in rows)
        return PastJudge(trail, policy, self.ground.schema)

    def _close(
        self, group: Sequence[DueWindow], past: PastJudge, now: datetime, closed: Closed
    ) -> None:
        group = [self._hushed(due, now) for due in group]
        with self.store.read() as connection:
            new = find_new_versions(group, partial(windows.versions, connection, self.model))
            inputs = replace(self._inputs(connection, past), new_versions=new)
            verdicts, facts = judge_windows(group, inputs)
        with self.alerting:
            moved, called, outcomes = self._step(facts, now)
            with self.store.write() as connection:
                for item in verdicts:
                    key, revision = item.due.key, item.due.revision + 1
                    ran = (
                        [plan.name for plan in inputs.checks_of(item.due)]
                        if item.due.labels_only
                        else None
                    )
                    measurements.replace(
                        connection, key, revision, item.judged, self.ground.reference_id, ran
                    )
                windows.mark_judged(connection, group, self.ground.reference_id, self.config_digest)
                self._write(connection, moved, now, outcomes, called)
        closed.quiet += all(due.quiet for due in group)
        self._count(verdicts, closed)
        closed.changes += moved.changes
        for item in verdicts:
            self.on_window(item.window)
        self.on_changes(moved.changes)

    def _hushed(self, due: DueWindow, now: datetime) -> DueWindow:
        """A window that is very old when it is first judged tells nobody, then and later."""
        within = self.notify_within
        old = within is not None and due.revision == 0 and now - moment(due.end) > within
        return replace(due, quiet=True) if old else due

    def _step(
        self, facts: Sequence[Fact], now: datetime
    ) -> tuple[Step, list[Called], Mapping[int, str]]:
        """What facts, and what people ask, come to; what that calls for; and what became of what
        people ask.
        """
        with self.store.read() as connection:
            moved = step(
                load(connection, self.model, self.phrasebook),
                [*facts, *later(connection, facts)],
                now,
                self.life,
            )
            moved, outcomes = act(moved, asked(connection, self.model), now)
            moved = tell(moved, replace(self.quiet, silences=silences(connection, now)), now)
        changes = tuple(self._enriched(change) for change in moved.changes)
        called = [] if self.acting is None else self.acting.called(self.store, changes, now)
        return replace(moved, changes=changes), called, outcomes

    def _enriched(self, change: Change) -> Change:
        known = self.enrich(change.notification)
        if not known:
            return change
        facts = {**known, **change.notification.facts}
        return replace(change, notification=change.notification.model_copy(update={"facts": facts}))

    def _write(
        self,
        connection: Connection,
        moved: Step,
        now: datetime,
        outcomes: Mapping[int, str],
        called: Sequence[Called] = (),
    ) -> None:
        if self.acting is not None:
            moved = replace(
                moved, changes=tuple(self.acting.recorded(connection, moved.changes, called, now))
            )
        save(connection, moved)
        for change in moved.changes:
            enqueue(
                connection,
                change,
                self.told(change.notification),
                now,
                self.links(change.notification, now),
            )
        for id, outcome in outcomes.items():
            people.applied(connection, id, outcome, now)

    def _count(self, verdicts: Sequence[JudgedWindow], closed: Closed) -> None:
        closed.judged = [(item.due.key, row) for item in verdicts for row in item.judged]
        for _, row in closed.judged:
            if row.verdict:
                closed.verdicts[row.verdict] = closed.verdicts.get(row.verdict, 0) + 1

    def _again(self, key: WindowKey) -> Iterator[pa.RecordBatch]:
        with self.store.read() as connection:
            found = windows.contributors(connection, key)
        assert self.reread is not None
        return self.reread(key, found)

    def _inputs(self, connection: Connection, past: PastJudge) -> Inputs:
        again = self._again if self.reread is not None else None
        return Judgeable(self.model, self.ground, self.plans, self.kinds, self.collect).inputs(
            connection, past, again
        )
