"""A change found late, in a window older than quiet ones that left no trace."""

from typing import Any

import databases
import msgspec
import pytest
import sqlalchemy as sa
from simulation import at, fact

from driftline import Measurement, Severity
from driftline.alerting import AlertingState, step
from driftline.alerting.hold_back import hold_back
from driftline.alerting.silencing import Silencing
from driftline.state import measurements, tables
from driftline.state.factory import open_store
from driftline.state.incident_store import load_alerting_state, load_later_facts, save_step
from driftline.state.measurement_dictionaries import OpenDictionary
from driftline.state.measurement_reader import Selection, read_measurements
from driftline.types.alert import AlertState
from driftline.types.model import Bound, BoundSide, Judgement, Verdict
from driftline.types.records import JudgedMeasurement, WindowKey
from driftline.types.times import as_micros

pytestmark = pytest.mark.postgres


def store_with(verdicts: dict[int, str]):
    """A database in which `age` was judged so in these windows."""
    store = open_store(databases.fresh())
    with store.write() as connection:
        for hour, verdict in verdicts.items():
            severity = Severity.WARNING.value if verdict == "changed" else ""
            number = Measurement(
                0.6 if severity else 0.02,
                {"column": "age"},
                name="psi",
                interval=(0.01, 0.03),
                detail={"mean": 4.0},
            )
            judgement = Judgement(
                verdict=Verdict(verdict),
                severity=Severity(severity) if severity else None,
                reason="above 0.25" if severity else "",
                bound=Bound(BoundSide.ABOVE, 0.25) if severity else None,
            )
            row = JudgedMeasurement(
                check="drift", measurement=number, judgement=judgement, rows=1000
            )
            measurements.replace_measurements(
                connection, WindowKey("churn", as_micros(at(hour)), "", ""), 1, [row], None
            )
    return store


def test_a_change_that_is_over_is_told_with_its_end():
    """Window 0 turns out changed after 1 and 2 were quiet: it is told, and its end at once."""
    store = store_with({1: "ok", 2: "ok"})
    late = fact(0)
    with store.read() as connection:
        after = load_later_facts(connection, [late])
    assert [at(1), at(2)] == [one.start for one in after]
    done = step(AlertingState(), [late, *after], at(5))
    assert [change.event.value for change in done.changes] == ["opened", "resolved"]
    assert done.changes[1].notification.resolved_at == at(1)


def test_the_bound_of_a_later_window_is_the_stored_one():
    """The columns say it, whatever the sentence; rows of earlier versions have only that."""
    store = store_with({1: "changed", 2: "ok", 3: "changed"})
    with store.write() as connection:
        dictionary = OpenDictionary.load(connection, "churn")
        for row in read_measurements(connection, Selection(model="churn")):
            changes: dict[str, Any] = {"reason": "below 7"}
            if row.start == as_micros(at(3)):
                changes |= {"bound_side": None, "bound_value": None}
            key = WindowKey(row.model, row.start, row.version, row.segment)
            earlier = msgspec.structs.replace(row, **changes)
            measurements.write_block(connection, key, [earlier], dictionary)
    with store.read() as connection:
        later = load_later_facts(connection, [fact(0)])
    store.close()
    bounds = [one.judged.judgement.bound for one in later]
    assert bounds == [Bound(BoundSide.ABOVE, 0.25), None, Bound(BoundSide.BELOW, 7.0)]


def test_quiet_windows_break_a_run():
    """With `for: 2`, changed windows 0 and 2 around a quiet one don't fire."""
    store = store_with({1: "ok"})
    with store.read() as connection:
        state = step(
            AlertingState(),
            [fact(0, for_windows=2), *load_later_facts(connection, [fact(0, for_windows=2)])],
            at(3),
        ).state
    done = step(state, [fact(2, for_windows=2)], at(3))
    assert (done.changes, [alert.phase.state for alert in done.state.alerts.values()]) == (
        (),
        [AlertState.PENDING],
    )


def test_what_came_in_time_costs_no_look():
    """The newest window has nothing after it, and unsure windows say nothing."""
    store = store_with({0: "ok", 1: "unsure"})
    with store.read() as connection:
        assert load_later_facts(connection, [fact(1), fact(0)]) == []
        assert load_later_facts(connection, [fact(0, "other"), fact(0, verdict="ok")]) == []


@pytest.mark.parametrize(
    ("late_hours", "severity"),
    [((0,), Severity.WARNING), ((0, 1, 2), Severity.CRITICAL), ((0, 400), Severity.WARNING)],
    ids=["one window", "three critical windows", "two changes"],
)
def test_an_old_change_that_can_no_longer_come_back_stays_over(late_hours, severity):
    """A late file shows changes in old windows, which are long over. They are told with their end,
    and the next change is another incident: the state can be stored.
    """
    store = open_store(databases.fresh())
    quiet = [hour for hour in (*range(20), *range(390, 410), 900) if hour not in late_hours]
    silencing = Silencing(max_pages=1)
    told = []
    steps = [
        [fact(hour, severity=severity) for hour in late_hours]
        + [fact(hour, verdict="ok") for hour in quiet],
        [fact(901, severity=severity)],
        [fact(902, severity=severity), fact(902, "income", severity=severity)],
        [fact(hour, name, verdict="ok") for hour in range(903, 910) for name in ("age", "income")],
    ]
    for facts in steps:
        now = at(1000)
        with store.write() as connection:
            done = hold_back(
                step(load_alerting_state(connection, "churn"), facts, now), silencing, now
            )
            save_step(connection, done)
        told += [change for change in done.changes if change.incident.cause != "digest"]
    events = [change.event.value for change in told]
    openings = events.count("opened") + events.count("reopened")
    assert openings == (2 if len(set(late_hours)) != 2 else 3)
    assert events.count("resolved") == openings
    with store.read() as connection:
        states = connection.execute(sa.select(tables.incidents.c.state)).scalars().all()
    assert set(states) == {"resolved"}
