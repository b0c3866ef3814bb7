"""The list of what people changed, by command and by API."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient
from station import MODEL, START, Station

from driftline.agent import composition_root
from driftline.cli.main import cli
from driftline.state.audit import Change, ChangeFilter
from driftline.types.secret import Secret
from driftline.web import create_app

pytestmark = [pytest.mark.postgres, pytest.mark.system]

TOKEN = "a-token-of-24-characters"
PERSON = ("--author", "Ada", "--reason", "a sale")


def test_each_change_by_a_person_is_listed(tmp_path, monkeypatch):
    """Who acknowledged, snoozed, silenced, accepted, wrote and deleted, when and why; and when
    another configuration was used first. The API has the same list.
    """
    station = Station(tmp_path)
    monkeypatch.setattr(composition_root, "system_clock", station.clock)
    for hour in range(6):
        station.hour(hour, amount=lambda row, by=30.0 * (hour >= 4): row["amount"] + by)
    station.clock.now = START + timedelta(hours=6, minutes=20)
    with station.open():
        station.tick()
        incident = next(note["incident"] for note in station.told() if note["cause"] == "drift")
        for words in (
            ("ack", incident, *PERSON),
            ("snooze", incident, "--for", "2h", *PERSON),
            ("silence", "model=shop", "--for", "4h", *PERSON),
            ("silences", "expire", "1", *PERSON),
            ("records", "set", "shop", "version", "v1", "params.depth=3", *PERSON),
            ("records", "delete", "shop", "version", "v1", *PERSON),
            ("reference", "accept", incident, *PERSON),
        ):
            station.clock.now += timedelta(minutes=1)
            run(station, *words)
        station.tick()
        changes = audit(station)
        app = create_app(
            station.agent,
            None,
            Secret("${env:T}", TOKEN),
            clock=station.clock,
            hosts=("testserver",),
        )
        client = TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"})
        assert client.get("/api/audit").json() == changes
        assert client.get("/api/audit", params={"since": "3m"}).json() == audit(
            station, "--since", "3m"
        )
        assert "did you mean 'record'" in client.get("/api/audit?kind=recrod").json()["error"]
        assert TestClient(app).get("/api/audit").status_code == 401
    people = [change for change in changes if change["author"]]
    assert [(change["kind"], change["act"].split()[0]) for change in people] == [
        ("accept", "accept"),
        ("record", "delete"),
        ("record", "write"),
        ("silence", "end"),
        ("silence", "add"),
        ("snooze", "snooze"),
        ("acknowledge", "acknowledge"),
    ]
    assert {(change["author"], change["reason"]) for change in people} == {("Ada", "a sale")}
    station.configure(MODEL.replace("warning: 0.1", "warning: 0.15"))
    with station.open():
        station.tick()
    used = audit(station, "--kind", "configuration")
    assert [change["model"] for change in used] == ["shop", "shop"]
    assert len({change["subject"] for change in used}) == 2
    assert audit(station, "--author", "Bob") == []
    assert "did you mean 'shop'" in run(station, "audit", "--model", "shpo", code=2)
    assert " by Ada" in run(station, "audit", "--kind", "silence")


@pytest.mark.parametrize(
    ("matchers", "is_listed"),
    [
        ("model=shop", True),
        ("model=sh*", True),
        ("model=other|shop", True),
        ("column=model_age", True),
        ("model=shop-eu", False),
        ("model=workshop,column=shop", False),
    ],
)
def test_a_silence_is_listed_for_the_models_that_it_matches(matchers, is_listed):
    """Its matchers decide, not whether the name of the model stands somewhere in their text."""
    silence = Change(
        at=START,
        kind="silence",
        act="add",
        model="",
        subject=matchers,
        author="Ada",
        reason="",
    )
    assert ChangeFilter(model="shop").admits(silence) is is_listed


def run(station: Station, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, [*words, "-c", str(station.config)], standalone_mode=False)
    if code == 0:
        assert done.exception is None, f"{words}: {done.output}{done.exception}"
    return done.output + str(done.exception or "")


def audit(station: Station, *words: str) -> list[dict]:
    return json.loads(run(station, "audit", "--json", *words))
