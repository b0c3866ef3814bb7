"""Hours of a model's life with an injected clock: facts in, messages out, everything stored as the
agent stores it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import databases
from facts import flat_fact

from driftline import Notification, Severity, Verdict
from driftline.alerting import Fact, Step, step
from driftline.state import outbox
from driftline.state.factory import open_store
from driftline.state.incident_store import SinkPlan, enqueue, load_alerting_state, save_step
from driftline.state.store import Store

START = datetime(2026, 11, 20, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hour: float) -> datetime:
    return START + hour * HOUR


def fact(hour: int, column: str = "age", verdict: Verdict | str = "changed", **given: Any) -> Fact:
    """One judged window of one column."""
    verdict = Verdict(verdict)
    severity = given.pop("severity", Severity.WARNING if verdict is Verdict.CHANGED else None)
    whole = {
        "model": "churn", "check": "drift", "measurement": "psi", "labels": (("column", column),), "cause": "drift",
        "value": 0.6 if verdict is Verdict.CHANGED else 0.02, "rows": 1000,
        "reason": "above 0.25" if verdict is Verdict.CHANGED else "",
    }  # fmt: skip
    return flat_fact(
        start=at(hour), end=at(hour + 1), verdict=verdict, severity=severity, **{**whole, **given}
    )


@dataclass
class Simulation:
    """Steps, saves, restarts and delivers."""

    sinks: tuple[SinkPlan, ...] = (SinkPlan("chat"),)
    url: str = field(default_factory=databases.fresh)
    store: Store = field(init=False)
    told: list[tuple[str, Notification]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = open_store(self.url)

    def feed(self, *facts: Fact, hour: float | None = None) -> Step:
        """One transaction: the step, what it changed, and its messages; then everything due is
        delivered.
        """
        now = at(hour) if hour is not None else max((one.end for one in facts), default=START)
        with self.store.write() as connection:
            done = step(load_alerting_state(connection, "churn"), facts, now)
            save_step(connection, done)
            for change in done.changes:
                enqueue(connection, change, self.sinks, now)
        self.steps.append(done)
        self.deliver(now)
        return done

    def deliver(self, now: datetime) -> None:
        for plan in self.sinks:
            while True:
                with self.store.write() as connection:
                    claimed = outbox.claim_next(connection, plan.name, now)
                    if claimed is None:
                        break
                    outbox.mark_sent(connection, claimed.id, now)
                self.told.append((plan.name, claimed.notification))

    def restart(self) -> None:
        """The agent stops and starts again on the same file."""
        self.store.close()
        self.store = open_store(self.url)
        with self.store.write() as connection:
            outbox.recover_unfinished(connection, START)

    @property
    def events(self) -> list[str]:
        return [told.event.value for _, told in self.told]
