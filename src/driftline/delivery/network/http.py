"""The HTTP client of sinks and actions.

Does not follow redirects, read more than 64 KiB of an answer, take longer than 20 seconds for a
request, connect to private addresses (unless allowed) or accept unverified TLS. Errors name only
scheme and host of an address: the other parts may be secret.
"""

from __future__ import annotations

import json as text_json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.delivery.network.http_errors import raise_for_status, read_pause
from driftline.types.errors import DriftlineError, OutcomeUnknown, Rejected, Retryable
from driftline.types.phrasing import clean

if TYPE_CHECKING:
    import ssl

    import httpx

    from driftline.delivery.network.address import Resolve

CAP = 64 * 1024
TIMEOUT = 20.0
SHOWN = 200
"""Characters of an answer that an error quotes."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A 2xx answer."""

    status: int
    text: str
    """At most 64 KiB of it."""


class HttpClient:
    """Sends each request once, on a connection of its own."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        allow_private: bool = False,
        timeout: float = TIMEOUT,
        ca_file: Path | None = None,
        transport: httpx.BaseTransport | None = None,
        resolve: Resolve | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        agent: str = "driftline",
        permit: Callable[[], None] = lambda: None,
        scrub: Callable[[str], str] = lambda text: text,
        part: str = "",
    ) -> None:
        """`allow_private` also allows private addresses.

        `ca_file` holds the certificates of the authorities to trust, in place of the public ones.
        `part` is the part of the configuration that the client works for, such as `sinks.chat`.
        `permit` is called right before a request leaves, and raises when it must not.
        `scrub` takes secrets out of answers before errors quote them. `transport` takes the place
        of the network, in tests.
        """
        self._clock = clock
        self._allow = allow_private
        self._timeout = timeout
        self._ca_file = ca_file
        self._transport = transport
        self._resolve = resolve
        self._monotonic = monotonic
        self._agent = agent
        self._permit = permit
        self._scrub = scrub
        self._part = part
        self._tls: ssl.SSLContext | None = None

    def post(
        self,
        url: str,
        *,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Post `content`, or `json` written as UTF-8.

        Raises Rejected, Throttled, Retryable or OutcomeUnknown.
        """
        headers = headers or {}
        if content is None:
            content, headers = (
                _encode_json(json),
                {"content-type": "application/json; charset=utf-8", **headers},
            )
        return self.request("POST", url, content=content, headers=headers)

    def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Send exactly `content`. Raises Rejected, Throttled, Retryable or OutcomeUnknown."""
        import httpx

        try:
            address = httpx.URL(url)
        except (httpx.InvalidURL, TypeError, ValueError):
            raise Rejected("the address is not a URL") from None
        place = f"{address.scheme}://{clean(address.host, 100)}"
        if address.scheme not in ("http", "https") or not address.host:
            raise Rejected("the address must begin with https:// or http://")
        all_headers = {"user-agent": self._agent, "accept-encoding": "identity", **(headers or {})}
        deadline = self._monotonic() + self._timeout
        try:
            with (
                httpx.Client(
                    transport=self._transport or self._network(deadline),
                    timeout=self._timeout,
                    trust_env=False,
                ) as client,
                client.stream(
                    method, address, content=content, headers=all_headers, follow_redirects=False
                ) as answer,
            ):
                text = self._read(answer, deadline)
                summary = f"HTTP {answer.status_code} from {place}"
                quote = clean(self._scrub(_hide_address_parts(text, address)), SHOWN)
                now, status = self._clock(), answer.status_code
                until = read_pause(status, answer.headers, text, now)
                try:
                    raise_for_status(
                        status, f"{summary}: {quote}" if quote else summary, until, text
                    )
                except (Rejected, Retryable) as error:
                    error.summary = summary
                    raise
                return HttpAnswer(status, text)
        except DriftlineError:
            raise
        except Exception as error:
            failure = _failure(error, place, self._part)
            failure.summary = str(failure)
            raise failure from None

    def _network(self, deadline: float) -> httpx.BaseTransport:
        from driftline.delivery.network.address import resolve
        from driftline.delivery.network.guarded_backend import GuardedBackend
        from driftline.delivery.network.transport import OneRequestTransport

        if self._tls is None:
            self._tls = self._trust()
        backend = GuardedBackend(self._monotonic, deadline, self._allow, self._resolve or resolve)
        return OneRequestTransport(backend, self._tls, self._permit)

    def _trust(self) -> ssl.SSLContext:
        import ssl

        import httpx

        if self._ca_file is None:
            return httpx.create_ssl_context()
        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except OSError as error:
            raise Rejected(
                f"{self._ca_file}: {error.strerror or error}: "
                "no certificates of authorities can be read"
            ) from None

    def _read(self, answer: httpx.Response, deadline: float) -> str:
        import httpx

        parts, size = [], 0
        try:
            for part in answer.iter_raw():
                parts.append(part)
                size += len(part)
                if size >= CAP:
                    break
                if self._monotonic() > deadline:
                    raise httpx.ReadTimeout("out of time")
        except httpx.TransportError:
            # The status and the pause of an error answer count without its whole body.
            if answer.is_success:
                raise
        return b"".join(parts)[:CAP].decode("utf-8", "replace")


def _encode_json(value: object) -> bytes:
    try:
        return text_json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode("utf-8", "replace")
    except (ValueError, TypeError) as error:
        raise Rejected(
            f"the message can't be written as JSON: {error.__class__.__name__}"
        ) from None


def _hide_address_parts(text: str, url: httpx.URL) -> str:
    """Hide the parts of `url` that may be secret in `text`: some receivers quote them."""
    secrets: set[str] = {part for part in url.path.split("/") if len(part) >= 6}
    secrets |= {value for _, value in url.params.multi_items() if len(value) >= 6}
    secrets |= {part for part in (url.username, url.password) if len(part) >= 3}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _failure(error: Exception, place: str, part: str) -> Rejected | Retryable:
    import httpx

    from driftline.delivery.network.address import PrivateAddressError, explain_setting

    if isinstance(error, PrivateAddressError):
        return Rejected(f"{place} is a private address ({error}): {explain_setting(part)}")
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
        return Retryable(f"{place} can't be reached: {_kind(error)}")
    if isinstance(error, (httpx.LocalProtocolError, httpx.UnsupportedProtocol, UnicodeError)):
        return Rejected(f"the request to {place} can't be written: {_kind(error)}")
    return OutcomeUnknown(f"no usable answer from {place}: {_kind(error)}")


def _kind(error: Any) -> str:
    """The class of an exception: its text may have an address."""
    return type(error).__name__
