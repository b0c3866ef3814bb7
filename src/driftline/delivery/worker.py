"""One sink's worker: takes what is due from the outbox, sends it, and writes down what became of
it.

Refuses to send before it is written that it will be, to send two at a time, and to wait inside a
delivery for a better time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from sqlalchemy.engine import Connection

from driftline.contracts.context import Logger
from driftline.contracts.sink import Sink
from driftline.delivery.guard import Sending
from driftline.delivery.network.judge import LONGEST_PAUSE
from driftline.delivery.secrets import scrub
from driftline.state import outbox
from driftline.state.store import Store
from driftline.types.errors import OutcomeUnknown, Rejected, Retryable, Throttled
from driftline.types.notification import Notification
from driftline.types.phrasing import clean
from driftline.types.records import ClaimedMessage


class Outcome(StrEnum):
    """What became of one attempt."""

    SENT = "sent"
    RETRY = "retry"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"
    OVERDUE = "overdue"
    REFUSED = "refused"
    GAVE_UP = "gave up"


@dataclass(frozen=True, slots=True)
class Report:
    """One attempt, for announcements, counters and the alert about monitoring."""

    sink: str
    notification: Notification
    outcome: Outcome
    error: str
    """Empty when it was sent; never a secret."""
    attempts: int
    at: datetime

    @property
    def lost(self) -> bool:
        """Whether it is a dead letter now: somebody must be told by another way."""
        return self.outcome in (Outcome.REFUSED, Outcome.GAVE_UP)


@dataclass(frozen=True, slots=True)
class Policy:
    """How one sink is treated."""

    overdue: float = 30.0
    """Seconds after which a send is given up waiting for."""
    first_delay: timedelta = timedelta(seconds=5)
    longest_delay: timedelta = timedelta(hours=1)
    give_up: timedelta = timedelta(days=7)
    """After this time since it was written, the next failure makes a message a dead letter."""
    breaker: int = 5
    """Failures in a row after which the whole sink pauses."""


class SinkWorker:
    """Delivers to one sink. `deliver_due` is one step; `start` runs it in a thread until `stop`."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        store: Store,
        clock: Callable[[], datetime],
        rng: Random,
        report: Callable[[Report], None] = lambda report: None,
        log: Logger | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.name = name
        self.policy = policy or Policy()
        self.beat: datetime | None = None
        """When the loop last went round, for the health page."""
        self._sink = sink
        self._store = store
        self._clock = clock
        self._rng = rng
        self._report = report
        self._log = log
        self._pace = timedelta(seconds=sink.pace)
        self._last: datetime | None = None
        self._hanging: tuple[ClaimedMessage, Sending] | None = None
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def overdue(self) -> bool:
        """Whether a send hangs: nothing else is sent on top of it."""
        return self._hanging is not None

    def deliver_due(self, now: datetime) -> int:
        """Send what is due at `now`, as far as the sink's pace allows. Returns the number of
        attempts.
        """
        if not self._free(now):
            return 0
        due = self.next_due(now)
        if due is None or due > now:
            return 0
        attempts = 0
        while (
            self._last is None
            or not self._pace
            or now >= self._last + self._pace
            or now < self._last
        ):
            with self._store.write() as connection:
                claimed = outbox.claim_next(connection, self.name, now)
            if claimed is None:
                break
            self._last = now
            attempts += 1
            # No answer is trusted to mean that nothing happened, where looking tells.
            sending = Sending(
                self._sink, claimed.notification, claimed.created if claimed.attempts > 1 else None
            )
            if not sending.wait(self.policy.overdue):
                self._hanging = claimed, sending
                hung = OutcomeUnknown(f"no answer within {self.policy.overdue:g} s")
                self._settle(claimed, hung, now, overdue=True)
                break
            self._settle(claimed, sending.result(), now)
        return attempts

    def next_due(self, now: datetime) -> datetime | None:
        """When there is something to do again; None when nothing waits."""
        with self._store.read() as connection:
            due = outbox.find_next_due(connection, self.name)
        return due if due is None or self._last is None else max(due, self._last + self._pace)

    def start(self) -> None:
        """Deliver in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name=f"sink-{self.name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be something new."""
        self._idle.clear()
        self._wake.set()

    def drain(self, seconds: float) -> bool:
        """Wait until nothing is due, at most `seconds`; what waits for a later time doesn't count.
        Returns whether it came.
        """
        self.wake()
        return self._idle.wait(seconds)

    def stop(self, seconds: float = 10.0) -> bool:
        """Finish the message at hand, waiting at most `seconds`. Safe without start and twice.
        Returns whether it is finished.

        What is cut off stays `sending` in the outbox, which the next start reads as `unknown`.
        """
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(seconds)
            return not self._thread.is_alive()
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            now = self.beat = self._clock()
            wait = 30.0
            try:
                self.deliver_due(now)
                after = self._clock()
                due = self.next_due(after)
                wait = 30.0 if due is None else min(30.0, max(0.01, (due - after).total_seconds()))
                if self._hanging is not None:
                    wait = 1.0
                if (
                    due is None or due > after + self._pace or self._hanging is not None
                ) and not self._wake.is_set():
                    self._idle.set()
            except (
                Exception
            ) as error:  # the database may be busy or full: the loop must outlive that
                wait = 1.0
                if self._log is not None:
                    self._log.warning(
                        "delivery stumbled", sink=self.name, error=type(error).__name__
                    )
            self._wake.wait(wait)

    def _free(self, now: datetime) -> bool:
        """Whether no send hangs; one that has ended meanwhile is settled by what came of it."""
        if self._hanging is None:
            return True
        claimed, sending = self._hanging
        if not sending.wait(0):
            return False
        self._hanging = None
        self._settle(claimed, sending.result(), now)
        return True

    def _settle(
        self,
        claimed: ClaimedMessage,
        result: str | Exception | None,
        now: datetime,
        *,
        overdue: bool = False,
    ) -> None:
        outcome, error = Outcome.SENT, ""
        with self._store.write() as connection:
            if not isinstance(result, Exception):
                outbox.mark_sent(connection, claimed.id, now, scrub(str(result or ""), self._sink))
            else:
                error = clean(scrub(str(result) or type(result).__name__, self._sink), 400)
                if not isinstance(result, (Retryable, Rejected)):
                    error = f"{type(result).__name__}: {error}"
                outcome = _outcome(result, overdue)
                if isinstance(result, (Retryable, Rejected)) and result.not_before is not None:
                    outbox.pause_sink(
                        connection, self.name, min(result.not_before, now + LONGEST_PAUSE)
                    )
                if outcome is Outcome.REFUSED:
                    outbox.mark_refused(connection, claimed.id, now, error)
                elif now - claimed.created >= self.policy.give_up:
                    outcome, error = (
                        Outcome.GAVE_UP,
                        f"given up after {self.policy.give_up.days} days: {error}",
                    )
                    outbox.mark_refused(connection, claimed.id, now, error)
                else:
                    self._put_off(connection, claimed, result, now, error)
        if self._log is not None and outcome is not Outcome.SENT:
            self._log.warning(
                "not delivered",
                sink=self.name,
                outcome=outcome.value,
                error=error,
                incident=claimed.notification.incident,
            )
        try:
            self._report(
                Report(self.name, claimed.notification, outcome, error, claimed.attempts, now)
            )
        except Exception as broken:  # a listener that raises costs only itself
            if self._log is not None:
                self._log.warning(
                    "delivery report failed", sink=self.name, error=type(broken).__name__
                )

    def _put_off(
        self,
        connection: Connection,
        claimed: ClaimedMessage,
        error: Exception,
        now: datetime,
        text: str,
    ) -> None:
        until = now + self._delay(claimed.attempts)
        # An attempt that surely came to nothing says nothing of the one before it.
        unknown = (
            claimed.unknown or not isinstance(error, Retryable) or isinstance(error, OutcomeUnknown)
        )
        if isinstance(error, Throttled):
            until = min(error.not_before or until, now + LONGEST_PAUSE)
            outbox.pause_sink(connection, self.name, until)
        outbox.schedule_retry(
            connection,
            claimed.id,
            until,
            text,
            unknown=unknown,
            count_failure=not isinstance(error, Throttled),
        )
        failures = outbox.count_failures(connection, self.name)
        if failures >= self.policy.breaker:
            outbox.pause_sink(
                connection, self.name, now + self._delay(failures - self.policy.breaker + 3)
            )

    def _delay(self, attempts: int) -> timedelta:
        """Full jitter: anywhere up to a bound that doubles with each attempt, at least a second."""
        bound = min(self.policy.longest_delay, self.policy.first_delay * 2 ** min(attempts - 1, 20))
        return timedelta(seconds=max(1.0, self._rng.uniform(0, bound.total_seconds())))


def _outcome(error: Exception, overdue: bool) -> Outcome:
    if overdue:
        return Outcome.OVERDUE
    if isinstance(error, Rejected):
        return Outcome.REFUSED
    if isinstance(error, Throttled):
        return Outcome.THROTTLED
    return (
        Outcome.RETRY
        if isinstance(error, Retryable) and not isinstance(error, OutcomeUnknown)
        else Outcome.UNKNOWN
    )
