"""What calls for an action and what doesn't, and what becomes of a run: approved, expired,
withdrawn, held back.
"""

from __future__ import annotations

from dataclasses import replace

import databases
import pytest
from action_scene import DAY, GO, HOUR, NOW, Desk

from driftline import Action, Order, Rejected, Request, Severity, Verdict
from driftline.alerting.actions_due import run_token
from driftline.state import action_runs, outbox
from driftline.state.factory import open_store
from driftline.testing import order
from driftline.types.errors import OutcomeUnknown
from driftline.types.phrasing import plugin_facts

pytestmark = pytest.mark.system


class Noted(Action):
    """Writes down what it is asked for."""

    type = "noted"

    def request(self, order: Order) -> Request:
        if "broken" in order.notification.title:
            raise Rejected("nothing fits")
        return Request("run", "/bin/true", order.fill("{model} {decision}"))

    def perform(self, request: Request) -> str:
        done.append(request)
        if script:
            raise script.pop(0)
        return "done"


done: list[Request] = []
script: list[Exception] = []


@pytest.fixture
def desk(tmp_path):
    done.clear()
    script.clear()
    return lambda **plan: Desk(
        open_store(databases.fresh()), Noted(), tmp_path, replace(GO, **plan)
    )


@pytest.mark.parametrize(
    ("plan", "given", "called"),
    [
        ({}, {}, True),
        ({"models": {"churn"}, "causes": {"performance"}, "checks": {"performance"}}, {}, True),
        ({"models": {"fraud"}}, {}, False),
        ({"causes": {"drift"}}, {}, False),
        ({"checks": {"drift"}}, {}, False),
        ({"severity": Severity.CRITICAL}, {}, True),
        ({"severity": Severity.CRITICAL}, {"severity": Severity.WARNING}, False),
        ({"decision": "retrain"}, {}, False),
        ({"decision": "retrain"}, {"decision": "retrain"}, True),
        ({"decision": "roll_back"}, {"decision": "retrain"}, False),
        ({}, {"cause": "monitoring"}, False),
        ({"causes": {"monitoring"}}, {"cause": "monitoring"}, True),
    ],
)
def test_what_calls_for_an_action(desk, plan, given, called):
    """Model, family, check, severity and decision of one alert must all fit; trouble of the agent
    only where it is named.
    """
    fields = {
        name: value if isinstance(value, (str, Severity)) else frozenset(value)
        for name, value in plan.items()
    }
    assert bool(desk(**fields).incident(**given)) is called


def test_once_for_an_incident(desk):
    """More alerts and more severity call for nothing new; the next incident does, where the day has
    room.
    """
    at = desk(max_per_day=2)
    at.incident()
    at.incident("plan")
    [run] = at.incident("age", hour=1)
    assert run.token == run_token(run.incident, "retrain")
    at.settle()
    at.over()
    at.now = NOW + HOUR
    assert len(at.incident(hour=5)) == 2
    at.settle()
    assert len(done) == 2


def test_a_decision_that_comes_later(desk):
    """An incident that is open already calls for the action when a check says what is to be
    done.
    """
    at = desk(decision="retrain")
    assert at.incident() == []
    [run] = at.incident(hour=1, decision="retrain")
    assert run.decision == "retrain"
    assert at.told[0].reason.text == "a check says what to do"
    assert len(at.incident(hour=2, decision="retrain")) == 1


def test_what_is_recorded(desk):
    """Who, what and why, the request to the byte, and the answer; people are told with the
    incident.
    """
    at = desk()
    [run] = at.incident(decision="retrain")
    assert "accuracy" in run.trigger
    assert run.trigger.startswith("performance: ")
    assert run.request == Request("run", "/bin/true", "churn retrain")
    assert plugin_facts(at.told[0].notification)["action retrain"] == f"ordered: {run.token}"
    at.settle()
    assert (at.runs[0].state, at.runs[0].answer, at.runs[0].attempts) == ("sent", "done", 1)
    assert done == [run.request]


def test_a_dry_run_sends_nothing(desk):
    """It is recorded and logged with exactly what would be sent."""
    at = desk(dry_run=True, approval=True)
    [run] = at.incident()
    at.settle()
    assert (run.state, done) == ("dry run", [])
    assert any(str(run.request) in event for event, _ in at.log.lines)


def test_approval(desk):
    """A run waits for a person; then it goes as it was shown, with author and reason in its
    history.
    """
    at = desk(approval=True)
    [run] = at.incident()
    at.settle()
    assert (run.state, done) == ("awaiting approval", [])
    assert (
        f"driftline actions approve {run.token}" in at.told[0].notification.facts["action retrain"]
    )
    with at.store.write() as connection:
        assert action_runs.mark_approved(connection, run.token, "ada", "looked at it", at.now) == ""
        assert (
            action_runs.mark_approved(connection, run.token, "bob", "me too", at.now)
            == "it awaits no approval: pending"
        )
        assert (
            action_runs.mark_approved(connection, "none", "bob", "", at.now)
            == "there is no such run"
        )
    at.settle()
    [after] = at.runs
    assert (after.state, after.author, after.reason) == ("sent", "ada", "looked at it")
    assert done == [run.request]


def test_rejection_expiry_and_the_end_of_the_incident(desk):
    """What a person refuses, nobody allows in time, or is needed no more is not done."""
    at = desk(approval=True, max_per_day=9)
    [run] = at.incident()
    with at.store.write() as connection:
        action_runs.mark_rejected(connection, run.token, "ada", "not now", at.now)
    at.over()
    at.incident(hour=3)
    at.now = NOW + DAY
    at.acting.expire_unapproved(at.store, at.now)
    at.over()
    at.incident(hour=6)
    at.over()
    runs = at.runs
    assert sorted(run.state for run in runs) == ["expired", "rejected", "withdrawn"]
    with at.store.write() as connection:
        for each in runs:
            assert (
                action_runs.mark_approved(connection, each.token, "ada", "late", at.now)
                == f"it awaits no approval: {each.state}"
            )
    at.settle()
    assert done == []


def test_what_is_not_done_yet_when_the_incident_ends(desk):
    """A run that the service could not take so far is not done after the end."""
    from driftline import Retryable

    at = desk()
    at.incident()
    script.append(Retryable("down"))
    at.worker.deliver_due(at.now)
    [run] = at.over()
    at.settle()
    assert (run.state, len(done)) == ("superseded", 1)


def test_no_more_in_a_day(desk):
    """Beyond max_per_day a run is held back, people are told, and by hand it can be ordered all the
    same.
    """
    at = desk(max_per_day=1)
    at.incident()
    at.settle()
    at.over()
    [held, _] = sorted(at.incident(hour=3), key=lambda run: run.state)
    assert (held.state, held.reason) == ("held back", "1 in 24 hours are the most (max_per_day)")
    assert "held back" in at.told[0].notification.facts["action retrain"]
    with at.store.write() as connection:
        assert action_runs.order_again(connection, held.token, "ada", "it matters", at.now) == ""
        assert "once for an incident" in action_runs.order_again(
            connection, held.token, "ada", "again", at.now
        )
    at.settle()
    assert len(done) == 2
    at.over()
    at.now = NOW + 2 * DAY
    assert at.incident(hour=50)[0].state == "pending"


def test_a_request_that_can_t_be_made(desk):
    """The plugin's reason is recorded and told, and the incident is told all the same."""
    at = desk()
    [run] = at.incident("broken")
    assert (run.state, run.reason) == ("broken", "nothing fits")
    assert at.told[0].notification.facts["action retrain"] == "not run, broken: nothing fits"


def test_by_hand_after_it_was_refused(desk):
    """What failed for good goes again under the same token."""
    at = desk()
    [run] = at.incident()
    script.append(OutcomeUnknown("reset"))
    at.settle()
    assert at.runs[0].state == "refused"
    with at.store.write() as connection:
        assert (
            action_runs.order_again(connection, run.token, "ada", "it had not arrived", at.now)
            == ""
        )
    at.settle()
    assert (at.runs[0].state, at.runs[0].token, len(done)) == ("sent", run.token, 2)


def test_sinks_know_nothing_of_runs(desk):
    """A run is no message: it is neither folded into one nor told the end of its incident."""
    at = desk()
    at.incident()
    at.incident("plan", hour=1)
    at.over()
    with at.store.read() as connection:
        rows = list(connection.execute(outbox.outbox.select()))
    assert [(row.sink, row.event) for row in rows] == [("action/retrain", "action")]


def test_facts_in_texts():
    """Names in braces stand for facts, cleaned and cut; others are refused."""
    told = order(title="churn: \x1b[31m\u202e" + "x" * 900)
    filled = told.fill({"a": ["{model} {version}", {"b": "{title}"}], "c": 3})
    assert filled["a"][0] == "churn v3"
    assert filled["c"] == 3
    assert len(filled["a"][1]["b"]) <= 200
    assert "\x1b" not in filled["a"][1]["b"]
    with pytest.raises(Rejected, match=r"there is no fact \{modle\}; there are: token, action"):
        told.fill("{modle}")


def test_a_secret_in_a_request_is_refused(desk):
    """What would be shown and kept must not hold what the settings hide."""
    from driftline import Secret
    from driftline.agent.action_dispatch import make_request
    from driftline.extensions.guard import Guard

    class Leaky(Noted):
        type = "leaky"
        key: Secret

        def request(self, order: Order) -> Request:
            return Request("POST", f"https://x.example/{self.key.reveal()}")

    made, why = make_request(
        Leaky(key=Secret("${env:KEY}", "canary-key")), order(), Guard(lambda: NOW)
    )
    assert (made, why) == (None, "there is a secret in the request, which would be shown and kept")


def test_an_unsure_window_calls_for_nothing(desk):
    """Only an alert that fires does."""
    at = desk()
    assert at.incident(verdict=Verdict.UNSURE, severity=None) == []


def test_trouble_lasts_until_somebody_is_done_with_it(desk):
    """A run that failed is trouble until it is ordered again or rejected; where there was no run
    there is none.
    """
    at = desk()
    assert at.acting.failure_facts(at.store, "churn", at.now) == []
    [run] = at.incident()
    script.append(Rejected("no such pipeline"))
    at.settle()
    [fact] = at.acting.failure_facts(at.store, "churn", at.now)
    assert (fact.verdict, fact.judgement.reason) == (
        Verdict.CHANGED,
        f"action retrain for {run.incident}: no such pipeline",
    )
    assert at.acting.failure_facts(at.store, "fraud", at.now) == []
    with at.store.write() as connection:
        assert (
            action_runs.mark_rejected(connection, run.token, "ada", "it is gone for good", at.now)
            == ""
        )
    [fact] = at.acting.failure_facts(at.store, "churn", at.now)
    assert fact.verdict is Verdict.OK
    with at.store.write() as connection:
        assert action_runs.order_again(connection, run.token, "ada", "it is back", at.now) == ""
    at.settle()
    assert at.runs[0].state == "sent"
