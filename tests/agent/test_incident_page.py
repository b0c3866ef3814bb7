"""The page of an incident, its chart and its approvals, on a real agent over a real server: who
sees what, and what changes.
"""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from page_scripts import without_own_scripts
from station import DIARY, MODEL, START, Station

from driftline.agent import composition_root
from driftline.alerting.acts import ActKind
from driftline.alerting.fact import monitoring_fact
from driftline.delivery.links import expiry, sign_query
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.secret import Secret
from driftline.web import create_app, serve

pytestmark = pytest.mark.system

TOKEN, READER = Secret("${env:T}", "s3cret-token-of-24-chars"), Secret("${env:R}", "reader-token")
BEARER = {"authorization": "Bearer s3cret-token-of-24-chars"}
PUBLIC = "https://watch.example/driftline"
LINKED = f', token: "${{env:DRIFTLINE_TOKEN}}", public_url: "{PUBLIC}"'
SEEING = DIARY.replace(
    "        with Path",
    "        Path(f'{self.path}.url').write_text(str(self.context.chart_url(notification)))\n        with Path",
)
ACTION = "{type: shell, enabled: true, dry_run: false, approval: true, options: {command: [/bin/true]}, when: {causes: [drift]}"


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """An agent at work on a model that drifts, which calls for two actions; one may be approved by
    a link.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRIFTLINE_TOKEN", TOKEN.reveal())
        station = Station(tmp_path_factory.mktemp("page"), plugins=SEEING)
        patch.setattr(composition_root, "system_clock", station.clock)
        station.configure(MODEL, LINKED)
        actions = (
            f"actions:\n  retrain: {ACTION}, approve_by_link: true}}\n  roll-back: {ACTION}}}\n"
        )
        station.config.write_text(station.config.read_text() + actions)
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


@pytest.fixture(scope="module")
def serving(station):
    """A server of the agent's pages, by the tokens that are set."""
    servers = []

    def client(token=TOKEN, reader=None):
        servers.append(
            serve(create_app(station.agent, reader, token, clock=station.clock), "127.0.0.1", 0)
        )
        return httpx.Client(base_url=f"http://{servers[-1].address}", trust_env=False)

    yield client
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def client(serving):
    with serving() as client:
        yield client


def link(station) -> str:
    """The path of the newest message's link to the page, as the proxy before the agent passes it
    on.
    """
    return station.told()[-1]["links"]["open"].removeprefix(PUBLIC)


def state(station: Station) -> list[tuple]:
    """All that people may change."""
    tables = ("incidents", "incident_events", "acts", "silences", "action_runs", "outbox")
    return [row for table in tables for row in station.sql(f"select * from {table}")]


def hrefs(page: str) -> list[str]:
    """The addresses of a page, without those that lead to all other pages."""
    content = page.partition("<main")[2]
    return [part.partition('"')[0].replace("&amp;", "&") for part in content.split('href="')[1:]]


def run_of(station, action: str) -> str:
    [[token]] = station.sql(f"select token from action_runs where action = '{action}'")
    return token


def test_a_message_leads_to_the_page(station, client):
    """The first link of a message opens what is known of its incident, and what can be done about
    it.
    """
    told = station.told()[-1]
    assert [*told["links"]] == ["open", "acknowledge", "snooze", "accept as normal"]
    answer = client.get(link(station))
    page = answer.text
    assert answer.status_code == 200
    title = told["title"].removeprefix("shop: ")
    for text in (
        title,
        "amount",
        "mean 49.95 → ",
        "[95% sure: ",
        "400 rows",
        "reference 1 (3,000 rows)",
        "first alert",
        "opened",
    ):
        assert text in page, text
    for command in ("explain", "reproduce"):
        assert f"driftline {command} {told['incident']}" in page
    assert f"driftline actions approve {run_of(station, 'roll-back')}" in page
    assert [urlsplit(href).path.rpartition("/")[2] for href in hrefs(page)] == [
        "ack", "snooze", "accept", "silence", "chart.png", "approve", "reject",
    ]  # fmt: skip
    base = httpx.URL(f"http://x{link(station)}")
    assert [
        client.get(str(base.join(href).raw_path, "ascii")).status_code for href in hrefs(page)
    ] == [200] * 7


def test_the_page_runs_nothing_and_looking_changes_nothing(station, client):
    """No script, one style that the policy names by its hash; GET and HEAD leave the state as it
    was.
    """
    before = state(station)
    for method in ("GET", "HEAD"):
        answer = client.request(method, link(station))
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; img-src 'self'; style-src 'sha256-")
        assert "script" not in policy + answer.text
        assert "unsafe" not in policy
    assert client.post(link(station)).status_code == 405
    assert state(station) == before


def test_a_sink_is_given_the_address_of_the_chart(station, client):
    """It leads to a picture that may be kept for minutes, and to nothing else."""
    url = (station.folder / "diary.jsonl.url").read_text()
    assert url.startswith(f"{PUBLIC}/i/")
    path = url.removeprefix(PUBLIC)
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["cache-control"] == "private, max-age=300"
    assert answer.content.startswith(b"\x89PNG")
    assert client.get(path.replace("/chart.png", "")).status_code == 403
    assert client.get(link(station).replace("?", "/chart.png?")).status_code == 403
    name = station.told()[-1]["incident"]
    assert station.agent.incident_service.chart(name) is station.agent.incident_service.chart(name)


def test_what_can_not_be_drawn(station, client):
    """Trouble without a past has a page, and no chart; what there is not has neither."""
    now = station.clock()
    station.agent.watches["shop"].alerts.report(
        [
            monitoring_fact(
                "shop", "diary", MonitoringKind.DELIVERY_FAILED, "took no message", (now, now)
            )
        ],
        now,
    )
    [[name]] = station.sql("select id from incidents where cause = 'monitoring'")
    page = client.get(f"/i/{name}", headers=BEARER)
    assert page.status_code == 200
    assert "chart.png" not in page.text
    assert "driftline reproduce" not in page.text
    assert client.get(f"/i/{name}/chart.png", headers=BEARER).status_code == 404
    assert client.get("/i/inc_none", headers=BEARER).status_code == 404
    assert client.get("/i/inc_none/chart.png", headers=BEARER).status_code == 404


def test_who_sees_what(station, serving):
    """Bearers of the token see and act, readers see and need the token to act, strangers neither;
    without any token the pages are this machine's.
    """
    name = station.told()[-1]["incident"]
    wrong = {"authorization": "Bearer wrong"}
    with serving(reader=READER) as client:
        assert client.get(f"/i/{name}").headers["www-authenticate"].startswith("Basic")
        assert client.get(f"/i/{name}", headers=wrong).status_code == 401
        for auth in (("anybody", "reader-token"), None):
            headers = {} if auth else {"authorization": "Bearer reader-token"}
            page = client.get(f"/i/{name}", auth=auth, headers=headers).text
            links = hrefs(page)
            assert [urlsplit(href).path.rpartition("/")[2] for href in links] == [
                "ack", "snooze", "accept", "silence", "chart.png", "approve", "reject",
            ]  # fmt: skip
            assert [href for href in links if "sig=" in href and "chart.png" not in href] == []
            assert f"i/{name}" in client.get("/", auth=auth, headers=headers).text
        assert "/ack?" in client.get(f"/i/{name}", headers=BEARER).text
        assert client.get(f"/i/{name}", auth=("anybody", TOKEN.reveal())).status_code == 401
    with serving() as client:
        for headers in ({}, wrong):
            assert client.get(f"/i/{name}", headers=headers).status_code == 403
            assert client.get(f"/i/{name}/chart.png", headers=headers).status_code == 403
            assert name not in client.get("/", headers=headers).text
        [href] = [href for href in hrefs(client.get("/", headers=BEARER).text) if name in href]
        assert client.get(f"/{href}").status_code == 200
    with serving(token=None) as client:
        assert name in client.get("/").text
        assert [href.rpartition("/")[2] for href in hrefs(client.get(f"/i/{name}").text)] == [
            "chart.png"
        ]
        assert client.get(f"/i/{name}/chart.png").status_code == 200
        assert client.post(f"/api/incidents/{name}/ack", json={"author": "eve"}).status_code == 404


def test_a_link_is_good_for_a_week_and_so_is_what_it_shows(station, client):
    """The links on a page end with the one that led to it; afterwards a command is named that shows
    the incident.
    """
    path = link(station)
    until = parse_qs(urlsplit(path).query)["exp"]
    assert {
        parse_qs(urlsplit(href).query)["exp"][0] for href in hrefs(client.get(path).text)
    } == set(until)
    longer = path.replace(until[0], str(int(until[0]) + 1))
    assert client.get(longer).status_code == 403
    now, station.clock.now = station.clock.now, station.clock.now + timedelta(days=7)
    answer, station.clock.now = client.get(path), now
    assert answer.status_code == 403
    assert f"driftline explain {station.told()[-1]['incident']}" in answer.text


def test_hostile_words_stay_words(station, client):
    """What people and data say stands on the page as they said it, and is never markup."""
    name = station.told()[-1]["incident"]
    station.agent.incident_service.request_act(
        ActKind.SNOOZE,
        name,
        "<img src=x>",
        '"><script>alert(1)</script>',
        length=timedelta(hours=1),
    )
    for path in (link(station), "/"):
        page = without_own_scripts(client.get(path, headers=BEARER).text)
        assert "<script" not in page
        assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in client.get(link(station)).text


def test_programs_decide_on_actions(station, client):
    """A list for those with the token; a word needs an author, a reason and a run that waits; then
    it is done.
    """
    token = run_of(station, "roll-back")
    at = f"/api/actions/{token}"
    before = state(station)
    for given, status in (
        ({}, 409),
        ({"author": "bot"}, 409),
        ({"author": 7}, 400),
        ({"author": "bot", "what": "x"}, 400),
    ):
        answer = client.post(f"{at}/approve", headers=BEARER, json=given)
        assert (answer.status_code, bool(answer.json()["error"])) == (status, True)
    whole = {"author": "bot", "reason": "known"}
    assert client.post(f"{at}/approve", json=whole).status_code == 401
    assert client.get("/api/actions").status_code == client.get(at).status_code == 401
    assert client.post(f"{at}/explode", headers=BEARER, json=whole).status_code == 404
    assert client.post("/api/actions/none/approve", headers=BEARER, json=whole).status_code == 409
    assert client.get("/api/actions/none", headers=BEARER).status_code == 404
    assert state(station) == before
    done = client.post(f"{at}/reject", headers=BEARER, json=whole)
    assert (done.status_code, done.json()) == (
        200,
        {"action": token, "outcome": "done", "state": "rejected"},
    )
    assert (
        client.post(f"{at}/approve", headers=BEARER, json=whole).json()["error"]
        == f"{token}: it awaits no approval: rejected"
    )
    rows = client.get(
        f"/api/actions?incident={station.told()[-1]['incident']}", headers=BEARER
    ).json()
    assert {row["action"]: (row["state"], row["author"]) for row in rows} == {
        "retrain": ("awaiting approval", ""), "roll-back": ("rejected", "bot"),
    }  # fmt: skip
    assert client.get("/api/actions?incident=inc_none", headers=BEARER).json() == []


def test_a_person_approves_by_the_page(station, client):
    """The link asks and shows the request, its form approves; where links may not, a link that was
    guessed right is refused.
    """
    approve, reject = (
        f"/{href.removeprefix('../')}"
        for href in hrefs(client.get(link(station)).text)
        if "/a/" in href
    )
    before = state(station)
    page = client.get(approve).text
    assert "/bin/true" in page
    fields = {
        "author": "ada",
        "reason": "the drop is real",
        "token": page.partition('name=token value="')[2].partition('"')[0],
    }
    assert client.head(approve).status_code == 200
    assert client.post(approve, data={**fields, "token": "x"}).status_code == 403
    assert client.post(reject, data=fields).status_code == 403
    assert client.post(approve, data={**fields, "reason": ""}).status_code == 409
    assert state(station) == before
    noted = client.post(approve, data=fields)
    assert "Noted" in noted.text
    assert station.sql(
        "select state, author, reason from action_runs where action = 'retrain'"
    ) == [("approved", "ada", "the drop is real")]
    assert (
        client.get(
            str(httpx.URL(f"http://x{approve}").join(hrefs(noted.text)[0]).raw_path, "ascii")
        ).status_code
        == 200
    )
    other = run_of(station, "roll-back")
    key = station.agent.link_keys.newest()
    path = f"/a/{other}/approve?{sign_query(key, other, 'approve', expiry(station.clock()))}"
    assert "approve_by_link" in client.get(path).text


def test_a_reader_acts_with_the_token_in_the_form(station, serving):
    """The form of a reader asks for the token; a wrong one, or that of readers, changes nothing."""
    name = station.told()[-1]["incident"]
    with serving(reader=READER) as client:
        client.headers["authorization"] = "Bearer reader-token"
        path = f"/i/{name}/silence"
        assert 'type="password" name="token"' in client.get(path).text
        before = state(station)
        fields = {"author": "ada", "reason": "planned", "for": "4h"}
        for token in ("", "wrong", READER.reveal()):
            assert client.post(path, data={**fields, "token": token}).status_code == 403
        assert client.post(path, data=fields).status_code == 403
        assert client.get("/i/inc_none/ack").status_code == 404
        assert client.get(f"/i/{name}/explode").status_code == 403
        assert state(station) == before
        noted = client.post(path, data={**fields, "token": TOKEN.reveal()})
        assert (noted.status_code, "Noted" in noted.text) == (200, True)
        assert "sig=" not in noted.text
        assert station.sql("select author, reason from silences") == [("ada", "planned")]
    with serving() as client:
        assert client.get(path).status_code == 403


def test_the_list_of_incidents_is_filtered(station, serving):
    """By state, model, severity and family; each row leads to its page and has its newest values."""
    name = station.told()[-1]["incident"]
    with serving(token=None) as client:

        def ids(**query):
            page = client.get("/incidents", params=query)
            assert page.status_code == 200
            return {href.removeprefix("i/") for href in hrefs(page.text) if href.startswith("i/")}

        assert name in ids()
        assert name in ids(state="all", model="shop", family="drift")
        for query in ({"state": "resolved"}, {"model": "x"}, {"severity": "info"}, {"page": "2"}):
            assert name not in ids(**query), query
        assert name in ids(page="x")
        page = client.get("/incidents", params={"model": '"><script>'}).text
        assert "<script" not in without_own_scripts(page)
        assert "No incident matches." in page
        assert 'class="spark"' in client.get("/incidents").text
        assert client.get(f"/i/{name}").text.count("The newest values as a table") == 1
    with serving(reader=READER) as client:
        assert client.get("/incidents").status_code == 401
    with serving() as client:
        answer = client.get("/incidents")
        assert answer.status_code == 401
        assert "Set agent.http_token" in answer.text
