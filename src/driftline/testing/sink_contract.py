"""The contract of sinks: every kind of message is accepted, and a failed delivery shows.

Does not send anything: a fake network records the requests.
"""

from __future__ import annotations

import io

from driftline.contracts.context import Answer
from driftline.contracts.sink import Sink
from driftline.testing.fakes import FakeAnswer, FakeHttp, Post, notification, start_context
from driftline.types.errors import DriftlineError, OutcomeUnknown, Rejected, Retryable, Throttled
from driftline.types.notification import Event, Notification

FAILURES = (
    Rejected("HTTP 400"),
    Retryable("HTTP 503"),
    Throttled("HTTP 429"),
    OutcomeUnknown("timed out"),
)


def assert_sink(sink: Sink) -> None:
    """Assert the contract of sinks on every event, bare and full messages, and every failure."""
    assert sink.repeat in ("deduplicates", "looks", "repeats"), (
        f"{sink.type}: repeat is deduplicates, looks or repeats"
    )
    looks = type(sink).find_delivered is not Sink.find_delivered
    assert looks == (sink.repeat == "looks"), (
        f"{sink.type}: repeat is looks if and only if there is a find_delivered()"
    )
    for message in _messages():
        network = FakeHttp(lambda post: FakeAnswer(text='{"ok": true, "id": "1"}'))
        _send(sink, network, message)
    for failure in FAILURES:

        def fail(post: Post, failure: DriftlineError = failure) -> Answer:
            raise failure

        network = FakeHttp(fail)
        try:
            _send(sink, network, notification())
        except type(failure):
            continue
        assert not network.posts, (
            f"{sink.type}: hides that the receiver did not take it ({type(failure).__name__})"
        )


def _messages() -> list[Notification]:
    full = [notification(event) for event in Event]
    bare = notification(
        alerts=(), links={}, facts={}, window=None, reference="", model_version="", rows=0
    )
    long = notification(title="x" * 5000, alerts=notification().alerts * 200)
    return [*full, bare, long]


def _send(sink: Sink, network: FakeHttp, message: Notification) -> None:
    fresh = sink.model_copy()
    fresh.start(start_context(http=network, console=io.StringIO()))
    try:
        reference = fresh.send(message)
        assert reference is None or isinstance(reference, str), (
            f"{sink.type}: send returns a reference or None"
        )
    except (DriftlineError, AssertionError):
        raise
    except Exception as error:
        raise AssertionError(
            f"{sink.type}: on {message.event}: {type(error).__name__}: {error}"
        ) from error
    finally:
        fresh.stop()
