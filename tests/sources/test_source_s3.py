"""S3: what only it has; the rest is in the suite that all stores share."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from driftline_plugins.sources.s3 import S3

from driftline import (
    DiscoverContext,
    LogObject,
    ObjectChanged,
    ObjectGone,
    Secret,
    SourceError,
    StartContext,
    Unreadable,
)

pytestmark = pytest.mark.system

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


def listed(source):
    return list(source.discover(DiscoverContext(now=NOW)))


def test_an_empty_page_is_not_the_end(started):
    """A page without keys but with a token is followed by the next."""
    source = started(bucket="b", endpoint_url="http://127.0.0.1:9")
    entry = {"Key": "a", "ETag": '"1"', "Size": 1, "LastModified": NOW}
    with Stubber(source._client) as stub:
        stub.add_response(
            "list_objects_v2",
            {"Name": "b", "IsTruncated": True, "NextContinuationToken": "t"},
            {"Bucket": "b", "Prefix": ""},
        )
        again = {"Bucket": "b", "Prefix": "", "ContinuationToken": "t"}
        page = {"Name": "b", "IsTruncated": False, "Contents": [entry]}
        stub.add_response("list_objects_v2", page, again)
        assert listed(source) == [LogObject(uri="s3://b/a", version='"1"', size=1, modified=NOW)]


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
            source.open(LogObject(uri="s3://b/p/k", version='"1"', size=10, modified=NOW)).read()
    assert "s3://b/p/k" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_listing_that_is_denied_names_the_right(started):
    """A missing right to list is named as such."""
    source = started(bucket="b", endpoint_url="http://127.0.0.1:9")
    with Stubber(source._client) as stub:
        stub.add_client_error("list_objects_v2", "AccessDenied", "Access Denied", 403)
        with pytest.raises(
            SourceError,
            match=r"access denied \(credentials from explicit\): s3:ListBucket is needed",
        ):
            source.probe()


def test_missing_credentials_are_told(started, monkeypatch, tmp_path):
    """No credentials anywhere is no mystery."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    source = started(
        bucket="b", endpoint_url="http://127.0.0.1:9", access_key_id=None, secret_access_key=None
    )
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
    assert (
        started(bucket=name, endpoint_url=server, anonymous=True).probe()
        == f"{server}, anonymous: first key a/b"
    )
    assert [right.split()[0] for right in source.permissions()] == [
        "s3:ListBucket",
        "s3:GetObject",
        "kms:Decrypt",
    ]


def test_secrets_do_not_show():
    """Neither the settings' text nor their dump holds a key."""
    source = S3(bucket="b", **KEYS)
    assert "secret-example" not in f"{source!r} {source} {source.model_dump_json()}"
