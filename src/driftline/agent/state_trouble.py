"""Trouble of the state itself: one line in the log, and one incident that needs no state.

The outbox is in the state, so these messages go straight to the sinks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from typing import Any

from driftline.alerting.fact import hash_parts, message_id
from driftline.types.family import Family
from driftline.types.model import Severity
from driftline.types.notification import AlertFact, Event, Notification
from driftline.types.phrasing import clean, duration

RETRY_SECONDS = 30.0
"""Between two attempts at a sink that did not take the message."""
TAKEOVER_SECONDS = 20.0
"""Shorter trouble of a shared state sends no message: another agent may have taken over."""
LAST_ATTEMPTS = 3
"""Attempts at the message that the trouble is over."""
QUIET_SECONDS = 10.0
"""Without a failure the trouble is over: a disk that is nearly full takes some writes."""

Deliver = Callable[[Notification, Callable[[str], bool]], set[str]]
"""Sends a message to the sinks whose names pass, and returns the names of those that took it."""


class StateTrouble:
    """Says that the state can't be used, and when it can be used again.

    One object outlives the agents of a process: a new one is made when the state is opened again.
    """

    def __init__(
        self, log: Any, clock: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self.deliver: Deliver | None = None
        """The sinks of the newest agent; None before the first one."""
        self._log, self._clock, self._monotonic = log, clock, monotonic
        self._lock = threading.Lock()
        self._failing: set[str] = set()
        self._last_failure = 0.0
        self._since: datetime | None = None
        self._reason = ""
        self._patience = 0.0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def use_sinks(self, deliver: Deliver, models: Collection[str], *, is_shared: bool) -> None:
        """Take the sinks and the models of a new agent; `is_shared` is said of its state."""
        with self._lock:
            self.deliver = deliver
            self._patience = TAKEOVER_SECONDS if is_shared else 0.0
            self._failing &= set(models)

    def note_failure(self, model: str, reason: str) -> None:
        """Note that the work for `model` had no effect because the state can't be used."""
        with self._lock:
            self._failing.add(model)
            self._last_failure = self._monotonic()
            is_new, self._reason = self._since is None, reason
            if not is_new:
                return
            since = self._since = self._clock()
            self._over = threading.Event()
        self._log.error(f"the state can't be used, nothing is judged: {reason}")
        if self.deliver is not None:
            self._thread = threading.Thread(
                target=self._tell,
                args=(model, reason, since, self._over),
                name="state-trouble",
                daemon=True,
            )
            self._thread.start()

    def note_commit(self, model: str) -> None:
        """Note that the work for `model` was committed."""
        with self._lock:
            if self._since is None:
                return
            self._failing.discard(model)
            if self._failing or self._monotonic() - self._last_failure < QUIET_SECONDS:
                return
            self._end()

    def note_leader(self) -> None:
        """Note that another agent works on the state: it can be used."""
        with self._lock:
            if self._since is not None:
                self._failing.clear()
                self._end()

    def wait(self, seconds: float) -> None:
        """Wait until the messages that are due have been tried once, at most `seconds`."""
        thread = self._thread
        if thread is not None and self._over.is_set():
            thread.join(seconds)

    def _end(self) -> None:
        assert self._since is not None
        spell = duration((self._clock() - self._since).total_seconds())
        self._since = None
        self._over.set()
        self._log.info(f"the state can be used again, after {spell}")

    def _tell(self, model: str, reason: str, since: datetime, over: threading.Event) -> None:
        """Send the opening until every sink took it, then the end to those that did."""
        if over.wait(self._patience):
            return
        with_opening: set[str] = set()
        opening = _make_message(model, reason, since, None)
        while True:
            with_opening |= self._send(opening, partial(_is_absent, frozenset(with_opening)))
            if over.wait(RETRY_SECONDS):
                break
        end = _make_message(model, reason, since, self._clock())
        with_end: set[str] = set()
        for _ in range(LAST_ATTEMPTS):
            with_end |= self._send(end, (with_opening - with_end).__contains__)
            if with_end >= with_opening:
                return
            threading.Event().wait(RETRY_SECONDS)

    def _send(self, message: Notification, passes: Callable[[str], bool]) -> set[str]:
        deliver = self.deliver
        if deliver is None:
            return set()
        try:
            return deliver(message, passes)
        except Exception as error:
            self._log.warning("trouble of the state was not delivered", error=str(error))
            return set()


def _is_absent(names: frozenset[str], name: str) -> bool:
    return name not in names


def _make_message(model: str, reason: str, since: datetime, end: datetime | None) -> Notification:
    """Return the opening of the incident, or its end with `end`."""
    incident = f"state-{hash_parts(model, since.isoformat(), length=12)}"
    revision = 1 if end is None else 2
    text = clean(reason, 300)
    spell = duration(((end or since) - since).total_seconds())
    title = (
        f"{model}: the state can't be used, nothing is judged: {text}"
        if end is None
        else f"{model}: the state can be used again, after {spell}"
    )
    alert = AlertFact(
        check="state",
        measurement="state",
        cause=Family.MONITORING.value,
        state="firing" if end is None else "resolved",
        severity=Severity.CRITICAL,
        reason=text,
        since=since,
    )
    return Notification(
        id=message_id(incident, revision),
        incident=incident,
        revision=revision,
        event=Event.OPENED if end is None else Event.RESOLVED,
        model=model,
        cause=Family.MONITORING.value,
        severity=Severity.CRITICAL,
        title=title,
        since=since,
        alerts=(alert,),
        resolved_at=end,
        sent_before=end is not None,
        written_at=end or since,
    )
