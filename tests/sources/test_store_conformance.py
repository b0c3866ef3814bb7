"""What every object store must do, through its real SDK against a real server: one suite for all of
them.
"""

from __future__ import annotations

import gzip
import io
import itertools
import pickle
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from driftline_plugins.formats.parquet import Parquet
from driftline_plugins.sources import azure_blob
from faults import Cut, FaultProxy, Instead
from stores import MANY, NOW, START, AzureStore, GcsStore, S3Store

from driftline import (
    DiscoverContext,
    Field,
    Kind,
    ObjectChanged,
    ObjectGone,
    Secret,
    SourceBusy,
    SourceError,
    Unreadable,
)
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job
from driftline.ingest.read.list_work import list_work
from driftline.kit.stores import range_reader
from driftline.profiles.spec import ProfileSpec
from driftline.state import tables
from driftline.state.factory import open_store
from driftline.types.model import Schema

pytestmark = pytest.mark.system

KINDS = {
    "s3": (S3Store, "s3_server"),
    "gcs": (GcsStore, "gcs_server"),
    "azure": (AzureStore, "azure_server"),
}


@pytest.fixture(params=KINDS, scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def server(request, kind):
    return request.getfixturevalue(KINDS[kind][1])


@pytest.fixture
def store(kind, server):
    """An empty bucket of one store."""
    return KINDS[kind][0](server)


@pytest.fixture
def proxy(server):
    made = FaultProxy(server)
    yield made
    made.close()


@pytest.fixture
def pauses():
    """The seconds that sources would have slept."""
    return []


@pytest.fixture
def started(pauses):
    """Starts a source for a store, at its server or at another address, and stops it."""
    running = []

    def start(store, url="", **settings):
        source = store.source(url or store.url, **settings)
        source._sleep = pauses.append
        source.start(START)
        running.append(source)
        return source

    yield start
    for source in running:
        source.stop()
        source.stop()


def listed(source, since=None, skipped=None):
    def skip(uri, reason):
        if skipped is not None:
            skipped.append(uri)

    return list(source.discover(DiscoverContext(now=NOW, since=since, skipped=skip)))


def first(times: int, fault) -> Callable:
    """Does `fault` to so many requests, and nothing to the others."""
    left = itertools.count()
    return lambda asked: fault if next(left) < times else None


def test_paging(kind, server, started, proxy, tmp_path, monkeypatch):
    """5,001 objects are listed once each, whatever order they came in; when page 3 fails, nothing
    comes to the ledger.
    """
    monkeypatch.setattr(azure_blob, "PAGE", 1000)
    full = KINDS[kind][0].full(server)
    source = started(full, proxy.url, prefix="p/")
    objects = listed(source)
    assert Counter(full.key(obj.uri) for obj in objects) == Counter(MANY)
    assert {obj.size for obj in objects} == {3}
    assert all(obj.version and obj.modified.tzinfo is not None for obj in objects)
    assert len(proxy.asked) == 6

    pages = itertools.count(1)
    proxy.fault = lambda asked: full.refusal("throttled", "0") if next(pages) >= 3 else None
    database = open_store(f"sqlite:///{tmp_path}/s.db")
    job = Job(
        source=source, formats={}, schema=Schema(), spec=ProfileSpec(columns={}), length=1, latest=1
    )
    with pytest.raises(SourceError):
        list_work(database, "m", job, NOW)
    with database.read() as connection:
        assert (
            connection.execute(sa.select(sa.func.count()).select_from(tables.objects)).scalar_one()
            == 0
        )
    database.close()
    assert len(proxy.asked) == 6 + 2 + 4


def test_ranged_reads(store, started, monkeypatch):
    """Any start, any size of read, over the borders of parts; seeking goes anywhere."""
    monkeypatch.setattr(range_reader, "PART", 1000)
    monkeypatch.setattr(azure_blob, "PART", 1000)
    data = random.Random(1).randbytes(10_007)
    store.put("k", data)
    store.put("empty", b"")
    source = started(store)
    empty, obj = listed(source)
    assert source.open(empty).read() == b""
    for start in (0, 1, 999, 1000, 10_006, 10_007):
        assert source.open(obj, start).read() == data[start:]
    stream = source.open(obj, 7)
    assert b"".join(iter(lambda: stream.read(333), b"")) == data[7:]
    assert stream.seek(-5, io.SEEK_END) == 9995
    assert stream.read() == data[-5:]
    assert stream.seek(100) == 100
    assert stream.read(10) == data[107:117]


def test_parquet_by_ranges(store, started):
    """The Parquet reader seeks in the store's stream."""
    out = io.BytesIO()
    pq.write_table(
        pa.table({"a": list(range(50_000)), "b": ["x"] * 50_000}), out, row_group_size=10_000
    )
    store.put("k.parquet", out.getvalue())
    source = started(store)
    [obj] = listed(source)
    ctx = Decoding(uri=obj.uri, fields=(Field("a", "a", Kind.NUMERIC),))
    assert [v for b in Parquet().decode(source.open(obj), ctx) for v in b["a"].to_pylist()] == list(
        range(50_000)
    )


def test_overwritten_while_it_is_read(store, started, monkeypatch):
    """An object that is replaced before or while it is read is never mixed with the one that was
    listed.
    """
    monkeypatch.setattr(range_reader, "PART", 100)
    monkeypatch.setattr(azure_blob, "PART", 100)
    store.put("k", b"a" * 1000)
    source = started(store)
    [obj] = listed(source)
    raw = source.open(obj).detach()
    assert raw.read(10) == b"a" * 10
    raw.seek(500)
    store.put("k", b"b" * 1000)
    with pytest.raises(ObjectChanged, match="changed since"):
        raw.read(10)
    with pytest.raises(ObjectChanged):
        source.open(obj).read()
    [now] = listed(source)
    assert now.version != obj.version
    assert source.open(now).read() == b"b" * 1000


def test_deleted_after_listing(store, started):
    """An object that vanished between listing and reading says so, and the next listing lacks
    it.
    """
    store.put("k", b"a")
    source = started(store)
    [obj] = listed(source)
    store.delete("k")
    with pytest.raises(ObjectGone, match="gone since"):
        source.open(obj).read()
    assert listed(source) == []


def test_listed_late(store, started):
    """A name that sorts before all that was listed already is found by the next listing."""
    store.put("p/2024/b", b"x")
    source = started(store, prefix="p/")
    assert [store.key(obj.uri) for obj in listed(source)] == ["p/2024/b"]
    store.put("p/2023/a", b"x")
    assert [store.key(obj.uri) for obj in listed(source)] == ["p/2023/a", "p/2024/b"]


def test_gzip_content_encoding(store, started):
    """Stored bytes come back as they are, whatever their encoding says, at any offset."""
    data = gzip.compress(b'{"a": 1}\n' * 1000)
    store.put("k.jsonl", data, encoding="gzip")
    source = started(store)
    [obj] = listed(source)
    assert obj.size == len(data)
    assert source.open(obj).read() == data
    assert source.open(obj, 20).read() == data[20:]


@pytest.mark.parametrize("what", ["throttled", "busy"])
def test_throttling(store, started, proxy, pauses, what):
    """A store that asks for a pause is asked again after just that pause, in listing and in
    reading.
    """
    store.put("k", b"content")
    source = started(store, proxy.url)
    proxy.fault = first(2, store.refusal(what, "7"))
    [obj] = listed(source)
    assert pauses == [7, 7]
    proxy.fault = first(1, store.refusal(what))
    assert source.open(obj).read() == b"content"
    assert pauses == [7, 7, 0.5]


def test_long_throttling(store, started, proxy, pauses):
    """A pause too long for one call is left to the next tick, as is a store that stays busy."""
    source = started(store, proxy.url)
    proxy.fault = lambda asked: store.refusal("throttled", "300")
    with pytest.raises(SourceBusy):
        listed(source)
    assert pauses == []
    assert len(proxy.asked) == 1
    proxy.fault = lambda asked: store.refusal("throttled", "1")
    with pytest.raises(SourceBusy):
        listed(source)
    assert pauses == [1, 1, 1]


def test_cut_connections(store, started, proxy, monkeypatch):
    """Answers that end early cost nothing but other requests."""
    _no_sleep_in_sdks(monkeypatch)
    data = random.Random(2).randbytes(500_000)
    store.put("k", data)
    source = started(store, proxy.url)
    [obj] = listed(source)
    proxy.fault = first(4, Cut(50_000))
    assert source.open(obj).read() == data
    assert len(proxy.asked) > 4


def test_a_connection_that_always_breaks(store, started, proxy, monkeypatch):
    """After some cuts without a byte between it is the source's trouble, to be tried again
    later.
    """
    _no_sleep_in_sdks(monkeypatch)
    store.put("k", b"x" * 1000)
    source = started(store, proxy.url)
    [obj] = listed(source)
    proxy.fault = lambda asked: Cut(0)
    with pytest.raises(SourceError, match="broke 5 times"):
        source.open(obj).read()


def test_a_store_that_is_away(store, started, proxy, pauses):
    """A server that can't be reached is tried a few times, then it is the source's trouble."""
    source = started(store, proxy.url)
    proxy.close()
    with pytest.raises(SourceBusy):
        listed(source)
    assert pauses == [0.5, 1, 2]


def test_credentials_that_expire(store, started, proxy, pauses, tmp_path):
    """Expired credentials are named as such, at once; once they are renewed the same source goes
    on.
    """
    store.put("k", b"content")
    source = started(store, proxy.url, **store.credentials(tmp_path, proxy.url))
    proxy.fault = store.token
    [obj] = listed(source)
    proxy.fault = lambda asked: store.token(asked) or store.refusal("expired")
    with pytest.raises(SourceError, match="expired"):
        source.open(obj).read()
    with pytest.raises(SourceError, match="expired"):
        listed(source)
    assert pauses == []
    proxy.fault = store.token
    assert source.open(obj).read() == b"content"
    assert listed(source) == [obj]


def test_insufficient_rights(store, started, proxy, kind, tmp_path):
    """A missing right is named: the one to list, and the one to read."""
    store.put("k", b"content")
    source = started(store, proxy.url, **store.credentials(tmp_path, proxy.url))
    proxy.fault = store.token
    [obj] = listed(source)
    proxy.fault = lambda asked: store.token(asked) or store.refusal("denied")
    rights = {"s3": ("s3:ListBucket", "s3:GetObject"), "gcs": ("storage.objects.list", "storage.objects.get"),
              "azure": ("right to list", "right to read")}[kind]  # fmt: skip
    with pytest.raises(SourceError, match=rights[0]):
        source.probe()
    with pytest.raises(SourceError, match=rights[1]) as caught:
        source.open(obj).read()
    assert "k" in str(caught.value)
    assert len(source.permissions()) >= 1


HOSTILE = ["a b+c.jsonl", "a%20b%2Fc%.jsonl", "x//y.jsonl", "é🙂.jsonl", "a?b#c&d=e.jsonl", "a/../b.jsonl", "./c.jsonl",
           "line\nbreak.jsonl", "quote'\"<&>.jsonl", "k" * 1018 + ".jsonl", "back\\slash.jsonl", " space "]  # fmt: skip


@pytest.mark.parametrize("key", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_keys(store, started, key):
    """Names are taken byte for byte, in listing and in reading."""
    for refused in store.refused:
        key = key.replace(refused, "_")
    store.put(key, b"content")
    source = started(store)
    [obj] = listed(source)
    assert store.key(obj.uri) == key
    assert source.open(obj).read() == b"content"


def test_what_is_no_data(store, started):
    """Folder markers go without a word; markers and temporary files with one."""
    for key in (
        "f/_SUCCESS",
        "f/_temporary/0/a.csv",
        "f/.x.crc",
        "f/a.tmp",
        "f/a.csv",
        "f/empty.csv",
    ):
        store.put(key, b"x")
    store.put("f/folder/", b"")
    skipped = []
    assert [store.key(obj.uri) for obj in listed(started(store), skipped=skipped)] == [
        "f/a.csv",
        "f/empty.csv",
    ]
    assert len(skipped) == 4


def hour_keys(since: datetime, hours: int) -> list[str]:
    starts = [since + timedelta(hours=n) for n in range(hours)]
    return [
        f"logs/{series}/{start:%Y/%m/%d/%H}/{n}.jsonl"
        for series in ("ep/a", "ep/b", "other/a")
        for start in starts
        for n in (0, 1)
    ]


@pytest.fixture(scope="module")
def history(kind, server):
    """Three series of seven days of hourly folders, two objects in each."""
    store = KINDS[kind][0](server)
    store.seed(hour_keys(NOW - timedelta(days=7), 7 * 24 + 1), b"x")
    return store


@pytest.mark.parametrize("ignores", [False, True], ids=["heeds", "ignores"])
def test_layouts(history, started, proxy, ignores):
    """With `since` only the newest folders are asked for; of a server that ignores where to begin,
    the rest is left out.
    """
    if ignores:
        proxy.fault = lambda asked: Instead(history.without_hint(asked.target))
    since = NOW.replace(minute=0) - timedelta(hours=1)
    source = started(history, proxy.url, prefix="logs/", layout="sagemaker")
    objects = listed(source, since)
    wanted = hour_keys(NOW.replace(minute=0) - timedelta(hours=2), 3)
    assert sorted(history.key(obj.uri) for obj in objects) == sorted(wanted)
    asked = [unquote(each.target) for each in proxy.asked]
    assert len(asked) <= 3 + 3 * (1 if history.begins else 4)
    assert [a for a in asked if "2024/04/30" in a] == []
    one = next(obj for obj in objects if "other" in obj.uri)
    assert one.partition.tzinfo is UTC
    assert one.parts == {"endpoint": "other", "variant": "a"}


def test_whole_listings_of_layouts(history, started):
    """Without `since` everything is listed, once a day, each object with what its place says; a
    prefix is then a folder.
    """
    source = started(history, prefix="logs", layout="{endpoint}/{variant}/%Y/%m/%d/%H/")
    objects = listed(source)
    assert len(objects) == 3 * 2 * (7 * 24 + 1)
    assert min(obj.partition for obj in objects) == NOW.replace(minute=0) - timedelta(days=7)
    assert source.full_listing_interval == timedelta(hours=24)
    assert started(history).full_listing_interval is None


def test_folders_of_a_prefix(history, started):
    """Each folder once, by its name alone; objects beside them are no folders."""
    history.put("logs/readme.txt", b"x")
    names = list(started(history, prefix="logs/").list_folders())
    assert len(set(names)) == len(names)
    assert "other" in names
    assert not any("/" in name or "." in name for name in names)
    assert list(started(history, prefix="logs/absent/").list_folders()) == []


def test_a_layout_that_is_none(store):
    """A pattern that names no time is a mistake of the configuration."""
    with pytest.raises(ValueError, match="layout"):
        store.source(store.url, layout="{endpoint}/%H/")


def test_references(store, started):
    """A record may point to another object of the bucket, by its address or by its path; to nowhere
    else.
    """
    store.put("logs/a b/x.json", b"there")
    source = started(store, prefix="logs/")
    [obj] = listed(source)
    assert source.open_reference(obj.uri).read() == b"there"
    assert source.open_reference("a b/x.json").read() == b"there"
    with pytest.raises(ObjectGone):
        source.open_reference("a b/y.json").read()
    with pytest.raises(Unreadable, match="outside"):
        source.open_reference("https://elsewhere.example/x.json")


def test_a_bucket_that_is_not_there(store, started):
    """The name of a bucket that does not exist is told as such."""
    store.name = "no-such-bucket-at-all"
    with pytest.raises(SourceError, match="no such"):
        listed(started(store))


def test_the_probe(store, started):
    """It lists one name, and tells where it did so."""
    source = started(store)
    assert "no " in source.probe()
    store.put("a/b", b"x")
    assert source.probe().endswith("a/b")
    assert store.url in source.probe()


def test_travelling_and_threads(store, started, monkeypatch):
    """A pickled source carries settings and names of secrets and opens objects elsewhere; one
    client serves many threads.
    """
    for i in range(10):
        store.put(f"{i:02d}", b"%02d" % i * 1000)
    source = started(store)
    for _, secret in source:
        if isinstance(secret, Secret):
            # The environment of the other process.
            monkeypatch.setenv(secret.reference[6:-1], secret.reveal())
    copy = pickle.loads(pickle.dumps(source))
    assert copy._client is None
    objects = listed(copy)
    with ThreadPoolExecutor(8) as pool:
        contents = list(pool.map(lambda obj: source.open(obj).read(), objects))
    assert contents == [b"%02d" % i * 1000 for i in range(10)]
    copy.stop()


def _no_sleep_in_sdks(monkeypatch) -> None:
    """Azure's waits a second by itself before it asks again for an answer that was cut."""
    monkeypatch.setattr(
        "azure.storage.blob._download.time", SimpleNamespace(sleep=lambda seconds: None)
    )
