"""Translates an HTTP answer into an error of delivery.

Does not decide about retries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from driftline.types.errors import TRY_LATER, OutcomeUnknown, Rejected, Retryable, Throttled

SHORTEST_PAUSE = timedelta(seconds=1)
"""A receiver that asks for a shorter pause names no time: the sink's own delays hold."""
LONGEST_PAUSE = timedelta(days=7)
"""As long as a message is kept: no receiver can pause a sink for longer."""


def raise_for_status(
    status: int, text: str, retry_after: datetime | None = None, answer: str = ""
) -> None:
    """Raise Rejected, Throttled, Retryable or OutcomeUnknown with `text`, unless `status` is 2xx.

    The error has the pause that the receiver asked for. `answer` is the body of the answer, for
    sinks that can read it.
    """
    if 200 <= status < 300:
        return
    if status == 429 or (status == 503 and retry_after is not None):
        raise Throttled(text, retry_after)
    if status in TRY_LATER:
        raise Retryable(text, retry_after)
    if 300 <= status < 400:
        raise Rejected(
            f"{text}: redirects are not followed; give the final address", not_before=retry_after
        )
    if 400 <= status < 500:
        raise Rejected(text, status, answer, retry_after)
    raise OutcomeUnknown(text, retry_after)


def read_pause(
    status: int, headers: Mapping[str, str], answer: str, now: datetime
) -> datetime | None:
    """Return the time before which the receiver wants no request; None when it names none.

    The time is in `Retry-After`; with status 429 also in `retry_after` of a JSON body (Discord,
    Slack) or as the length of a window in a header (Opsgenie).
    """
    if status != 429:
        return read_retry_after(headers.get("retry-after"), now)
    try:
        body_value = str(json.loads(answer)["retry_after"])
    except (ValueError, KeyError, TypeError):
        body_value = ""
    values = (headers.get("retry-after"), body_value, headers.get("x-ratelimit-period-in-sec"))
    return next(
        (time for value in values if (time := read_retry_after(value, now)) is not None), None
    )


def read_retry_after(header: str | None, now: datetime) -> datetime | None:
    """Parse a `Retry-After` header (seconds or an HTTP date); None when there is no usable one.

    A time in the past or within a second is not usable. The result is at most a week after `now`.
    """
    if not header:
        return None
    text = header.strip()
    try:
        wait = timedelta(seconds=float(text[:20]))
    except (ValueError, OverflowError):
        try:
            time = parsedate_to_datetime(text[:64])
        except (ValueError, TypeError, IndexError):
            return None
        wait = (time if time.tzinfo else time.replace(tzinfo=UTC)) - now
    return None if wait < SHORTEST_PAUSE else now + min(wait, LONGEST_PAUSE)
