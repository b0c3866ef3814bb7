import databases
import pytest
from messages import DAY, HOUR, NOW, SECOND, tell
from sqlalchemy import update

from driftline import Severity
from driftline.state import outbox
from driftline.state.factory import open_store
from driftline.state.incident_store import SinkPlan
from driftline.state.store import Store
from driftline.state.tables import outbox as rows

pytestmark = [pytest.mark.postgres, pytest.mark.system]


@pytest.fixture
def store():
    made = open_store(databases.fresh())
    yield made
    made.close()


def take(store: Store, now=NOW, sink="chat"):
    with store.write() as connection:
        return outbox.claim_next(connection, sink, now)


def settle(store: Store, how, *given, **named):
    with store.write() as connection:
        return how(connection, *given, **named)


def states(store: Store) -> dict[str, int]:
    with store.read() as connection:
        return dict(outbox.load_sink_status(connection)["chat"].counts)


def test_order_within_an_incident(store):
    """The second message of an incident waits for the first; another incident does not."""
    tell(store, "a", "opened", "resolved")
    tell(store, "b", "opened")
    first = take(store)
    assert (first.notification.model, first.notification.event.value) == ("a", "opened")
    assert take(store).notification.model == "b"
    assert take(store) is None
    settle(store, outbox.mark_sent, first.id, NOW)
    assert take(store).notification.event.value == "resolved"


def test_what_was_sending_at_a_crash_is_unknown_and_sent_again(store):
    """A row whose bytes may have left is tried again under the same id, and nothing of its incident
    overtakes it.
    """
    tell(store, "a", "opened", "resolved")
    first = take(store)
    assert settle(store, outbox.recover_unfinished, NOW) == 1
    again = take(store)
    assert (first.id, first.notification) == (again.id, again.notification)
    assert again.attempts == 2


def test_changes_give_way_to_the_newest(store):
    """Of three undelivered changes only the newest goes out; opening and end always do."""
    tell(store, "a", "opened", "updated", "updated", "updated")
    settle(store, outbox.mark_sent, take(store).id, NOW)
    assert take(store).notification.revision == 4
    assert states(store) == {"sent": 1, "sending": 1, "superseded": 2}


def test_an_opening_never_tried_is_not_superseded(store):
    """An incident that began and ended before anything was sent is still told from its
    beginning.
    """
    tell(store, "a", "opened", "updated", "resolved")
    told = []
    while (claimed := take(store)) is not None:
        told.append((claimed.notification.event.value, claimed.notification.sent_before))
        settle(store, outbox.mark_sent, claimed.id, NOW)
    assert told == [("opened", False), ("resolved", True)]


def test_an_opening_that_failed_is_folded_into_the_end(store):
    """A sink that was down from opening to end gets one message, which says that it is the
    first.
    """
    tell(store, "a", "opened", "updated", "resolved")
    settle(store, outbox.schedule_retry, take(store).id, NOW + SECOND, "down", unknown=False)
    last = take(store, NOW + SECOND)
    assert (last.notification.event.value, last.notification.sent_before) == ("resolved", False)


def test_an_opening_of_unknown_outcome_is_not_folded(store):
    """What may have arrived is repeated, not replaced."""
    tell(store, "a", "opened", "resolved")
    settle(store, outbox.schedule_retry, take(store).id, NOW, "reset", unknown=True)
    assert take(store).notification.event.value == "opened"


def test_with_a_sink_known_to_be_down_untried_openings_are_folded_too(store):
    """After a day's outage each incident that is over is one message, also those never tried."""
    for name in "abcdef":
        tell(store, name, "opened", "resolved")
    for _ in range(3):
        settle(store, outbox.schedule_retry, take(store).id, NOW + DAY, "down", unknown=False)
    told = []
    while (claimed := take(store, NOW + DAY)) is not None:
        settle(store, outbox.mark_sent, claimed.id, NOW + DAY)
        told.append((claimed.notification.model, claimed.notification.event.value))
    assert [(name, "resolved") for name in "abcdef"] == sorted(told)


def test_a_pause_holds_the_whole_sink_and_survives_a_restart(tmp_path):
    """Before the time a receiver named nothing is claimed, also after the agent started anew."""
    store = open_store(databases.of(tmp_path))
    tell(store, "a", "opened")
    tell(store, "b", "opened")
    settle(store, outbox.pause_sink, "chat", NOW + HOUR)
    store.close()
    store = open_store(databases.of(tmp_path))
    assert take(store, NOW + HOUR - SECOND) is None
    with store.read() as connection:
        assert outbox.find_next_due(connection, "chat") == NOW + HOUR
    assert take(store, NOW + HOUR) is not None
    store.close()


def test_dead_letters_are_listed_and_armed_again(store):
    """A refused message keeps its reason, is listed, and goes out once more when asked for."""
    tell(store, "a", "opened")
    claimed = take(store)
    settle(store, outbox.mark_refused, claimed.id, NOW, "HTTP 404")
    with store.read() as connection:
        [letter] = outbox.list_dead_letters(connection)
    assert (letter.sink, letter.error, letter.attempts, letter.finished_at) == (
        "chat",
        "HTTP 404",
        1,
        NOW,
    )
    assert letter.title.startswith("a: “a1”: ")
    assert settle(store, outbox.rearm_dead_letter, claimed.id, NOW)
    assert take(store).id == claimed.id
    assert not settle(store, outbox.rearm_dead_letter, claimed.id, NOW)


def test_a_dead_opening_is_not_sent_after_its_end(store):
    """A trigger must never follow its resolve."""
    tell(store, "a", "opened", "resolved")
    opened = take(store)
    settle(store, outbox.mark_refused, opened.id, NOW, "HTTP 400")
    ended = take(store)
    settle(store, outbox.mark_sent, ended.id, NOW)
    assert not settle(store, outbox.rearm_dead_letter, opened.id, NOW)
    assert take(store) is None


def test_an_unreadable_row_is_a_dead_letter_and_blocks_nobody(store):
    """A damaged payload is set aside, and the next message goes out in the same call."""
    tell(store, "a", "opened")
    with store.write() as connection:
        connection.execute(update(rows).values(payload="{"))
    tell(store, "b", "opened")
    assert take(store).notification.model == "b"
    with store.read() as connection:
        assert outbox.list_dead_letters(connection)[0].title == "(unreadable)"


def test_severity_decides_who_hears_when(store):
    """A sink for critical incidents hears nothing of a warning, not even its end."""
    plans = (SinkPlan("chat"), SinkPlan("pager", Severity.CRITICAL))
    tell(store, "a", "opened", "updated", "resolved", plans=plans)
    with store.read() as connection:
        assert list(outbox.load_sink_status(connection)) == ["chat"]


def test_a_sink_without_updates_hears_begin_and_end(store):
    """More columns are no news for a sink that declared so."""
    tell(
        store,
        "a",
        "opened",
        "updated",
        "updated",
        "resolved",
        plans=(SinkPlan("chat", updates=False),),
    )
    assert states(store) == {"pending": 2}


def test_ids_are_stable_and_differ_by_sink(store):
    """The key of a message is the same in any database, and another for each sink and message."""
    plans = (SinkPlan("chat"), SinkPlan("mail"))
    other = open_store(databases.fresh())
    for each in (store, other):
        tell(each, "a", "opened", "resolved", plans=plans)
    found = []
    for each in (store, other):
        with each.read() as connection:
            found.append(
                sorted(connection.execute(rows.select().with_only_columns(rows.c.id)).scalars())
            )
    assert found[0] == found[1]
    assert len(set(found[0])) == 4
    assert not any("." in id for id in found[0])
    other.close()


def test_ten_thousand_waiting_messages_are_claimed_quickly(store):
    """Claiming one takes a bounded number of steps for each message that waits."""
    tell(store, "a", "opened")
    with store.write() as connection:
        payload = connection.execute(rows.select()).mappings().one()["payload"]
        many = [
            {"id": f"i{n}", "sink": "chat", "incident": f"inc{n}", "revision": 1, "event": "opened", "payload": payload,
             "state": "pending", "created": n, "not_before": 0}
            for n in range(10_000)
        ]  # fmt: skip
        connection.execute(rows.insert(), many)
    steps = count_steps(store)
    assert take(store).id == "i0"
    assert sum(steps) < 1_000_000, "at most a hundred steps for each row, not rows times rows"


def count_steps(store) -> list[int]:
    """Count the steps of the virtual machine of SQLite from now on; nothing on PostgreSQL."""
    steps: list[int] = []
    with store.engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        if connection.dialect.name == "sqlite":
            raw.set_progress_handler(lambda: steps.append(1000), 1000)
    return steps
