"""S3 told by a queue: named objects are given without listing, and messages go only when all is
remembered.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config
from driftline_plugins.sources.s3 import S3
from faults import FaultProxy
from stores import NOW, START, S3Store

from driftline import DiscoverContext

pytestmark = pytest.mark.system

KEYS = {"region_name": "us-east-1", "aws_access_key_id": "k", "aws_secret_access_key": "s"}
SINCE = NOW - timedelta(hours=1)


@pytest.fixture
def store(s3_server):
    return S3Store(s3_server)


@pytest.fixture
def sqs(s3_server):
    client = boto3.client("sqs", endpoint_url=s3_server, config=Config(), **KEYS)
    yield client
    client.close()


@pytest.fixture
def queue(store, sqs):
    """A queue that the bucket tells of all new objects."""
    url = sqs.create_queue(QueueName=uuid.uuid4().hex, Attributes={"VisibilityTimeout": "0"})[
        "QueueUrl"
    ]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    wanted = {
        "QueueConfigurations": [
            {"QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
        ]
    }
    store._client.put_bucket_notification_configuration(
        Bucket=store.name, NotificationConfiguration=wanted
    )
    return url


@pytest.fixture
def proxy(s3_server):
    made = FaultProxy(s3_server)
    yield made
    made.close()


@pytest.fixture
def source(store, queue, proxy):
    made = store.source(proxy.url, queue_url=queue, prefix="in/")
    made.start(START)
    yield made
    made.stop()


def given(source, since=SINCE, skipped=None):
    skip = (
        (lambda uri, reason: skipped.append(reason))
        if skipped is not None
        else (lambda uri, reason: None)
    )
    return [
        obj.uri.partition("/in/")[2]
        for obj in source.discover(DiscoverContext(now=NOW, since=since, skipped=skip))
    ]


def left(sqs, queue):
    return len(sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ()))


def test_new_objects_are_given_without_a_listing(store, source, proxy, sqs, queue):
    """Between whole listings the queue names the objects, hostile names included; each is given as
    a listing would give it.
    """
    for key in ("in/a b+é%41.jsonl", "in/2.jsonl"):
        store.put(key, b"content")
    objects = list(source.discover(DiscoverContext(now=NOW, since=SINCE)))
    assert sorted(obj.uri.partition("/in/")[2] for obj in objects) == ["2.jsonl", "a b+é%41.jsonl"]
    assert not [asked for asked in proxy.asked if "list-type=2" in asked.target]
    whole = list(source.discover(DiscoverContext(now=NOW)))
    assert {(obj.uri, obj.version, obj.size) for obj in whole} == {
        (obj.uri, obj.version, obj.size) for obj in objects
    }
    assert [asked for asked in proxy.asked if "list-type=2" in asked.target]
    assert source.full_listing_interval == timedelta(hours=1)
    assert any("sqs:ReceiveMessage" in right for right in source.permissions())


def test_messages_go_when_all_is_remembered(store, source, sqs, queue):
    """A pass that is not committed is told again; one that is, is not."""
    store.put("in/1.jsonl", b"x")
    assert given(source) == ["1.jsonl"]
    assert given(source) == ["1.jsonl"]
    source.confirm_listing()
    assert given(source) == []
    assert left(sqs, queue) == 0
    source.confirm_listing()


def test_many_messages(store, source, sqs, queue):
    """More messages than one request brings are all taken and all deleted; an object named twice is
    given once.
    """
    for i in range(24):
        store.put(f"in/{i % 12:02d}.jsonl", b"%d" % i)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "60"})
    assert given(source) == [f"{i:02d}.jsonl" for i in range(12)]
    source.confirm_listing()
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "0"})
    assert given(source) == []


def test_what_is_not_ours_is_left(store, source, sqs, queue):
    """Messages of other buckets and prefixes, and what is none at all, stay for others; the last is
    told.
    """
    store.put("out/1.jsonl", b"x")
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(direct("another-bucket", "in/1.jsonl")))
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "60"})
    skipped = []
    assert given(source, skipped=skipped) == []
    assert len(skipped) == 1
    assert "no notification" in skipped[0]
    source.confirm_listing()
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert int(attributes["ApproximateNumberOfMessagesNotVisible"]) >= 3


def test_an_object_that_is_gone_again(store, source, sqs, queue):
    """What was deleted before it could be looked at is no trouble, nor is the news of its end."""
    store.put("in/1.jsonl", b"x")
    store.delete("in/1.jsonl")
    assert given(source) == []
    source.confirm_listing()
    assert left(sqs, queue) == 0


def test_late_folders_are_given(store, queue, sqs):
    """An object that the queue names is given whatever old folder it lies in, with what its place
    says.
    """
    source = store.source(store.url, queue_url=queue, prefix="in/", layout="firehose")
    source.start(START)
    store.put("in/2020/01/01/00/a.jsonl", b"x")
    [obj] = source.discover(DiscoverContext(now=NOW, since=SINCE))
    assert obj.partition == datetime(2020, 1, 1, tzinfo=UTC)
    source.stop()


def test_credentials_that_others_renew(store, proxy, monkeypatch, tmp_path):
    """Keys that another program writes anew are taken up without a restart."""
    path = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    path.write_text(
        "[default]\naws_access_key_id = OLDKEY\naws_secret_access_key = s\naws_session_token = t\n"
    )
    store.put("k", b"content")
    source = S3(
        bucket=store.name, endpoint_url=proxy.url, region="us-east-1", addressing_style="path"
    )
    source.start(START)
    proxy.fault = lambda asked: (
        store.refusal("expired") if "OLDKEY" in asked.headers["Authorization"] else None
    )
    for _ in range(2):
        with pytest.raises(Exception, match="have expired"):
            list(source.discover(DiscoverContext(now=NOW)))
    path.write_text(
        "[default]\naws_access_key_id = NEWKEY\naws_secret_access_key = s\naws_session_token = t\n"
    )
    assert len(list(source.discover(DiscoverContext(now=NOW)))) == 1
    source.stop()


def direct(bucket, key):
    return {
        "Records": [
            {
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
            }
        ]
    }
