"""A proxy that has asked people who they are names them in a header; nobody else can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from station import Station

from driftline.config.load import load_config
from driftline.types.errors import ConfigError
from driftline.types.secret import Secret
from driftline.web import create_app, serve
from driftline.web.trusted_proxy import TrustedProxy

pytestmark = pytest.mark.system

HEADER = "X-Forwarded-User"
NAMED = {HEADER: "ada"}
READER = Secret("${env:R}", "reader-token-of-20-letters")
ACTOR = Secret("${env:T}", "actor-token-of-20-letters")
Client = Callable[..., httpx.Client]


@pytest.fixture
def client(tmp_path) -> Iterator[Client]:
    """Makes clients of an agent behind a proxy that asks from the given addresses."""
    with ExitStack() as stack:
        station = Station(tmp_path)
        stack.enter_context(station.open())

        def make(
            *proxies: str, reader: Secret | None = None, actor: Secret | None = None
        ) -> httpx.Client:
            proxy = TrustedProxy.parse(HEADER, proxies)
            app = create_app(station.agent, reader, actor, clock=station.clock, proxy=proxy)
            server = serve(app, "127.0.0.1", 0)
            stack.callback(server.stop)
            address = f"http://{server.address}"
            return stack.enter_context(httpx.Client(base_url=address, trust_env=False, timeout=60))

        yield make


@pytest.mark.parametrize("proxies", [("127.0.0.1",), ("10.0.0.5", "127.0.0.0/8")])
def test_a_named_reader_reads(client, proxies):
    """From the address of the proxy, or from its network."""
    pages = client(*proxies)
    for path in ("/", "/health", "/m/shop", "/api/models"):
        assert pages.get(path, headers=NAMED).status_code in (200, 404), path
    assert pages.get("/", headers=NAMED).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "headers"),
    [
        (("127.0.0.1",), {}),
        (("127.0.0.1",), {HEADER: ""}),
        (("10.0.0.5", "::1"), NAMED),
        (("10.0.0.0/8",), NAMED | {"X-Forwarded-For": "10.0.0.5"}),
    ],
    ids=["no name", "empty name", "another address", "a claimed address"],
)
def test_others_are_told_which_setting_opens_the_page(client, proxies, headers):
    """The answer names the header's setting and that of the addresses."""
    answer = client(*proxies).get("/", headers=headers)
    assert answer.status_code == 401
    assert "agent.http_user_header" in answer.text
    assert "agent.http_proxies" in answer.text


def test_a_token_opens_the_pages_beside_the_proxy(client):
    """Programs have no proxy to name them."""
    pages = client("10.0.0.5", reader=READER)
    assert pages.get("/", headers=NAMED).status_code == 401
    bearer = {"Authorization": f"Bearer {READER.reveal()}"}
    assert pages.get("/", headers=bearer).status_code == 200


def test_a_named_reader_changes_nothing_without_the_token(client):
    """The proxy says who reads; to act needs agent.token."""
    pages = client("127.0.0.1", actor=ACTOR)
    assert pages.get("/api/models", headers=NAMED).status_code == 200
    body = {"author": "ada", "reason": "x"}
    answer = pages.post("/api/incidents/any/ack", headers=NAMED, json=body)
    assert answer.status_code in (401, 403)


def test_a_page_of_another_site_cannot_pass_for_the_proxy(client):
    """A name that points to this machine is turned away, whatever header its page sends."""
    answer = client("127.0.0.1").get("/", headers=NAMED | {"Host": "evil.example"})
    assert answer.status_code == 421


@pytest.mark.parametrize("address", ["10.0.0.300", "proxy.example", "10.0.0.1/24", ""])
def test_a_wrong_address_is_a_mistake_of_the_configuration(tmp_path, address):
    """It is named with its place."""
    station = Station(tmp_path)
    text = station.config.read_text().replace(
        "http: null,", f'http: null, http_user_header: {HEADER}, http_proxies: ["{address}"],'
    )
    station.config.write_text(text)
    with pytest.raises(ConfigError, match="http_proxies"):
        load_config(station.config)
