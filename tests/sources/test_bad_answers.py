"""Answers that are not the store's: nothing is counted, nothing is lost, and all is read once it
heals. One suite for the three SDKs, each against a real server behind a proxy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from driftline_plugins.formats.jsonl import JsonLines
from faults import Altered, Asked, Cut, FaultProxy, Refuse
from stores import NOW, START, AzureStore, GcsStore, S3Store

from driftline import Field, Kind
from driftline.ingest.read.job import Job
from driftline.ingest.read.list_work import list_work, note_vanished
from driftline.ingest.read.read_pass import ReadCounts, ReadPass
from driftline.profiles.spec import ProfileSpec
from driftline.state import tables
from driftline.state.factory import open_store
from driftline.state.store import Store
from driftline.types.errors import SourceError
from driftline.types.model import Schema
from driftline.types.times import as_micros

pytestmark = pytest.mark.system

KINDS = {
    "s3": (S3Store, "s3_server"),
    "gcs": (GcsStore, "gcs_server"),
    "azure": (AzureStore, "azure_server"),
}
HTML = b"<!DOCTYPE html><html><body><br>Please log in</body></html>"
TIDY_HTML = b"<html><head><title>Log in</title></head><body></body></html>"
FOREIGN_XML = b'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><entry/></feed>'
NOT_THE_STORE = "a proxy or another server answered in place of the store"
ROW = '{"timestamp": "2024-05-01T12:00:00Z", "x": %d}\n'


@pytest.fixture(params=KINDS, scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def server(request, kind):
    return request.getfixturevalue(KINDS[kind][1])


@pytest.fixture
def proxy(server):
    made = FaultProxy(server)
    yield made
    made.close()


@pytest.fixture
def agent(kind, server, proxy, tmp_path, monkeypatch):
    """Three objects of ten rows each, read through the proxy by a source that never sleeps."""
    no_sleep = SimpleNamespace(sleep=lambda seconds: None)
    monkeypatch.setattr("azure.storage.blob._download.time", no_sleep)
    store = KINDS[kind][0](server)
    for n in range(3):
        store.put(f"{n}.jsonl", "".join(ROW % (10 * n + i) for i in range(10)).encode())
    source = store.source(proxy.url)
    source._sleep = lambda seconds: None
    source.start(START)
    database = open_store(f"sqlite:///{tmp_path}/s.db")
    yield Reader(store, source, database)
    database.close()
    source.stop()


class Reader:
    """Lists and reads as the agent does in one tick."""

    def __init__(self, store, source, database: Store) -> None:
        self.store, self.source, self.database = store, source, database
        schema = Schema(
            features={"x": Field("x", "x", Kind.NUMERIC)},
            timestamp=Field("timestamp", "timestamp", Kind.CATEGORICAL),
        )
        self.job = Job(
            source=source,
            formats={"": JsonLines()},
            schema=schema,
            spec=ProfileSpec(columns={}),
            length=3_600_000_000,
            latest=as_micros(NOW),
        )

    def tick(self) -> ReadCounts:
        """Raises SourceError where the listing fails."""
        counts = ReadCounts()
        listing = list_work(self.database, "m", self.job, NOW)
        with ThreadPoolExecutor(1) as executor:
            ReadPass(
                store=self.database, model="m", job=self.job, executor=executor,
                clock=lambda: NOW, monotonic=time.monotonic, in_flight=2,
            ).run(listing.work, counts)  # fmt: skip
        note_vanished(self.database, "m", listing)
        return counts

    def failure(self) -> str:
        """The sentence of a tick in which nothing can be read, from the listing or from a read."""
        try:
            counts = self.tick()
        except SourceError as error:
            return str(error)
        assert (counts.objects, counts.rows, counts.gone) == (0, 0, 0)
        assert counts.waiting == len(counts.errors) == 3
        return counts.errors[0]

    def states(self) -> dict[str, int]:
        """How many objects the ledger has in each state."""
        query = sa.select(tables.objects.c.state, sa.func.count()).group_by(tables.objects.c.state)
        with self.database.read() as connection:
            return dict(connection.execute(query).all())

    def rows(self) -> int:
        """The rows that count."""
        with self.database.read() as connection:
            return connection.execute(sa.select(sa.func.sum(tables.objects.c.rows))).scalar() or 0


def is_get(asked: Asked) -> bool:
    return any(name.lower() in ("range", "x-ms-range") for name in asked.headers)


def on(where: Callable[[Asked], bool], fault: object) -> Callable[[Asked], object]:
    return lambda asked: fault if where(asked) else None


def page(status: int, body: bytes, kind: str = "text/html") -> Refuse:
    return Refuse(status, {"Content-Type": kind}, body)


def some_slow(names: Iterable[object], usual: set[object]) -> list[object]:
    """The names as parameters, all but the usual ones for the long run only."""
    return [name if name in usual else pytest.param(name, marks=pytest.mark.slow) for name in names]


BAD_READS = {
    "html": (page(200, HTML), f"{NOT_THE_STORE} (HTTP 200, text/html)"),
    "partial html": (page(206, HTML), "the answer holds another part of the object (no range"),
    "no body": (page(200, b"", "text/plain"), f"{NOT_THE_STORE} (HTTP 200, text/plain)"),
    "foreign xml": (page(200, FOREIGN_XML, "text/xml"), f"{NOT_THE_STORE} (HTTP 200, text/xml)"),
    "html 403": (page(403, HTML), f"{NOT_THE_STORE} (HTTP 403, text/html)"),
    "html 404": (page(404, HTML), f"{NOT_THE_STORE} (HTTP 404, text/html)"),
    "html 502": (page(502, HTML), f"{NOT_THE_STORE} (HTTP 502, text/html)"),
    "whole": (Altered({}, 200), f"{NOT_THE_STORE} (HTTP 200"),
    "other range": (Altered({"Content-Range": "bytes 5-14/490"}), "holds another part of the object (bytes 5-14/490"),
    "longer range": (Altered({"Content-Range": "bytes 0-9999/10000"}), "holds another part of the object"),
    "torn range": (Altered({"Content-Range": "garbage"}), "holds another part of the object (garbage"),
}  # fmt: skip


@pytest.mark.parametrize("name", some_slow(BAD_READS, {"html", "other range"}))
def test_a_bad_answer_to_a_read(agent, proxy, name):
    """The objects wait, for the same reason on each store, and are read once it heals."""
    fault, sentence = BAD_READS[name]
    proxy.fault = on(is_get, fault)
    assert sentence in agent.failure()
    assert agent.states() == {"waiting": 3}
    proxy.fault = lambda asked: None
    assert agent.tick().rows == 30
    assert agent.tick().objects == 0
    assert (agent.rows(), agent.states()) == (30, {"done": 3})


OTHER_VERSIONS = {
    "s3": {"ETag": '"0123456789abcdef0123456789abcdef"'},
    "gcs": {"X-Goog-Generation": "17"},
    "azure": {"ETag": '"0x8DC0"'},
}


def test_another_version_in_the_answer(agent, proxy, kind):
    """Bytes of another version than the listed one are never mixed in."""
    proxy.fault = on(is_get, Altered(OTHER_VERSIONS[kind]))
    assert "changed since it was listed" in agent.failure()
    proxy.fault = lambda asked: None
    assert agent.tick().rows == 30
    assert agent.states() == {"done": 3}


BAD_LISTINGS = {
    "html": (page(200, HTML), f"{NOT_THE_STORE} (HTTP 200, text/html)"),
    "tidy html": (page(200, TIDY_HTML), f"{NOT_THE_STORE} (HTTP 200, text/html)"),
    "nothing": (page(200, b"", "text/plain"), f"{NOT_THE_STORE} (HTTP 200, text/plain)"),
    "json": (page(200, b"{}", "application/json"), f"{NOT_THE_STORE} (HTTP 200, application/json)"),
    "foreign xml": (page(200, FOREIGN_XML, "application/xml"), f"{NOT_THE_STORE} (HTTP 200, application/xml)"),
    "no content": (Refuse(204, {"Content-Type": "text/plain"}), f"{NOT_THE_STORE} (HTTP 204, text/plain)"),
    "html 404": (page(404, HTML), f"{NOT_THE_STORE} (HTTP 404, text/html)"),
    "html 503": (page(503, HTML), f"{NOT_THE_STORE} (HTTP 503, text/html)"),
}  # fmt: skip


@pytest.mark.parametrize("name", some_slow(BAD_LISTINGS, {"html", "foreign xml"}))
def test_a_bad_answer_to_a_listing(agent, proxy, name):
    """The bucket is not taken for empty, and no object for gone."""
    fault, sentence = BAD_LISTINGS[name]
    assert agent.tick().rows == 30
    agent.store.put("3.jsonl", (ROW % 30).encode())
    proxy.fault = on(lambda asked: not is_get(asked), fault)
    assert sentence in agent.failure()
    assert agent.states() == {"done": 3}
    proxy.fault = lambda asked: None
    assert agent.tick().rows == 1
    assert (agent.rows(), agent.states()) == (31, {"done": 4})


def test_the_listing_of_another_bucket(agent, proxy, kind, server):
    """It is no listing of this one, also where it is a store's own document."""
    other = KINDS[kind][0](server)
    other.put("x.jsonl", b"{}\n")
    assert agent.tick().rows == 30
    foreign = page(200, other.listing(), "application/json" if kind == "gcs" else "application/xml")
    proxy.fault = on(lambda asked: not is_get(asked), foreign)
    assert NOT_THE_STORE in agent.failure()
    assert agent.states() == {"done": 3}


def test_an_empty_listing(agent, proxy, kind):
    """Objects of a bucket that is empty for a while keep their rows, and count once afterwards."""
    assert agent.tick().rows == 30
    for n in range(3):
        agent.store.delete(f"{n}.jsonl")
    assert agent.tick().objects == 0
    assert (agent.rows(), agent.states()) == (30, {"gone": 3})
    for n in range(3):
        agent.store.put(f"{n}.jsonl", "".join(ROW % (10 * n + i) for i in range(10)).encode())
    agent.tick()
    assert (agent.rows(), agent.states()) == (30, {"done": 3})


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A server to which answers redirect, and what it was sent."""
    sent: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None: ...

        def do_GET(self) -> None:
            sent.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_HEAD = do_GET

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{other.server_port}", sent
        other.shutdown()


@pytest.mark.parametrize("status", some_slow((301, 302, 307, 308), {302}))
@pytest.mark.parametrize("where", ["listing", "read"])
def test_a_redirect(agent, proxy, elsewhere, status, where):
    """No client follows it; the sentence names the other server."""
    url, sent = elsewhere
    fault = Refuse(status, {"Location": f"{url}/login", "Content-Type": "text/html"}, HTML)
    proxy.fault = on(is_get if where == "read" else lambda asked: True, fault)
    sentence = f"the answer is a redirect to {url[7:]} (HTTP {status}), which is not followed"
    assert sentence in agent.failure()
    assert sent == []
    proxy.fault = lambda asked: None
    assert agent.tick().rows == 30


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1, 100])
def test_a_connection_that_is_always_cut(agent, proxy, after):
    """It gives up after a bound of requests, the same on each store, and nothing is counted."""
    agent.store.put("0.jsonl", (ROW % 1).encode() * 5000)
    proxy.fault = on(is_get, Cut(after))
    counts = agent.tick()
    assert counts.waiting > 0
    assert counts.rows in (0, 20)
    assert all("the connection broke" in error for error in counts.errors)
    assert len(proxy.asked) < 1500
    proxy.fault = lambda asked: None
    agent.tick()
    assert agent.rows() == 5020


def test_a_connection_that_is_cut_again_and_again(agent, proxy):
    """It makes progress: the whole object is read where each answer ends after 50 kB."""
    agent.store.put("0.jsonl", (ROW % 1).encode() * 10_000)
    proxy.fault = on(is_get, Cut(50_000))
    assert agent.tick().rows == 10_020
