"""Notices of S3: the three ways they come, and everything else that may lie in a queue."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.kit.stores.s3_events import Notice, read_notices, receive_keys

pytestmark = pytest.mark.system

RECORD = {
    "eventName": "ObjectCreated:Put",
    "s3": {"bucket": {"name": "b"}, "object": {"key": "in/a+b%2B%C3%A9.jsonl"}},
}
DIRECT = {"Records": [RECORD, RECORD | {"eventName": "ObjectRemoved:Delete"}]}
TOLD = [Notice("b", "in/a b+é.jsonl", True), Notice("b", "in/a b+é.jsonl", False)]


def test_straight_from_the_store():
    """Keys are decoded; a deletion brings no object."""
    assert read_notices(json.dumps(DIRECT)) == TOLD


def test_through_a_topic():
    """What a topic wrapped is unwrapped."""
    assert read_notices(json.dumps({"Type": "Notification", "Message": json.dumps(DIRECT)})) == TOLD


def test_through_the_event_bus():
    """There keys are as they are."""
    detail = {"bucket": {"name": "b"}, "object": {"key": "in/a+b%41", "etag": "x"}}
    event = {"version": "0", "source": "aws.s3", "detail-type": "Object Created", "detail": detail}
    assert read_notices(json.dumps(event)) == [Notice("b", "in/a+b%41", True)]
    assert read_notices(json.dumps(event | {"detail-type": "Object Deleted"})) == [
        Notice("b", "in/a+b%41", False)
    ]


def test_the_first_message():
    """The test message of a new configuration brings no object."""
    first = {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2024-05-01T00:00:00.000Z",
        "Bucket": "b",
    }
    assert read_notices(json.dumps(first)) == [Notice("b", "", False)]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda s: st.lists(s) | st.dictionaries(st.text(), s),
    )
)
def test_anything_else(value):
    """Any other JSON is refused, and so is what is no JSON."""
    for body in (
        json.dumps(value),
        json.dumps({"Records": value}),
        json.dumps({"Type": "Notification", "Message": value}),
    ):
        if value != []:
            with pytest.raises(ValueError, match="no notification"):
                read_notices(body)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "[" * 100_000,
        '{"Records": [{"s3": {}}]}',
        '{"Type": "Notification", "Message": "x"}',
    ],
)
def test_no_json(body):
    """What can't be read is refused, however deep."""
    with pytest.raises(ValueError, match="no notification"):
        read_notices(body)


def test_a_queue_that_never_ends():
    """Of a queue that goes on filling so much is taken in one pass; one that repeats its messages
    ends it.
    """
    message = {"MessageId": "1", "ReceiptHandle": "r", "Body": json.dumps(DIRECT)}
    assert receive_keys(lambda: [message], "b", "in/", print) == (["in/a b+é.jsonl"], {"1": "r"})
    numbers = iter(range(10_000))
    keys, receipts = receive_keys(
        lambda: [message | {"MessageId": str(next(numbers))} for _ in range(10)], "b", "in/", print
    )
    assert (keys, len(receipts)) == (["in/a b+é.jsonl"], 1000)
