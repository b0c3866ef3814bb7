"""The pages of runs, health and configuration show what the state and the file have."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from station import MODEL, START, Station

from driftline.types.secret import Secret
from driftline.web import create_app, serve

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """An agent that read three hours; one file has two records that are no JSON."""
    station = Station(tmp_path_factory.mktemp("operation"), MODEL)
    for hour in range(3):
        station.hour(hour)
    broken = station.folder / "log" / "0001.jsonl"
    broken.write_text(broken.read_text() + '{"<b>torn": \n[1, 2\n')
    station.clock.now = START + timedelta(hours=3, minutes=20)
    with station.open():
        station.tick()
        yield station


@pytest.fixture(scope="module")
def client(station):
    server = serve(create_app(station.agent, None, None, clock=station.clock), "127.0.0.1", 0)
    with httpx.Client(base_url=f"http://{server.address}", trust_env=False) as client:
        yield client
    server.stop()


def test_the_runs_of_a_model_name_objects_and_rejected_records(client):
    """Each object with its rows; rejected records with their reason; windows and references."""
    page = client.get("/m/shop/runs").text
    assert page.count("/log/000") == 3
    assert "2 records rejected" in page
    assert "record 400:" in page
    assert "&lt;b&gt;torn" in page
    assert "reference 1, 3,000 rows" in page
    assert "check drift" in page
    troubled = client.get("/m/shop/runs", params={"only": "trouble"}).text
    assert troubled.count("/log/000") == 1
    assert "/log/0001.jsonl" in troubled


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999999999", "7"])
def test_any_number_of_a_page_gives_a_page(client, page):
    """Beyond the end there are no objects."""
    answer = client.get("/m/shop/runs", params={"page": page})
    assert answer.status_code == 200
    assert ("/log/0001" in answer.text) == (page in ("0", "-1", "x", "99999999999"))


def test_health_names_sources_sinks_and_plugins(client):
    """The source with its rows and trouble, and the plugins that judge."""
    page = client.get("/health").text
    assert "3 objects, 1,200 rows" in page
    assert "2 records rejected" in page
    assert "check drift" in page


def test_health_shows_the_loops_where_the_state_can_not_be_read(station, client):
    """A database that fails is named; the page still answers, with 503."""
    views, engine = station.agent.store.engine, None
    station.agent.store.engine = engine
    try:
        answer = client.get("/health")
        assert answer.status_code == 503
        assert "The state can&#39;t be read" in answer.text
        assert "Loops" in answer.text
    finally:
        station.agent.store.engine = views


def test_the_configuration_shows_each_value_with_its_line(client, station):
    """What the file sets has its line, the rest is default; a search finds by name."""
    page = client.get("/configuration", params={"q": "lateness"}).text
    assert "models.shop.windows.lateness" in page
    assert "driftline.yaml:" in page
    everything = client.get("/configuration").text
    assert everything.count("<tr>") > 20
    only_set = client.get("/configuration", params={"only": "set"}).text
    assert "<small>default</small>" in everything
    assert "<small>default</small>" not in only_set


def test_a_broken_file_is_said(client, station):
    """The page names the mistake and that the agent works on."""
    text = station.config.read_text()
    station.config.write_text(text + "nonsense: 1\n")
    try:
        answer = client.get("/configuration")
    finally:
        station.config.write_text(text)
    assert answer.status_code == 503
    assert "nonsense" in answer.text


def test_strangers_see_nothing(station):
    """Where a token is set, each page asks for it."""
    app = create_app(station.agent, Secret("${env:T}", "t" * 20), None, clock=station.clock)
    server = serve(app, "127.0.0.1", 0)
    for path in ("/m/shop/runs", "/health", "/configuration"):
        answer = httpx.get(f"http://{server.address}{path}")
        assert answer.status_code == 401
        assert "shop" not in answer.text
    server.stop()
