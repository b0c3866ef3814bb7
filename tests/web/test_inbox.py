"""Numbers from outside, over HTTP: stored once, read like any log, and judged the same."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from station import Station

from driftline.config import load_config
from driftline.types.errors import ConfigError
from driftline.types.secret import Secret
from driftline.web import create_app, serve
from driftline.web.inbox import MOST_POINTS, Inbox

pytestmark = pytest.mark.system

TOKEN = "a-token-of-24-characters"
START = datetime(2026, 5, 1, tzinfo=UTC)
MODEL = """
    source: {{type: local, options: {{path: {folder}/SOURCE}}}}
    schema: {{timestamp: time, features: {{value: numeric}}, segments: []}}
    windows: {{length: 1d, notify_within: null}}
    checks: {{series: {{type: statistics, options: {{statistics: [mean_value]}}, min_rows: 1}}}}
"""


class Agent:
    """What the application asks of a running agent."""

    registry = None
    is_standby = False
    leader = ""
    incident_service = None

    def ready(self):
        return True, []


@pytest.fixture
def post(tmp_path):
    """Posts a body with the token, or with another header."""
    inbox = Inbox(tmp_path / "inbox", {"shop"})
    app = create_app(Agent(), None, Secret("${env:T}", TOKEN), clock=lambda: START, inbox=inbox)
    server = serve(app, "127.0.0.1", 0)
    with httpx.Client(base_url=f"http://{server.address}", trust_env=False) as client:

        def send(body: object, token: str = TOKEN) -> httpx.Response:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return client.post("/api/measurements", content=content, headers=headers)

        yield send
    server.stop()


def batch(points: list[dict[str, object]], id: str = "one", model: str = "shop") -> dict:
    return {"model": model, "id": id, "points": points}


def sample_line(point: dict[str, object]) -> str:
    """A point as a line of Prometheus' text format, with milliseconds."""
    milliseconds = datetime.fromisoformat(str(point["time"])).timestamp() * 1000
    return f'figure{{env="prod"}} {point["value"]} {milliseconds:.0f}\n'


def daily_points(days: int, changed_from: int) -> list[dict[str, object]]:
    rng = random.Random(1)
    return [
        {
            "time": (START + timedelta(days=day, hours=1)).isoformat(),
            "value": round(rng.gauss(100, 2) + (15 if day >= changed_from else 0), 3),
        }
        for day in range(days)
    ]


def test_a_batch_is_stored_once(post, tmp_path):
    """The same id and points again change nothing; other points under that id are refused."""
    points = [{"time": "2026-05-01T00:00:00Z", "value": 1.5, "name": "auc", "labels": {"env": "x"}}]
    assert post(batch(points)).json() == {"stored": 1, "repeated": False}
    assert post(batch(points)).json() == {"stored": 0, "repeated": True}
    answer = post(batch([{**points[0], "value": 2.0}]))
    assert (answer.status_code, answer.json()) == (
        409,
        {"error": "the id one stands for other points already"},
    )
    [path] = (tmp_path / "inbox/shop").iterdir()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"env": "x", "time": "2026-05-01T00:00:00Z", "value": 1.5, "name": "auc"}
    ]
    assert path.stat().st_mode & 0o777 == 0o600


POINT = {"time": 1, "value": 1.0}


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (batch([POINT], model="other"), 400, "there is no model 'other'"),
        (batch([POINT], id="../x"), 400, "the id has up to 100 letters"),
        (batch([]), 400, "a batch has 1 to 10,000 points"),
        (batch([POINT] * (MOST_POINTS + 1)), 400, "a batch has 1 to 10,000 points"),
        (batch([{"time": 1}]), 400, "missing required field `value`"),
        (batch([{"time": 1, "value": "x"}]), 400, "$.points[0].value"),
        (batch([{**POINT, "labels": {"value": "x"}}]), 400, "time, value and name are no labels"),
        (batch([{**POINT, "name": "n" * 501}]), 400, "points[0]: a text has more than 500"),
        (b'{"model": "shop", "id": "a", "points": [{"time": 1, "value": 1e999}]}', 400, ""),
        (b"[1, 2", 400, ""),
        (b" " * 4_000_001, 413, "at most 4,000,000 bytes"),
    ],
    ids=range(11),
)
def test_what_can_not_be_taken_has_its_reason(post, tmp_path, body, status, error):
    """Nothing of such a batch is stored."""
    answer = post(body)
    assert answer.status_code == status
    assert error in answer.json()["error"]
    assert not list((tmp_path).glob("inbox/*/*"))


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_batch_needs_the_token(post, token):
    """Without it nothing is stored."""
    assert post(batch([POINT]), token=token).status_code == 401


def test_without_an_inbox_the_answer_names_the_setting():
    """`agent.inbox` opens the route."""
    server = serve(
        create_app(Agent(), None, Secret("${env:T}", TOKEN), clock=lambda: START), "127.0.0.1", 0
    )
    answer = httpx.post(
        f"http://{server.address}/api/measurements",
        json=batch([POINT]),
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    server.stop()
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "set agent.inbox to take measurements"},
    )


def test_an_inbox_needs_a_token(tmp_path):
    """The error stands at the setting."""
    path = tmp_path / "driftline.yaml"
    path.write_text("version: 1\nagent: {inbox: points}\nmodels: {}\n")
    with pytest.raises(ConfigError, match=r"agent\.inbox: only requests with a token bring points"):
        load_config(path)


def test_points_over_http_and_files_of_points_give_the_same_windows_and_incidents(post, tmp_path):
    """Sixty daily points, one a window, with a step on day 45: one incident whatever brings them."""
    points = daily_points(60, 45)
    for place in range(0, 60, 7):
        part = batch(points[place : place + 7], id=f"week-{place}")
        assert post(part).status_code == 200
        post(part)
    file = tmp_path / "points.csv"
    file.write_text(
        "time,value\n" + "".join(f"{point['time']},{point['value']}\n" for point in points)
    )
    (tmp_path / "points.prom").write_text("".join(map(sample_line, points)))
    found = []
    sources = {"http": "../inbox/shop", "file": "../points.csv", "samples": "../points.prom"}
    for name, source in sources.items():
        station = Station(tmp_path / name, MODEL.replace("SOURCE", source))
        station.clock.now = START + timedelta(days=61)
        with station.open():
            station.tick()
            windows = station.sql(
                "select start, value, rows, verdict from measurements where segment = '' "
                "order by start"
            )
            told = [(note["event"], note["title"], note["since"]) for note in station.told()]
        found.append((windows, told))
    assert found[0] == found[1] == found[2]
    windows, told = found[0]
    assert len(windows) == 60
    [(event, title, since)] = told
    assert event == "opened"
    assert "“value”: the mean rose from " in title
    assert since.startswith(("2026-06-14", "2026-06-15", "2026-06-16"))
