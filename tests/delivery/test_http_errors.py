from datetime import UTC, datetime, timedelta

import pytest

from driftline import OutcomeUnknown, Rejected, Retryable, Throttled
from driftline.delivery.network.http_errors import raise_for_status, read_pause, read_retry_after

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MEANINGS = {
    **dict.fromkeys(range(100, 200), OutcomeUnknown),
    **dict.fromkeys(range(200, 300), None),
    **dict.fromkeys(range(300, 500), Rejected),
    408: Retryable,
    425: Retryable,
    429: Throttled,
    **dict.fromkeys(range(500, 1000), OutcomeUnknown),
}


def meaning(status: int) -> type[Exception] | None:
    try:
        raise_for_status(status, "said")
    except Exception as error:
        return type(error) if str(error).startswith("said") else None
    return None


def test_every_status_has_one_meaning():
    """2xx is taken, 3xx and 4xx are refusals but for those that say `later`, everything else may or
    may not have happened.
    """
    assert {status: meaning(status) for status in MEANINGS} == MEANINGS


@pytest.mark.parametrize("status", [429, 503])
def test_a_named_pause_is_kept(status):
    """429, and 503 with a time, carry the time before which nothing may be sent."""
    with pytest.raises(Throttled) as caught:
        raise_for_status(status, "said", NOW)
    assert caught.value.not_before == NOW


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 1.5 ", 1.5),
        ("0.5", None),
        ("0", None),
        ("-3", None),
        ("99999", 99_999),
        ("1e308", None),
        ("inf", None),
        ("nan", None),
        ("", None),
        (None, None),
        ("soon", None),
        ("Mon, 23 Nov 2026 09:01:00 GMT", 60),
        ("Mon, 23 Nov 2026 08:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 7 * 86_400),
        ("Mon, 99 Nov 2026 08:00:00 GMT", None),
    ],
)
def test_retry_after(header, seconds):
    """Seconds or an HTTP date, at least a second and at most a week away; anything else counts as
    none.
    """
    assert (None if seconds is None else NOW + timedelta(seconds=seconds)) == read_retry_after(
        header, NOW
    )


@pytest.mark.parametrize(
    ("status", "headers", "answer", "seconds"),
    [
        (429, {"retry-after": "5"}, '{"retry_after": 9}', 5),
        (429, {}, '{"retry_after": 0.376, "global": false}', None),
        (429, {}, '{"retry_after": 1.376, "global": false}', 1.376),
        (429, {"x-ratelimit-period-in-sec": "60"}, '{"message": "too many"}', 60),
        (429, {}, '{"retry_after": "soon"}', None),
        (503, {"x-ratelimit-period-in-sec": "60"}, '{"retry_after": 9}', None),
        (503, {"retry-after": "5"}, "", 5),
    ],
)
def test_where_a_pause_is_named(status, headers, answer, seconds):
    """By header; for an answer that says that it was too much also in the body, or by the window of
    the limit.
    """
    assert read_pause(status, headers, answer, NOW) == (
        None if seconds is None else NOW + timedelta(seconds=seconds)
    )
