"""S3: every key listed once, every byte of the listed version read, whatever the connection does."""

from __future__ import annotations

import io
import itertools
import pickle
import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from driftline_plugins.formats.parquet import Parquet
from driftline_plugins.sources.s3 import S3

from driftline import (
    DiscoverContext,
    Field,
    Kind,
    LogObject,
    ObjectChanged,
    ObjectGone,
    Secret,
    SourceError,
    StartContext,
    Unreadable,
    ranges,
)
from driftline.ingest.decoding import Decoding

NOW = datetime(2024, 5, 1, tzinfo=UTC)
KEYS = {
    "access_key_id": Secret("${env:KEY}", "AKIDEXAMPLE"),
    "secret_access_key": Secret("${env:SECRET}", "secret-example"),
    "region": "us-east-1",
    "addressing_style": "path",
}


class Log:
    def info(self, event, **facts): ...
    def warning(self, event, **facts): ...


START = StartContext(name="logs", log=Log(), clock=lambda: NOW)


@pytest.fixture
def bucket(s3_server):
    """An empty bucket: its server, its client, its name."""
    client = boto3.client(
        "s3", endpoint_url=s3_server, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s",
        config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip
    name = f"ml-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    yield s3_server, client, name
    client.close()


@pytest.fixture
def started():
    """Starts sources and stops them."""
    running = []

    def start(**settings):
        source = S3(**(KEYS | settings))
        source._sleep = lambda seconds: None
        source.start(START)
        running.append(source)
        return source

    yield start
    for source in running:
        source.stop()
        source.stop()


def listed(source, skipped=None):
    return list(
        source.discover(DiscoverContext(now=NOW, skipped=lambda u, w: skipped.append(u) if skipped is not None else None))
    )


def test_every_page_is_read(bucket, started):
    """More keys than a page holds are listed once each, in order, with ETag and size."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    server, client, name = bucket
    keys = [f"p/{i:05d}.jsonl" for i in range(2300)]
    for key in keys:
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(name, key, b"{}\n")
    client.put_object(Bucket=name, Key="q/other.jsonl", Body=b"x")
    objects = listed(started(bucket=name, prefix="p/", endpoint_url=server))
    assert [obj.uri for obj in objects] == [f"s3://{name}/{key}" for key in keys]
    assert {obj.size for obj in objects} == {3}
    assert all(obj.version.strip('"') for obj in objects)
    assert objects[0].modified.tzinfo is not None


def test_an_empty_page_is_not_the_end(started):
    """A page without keys but with a token is followed by the next."""
    source = started(bucket="b", endpoint_url="http://127.0.0.1:9")
    entry = {"Key": "a", "ETag": '"1"', "Size": 1, "LastModified": NOW}
    with Stubber(source._client) as stub:
        stub.add_response("list_objects_v2", {"IsTruncated": True, "NextContinuationToken": "t"}, {"Bucket": "b", "Prefix": ""})
        again = {"Bucket": "b", "Prefix": "", "ContinuationToken": "t"}
        stub.add_response("list_objects_v2", {"IsTruncated": False, "Contents": [entry]}, again)
        assert listed(source) == [LogObject("s3://b/a", '"1"', 1, NOW)]


def test_a_page_that_fails_ends_the_pass(started):
    """An error in the middle of a listing is raised: half a list is none."""
    source = started(bucket="b", endpoint_url="http://127.0.0.1:9")
    with Stubber(source._client) as stub:
        stub.add_response("list_objects_v2", {"IsTruncated": True, "NextContinuationToken": "t"})
        for _ in range(4):
            stub.add_client_error("list_objects_v2", "SlowDown", "Reduce your request rate", 503)
        with pytest.raises(SourceError, match="SlowDown"):
            listed(source)


@pytest.mark.parametrize("key", ["a b.jsonl", "a+b%20c.jsonl", "x//y.jsonl", "é🙂.jsonl", "a?b#c&d.jsonl", "./a/../b.jsonl"])
def test_hostile_keys(bucket, started, key):
    """Keys are taken byte for byte, in listing and in reading."""
    server, client, name = bucket
    client.put_object(Bucket=name, Key=key, Body=b"content")
    source = started(bucket=name, endpoint_url=server)
    [obj] = listed(source)
    assert obj.uri == f"s3://{name}/{key}"
    assert source.open(obj).read() == b"content"


def test_what_is_no_data_is_left_out_and_told(bucket, started):
    """Folder markers go without a word; markers and temporary files with one."""
    server, client, name = bucket
    for key in ("f/", "f/_SUCCESS", "f/_temporary/0/a.csv", "f/.x.crc", "f/a.tmp", "f/a.csv", "f/empty.csv"):
        client.put_object(Bucket=name, Key=key, Body=b"" if key.endswith(("/", "empty.csv")) else b"x")
    skipped = []
    source = started(bucket=name, endpoint_url=server)
    objects = listed(source, skipped)
    assert [obj.uri.rpartition("/")[2] for obj in objects] == ["a.csv", "empty.csv"]
    assert len(skipped) == 4
    assert source.open(objects[1]).read() == b""


def test_reading_by_parts(bucket, started, monkeypatch):
    """Any start, any size of read, over the borders of parts; seeking goes anywhere."""
    monkeypatch.setattr(ranges, "PART", 1000)
    server, client, name = bucket
    data = bytes(i * 7 % 251 for i in range(10_007))
    client.put_object(Bucket=name, Key="k", Body=data)
    source = started(bucket=name, endpoint_url=server)
    [obj] = listed(source)
    for start in (0, 1, 999, 1000, 10_006, 10_007):
        assert source.open(obj, start).read() == data[start:]
    stream = source.open(obj, 7)
    assert b"".join(iter(lambda: stream.read(333), b"")) == data[7:]
    assert stream.seek(-5, io.SEEK_END) == 9995
    assert stream.read() == data[-5:]
    assert stream.seek(100) == 100
    assert stream.read(10) == data[107:117]


def test_parquet_by_ranges(bucket, started):
    """The Parquet reader seeks in the store's stream."""
    server, client, name = bucket
    out = io.BytesIO()
    pq.write_table(pa.table({"a": list(range(100_000)), "b": ["x"] * 100_000}), out, row_group_size=10_000)
    client.put_object(Bucket=name, Key="k.parquet", Body=out.getvalue())
    source = started(bucket=name, endpoint_url=server)
    [obj] = listed(source)
    ctx = Decoding(obj.uri, (Field("a", "a", Kind.NUMERIC),))
    assert [v for b in Parquet().decode(source.open(obj), ctx) for v in b["a"].to_pylist()] == list(range(100_000))


def test_another_version_is_not_read(bucket, started, monkeypatch):
    """An object that was replaced before or while it is read, or deleted, is never mixed with the one that was listed."""
    monkeypatch.setattr(ranges, "PART", 100)
    server, client, name = bucket
    client.put_object(Bucket=name, Key="k", Body=b"a" * 1000)
    source = started(bucket=name, endpoint_url=server)
    [obj] = listed(source)
    raw = source.open(obj).detach()
    assert raw.read(10) == b"a" * 10
    raw.seek(500)
    client.put_object(Bucket=name, Key="k", Body=b"b" * 1000)
    with pytest.raises(ObjectChanged, match="changed since"):
        raw.read(10)
    client.delete_object(Bucket=name, Key="k")
    with pytest.raises(ObjectGone, match="gone since"):
        source.open(obj).read()


class Cutter:
    """A proxy that cuts every answer after a number of bytes, then lets through a few whole ones."""

    def __init__(self, target: str, limits) -> None:
        host, _, port = target.removeprefix("http://").partition(":")
        self._target, self._limits = (host, int(port)), limits
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.requests: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client, socket.create_connection(self._target) as server:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += client.recv(65536)
                self.requests.append(request)
                server.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
                left = next(self._limits)
                while left > 0 and (data := server.recv(min(65536, left))):
                    client.sendall(data)
                    left -= len(data)

    def close(self) -> None:
        self._socket.close()


def test_a_cut_connection_is_taken_up_where_it_broke(bucket, started):
    """Answers that end early cost nothing but another request, from the byte where they ended, for the same version."""
    server, client, name = bucket
    data = bytes(i * 31 % 253 for i in range(500_000))
    client.put_object(Bucket=name, Key="k", Body=data)
    [obj] = listed(started(bucket=name, endpoint_url=server))
    proxy = Cutter(server, itertools.cycle([50_000, 120_000, 10**9]))
    try:
        stream = started(bucket=name, endpoint_url=proxy.url).open(obj)
        assert stream.read() == data
    finally:
        proxy.close()
    assert len(proxy.requests) >= 3
    assert all(b"If-Match" in request for request in proxy.requests)


def test_a_connection_that_always_breaks_is_an_error(bucket, started):
    """After some cuts without a byte between it is the source's trouble, to be tried again later."""
    server, client, name = bucket
    client.put_object(Bucket=name, Key="k", Body=b"x" * 1000)
    [obj] = listed(started(bucket=name, endpoint_url=server))

    class Body:
        def read(self, size):
            return b""

        def close(self): ...

    source = started(bucket=name, endpoint_url=server)
    object.__setattr__(source, "_call", lambda *a, **k: {"Body": Body()})
    with pytest.raises(SourceError, match="broke 5 times"):
        source.open(obj).read()


@pytest.mark.parametrize(("code", "status", "says", "kind", "words"), [
    ("AccessDenied", 403, "Access Denied", SourceError, "s3:GetObject"),
    ("AccessDenied", 403, "not authorized to perform: kms:Decrypt on resource", SourceError, ": kms:Decrypt is needed"),
    ("KMS.DisabledException", 400, "disabled", SourceError, "kms:Decrypt"),
    ("ExpiredToken", 400, "expired", SourceError, "have expired"),
    ("InvalidAccessKeyId", 403, "no", SourceError, "are wrong"),
    ("NoSuchKey", 404, "no", ObjectGone, "gone"),
    ("NoSuchBucket", 404, "no", SourceError, "no such bucket"),
    ("PreconditionFailed", 412, "no", ObjectChanged, "changed"),
    ("InvalidObjectState", 403, "archived", Unreadable, "archived"),
    ("PermanentRedirect", 301, "no", SourceError, "set region"),
    ("InternalError", 500, "we failed", SourceError, "InternalError: we failed"),
])  # fmt: skip
def test_what_refusals_mean(started, code, status, says, kind, words):
    """Each refusal of the store is the error that it means, and names the place and the mend."""
    source = started(bucket="b", prefix="p/", endpoint_url="http://127.0.0.1:9")
    with Stubber(source._client) as stub:
        for _ in range(4):
            stub.add_client_error("get_object", code, says, status)
        with pytest.raises(kind, match=words) as caught:
            source.open(LogObject("s3://b/p/k", '"1"', 10, NOW)).read()
    assert "s3://b/p/k" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_listing_that_is_denied_names_the_right(started):
    """A missing right to list is named as such."""
    source = started(bucket="b", endpoint_url="http://127.0.0.1:9")
    with Stubber(source._client) as stub:
        stub.add_client_error("list_objects_v2", "AccessDenied", "Access Denied", 403)
        with pytest.raises(SourceError, match=r"access denied \(credentials from explicit\): s3:ListBucket is needed"):
            source.probe()


def test_missing_credentials_are_told(started, monkeypatch, tmp_path):
    """No credentials anywhere is no mystery."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    source = started(bucket="b", endpoint_url="http://127.0.0.1:9", access_key_id=None, secret_access_key=None)
    with pytest.raises(SourceError, match="no AWS credentials were found"):
        source.probe()
    with pytest.raises(SourceError, match="profile"):
        started(bucket="b", profile="nobody", access_key_id=None, secret_access_key=None)


def test_the_probe_says_where_and_as_whom(bucket, started):
    """It lists one key, and tells the endpoint and where the credentials came from."""
    server, client, name = bucket
    source = started(bucket=name, endpoint_url=server)
    assert source.probe() == f"{server}, credentials from explicit: no key under this prefix yet"
    client.put_object(Bucket=name, Key="a/b", Body=b"")
    assert started(bucket=name, endpoint_url=server, anonymous=True).probe() == f"{server}, anonymous: first key a/b"
    assert [right.split()[0] for right in source.permissions()] == ["s3:ListBucket", "s3:GetObject", "kms:Decrypt"]


def test_it_travels_and_works_from_many_threads(bucket, started):
    """A pickled source carries settings only and opens objects elsewhere; one client serves many threads."""
    server, client, name = bucket
    for i in range(20):
        client.put_object(Bucket=name, Key=f"{i:02d}", Body=b"%02d" % i * 1000)
    source = started(bucket=name, endpoint_url=server)
    copy = pickle.loads(pickle.dumps(source))
    assert copy._client is None
    objects = listed(copy)
    with ThreadPoolExecutor(8) as pool:
        contents = list(pool.map(lambda obj: source.open(obj).read(), objects))
    assert contents == [b"%02d" % i * 1000 for i in range(20)]
    copy.stop()


def test_secrets_do_not_show():
    """Neither the settings' text nor their dump holds a key."""
    source = S3(bucket="b", **KEYS)
    assert "secret-example" not in f"{source!r} {source} {source.model_dump_json()}"
