from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import databases
import pytest
from facts import altered
from simulation import HOUR, Simulation, at, fact

from driftline import Severity, Verdict
from driftline.alerting import AlertingState, Fact, retire, step
from driftline.state import outbox
from driftline.state.incident_store import SinkPlan, load_alerting_state
from driftline.types.incident import Reason

pytestmark = pytest.mark.postgres


def changes(sim: Simulation) -> list[tuple[str, str]]:
    return [
        (change.event.value, change.reason.text) for done in sim.steps for change in done.changes
    ]


def test_columns_of_one_window_are_one_incident():
    """Three columns that drift in one window are one message, and it names the most telling
    first.
    """
    sim = Simulation()
    sim.feed(fact(0, "age"), fact(0, "plan", value=6.1), fact(0, "city", value=0.3))
    assert sim.events == ["opened"]
    told = sim.told[0][1]
    assert [alert.labels["column"] for alert in told.alerts] == ["plan", "age", "city"]
    assert "churn: all 3 columns changed since Fri 20 Nov 00:00 UTC: “plan” PSI 6.1" in told.title


def test_only_news_is_told():
    """A window that goes on as before tells nothing; a new column, more severity and the end do."""
    sim = Simulation()
    sim.feed(fact(0))
    sim.feed(fact(1))
    sim.feed(fact(2), fact(2, "plan"))
    sim.feed(fact(3, severity=Severity.CRITICAL), fact(3, "plan"))
    sim.feed(fact(4), fact(4, "plan"))
    sim.feed(fact(5, verdict="ok"), fact(5, "plan"))
    sim.feed(fact(6, verdict="ok"), fact(6, "plan", "ok"))
    expected = [
        ("opened", "first alert"),
        ("updated", "more alerts"),
        ("updated", "more severe"),
        ("resolved", "this incident is over"),
    ]
    assert expected == changes(sim)
    last = sim.told[-1][1]
    assert (at(0), at(6)) == (last.since, last.resolved_at)
    assert len({told.incident for _, told in sim.told}) == 1
    assert [told.revision for _, told in sim.told] == [1, 2, 3, 4]


def test_a_column_that_comes_and_goes_is_told_once():
    """An alert that joined before and joins again in the same incident is no news."""
    sim = Simulation()
    for hour in range(8):
        sim.feed(fact(hour), fact(hour, "plan", "changed" if hour % 2 else "ok"))
    assert sim.events == ["opened", "updated"]


def test_what_began_together_is_one_incident_whatever_its_family():
    """Broken data, the drift that it makes and what it costs are one message, broken data first;
    silence is another.
    """
    sim = Simulation()
    unit = {
        "cause": "quality",
        "check": "units",
        "measurement": "unit_change",
        "reason": "values look ×60",
        "value": 60.0,
    }
    silent = {
        "cause": "service",
        "check": "volume",
        "measurement": "rows_ratio",
        "labels": (),
        "reason": "below 0.5",
    }
    sim.feed(fact(0), fact(0, **unit), fact(0, **silent))
    sim.feed(
        fact(1),
        fact(1, **unit),
        fact(1, cause="performance", check="quality", measurement="drop", labels=()),
    )
    assert sim.events == ["opened", "opened", "updated"]
    service, model = (told for _, told in sim.told[:2])
    assert (model.cause, [alert.cause for alert in model.alerts]) == (
        "quality",
        ["quality", "drift"],
    )
    assert service.cause == "service"
    worse = sim.told[2][1]
    assert (worse.incident, [alert.cause for alert in worse.alerts]) == (
        model.incident,
        ["quality", "performance", "drift"],
    )
    assert (
        worse.title == "churn: also drop is 0.6, above the limit of 0.25 since Fri 20 Nov 01:00 UTC"
    )
    for hour in (2, 3):
        sim.feed(
            *(
                altered(one, verdict=Verdict.OK, severity=None)
                for one in (fact(hour), fact(hour, **unit))
            )
        )
        sim.feed(
            fact(
                hour, "x", "ok", cause="performance", check="quality", measurement="drop", labels=()
            )
        )
    assert sim.told[-1][1].title.startswith("churn: back to normal after 2 h: “age”, drop")


def test_late_data_takes_back_and_brings_back():
    """A revision that shows no change ends the incident with that reason; a further one brings it
    back.
    """
    sim = Simulation()
    sim.feed(fact(0, revision=1))
    sim.feed(fact(0, verdict="ok", revision=2), hour=3)
    sim.feed(fact(0, revision=3), hour=5)
    assert [
        ("opened", "first alert"),
        ("resolved", Reason.LATE_DATA.text),
        ("reopened", "came back"),
    ] == changes(sim)
    assert len({told.incident for _, told in sim.told}) == 1


def test_no_data_is_an_incident_of_the_service():
    """Windows without rows fire as such and resolve when rows come back."""

    def rows(hour: int, value: float) -> Fact:
        lacking = "ok" if value else "changed"
        given = {
            "cause": "service",
            "check": "volume",
            "measurement": "rows_ratio",
            "labels": (),
            "rows": int(value),
        }
        return fact(
            hour,
            verdict=lacking,
            value=value,
            detail={"rows": value, "rows_expected": 1000},
            **given,
        )

    sim = Simulation()
    for hour, value in enumerate([1000, 0, 0, 990]):
        sim.feed(rows(hour, value))
    assert sim.events == ["opened", "resolved"]
    assert (
        sim.told[0][1].title
        == "churn: no rows in the newest window (usually about 1,000) since Fri 20 Nov 01:00 UTC"
    )


def test_facts_in_one_call_or_in_many_are_the_same():
    """A backlog of windows in one step gives the changes and state of one step a window, whatever
    the order in the call.
    """
    facts = [
        fact(hour, column, "changed" if hour in (2, 3, 4) else "ok")
        for hour in range(8)
        for column in ("a", "b")
    ]
    one_by_one, told = AlertingState(), []
    for hour in range(8):
        done = step(one_by_one, [one for one in facts if one.start == at(hour)], at(hour))
        one_by_one, told = done.state, told + list(done.changes)
    at_once = step(AlertingState(), facts[::-1], at(99))
    assert (one_by_one, told) == (at_once.state, list(at_once.changes))


def test_what_is_no_longer_watched_ends():
    """A check that was taken out of the configuration keeps no incident open."""
    opened = step(AlertingState(), [fact(0), fact(0, cause="service")], at(1))
    done = retire(opened.state, lambda alert: alert.cause == "drift", at(2))
    assert [(change.reason, change.incident.cause) for change in done.changes] == [
        (Reason.RETIRED, "drift")
    ]
    assert [alert.cause for alert in done.state.alerts.values()] == ["service"]
    assert list(done.alerts.values()) == [None]


def test_seventy_two_hours_with_a_restart():
    """Three days of hourly windows: pending, firing, update, resolve, late data, no data, and a
    restart amid the incident.
    """
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        sim = Simulation(
            url=databases.of(Path(folder)),
            sinks=(SinkPlan("chat"), SinkPlan("pager", Severity.CRITICAL)),
        )
        for hour in range(72):
            worse = Severity.CRITICAL if 30 <= hour < 34 else Severity.WARNING
            drifting = 24 <= hour < 40
            sim.feed(
                fact(
                    hour,
                    "age",
                    "changed" if drifting else "ok",
                    for_windows=2,
                    severity=worse if drifting else None,
                ),
                fact(hour, "plan", "changed" if 28 <= hour < 38 else "ok", for_windows=2),
                fact(
                    hour,
                    "volume",
                    "changed" if 50 <= hour < 53 else "ok",
                    cause="service",
                    check="volume",
                    labels=(),
                ),
            )
            if hour == 32:
                before = [len(sim.told), sim.steps[-1].state]
                sim.restart()
                with sim.store.read() as connection:
                    assert before[1] == load_alerting_state(connection, "churn")
                sim.feed(hour=32.5)
                assert before[0] == len(sim.told)
            if hour == 60:
                sim.feed(
                    fact(
                        51, "volume", "ok", cause="service", check="volume", labels=(), revision=1
                    ),
                    hour=60,
                )
        drift = [
            (sink, told.event.value, told.window[0])
            for sink, told in sim.told
            if told.cause == "drift"
        ]
        assert [
            ("chat", "opened", at(25)),
            ("chat", "updated", at(29)),
            ("chat", "updated", at(30)),
            ("pager", "updated", at(30)),
            ("chat", "updated", at(36)),
            ("pager", "updated", at(36)),
            ("chat", "resolved", at(40)),
            ("pager", "resolved", at(40)),
        ] == drift
        assert [told.event.value for _, told in sim.told if told.cause == "service"] == [
            "opened",
            "resolved",
        ]
        before = [told.sent_before for _, told in sim.told if told.cause == "drift"]
        assert before == [False, True, True, False, True, True, True, True]
        with sim.store.read() as connection:
            counted = {
                name: dict(status.counts)
                for name, status in outbox.load_sink_status(connection).items()
            }
        assert counted == {"chat": {"sent": 7}, "pager": {"sent": 3}}
        sim.store.close()


def test_a_quiet_hour_of_many_columns_is_quick():
    """A thousand quiet columns leave nothing behind: no alert, no row."""
    done = step(AlertingState(), [fact(0, f"c{number}", "ok") for number in range(1000)], at(1))
    assert ({}, (), AlertingState()) == (done.alerts, done.changes, done.state)


def test_many_alerts_are_bounded_in_a_message():
    """Of 300 columns 50 are told one by one, and the number of all is said."""
    told = (
        step(AlertingState(), [fact(0, f"c{number}") for number in range(300)], at(1))
        .changes[0]
        .notification
    )
    assert (len(told.alerts), told.facts["alerts in all"]) == (50, "300")
    assert "all 300 columns changed" in told.title
    assert len(told.title) <= 150


@pytest.mark.parametrize("cause", ["drift", "quality", "service", "performance", "monitoring"])
@pytest.mark.parametrize(
    "name", ["x" * 5000, "a\nb\x1b[31m", "<!channel>", "", "\ud800", "‮evil", "🦆" * 300]
)
def test_hostile_names_make_tame_titles(cause, name):
    """Whatever a model, column, check or reason is called, the title is one line of at most 150
    characters.
    """
    given = {
        "labels": (("column", name),),
        "model": name or "m",
        "check": name,
        "reason": name,
        "detail": {name: name},
    }
    state = AlertingState()
    for hour, verdict in enumerate(["changed", "ok"]):
        done = step(state, [altered(fact(hour, verdict=verdict, cause=cause), **given)], at(hour))
        state = done.state
        title = done.changes[0].notification.title
        assert 0 < len(title) <= 150
        assert title.isprintable()
        done.changes[0].notification.model_dump_json()


def test_ids_are_the_same_everywhere():
    """An incident's name depends on its model, cause, begin and number only, not on when it was
    computed.
    """
    one = step(AlertingState(), [fact(0)], at(1)).changes[0]
    later = step(AlertingState(), [fact(0)], at(900)).changes[0]
    assert one == later
    assert one.incident.id == "inc_48e66833ff026600"


def test_monitoring_facts_are_folded_by_tick():
    """Trouble of the agent fires at once and resolves at the first tick without it."""

    def tick(minute: int, verdict: str) -> Fact:
        given = {"cause": "monitoring", "check": "source", "measurement": "source", "labels": ()}
        moment = at(0) + timedelta(minutes=minute)
        return replace(
            fact(0, verdict=verdict, reason="bucket can't be listed", **given),
            start=moment,
            end=moment,
        )

    sim = Simulation()
    for minute, verdict in enumerate(["ok", "changed", "changed", "ok", "ok"]):
        sim.feed(tick(minute, verdict))
    assert sim.events == ["opened", "resolved"]
    assert (
        sim.told[0][1].title == "churn: source: bucket can't be listed since Fri 20 Nov 00:01 UTC"
    )
    assert sim.steps[1].changes[0].at == at(0) + HOUR / 60


@pytest.mark.parametrize("usual", [2, 20], ids=["remembered", "no longer remembered"])
def test_the_end_says_what_it_was_at_its_worst(usual):
    """The last windows of a change are as usual already: it takes several to prove the end."""
    sim = Simulation()
    rates = [0.4, 0.6, 0.5] + [0.21] * usual + [0.2]
    for hour, rate in enumerate(rates):
        sim.feed(
            fact(
                hour,
                verdict="changed" if hour < len(rates) - 1 else "ok",
                measurement="category_share",
                labels=(("category", "gold"), ("column", "plan")),
                unit="share",
                value=rate,
                was=0.2,
            )
        )
    event, last = sim.told[-1][1].event, sim.told[-1][1].title
    assert event == "resolved"
    assert "“value gold of plan” is back to normal: it was in 60% of rows (usually 20%)" in last
