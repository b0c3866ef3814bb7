"""From a window to a DAG run: a check decides, the incident orders, a person approves while the
agent runs.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from action_receivers import AirflowApi
from station import DIARY, START, Station

from driftline.cli.main import main

pytestmark = pytest.mark.system

DECIDING = (
    DIARY
    + '''
from driftline import Check, Measurement, above

class Deciding(Check):
    """Says what is to be done."""
    type = "deciding"
    cause = "performance"
    default_rules = {"loss": above(critical=60)}
    def evaluate(self, ctx):
        yield Measurement(ctx.current.columns["amount"].mean, name="loss", decision="retrain")

@hookimpl
def register_checks():
    return [Deciding]
'''
)
MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema: {{timestamp: t, id: id, features: {{amount: numeric, plan: categorical}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 12h}}
    checks: {{loss: {{type: deciding}}}}
"""
ACTIONS = """
actions:
  retrain:
    type: airflow
    enabled: true
    dry_run: false
    approval: true
    approve_within: 1000d
    allow_private: true
    when: {{models: [shop], causes: [performance], checks: [loss], decision: retrain}}
    options:
      {{url: "{url}", dag: train churn, conf: {{why: "{{title}}"}}, username: drift, password: "${{env:DRIFT_PASSWORD}}"}}
  look: {{type: shell, enabled: true, options: {{command: [/bin/true, "{{incident}}"]}}}}
  off: {{type: shell, options: {{command: [/bin/false]}}}}
"""


@pytest.fixture
def api():
    with AirflowApi() as api:
        yield api


@pytest.fixture
def station(tmp_path, monkeypatch, api):
    monkeypatch.setenv("DRIFT_PASSWORD", "canary-password")
    made = Station(tmp_path, MODEL, plugins=DECIDING)
    made.config.write_text(made.config.read_text() + ACTIONS.format(url=api.url))
    return made


@pytest.fixture
def call(station, capsys):
    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([*args, "-c", str(station.config)])
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return run


def perform(station):
    """Let the actions' workers do what is due by the machine's own clock, which the commands
    use.
    """
    for worker in station.agent.workers:
        worker.deliver_due(datetime.now(UTC) + timedelta(minutes=1))


def test_a_check_decides_and_a_person_approves(station, call, api):
    """The decision is in the message, the run waits, the word of a person lets it go once, and the
    history has all of it.
    """
    station.hour(0, amount=lambda row: 80.0)
    with station.open():
        station.clock.now = START + timedelta(hours=1, minutes=20)
        station.tick()
        [told] = station.told()
        assert told["alerts"][0]["decision"] == "retrain"
        assert told["facts"]["action retrain"].startswith("awaits approval until ")
        assert told["facts"]["action look"].startswith("dry run, nothing is sent")
        assert "action off" not in told["facts"]
        assert api.came == []

        runs = json.loads(call("actions", "list", "--json", "--incident", told["incident"])[1])
        [awaiting] = [run for run in runs if run["state"] == "awaiting approval"]
        code, shown, _ = call(
            "actions", "run", "retrain", "--incident", told["incident"], "--dry-run"
        )
        assert code == 0
        assert "canary" not in shown
        assert "awaiting approval" in call("status")[1]
        approve = (
            "actions",
            "approve",
            awaiting["token"],
            "--author",
            "ada",
            "--reason",
            "looked at it",
        )
        assert call(*approve)[:2] == (0, f"{awaiting['token']}: pending\n")
        assert call(*approve)[0] == 2

        perform(station)
        [login, came] = api.came
        assert (login.target, api.times) == ("/auth/token", 1)
        assert shown.rstrip("\n").endswith("\n\n" + came.body.decode())
        assert shown.startswith(f"POST {api.url}{came.target}\n")

        listed = call("actions", "list")[1]
        for word in (
            "sent  retrain",
            "ada: looked at it",
            "because: performance: loss",
            "dry run  look",
            '"state": "queued"',
        ):
            assert word in listed
        explained = call("explain", told["incident"])[1]
        assert "retrain: sent, ada: looked at it. HTTP 200" in explained


def test_by_hand(station, call, api):
    """What incidents did not call for can be ordered, once; what is off or dry sends nothing."""
    station.hour(0, amount=lambda row: 80.0)
    station.config.write_text(
        station.config.read_text().replace("models: [shop], ", "severity: info, models: [shop], ")
    )
    text = station.config.read_text()
    station.config.write_text(text.replace("decision: retrain", "decision: promote"))
    with station.open():
        station.clock.now = START + timedelta(hours=1, minutes=20)
        station.tick()
        [told] = station.told()
        signed = ("--author", "ada", "--reason", "now")
        order = ("actions", "run", "retrain", "--incident", told["incident"])
        assert "give your name and the reason" in call(*order)[2]
        assert call(*order, *signed)[0] == 0
        assert "once for an incident is all" in call(*order, *signed)[2]
        assert (
            "dry_run is true"
            in call("actions", "run", "look", "--incident", told["incident"], *signed)[2]
        )
        assert (
            "no action is called 'lok'"
            in call("actions", "run", "lok", "--incident", told["incident"], *signed)[2]
        )
        assert (
            "there is no incident"
            in call("actions", "run", "look", "--incident", "inc_0", "--dry-run")[2]
        )
        assert call("actions", "run", "look", "--incident", told["incident"], "--dry-run")[
            1
        ].startswith("run /bin/true inc_")
        perform(station)
        assert api.times == 1


def test_an_action_that_fails_is_told(station, call, api):
    """A refusal is trouble of the agent's own, told to whoever is told, and its end too."""
    station.hour(0, amount=lambda row: 80.0)
    text = station.config.read_text().replace("approval: true", "approval: false")
    station.config.write_text(text.replace("dag: train churn", "dag: another"))
    with station.open():
        station.clock.now = START + timedelta(hours=1, minutes=20)
        station.tick()
        station.tick()
        [trouble] = [told for told in station.told() if told["cause"] == "monitoring"]
        assert "action retrain for inc_" in trouble["alerts"][0]["reason"]
        assert "404" in trouble["alerts"][0]["reason"]
        assert trouble["facts"].keys().isdisjoint({"action retrain", "action look"})
        [run] = [
            run
            for run in json.loads(call("actions", "list", "--json")[1])
            if run["state"] == "refused"
        ]
        assert (
            call(
                "actions",
                "reject",
                run["token"],
                "--author",
                "ada",
                "--reason",
                "no such DAG any more",
            )[0]
            == 0
        )
        station.clock.now += timedelta(minutes=1)
        station.tick()
        assert station.events("monitoring") == ["opened", "resolved"]


def test_names_in_when_are_known(station, call):
    """A model or a check that there is none of is a mistake with its place."""
    station.config.write_text(
        station.config.read_text()
        .replace("models: [shop], causes", "models: [shp], causes")
        .replace("[loss]", "[los]")
    )
    code, _, told = call("validate")
    assert code == 2
    assert "actions.retrain.when.models[0]: no model is called 'shp'; did you mean 'shop'?" in told
    assert "actions.retrain.when.checks[0]: no check is called 'los'; did you mean 'loss'?" in told
