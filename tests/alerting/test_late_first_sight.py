"""A change found late, in a window older than quiet ones that left no trace."""

import databases
import pytest
from simulation import at, fact

from driftline import Measurement, Severity
from driftline.alerting import AlertingState, step
from driftline.state import measurements
from driftline.state.factory import open_store
from driftline.state.incident_store import load_later_facts
from driftline.types.alert import AlertState
from driftline.types.model import Judgement, Verdict
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
