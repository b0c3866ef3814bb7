from itertools import pairwise

import databases
import pytest
from facts import altered
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import Simulation, at, fact
from sqlalchemy import update

from driftline import Severity
from driftline.alerting import AlertingState, step
from driftline.alerting.observe import HORIZON
from driftline.state.factory import open_store
from driftline.state.incident_store import load_alerting_state, save_step
from driftline.state.tables import alerts, incidents

pytestmark = [pytest.mark.postgres, pytest.mark.system]

verdicts = st.sampled_from(["changed", "changed", "ok", "ok", "unsure", "error"])
severities = st.sampled_from(list(Severity))


@st.composite
def histories(draw):
    """Windows in order, some judged again later with a higher revision, over a few columns and two
    causes.
    """
    facts, revisions = [], {}
    needed, keep = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    for hour in range(draw(st.integers(1, 24))):
        again = draw(st.lists(st.integers(0, hour), max_size=1))
        for start in [*again, hour]:
            column = draw(st.sampled_from("ab"))
            cause = draw(st.sampled_from(["drift", "quality"]))
            revision = revisions[start, column, cause] = (
                revisions.get((start, column, cause), 0) + 1
            )
            verdict = draw(verdicts)
            severity = draw(severities) if verdict == "changed" else None
            facts.append(
                fact(
                    start,
                    column,
                    verdict,
                    cause=cause,
                    severity=severity,
                    revision=revision,
                    needed=needed,
                    keep=keep,
                )
            )
    return facts


def run(facts, state=None):
    """Each fact is a step of its own, with those of later windows where it came late, as `later`
    finds them.
    """
    told, known = [], {}
    state = state or AlertingState()
    for one in facts:
        series = known.setdefault(one.key, {})
        if one.revision >= series.get(one.start, one).revision:
            series[one.start] = one
        after = [
            series[start]
            for start in sorted(series)
            if start > one.start and series[start].verdict in ("ok", "changed")
        ]
        done = step(state, [one, *(after[:HORIZON] if one.verdict == "changed" else [])], at(0))
        state, told = done.state, told + list(done.changes)
    return state, told


@settings(max_examples=100, deadline=None)
@given(histories(), st.integers(1, 5))
def test_replay_and_redelivery_change_nothing(facts, times):
    """Facts told twice in a row, or all of them again from the beginning, give no new change."""
    state, told = run(facts)
    twice, told_twice = run([one for one in facts for _ in range(times)])
    assert (state, told) == (twice, told_twice)
    assert run(facts, state)[1] == []


@settings(max_examples=20, deadline=None)
@given(histories())
def test_the_store_gives_back_what_it_was_given(facts):
    """State after load(save(x)) equals x, after every step, and saved bytes are the same for the
    same facts.
    """
    with databases.opened() as store, databases.opened() as other:
        _give_back(facts, store, other)


def _give_back(facts, store, other):
    state = AlertingState()
    for one in facts:
        for each in (store, other):
            with each.write() as connection:
                done = step(load_alerting_state(connection, "churn"), [one], at(0))
                save_step(connection, done)
        state = step(state, [one], at(0)).state
        with store.read() as connection:
            assert state == load_alerting_state(connection, "churn")
    dumps = []
    for each in (store, other):
        with each.read() as connection:
            rows = [
                tuple(row)
                for table in (alerts, incidents)
                for row in connection.execute(table.select())
            ]
        dumps.append(sorted(map(str, rows)))
        each.close()
    assert dumps[0] == dumps[1]


@settings(max_examples=40, deadline=None)
@given(histories())
def test_events_of_an_incident_are_in_order(facts):
    """Each incident opens first and once, ends before it comes back and only then, and counts its
    messages from 1.
    """
    lives = {}
    for change in run(facts)[1]:
        lives.setdefault(change.incident.id, []).append(change)
    for life in lives.values():
        assert list(range(1, len(life) + 1)) == [change.incident.revision for change in life]
        events = [change.event.value for change in life]
        assert events[0] == "opened"
        assert "opened" not in events[1:]
        turns = [event for event in events if event in ("opened", "reopened", "resolved")]
        assert all((turn == "resolved") == bool(place % 2) for place, turn in enumerate(turns))
        assert all(after == "reopened" for event, after in pairwise(events) if event == "resolved")


def test_one_unreadable_row_costs_only_itself():
    """A damaged alert is left out and named; a damaged incident keeps its name and goes on; nobody
    is told twice.
    """
    sim = Simulation()
    sim.feed(fact(0, "a"), fact(0, "b"), fact(0, "c", cause="service"))
    with sim.store.write() as connection:
        first = connection.execute(alerts.select().order_by(alerts.c.key)).mappings().first()
        connection.execute(
            update(alerts).where(alerts.c.key == first["key"]).values(state='{"v":99}')
        )
        connection.execute(update(incidents).values(detail="garbage"))
        state = load_alerting_state(connection, "churn")
    assert (len(state.alerts), len(state.incidents), len(state.unreadable)) == (2, 2, 3)
    sim.feed(fact(1, "a"), fact(1, "b"), fact(1, "c", cause="service"))
    sim.feed(fact(2, "a", "ok"), fact(2, "b", "ok"), fact(2, "c", "ok", cause="service"))
    assert (sim.events.count("opened"), sim.events.count("resolved")) == (2, 2)


def test_a_newer_version_of_an_entry_is_not_guessed():
    """State that a later version wrote is reported, not misread."""
    store = open_store(databases.fresh())
    with store.write() as connection:
        save_step(
            connection,
            step(
                AlertingState(),
                [altered(fact(0), detail={"a": None, "b": 1, "c": 0.5, "d": "x"})],
                at(0),
            ),
        )
        connection.execute(update(alerts).values(state='{"v":2}'))
        assert [
            text.split(": ")[1] for text in load_alerting_state(connection, "churn").unreadable
        ] == ["expected version 1"]
