import threading
from random import Random
from typing import ClassVar

import databases
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import DAY, HOUR, NOW, SECOND, Scripted, tell

from driftline import Notification, OutcomeUnknown, Rejected, Retryable, Secret, Sink, Throttled
from driftline.delivery.worker import DeliveryOutcome, DeliveryPolicy, SinkWorker
from driftline.state import outbox
from driftline.state.factory import open_store
from driftline.types.secret import Resolved

pytestmark = [pytest.mark.postgres, pytest.mark.system]


class Desk:
    """A store, a worker and a clock that moves when told."""

    def __init__(self, sink: Sink, url: str = "", **policy) -> None:
        self.store = open_store(url or databases.fresh())
        self.sink, self.reports, self.now = sink, [], NOW
        self.worker = SinkWorker(
            name="chat",
            sink=sink,
            store=self.store,
            clock=lambda: self.now,
            rng=Random(7),
            report=self.reports.append,
            policy=DeliveryPolicy(**policy),
        )

    def run(self, until, step=SECOND) -> None:
        """Deliver as the clock moves on, in steps or straight to what is due next."""
        while self.now <= until:
            self.worker.deliver_due(self.now)
            due = self.worker.next_due(self.now)
            if due is None:
                break
            self.now = max(self.now + step, due)

    @property
    def status(self):
        with self.store.read() as connection:
            return outbox.load_sink_status(connection)["chat"]

    @property
    def outcomes(self) -> list[str]:
        return [report.outcome.value for report in self.reports]


def test_delivers_in_order():
    """Everything due goes out in one call to a sink that sets no pace."""
    desk = Desk(Scripted.made())
    tell(desk.store, "a", "opened", "resolved")
    tell(desk.store, "b", "opened")
    assert desk.worker.deliver_due(NOW) == 3
    assert sorted(desk.sink.heard) == [("a", "opened"), ("a", "resolved"), ("b", "opened")]
    assert dict(desk.status.counts) == {"sent": 3}


def test_pace_is_kept():
    """A sink of one message a second gets one a second."""

    class Paced(Scripted):
        pace: ClassVar[float] = 1.0

    desk = Desk(Paced.made())
    for name in "abc":
        tell(desk.store, name, "opened")
    assert desk.worker.deliver_due(NOW) == 1
    assert desk.worker.deliver_due(NOW + SECOND / 2) == 0
    assert desk.worker.next_due(NOW) == NOW + SECOND
    assert desk.worker.deliver_due(NOW + SECOND) == 1


@pytest.mark.parametrize(
    ("error", "state", "outcome"),
    [
        (Retryable("down"), "pending", "retry"),
        (OutcomeUnknown("reset"), "unknown", "unknown"),
        (Throttled("slow"), "pending", "throttled"),
        (Rejected("no"), "refused", "refused"),
        (ZeroDivisionError("oops"), "unknown", "unknown"),
    ],
)
def test_each_failure_has_its_state(error, state, outcome):
    """What did not happen waits, what may have happened is unknown, what was refused is a dead
    letter, and a bug is unknown.
    """
    desk = Desk(Scripted.made(error))
    tell(desk.store, "a", "opened")
    desk.worker.deliver_due(NOW)
    assert {state: 1} == dict(desk.status.counts)
    assert [outcome] == desk.outcomes
    assert str(error) in desk.reports[0].error
    assert (state == "refused") == desk.reports[0].is_dead_letter


def test_back_off_grows_with_jitter():
    """The wait before each attempt stays below a bound that doubles up to an hour, and differs."""
    desk = Desk(Scripted.made(*[Retryable("down")] * 14), breaker=99)
    tell(desk.store, "a", "opened")
    waits = []
    for _ in range(14):
        desk.worker.deliver_due(desk.now)
        due = desk.worker.next_due(desk.now)
        waits.append((due - desk.now).total_seconds())
        desk.now = due
    assert all(1 <= wait <= min(3600, 5 * 2**turn) for turn, wait in enumerate(waits))
    assert len(set(waits)) > 10
    assert max(waits) > 600


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4000), st.booleans()), min_size=1, max_size=12))
def test_nothing_is_sent_before_the_time_a_receiver_named(pauses):
    """After a 429 no request of any incident goes out before its time, capped at an hour."""
    desk, sent_at, allowed = None, [], [NOW]

    class Receiver(Scripted):
        def send(self, notification: Notification) -> None:
            assert desk is not None
            sent_at.append(desk.now)
            assert desk.now >= allowed[-1]
            if pauses:
                seconds, named = pauses.pop()
                if named:
                    allowed.append(desk.now + min(seconds * SECOND, HOUR))
                raise Throttled("slow", desk.now + seconds * SECOND if named else None)

    desk = Desk(Receiver())
    for name in "abc":
        tell(desk.store, name, "opened")
    desk.run(NOW + 3 * DAY)
    assert dict(desk.status.counts) == {"sent": 3}


def test_the_breaker_opens_after_failures_in_a_row():
    """A dead sink is asked less and less often, whatever waits for it, and one success closes the
    circuit.
    """
    desk = Desk(Scripted.made(*[Retryable("down")] * 40))
    for number in range(30):
        tell(desk.store, f"m{number}", "opened")
    attempts = desk.worker.deliver_due(NOW)
    assert attempts == 5
    assert (desk.status.failures, desk.status.error) == (5, "down")
    assert desk.status.not_before > NOW
    desk.run(NOW + 2 * DAY)
    assert dict(desk.status.counts) == {"sent": 30}
    assert (desk.status.failures, desk.status.not_before, desk.status.error) == (0, None, "")


def test_after_a_day_down_one_message_an_incident():
    """Incidents that came and went while the sink was down are told in one message each."""
    desk = Desk(Scripted.made(*[Retryable("down")] * 500))
    for number in range(20):
        tell(desk.store, f"m{number}", "opened", "updated", "resolved")
    desk.run(NOW + DAY)
    desk.sink._script.clear()
    desk.run(desk.now + DAY)
    assert sorted((f"m{number}", "resolved") for number in range(20)) == sorted(desk.sink.heard)


def test_gives_up_after_a_stated_time():
    """A message that can't be delivered for a week is a dead letter, and somebody is told."""
    desk = Desk(Scripted.made(*[Retryable("down")] * 2000))
    tell(desk.store, "a", "opened")
    desk.run(NOW + 9 * DAY)
    assert dict(desk.status.counts) == {"refused": 1}
    last = desk.reports[-1]
    assert (last.outcome, last.is_dead_letter) == (DeliveryOutcome.GAVE_UP, True)
    assert last.at - NOW >= 7 * DAY
    assert last.error == "given up after 7 days: down"


def test_a_hanging_send_is_overdue_and_nothing_is_sent_on_top_of_it():
    """A sink that hangs costs its own messages only; when it returns after all, its message is
    sent.
    """
    go = threading.Event()
    desk = Desk(Scripted.made(lambda: go.wait(90)), overdue=0.05)
    tell(desk.store, "a", "opened")
    tell(desk.store, "b", "opened")
    assert desk.worker.deliver_due(NOW) == 1
    assert desk.worker.overdue
    assert dict(desk.status.counts) == {"unknown": 1, "pending": 1}
    assert desk.worker.deliver_due(NOW + HOUR) == 0
    _, sending = desk.worker._hanging
    go.set()
    assert sending.wait(90)
    desk.worker.deliver_due(NOW + 2 * HOUR)
    assert not desk.worker.overdue
    assert dict(desk.status.counts) == {"sent": 2}
    assert desk.outcomes == ["overdue", "sent", "sent"]


def test_secrets_are_in_no_record():
    """What a sink raises with its secrets in it is written down, told and logged without them."""

    class Leaky(Sink):
        type = "leaky"
        key: Secret
        headers: dict[str, Secret] = {}  # noqa: RUF012

        def send(self, notification: Notification) -> None:
            raise RuntimeError(f"bad key {self.key.reveal()} and {self.headers['a'].reveal()}")

    logged = []

    class Log:
        def info(self, event, **facts):
            logged.append(facts)

        warning = info

    hidden = [Resolved("canary-one", "${env:ONE}"), Resolved("canary-two", "${file:/two}")]
    desk = Desk(Leaky(key=hidden[0], headers={"a": hidden[1]}))
    desk.worker._log = Log()
    tell(desk.store, "a", "opened")
    desk.worker.deliver_due(NOW)
    assert "canary" not in f"{desk.reports[0].error} {desk.status.error} {logged}"
    assert "bad key ${env:ONE} and ${file:/two}" in desk.reports[0].error
    assert logged


def test_a_listener_that_raises_costs_only_itself():
    """The message is sent and settled all the same."""
    desk = Desk(Scripted.made())

    def broken(report):
        raise RuntimeError("listener")

    desk.worker._report = broken
    tell(desk.store, "a", "opened")
    desk.worker.deliver_due(NOW)
    assert dict(desk.status.counts) == {"sent": 1}


def test_killed_while_sending_is_sent_again_under_the_same_id():
    """At least once: what was under way at the crash goes out again with the same key, and its
    successor after it.
    """

    class Dies(Scripted):
        def send(self, notification: Notification) -> None:
            self._sent.append(notification)
            raise KeyboardInterrupt

    desk = Desk(Dies())
    tell(desk.store, "a", "opened", "resolved")
    with desk.store.write() as connection:
        claimed = outbox.claim_next(connection, "chat", NOW)
    desk.worker._sink.__class__ = Scripted
    with desk.store.write() as connection:
        assert outbox.recover_unfinished(connection, NOW) == 1
    desk.worker.deliver_due(NOW)
    assert desk.sink.heard == [("a", "opened"), ("a", "resolved")]
    assert claimed.id == desk.sink._sent[0].id


def test_the_thread_delivers_drains_and_stops(tmp_path):
    """Started, it sends what is written and woken for; stop is safe without start and twice."""
    desk = Desk(Scripted.made(), databases.of(tmp_path))
    idle = SinkWorker(
        name="other", sink=Scripted.made(), store=desk.store, clock=lambda: NOW, rng=Random(1)
    )
    assert idle.stop()
    assert idle.stop()
    desk.worker.start()
    for name in "abc":
        tell(desk.store, name, "opened")
    assert desk.worker.drain(90)
    assert len(desk.sink.heard) == 3
    assert desk.worker.stop(90)
    assert desk.worker.stop(90)
    assert desk.worker.beat == NOW
