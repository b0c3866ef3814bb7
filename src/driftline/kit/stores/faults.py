"""The sentences about faults of object stores: the same in every cloud, each with what to do.

Does not know the codes of any store: the source of that store knows them. No sentence has
the address; the caller puts it in front.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

CLOCK_CODES = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
"""Codes of a request whose time is too far from the store's."""
RATE_CODES = frozenset(
    {
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServerBusy",
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "quotaExceeded",
        "dailyLimitExceeded",
    }
)
"""Codes of a store that wants fewer requests."""


def describe_redirect(status: int, host: str = "") -> str:
    """Return the sentence for a redirect, to `host` where it is known."""
    target = f" to {host[:80]}" if host else ""
    return (
        f"the answer is a redirect{target} (HTTP {status}), which is not followed: "
        "set the store's own address, or let the proxy pass requests to the store"
    )


def describe_clock(store_time: str = "") -> str:
    """Return the sentence for a clock that differs too much; `store_time` is the store's."""
    time = f" ({store_time} there)" if store_time else ""
    return (
        f"the clock of this machine differs too much from the store's{time}: "
        "set the clock, for example with NTP"
    )


def describe_region(region: str = "") -> str:
    """Return the sentence for a bucket in another region, which is named where it is known."""
    if not region:
        return "the bucket is in another region: set region"
    return f"the bucket is in {region}: set region to {region}"


def describe_missing(container: str) -> str:
    """Return the sentence for a bucket that does not exist; `container` is the store's word."""
    return f"there is no such {container}: check the setting {container}"


def describe_bad_name(container: str, name: str) -> str:
    """Return the sentence for a name that no bucket can have."""
    return f"{name[:80]!r} can't be the name of a {container}: check the setting {container}"


def describe_rate(code: str) -> str:
    """Return the sentence for a store that limits the rate of requests."""
    return (
        f"the store limits the rate of requests ({code}): driftline tries again; "
        "if this goes on, raise the quota"
    )


def describe_expired(identity: str) -> str:
    """Return the sentence for credentials that were valid once."""
    return f"the credentials have expired ({identity}): renew them"


def describe_wrong_credentials(identity: str, detail: str) -> str:
    """Return the sentence for credentials that the store does not know."""
    return f"the credentials are wrong ({identity}): replace them: {detail[:120]}"


def describe_denied(identity: str, right: str) -> str:
    """Return the sentence for a missing right."""
    return f"access denied ({identity}): {right} is needed"


def describe_connection(error: BaseException) -> str:
    """Return a short sentence for a connection that failed.

    The SDKs repeat the whole request in theirs, so the cause is searched in the chain of causes.
    """
    chain = list(_causes(error))
    names = [type(each).__name__ for each in chain]
    texts = " ".join(str(each) for each in chain)
    if any(isinstance(each, ssl.SSLError) for each in chain) or "SSLError" in names:
        return "the certificate of the store is not trusted: install its CA, or check the proxy"
    if any(isinstance(each, socket.gaierror) for each in chain) or "NameResolutionError" in names:
        return "the name of the store can't be resolved: check the address and the DNS"
    if any("Proxy" in name for name in names):
        return "the proxy can't be reached: check the proxy settings"
    if any(isinstance(each, ConnectionRefusedError) for each in chain) or "refused" in texts:
        return "the connection was refused: check the address, and that the store runs"
    if any(isinstance(each, TimeoutError) or "Timeout" in type(each).__name__ for each in chain):
        return "no answer within the time limit: check the network and the firewall"
    return f"the connection broke ({names[-1]}): if this goes on, check the network"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and the errors behind it, wherever an SDK keeps them, outermost first."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        details = getattr(each, "kwargs", None)
        inner = (
            each.__cause__,
            each.__context__,
            getattr(each, "reason", None),
            getattr(each, "inner_exception", None),
            details.get("error") if isinstance(details, dict) else None,
            *each.args,
        )
        waiting += [cause for cause in inner if isinstance(cause, BaseException)]
