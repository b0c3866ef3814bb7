"""The pages over a real server on loopback."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import pytest
from page_scripts import without_own_scripts

from driftline.telemetry.metrics import Metrics
from driftline.types.errors import DriftlineError
from driftline.types.secret import Secret
from driftline.web import create_app, serve

pytestmark = pytest.mark.system

BEAT = datetime(2026, 11, 18, 9, tzinfo=UTC)


@dataclass
class Loop:
    name: str
    beat: datetime | None
    stuck: bool
    reason: str = ""


@dataclass
class Agent:
    metrics: Metrics = field(default_factory=lambda: Metrics("0.1.0"))
    is_standby: bool = False
    leader: str = ""
    incident_service: None = None
    model_views: None = None
    operation_views: None = None
    catalog: None = None
    loops: list[Loop] = field(
        default_factory=lambda: [
            Loop("ingest churn", BEAT, False),
            Loop("deliver console", None, False),
        ]
    )

    @property
    def registry(self):
        return self.metrics.registry

    def ready(self):
        return not any(loop.stuck for loop in self.loops), self.loops


@pytest.fixture
def agent() -> Agent:
    return Agent()


def client_of(agent: Agent, token: Secret | None = None) -> Iterator[httpx.Client]:
    server = serve(create_app(agent, token, clock=lambda: BEAT), "127.0.0.1", 0)
    with httpx.Client(base_url=f"http://{server.address}", trust_env=False) as client:
        yield client
    server.stop()
    assert not server.running


@pytest.fixture
def client(agent: Agent) -> Iterator[httpx.Client]:
    yield from client_of(agent)


@pytest.fixture
def guarded(agent: Agent) -> Iterator[httpx.Client]:
    yield from client_of(agent, Secret("${env:TOKEN}", "opensésame"))


def test_alive(client):
    """A living process answers its health check."""
    assert ((answer := client.get("/healthz")).status_code, answer.text) == (200, "ok\n")


def test_ready_names_every_loop(client):
    """Readiness is 200 while no loop is stuck, and tells of each when it last came round."""
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "loops": [
            {"name": "ingest churn", "last_beat": "2026-11-18T09:00:00+00:00", "stuck": False},
            {"name": "deliver console", "last_beat": None, "stuck": False},
        ],
    }


def test_stuck_loop_is_not_ready(agent, client):
    """One stuck loop makes the whole agent not ready, while it still counts as alive."""
    agent.loops[0].stuck = True
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert [loop["stuck"] for loop in answer.json()["loops"]] == [True, False]
    assert client.get("/healthz").status_code == 200


def test_one_that_stands_by_says_so_and_who_leads(agent, client, guarded):
    """It is ready to take over; who leads is only for those who may see more."""
    agent.is_standby, agent.leader = True, "monitor-1:<b>"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["standby"], answer.json()["leader"]) == (
        200,
        True,
        "monitor-1:<b>",
    )
    assert guarded.get("/readyz").json() == {"ready": True, "standby": True}
    assert "on standby; monitor-1:&lt;b&gt; leads" in client.get("/").text


def test_a_standby_without_a_visible_leader_is_still_a_standby(agent, client):
    """It shows no name."""
    agent.is_standby = True
    body = client.get("/readyz").json()
    assert body["standby"]
    assert "leader" not in body
    assert "on standby; no visible agent leads" in client.get("/").text


def test_health_answers_while_the_status_hangs(agent, client):
    """A status that never comes back does not take the health check with it."""
    release = threading.Event()
    agent.ready = lambda: (release.wait(20), [])
    asked = threading.Thread(target=lambda: client.get("/readyz"))
    asked.start()
    try:
        assert client.get("/healthz").status_code == 200
    finally:
        release.set()
        asked.join()


def test_metrics_in_the_form_of_prometheus(agent, client):
    """Counters and gauges come out under their names, as text that Prometheus reads."""
    agent.metrics.rows.labels(model="churn").inc(270)
    agent.metrics.verdicts.labels(model="churn", verdict="unsure").inc()
    agent.metrics.set_measurement(
        model="churn", check="drift", measurement="psi", column="Day Mins", value=11.5
    )
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    assert 'driftline_rows_total{model="churn"} 270.0' in lines
    assert 'driftline_verdicts_total{model="churn",verdict="unsure"} 1.0' in lines
    assert (
        'driftline_measurement{check="drift",column="Day Mins",measurement="psi",model="churn",version=""} 11.5'
        in lines
    )
    assert any(line.startswith('driftline_build_info{python="3.') for line in lines)


def test_hostile_names_stay_inside_their_quotes(agent, client):
    """A name made of quotes, line breaks and half characters can't write metrics of its own."""
    hostile = 'x"} 1\nstolen_total{a="b\\'
    agent.metrics.rows.labels(model=hostile).inc()
    agent.metrics.set_measurement(
        model="m", check="c", measurement="psi", column="\ud800" + hostile, value=1
    )
    text = client.get("/metrics").text
    assert not any(line.startswith("stolen_total") for line in text.splitlines())
    assert r'driftline_rows_total{model="x\"} 1\nstolen_total{a=\"b\\"} 1.0' in text


def test_page_for_people_links_the_rest(agent, client):
    """The first page says how the agent does, shows a hostile loop name as text, and links the
    other pages.
    """
    agent.loops = [Loop("<script>alert(1)</script>", None, True)]
    answer = client.get("/")
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "<script" not in without_own_scripts(answer.text)
    assert all(f'href="{path}"' in answer.text for path in ("healthz", "readyz", "metrics"))


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/nowhere"])
def test_every_answer_is_locked_down(client, path):
    """Each answer forbids scripts, frames and guessing of types, also the one for a wrong path."""
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_nothing_changes_by_post(client):
    """No route takes anything but a look."""
    assert {405} == {
        client.post(path).status_code for path in ("/", "/healthz", "/readyz", "/metrics")
    }


def test_token_guards_all_but_health(guarded):
    """Where there is a token, strangers learn only whether the agent lives and is ready."""
    assert guarded.get("/healthz").status_code == 200
    assert guarded.get("/readyz").json() == {"ready": True}
    for path in ("/", "/metrics"):
        answer = guarded.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")


def basic(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer opensésame".encode(), 200),
        (basic("anyone:opensésame".encode()), 200),
        (b"Bearer opensesame", 401),
        (b"Bearer", 401),
        (basic(b"opensesame"), 401),
        (b"Basic %%%", 401),
        (b"Digest opensesame", 401),
    ],
)
def test_token_by_bearer_or_password(guarded, header, status):
    """The token opens as a bearer token and as the password of any user; nothing else does."""
    assert status == guarded.get("/metrics", headers={"Authorization": header}).status_code


def test_address_in_use_is_an_error_that_names_it():
    """A port that another process has is one clear error."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DriftlineError, match=rf"can't listen on 127\.0\.0\.1:{port}: "):
            serve(create_app(Agent(), clock=lambda: BEAT), "127.0.0.1", port)


def test_stop_twice_and_port_is_free_again(agent):
    """Stopping is safe twice, and the port can be had again at once."""
    server = serve(create_app(agent, clock=lambda: BEAT), "127.0.0.1", 0)
    server.stop()
    server.stop()
    again = serve(create_app(agent, clock=lambda: BEAT), "127.0.0.1", server.address.port)
    again.stop()
