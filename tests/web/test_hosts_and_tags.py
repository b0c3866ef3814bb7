"""Who may name this agent how, and what a reader gets that has the page already."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from station import START, Station
from test_web_pages import Agent

from driftline.types.secret import Secret
from driftline.web import create_app, serve

pytestmark = pytest.mark.system

READER = Secret("${env:R}", "reader-token")


@pytest.fixture
def serving():
    """Starts servers of the pages of an agent, and returns clients."""
    servers = []

    def client(agent=None, **options):
        app = create_app(agent or Agent(), clock=lambda: START, **options)
        servers.append(serve(app, "127.0.0.1", 0))
        return httpx.Client(base_url=f"http://{servers[-1].address}", trust_env=False)

    yield client
    for server in servers:
        server.stop()


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8080", "app.localhost", "127.0.0.1:1", "[::1]:8080", "10.0.0.7",
     "watch.example", "Watch.Example.:443"],
)  # fmt: skip
def test_this_machine_addresses_and_configured_names_are_known(serving, host):
    """An address needs no entry: only a name can be made to point elsewhere."""
    with serving(hosts=["watch.example"]) as client:
        assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "watch.example.evil",
        "127.0.0.1.nip.io",
        "[",
        "[::1].evil.example",
    ],
)
def test_other_names_are_turned_away(serving, host):
    """The answer names the setting; whether the process lives is open to all."""
    with serving(hosts=["watch.example"]) as client:
        for path in ("/", "/metrics", "/m/shop", "/api/models"):
            answer = client.get(path, headers={"host": host})
            assert answer.status_code == 421
            assert "agent.http_hosts" in answer.text
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert client.get("/healthz", headers={"host": host}).status_code == 200


def test_where_reading_needs_a_token_any_name_will_do(serving):
    """A page of another site does not have the token."""
    with serving(http_token=READER) as client:
        headers = {"host": "monitor.internal", "authorization": "Bearer reader-token"}
        assert client.get("/", headers=headers).status_code == 200
        assert client.get("/", headers={"host": "monitor.internal"}).status_code == 401


def test_a_page_that_did_not_change_is_not_sent_again(serving):
    """The tag of the first answer gives 304 without a body; another page has another tag."""
    agent = Agent()
    with serving(agent) as client:
        first = client.get("/", params={"refresh": "60"})
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache"
        again = client.get("/", params={"refresh": "60"}, headers={"if-none-match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        agent.loops[0].stuck = True
        changed = client.get("/", params={"refresh": "60"}, headers={"if-none-match": tag})
        assert changed.status_code == 200
        assert "stuck loops: ingest churn" in changed.text
        assert "etag" not in client.get("/nowhere").headers
        assert client.get("/readyz", headers={"if-none-match": '"x"'}).status_code == 503


def test_people_switch_on_that_a_page_loads_again(serving):
    """No page does by itself; the one that does has a link to stop."""
    with serving() as client:
        plain = client.get("/").text
        assert "http-equiv" not in plain
        assert 'href="?refresh=60"' in plain
        live = client.get("/", params={"refresh": "30", "q": "x"}).text
        assert '<meta http-equiv="refresh" content="30">' in live
        assert 'href="?q=x"' in live
        assert 'content="10"' in client.get("/", params={"refresh": "1"}).text
        assert "http-equiv" not in client.get("/", params={"refresh": '5"><b>'}).text


def test_a_locked_state_is_said(tmp_path, serving, monkeypatch):
    """Pages and API name the trouble; health still shows the loops."""
    station = Station(tmp_path)
    with station.open():
        station.tick()

        def fail():
            raise OperationalError("select 1", {}, Exception("database is locked"))

        monkeypatch.setattr(station.agent.store, "read", fail)
        with serving(station.agent) as client:
            for path in ("/", "/m/shop", "/m/shop/performance", "/m/shop/runs", "/incidents"):
                answer = client.get(path)
                assert answer.status_code == 503, path
                assert "database is locked" in answer.text
                assert "select 1" not in answer.text
            assert "database is locked" in client.get("/api/models").json()["error"]
            health = client.get("/health")
            assert health.status_code == 503
            assert "database is locked" in health.text
            assert "Loops" in health.text


def test_an_address_without_a_page_names_the_setting_that_opens_it(serving):
    """Without `agent.token` nobody acts by HTTP: the answer says so, with it it does not."""
    with serving() as client:
        for path in ("/i/x/ack", "/api/incidents", "/nowhere"):
            answer = client.get(path)
            assert answer.status_code == 404
            assert "agent.token" in answer.text
        assert "error" in client.get("/api/incidents").json()
    with serving(token=READER) as client:
        assert "agent.token" not in client.get("/nowhere").text
