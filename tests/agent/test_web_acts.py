"""Acting by HTTP on a real agent, over a real server: programs with the token, people by the links
in messages.
"""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from page_client import open_pages
from station import MODEL, START, Station

from driftline.agent import composition_root

pytestmark = [pytest.mark.postgres, pytest.mark.system]

TOKEN = "s3cret-token-of-24-chars"
LINKED = ', token: "${env:DRIFTLINE_TOKEN}", public_url: "https://watch.example/driftline"'


@pytest.fixture
def station(tmp_path, monkeypatch):
    """An agent at work on a model that drifts, whose messages have links."""
    monkeypatch.setenv("DRIFTLINE_TOKEN", TOKEN)
    station = Station(tmp_path)
    station.configure(MODEL, LINKED)
    monkeypatch.setattr(composition_root, "system_clock", station.clock)
    with station.open():
        for hour in range(6):
            station.hour(
                hour,
                amount=(lambda row: row["amount"] + 30)
                if hour >= 2
                else (lambda row: row["amount"]),
            )
        station.clock.now = START + timedelta(hours=6, minutes=20)
        station.tick()
        yield station


@pytest.fixture
def client(station):
    with open_pages(station, TOKEN) as client:
        yield client


def state(station: Station) -> list[tuple]:
    """All that people may change."""
    tables = ("incidents", "incident_events", "acts", "silences")
    return [row for table in tables for row in station.sql(f"select * from {table}")]


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def link(station: Station, label: str) -> str:
    """The path of a link in the newest message, as the proxy before the agent passes it on."""
    return station.told()[-1]["links"][label].removeprefix("https://watch.example/driftline")


def form_token(page: str) -> str:
    return page.partition('name=token value="')[2].partition('"')[0]


def test_programs_act_with_the_token(station, client):
    """An acknowledgement by the API is done at once, and its author and reason are in the
    history.
    """
    [row] = client.get("/api/incidents", headers=bearer()).json()
    body = {"author": "deploy-bot", "reason": "rolling back"}
    done = client.post(f"/api/incidents/{row['id']}/ack", headers=bearer(), json=body)
    assert (done.status_code, done.json()) == (200, {"incident": row["id"], "outcome": "done"})
    shown = client.get(f"/api/incidents/{row['id']}", headers=bearer()).json()
    assert (shown["acknowledged_by"], shown["history"][-1]["event"]) == (
        "deploy-bot",
        "acknowledged",
    )
    assert (shown["history"][-1]["author"], shown["history"][-1]["reason"]) == (
        "deploy-bot",
        "rolling back",
    )
    again = client.post(f"/api/incidents/{row['id']}/ack", headers=bearer(), json=body)
    assert (again.status_code, again.json()["error"]) == (
        409,
        f"{row['id']}: deploy-bot has acknowledged it already",
    )


def test_programs_snooze_silence_and_accept(station, client):
    """The other acts: a snooze with its end, a silence of what is like the incident, a reference at
    the next tick.
    """
    [row] = client.get("/api/incidents", headers=bearer()).json()
    at = f"/api/incidents/{row['id']}"
    client.post(
        f"{at}/snooze", headers=bearer(), json={"author": "bot", "for": "4h"}
    ).raise_for_status()
    until = (station.clock.now + timedelta(hours=4)).isoformat()
    assert client.get(at, headers=bearer()).json()["snoozed_until"] == until
    client.post(
        f"{at}/silence", headers=bearer(), json={"author": "bot", "for": "2h"}
    ).raise_for_status()
    assert station.sql("select matchers from silences") == [
        ("column=amount,family=drift,model=shop",)
    ]
    waits = client.post(
        f"{at}/accept", headers=bearer(), json={"author": "bot", "reason": "new prices"}
    )
    assert waits.json()["outcome"] == "waits"
    station.tick()
    assert client.get(at, headers=bearer()).json()["state"] == "resolved"
    assert client.get("/api/incidents", headers=bearer()).json() == []
    assert len(client.get("/api/incidents?all=1", headers=bearer()).json()) == 1


def test_what_is_not_well_formed_changes_nothing(station, client):
    """Every mistake is a JSON answer that says what is wrong, and the state stays as it was."""
    [row] = client.get("/api/incidents", headers=bearer()).json()
    before = state(station)
    for act, given, status in (
        ("ack", {}, 409),
        ("ack", {"author": "ada", "what": "x"}, 400),
        ("ack", {"author": 7}, 400),
        ("ack", ["author"], 400),
        ("snooze", {"author": "ada"}, 409),
        ("snooze", {"author": "ada", "for": "soon"}, 400),
        ("silence", {"author": "ada", "for": "1h", "matchers": "severity=high"}, 409),
        ("explode", {"author": "ada"}, 404),
    ):
        answer = client.post(f"/api/incidents/{row['id']}/{act}", headers=bearer(), json=given)
        assert (answer.status_code, bool(answer.json()["error"])) == (status, True), (act, given)
    for content in (b"x" * 70_000, b"{", b"[" * 10_000, b"\xff"):
        answer = client.post(f"/api/incidents/{row['id']}/ack", headers=bearer(), content=content)
        assert answer.status_code == 400
    assert client.get("/api/incidents/inc_none", headers=bearer()).status_code == 404
    assert state(station) == before


def test_nobody_acts_without_the_token(station, client):
    """No token, a wrong one, and the right one as a password are all refused."""
    before = state(station)
    name = station.told()[-1]["incident"]
    for headers in (
        {},
        bearer("wrong"),
        bearer(TOKEN[:-1]),
        {"authorization": "Basic YTpzM2NyZXQtdG9rZW4="},
    ):
        for answer in (
            client.get("/api/incidents", headers=headers),
            client.get(f"/api/incidents/{name}", headers=headers),
            client.post(f"/api/incidents/{name}/ack", headers=headers, json={"author": "eve"}),
        ):
            assert answer.status_code == 401
            assert name not in answer.text
    assert state(station) == before


def test_links_that_are_opened_change_nothing(station, client):
    """Whatever a scanner sends to a link, GET, HEAD, with any header or query, and POST without the
    form: nothing changes.
    """
    before = state(station)
    for label in ("acknowledge", "snooze", "accept as normal"):
        path = link(station, label)
        prefetch = {"purpose": "prefetch", "sec-purpose": "prefetch;prerender", "x-moz": "prefetch"}
        for answer in (
            client.get(path),
            client.head(path),
            client.get(path, headers=prefetch),
            client.get(f"{path}&author=eve&reason=x&token=x"),
            client.options(path),
            client.post(path),
            client.post(path, data={"author": "eve"}),
            client.post(
                path, data={"author": "eve", "token": parse_qs(urlsplit(path).query)["sig"][0]}
            ),
        ):
            assert answer.status_code in (200, 403, 405)
    assert state(station) == before


def test_a_person_confirms(station, client):
    """The page names the incident and asks; its form acts, with author and reason."""
    path = link(station, "acknowledge")
    page = client.get(path)
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert station.told()[-1]["title"] in page.text
    fields = {"author": "ada <b>", "reason": "looking", "token": form_token(page.text)}
    assert "Noted" in client.post(path, data=fields).text
    assert station.sql(
        "select event, author, reason from incident_events order by revision desc limit 1"
    ) == [("acknowledged", "ada <b>", "looking")]
    assert "has acknowledged it already" in client.post(path, data=fields).text
    snooze = link(station, "snooze")
    fields = {"author": "ada", "for": "4h", "token": form_token(client.get(snooze).text)}
    assert "Noted" in client.post(snooze, data=fields).text


def test_a_link_is_good_for_one_incident_one_act_and_a_week(station, client):
    """Another incident, another act, a later end and a week on: each is refused, and nothing
    changes.
    """
    before, path = state(station), link(station, "acknowledge")
    token = form_token(client.get(path).text)
    name = station.told()[-1]["incident"]
    until = parse_qs(urlsplit(path).query)["exp"][0]
    for wrong in (
        path.replace(name, "inc_other"),
        path.replace("/ack?", "/snooze?"),
        path.replace("/ack?", "/form%20ack?"),
        path.replace(until, str(int(until) + 1)),
        path.replace(until, "²"),
        path.replace(until, "9" * 30),
        path.partition("?")[0],
    ):
        assert client.get(wrong).status_code == 403
        assert client.post(wrong, data={"author": "eve", "token": token}).status_code == 403
    station.clock.now += timedelta(days=7)
    assert client.get(path).status_code == 403
    assert state(station) == before


def test_no_links_at_the_end(station, client):
    """A message that something is over offers nothing to do, but still shows the incident."""
    for hour in range(6, 10):
        station.hour(hour)
    station.clock.now = START + timedelta(hours=10, minutes=20)
    station.tick()
    assert (station.told()[-1]["event"], [*station.told()[-1]["links"]]) == ("resolved", ["open"])
