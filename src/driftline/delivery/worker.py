"""The worker of one sink: takes due messages from the outbox, sends them and writes the outcome.

It commits that it will send before it sends, sends one message at a time, and never sleeps within a
delivery.
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
from driftline.delivery.direct import mark_direct
from driftline.delivery.network.http_errors import LONGEST_PAUSE
from driftline.delivery.redaction import redact_secrets
from driftline.state import outbox
from driftline.state.store import Store
from driftline.types.errors import OutcomeUnknown, Rejected, Retryable, StateError, Throttled
from driftline.types.notification import Notification
from driftline.types.phrasing import clean
from driftline.types.records import ClaimedMessage


class DeliveryOutcome(StrEnum):
    """The outcome of one attempt."""

    SENT = "sent"
    RETRY = "retry"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"
    OVERDUE = "overdue"
    REFUSED = "refused"
    GAVE_UP = "gave up"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """One attempt, for announcements, counters and the alert about monitoring."""

    sink: str
    notification: Notification
    outcome: DeliveryOutcome
    error: str
    """Empty when it was sent; secrets are redacted."""
    summary: str = ""
    """What happened, for other receivers: without a word of this receiver's answer."""
    attempts: int
    at: datetime

    @property
    def is_dead_letter(self) -> bool:
        """Whether the message is a dead letter now: people must learn of it in another way."""
        return self.outcome in (DeliveryOutcome.REFUSED, DeliveryOutcome.GAVE_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """Timeouts, delays and limits of one sink."""

    overdue: float = 30.0
    """Seconds to wait for the end of a send."""
    first_delay: timedelta = timedelta(seconds=5)
    longest_delay: timedelta = timedelta(hours=1)
    give_up: timedelta = timedelta(days=7)
    """A message that fails later than this after it was written becomes a dead letter."""
    breaker: int = 5
    """Failures in a row after which the sink pauses."""


class SendThread:
    """One call of a sink in a thread, so that a sink that hangs holds up no other sink.

    Does not kill the thread: the caller decides how long it waits.
    """

    def __init__(
        self,
        sink: Sink,
        notification: Notification,
        since: datetime | None = None,
        *,
        is_direct: bool = False,
    ) -> None:
        """Start to send; `since` is given for a message that was tried before.

        A sink that can look for the message at its receiver looks first then. With `is_direct` the
        message does not come from the outbox.
        """
        self._done = threading.Event()
        self._result: str | Exception | None = None
        threading.Thread(
            target=self._send,
            args=(sink, notification, since, is_direct),
            name=f"send-{sink.type}",
            daemon=True,
        ).start()

    def wait(self, seconds: float) -> bool:
        """Whether the call ends within `seconds`."""
        return self._done.wait(seconds)

    def result(self) -> str | Exception | None:
        """The receiver's reference, or the exception that the sink raised."""
        return self._result

    def _send(
        self, sink: Sink, notification: Notification, since: datetime | None, is_direct: bool
    ) -> None:
        try:
            if is_direct:
                mark_direct()
            answer = None
            if since is not None and sink.repeat == "looks":
                answer = sink.find_delivered(notification, since)
            if answer is None:
                answer = sink.send(notification)
            self._result = answer if answer is None or isinstance(answer, str) else str(answer)
        except Exception as error:
            self._result = error
        except BaseException as error:
            self._result = RuntimeError(f"the sink raised {type(error).__name__}")
        finally:
            self._done.set()


class SinkWorker:
    """Delivers to one sink. `deliver_due` is one step; `start` runs it in a thread until `stop`."""

    def __init__(
        self,
        *,
        name: str,
        sink: Sink,
        store: Store,
        clock: Callable[[], datetime],
        rng: Random,
        scrub: Callable[[str], str] = lambda text: text,
        report: Callable[[DeliveryReport], None] = lambda report: None,
        log: Logger | None = None,
        policy: DeliveryPolicy | None = None,
        on_round: Callable[[str], None] = lambda failure: None,
    ) -> None:
        """`on_round` is called at each round of the thread, with why the last one failed.

        `scrub` takes secrets out of texts, beside those of the sink itself.
        """
        self.name = name
        self.policy = policy or DeliveryPolicy()
        self.beat: datetime | None = None
        """When the loop last showed progress, for the health page."""
        self._sink = sink
        self._store = store
        self._clock = clock
        self._rng = rng
        self._scrub = scrub
        self._report = report
        self._log = log
        self._on_round = on_round
        self._turn = threading.Lock()
        self._pace = timedelta(seconds=sink.pace)
        self._last: datetime | None = None
        self._hanging: tuple[ClaimedMessage, SendThread] | None = None
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def overdue(self) -> bool:
        """Whether a send hangs; no other message is sent until it ends."""
        return self._hanging is not None

    def deliver_due(self, now: datetime) -> int:
        """Send the messages that are due, at the sink's pace; return the number of attempts."""
        if not self._is_free(now):
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
                message = outbox.claim_next(connection, self.name, now)
            if message is None:
                break
            self._last = now
            attempts += 1
            # A failed attempt may have arrived all the same: a sink that can look checks it first.
            with self._turn:
                sending = SendThread(
                    self._sink,
                    message.notification,
                    message.created if message.attempts > 1 else None,
                )
                is_over = sending.wait(self.policy.overdue)
            if not is_over:
                self._hanging = message, sending
                timeout = OutcomeUnknown(f"no answer within {self.policy.overdue:g} s")
                self._write_outcome(message, timeout, now, overdue=True)
                break
            self._write_outcome(message, sending.result(), now)
        return attempts

    def send_directly(self, notification: Notification) -> str:
        """Send a message that is not in the outbox, once.

        Returns why it failed, without secrets; empty when it was sent.
        """
        with self._turn:
            if self._hanging is not None:
                return "an earlier send hangs"
            sending = SendThread(self._sink, notification, is_direct=True)
            if not sending.wait(self.policy.overdue):
                return f"no answer within {self.policy.overdue:g} s"
        result = sending.result()
        if not isinstance(result, Exception):
            return ""
        return self._describe(result)

    def next_due(self, now: datetime) -> datetime | None:
        """When the next message is due; None when no message waits."""
        with self._store.read() as connection:
            due = outbox.find_next_due(connection, self.name)
        if due is None or self._last is None or self._last > now:  # the clock was set back
            return due
        return max(due, self._last + self._pace)

    @property
    def is_alive(self) -> bool:
        """Whether the thread that delivers runs, or was not started yet."""
        return self._thread is None or self._thread.is_alive() or self._stopping.is_set()

    def start(self) -> None:
        """Start the thread that delivers."""
        self._thread = threading.Thread(target=self._run, name=f"sink-{self.name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Make the thread look for new messages now."""
        self._idle.clear()
        self._wake.set()

    def drain(self, seconds: float) -> bool:
        """Wait at most `seconds` until no message is due; return whether none is.

        Messages that are due later don't count.
        """
        self.wake()
        return self._idle.wait(seconds)

    def stop(self, seconds: float = 10.0) -> bool:
        """Stop after the current message; return whether it ended within `seconds`.

        A message that did not end stays `sending` in the outbox, and the next start reads it as
        `unknown`. Safe to call without `start` and twice.
        """
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(seconds)
            return not self._thread.is_alive()
        return True

    def _run(self) -> None:
        failure = ""
        while not self._stopping.is_set():
            self._wake.clear()
            now = self.beat = self._clock()
            self._on_round(failure)
            wait, failure = 30.0, ""
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
            except Exception as error:  # the database may be busy or full; the loop goes on
                wait = 1.0
                failure = f"deliver {self.name}: {error}"
                # The loops of the models say that the state can't be used.
                if self._log is not None and not isinstance(error, StateError):
                    self._log.warning(
                        "delivery stumbled", sink=self.name, error=type(error).__name__
                    )
            self._wake.wait(wait)

    def _is_free(self, now: datetime) -> bool:
        """Whether no send hangs; the outcome of one that has ended meanwhile is written."""
        if self._hanging is None:
            return True
        message, sending = self._hanging
        if not sending.wait(0):
            return False
        self._hanging = None
        self._write_outcome(message, sending.result(), now)
        return True

    def _write_outcome(
        self,
        message: ClaimedMessage,
        result: str | Exception | None,
        now: datetime,
        *,
        overdue: bool = False,
    ) -> None:
        outcome, error = DeliveryOutcome.SENT, ""
        with self._store.write() as connection:
            if not isinstance(result, Exception):
                outbox.mark_sent(connection, message.id, now, self._redact(str(result or "")))
            else:
                error = self._describe(result)
                if not isinstance(result, (Retryable, Rejected)):
                    error = f"{type(result).__name__}: {error}"
                outcome = _classify(result, overdue)
                if isinstance(result, (Retryable, Rejected)) and result.not_before is not None:
                    outbox.pause_sink(
                        connection, self.name, min(result.not_before, now + LONGEST_PAUSE)
                    )
                if outcome is DeliveryOutcome.REFUSED:
                    outbox.mark_refused(connection, message.id, now, error)
                elif now - message.created >= self.policy.give_up:
                    outcome, error = (
                        DeliveryOutcome.GAVE_UP,
                        f"given up after {self.policy.give_up.days} days: {error}",
                    )
                    outbox.mark_refused(connection, message.id, now, error)
                else:
                    self._put_off(connection, message, result, now, error)
        if self._log is not None and outcome is not DeliveryOutcome.SENT:
            self._log.warning(
                "not delivered",
                sink=self.name,
                outcome=outcome.value,
                error=error,
                incident=message.notification.incident,
            )
        try:
            self._report(
                DeliveryReport(
                    sink=self.name,
                    notification=message.notification,
                    outcome=outcome,
                    error=error,
                    summary=_summarise(result, outcome) if error else "",
                    attempts=message.attempts,
                    at=now,
                )
            )
        except Exception as failure:  # a listener that raises must not stop the worker
            if self._log is not None:
                self._log.warning(
                    "delivery report failed", sink=self.name, error=type(failure).__name__
                )

    def _redact(self, text: str) -> str:
        return self._scrub(redact_secrets(text, self._sink))

    def _describe(self, error: Exception) -> str:
        """The text of an error on one line; secrets are taken out before it is cut."""
        return clean(self._redact(str(error) or type(error).__name__), 400)

    def _put_off(
        self,
        connection: Connection,
        message: ClaimedMessage,
        error: Exception,
        now: datetime,
        text: str,
    ) -> None:
        failures = outbox.count_failures(connection, self.name) + 1
        until = now + self._delay(message.attempts)
        # An attempt that surely failed says nothing about the attempt before it.
        unknown = (
            message.unknown or not isinstance(error, Retryable) or isinstance(error, OutcomeUnknown)
        )
        if isinstance(error, Throttled):
            # A pause without a length is for all messages, so it grows with each of them.
            until = error.not_before or now + self._delay(max(message.attempts, failures))
            until = min(until, now + LONGEST_PAUSE)
            outbox.pause_sink(connection, self.name, until)
        outbox.schedule_retry(connection, message.id, until, text, unknown=unknown)
        if failures >= self.policy.breaker:
            outbox.pause_sink(
                connection, self.name, now + self._delay(failures - self.policy.breaker + 3)
            )

    def _delay(self, attempts: int) -> timedelta:
        """A random delay of half to all of a bound that doubles with each attempt."""
        longest = min(
            self.policy.longest_delay, self.policy.first_delay * 2 ** min(attempts - 1, 20)
        ).total_seconds()
        return timedelta(seconds=self._rng.uniform(longest / 2, longest))


def _summarise(result: str | Exception | None, outcome: DeliveryOutcome) -> str:
    """What happened, from the kind of the error: its text may quote the receiver's answer."""
    summary = result.summary if isinstance(result, (Rejected, Retryable)) else ""
    if summary:
        return summary
    if outcome is DeliveryOutcome.GAVE_UP:
        return "no attempt succeeded"
    if isinstance(result, Throttled):
        return "its receiver asks for a pause"
    if isinstance(result, Rejected):
        return "its receiver refused the message"
    if isinstance(result, OutcomeUnknown):
        return "its receiver gave no usable answer"
    if isinstance(result, Retryable):
        return "its receiver did not take the message"
    return f"it raised {type(result).__name__}"


def _classify(error: Exception, overdue: bool) -> DeliveryOutcome:
    if overdue:
        return DeliveryOutcome.OVERDUE
    if isinstance(error, Rejected):
        return DeliveryOutcome.REFUSED
    if isinstance(error, Throttled):
        return DeliveryOutcome.THROTTLED
    return (
        DeliveryOutcome.RETRY
        if isinstance(error, Retryable) and not isinstance(error, OutcomeUnknown)
        else DeliveryOutcome.UNKNOWN
    )
