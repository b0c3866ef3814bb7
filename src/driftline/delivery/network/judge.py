"""What an HTTP answer means for delivery.

Refuses to decide about trying again: it only says which of the kinds of failure it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from driftline.types.errors import OutcomeUnknown, Rejected, Retryable, Throttled

LONGEST_PAUSE = timedelta(days=7)
"""As long as a message is kept: no receiver can silence a sink for good."""
TRY_LATER = frozenset({408, 425})
"""Answers by which a receiver says that it did nothing."""


def judge(status: int, said: str, retry_after: datetime | None = None, answer: str = "") -> None:
    """Returns for 2xx; else raises Rejected, Throttled, Retryable or OutcomeUnknown with `said` as
    its text.

    Whatever is raised carries the pause that the receiver named. `answer` is what it said, for
    whoever can read a refusal.
    """
    if 200 <= status < 300:
        return
    if status == 429 or (status == 503 and retry_after is not None):
        raise Throttled(said, retry_after)
    if status in TRY_LATER:
        raise Retryable(said, retry_after)
    if 300 <= status < 400:
        raise Rejected(
            f"{said}: redirects are not followed; give the final address", not_before=retry_after
        )
    if 400 <= status < 500:
        raise Rejected(said, status, answer, retry_after)
    raise OutcomeUnknown(said, retry_after)


def pause(status: int, headers: Mapping[str, str], answer: str, now: datetime) -> datetime | None:
    """When a receiver may be asked again, if it says so: by `Retry-After`.

    An answer 429 may also say so by the `retry_after` of a JSON body (Discord, Slack) or the length
    of its window (Opsgenie).
    """
    if status != 429:
        return retry_after(headers.get("retry-after"), now)
    try:
        told = str(json.loads(answer)["retry_after"])
    except (ValueError, KeyError, TypeError):
        told = ""
    named = (headers.get("retry-after"), told, headers.get("x-ratelimit-period-in-sec"))
    return next(
        (found for found in (retry_after(one, now) for one in named) if found is not None), None
    )


def retry_after(header: str | None, now: datetime) -> datetime | None:
    """The time named by a `Retry-After` header (seconds or an HTTP date), at most a week away; None
    without a usable one.
    """
    if not header:
        return None
    text = header.strip()
    try:
        wait = timedelta(seconds=float(text[:20]))
    except (ValueError, OverflowError):
        try:
            named = parsedate_to_datetime(text[:64])
        except (ValueError, TypeError, IndexError):
            return None
        wait = (named if named.tzinfo else named.replace(tzinfo=UTC)) - now
    return now + min(max(wait, timedelta(0)), LONGEST_PAUSE)
