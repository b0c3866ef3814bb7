"""Asks an HTTP API for a JSON document, and says in driftline's errors what went wrong.

Does not follow redirects, does not read more than a maximum, and stores no credential.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from driftline.kit.stores.answers import check_no_redirect, foreign_answer, is_page
from driftline.kit.stores.faults import describe_connection
from driftline.kit.stores.retry import parse_retry_after, retry_while_busy
from driftline.types.errors import SourceBusy, SourceError

if TYPE_CHECKING:
    import httpx

TIMEOUT = 60.0
"""Seconds that a connection may stay silent."""
LARGEST = 32 << 20
"""Bytes of an answer that are read, unpacked."""


class JsonApi:
    """An HTTP API that answers in JSON.

    `place` stands for it in sentences. `permission` is the right that its requests need. `headers`
    returns the headers of a request, with a credential that is valid now. `transport` takes the
    place of the network, in tests.
    """

    def __init__(
        self,
        place: str,
        permission: str,
        *,
        headers: Callable[[], Mapping[str, str]],
        sleep: Callable[[float], object],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        import httpx

        self._place, self._permission = place, permission
        self._headers, self._sleep = headers, sleep
        self._client = httpx.Client(timeout=TIMEOUT, follow_redirects=False, transport=transport)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, url: str, parameters: Mapping[str, str | list[str]]) -> Any:
        """Return the document at `url`; repeats the request while the service is busy.

        Raises SourceError, or SourceBusy after several attempts.
        """
        return retry_while_busy(lambda: self._get_once(url, parameters), self._sleep)

    def _get_once(self, url: str, parameters: Mapping[str, str | list[str]]) -> Any:
        import httpx

        try:
            with self._client.stream(
                "GET", url, params=dict(parameters), headers=dict(self._headers())
            ) as answer:
                body = self._read(answer)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise SourceBusy(f"{self._place}: {describe_connection(error)}") from None
        check_no_redirect(answer.status_code, answer.headers)
        if not answer.is_success:
            raise self._translate(answer, body)
        if is_page(answer.headers, body):
            raise SourceError(
                f"{self._place}: {foreign_answer(answer.status_code, answer.headers)}"
            )
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise SourceError(f"{self._place}: the answer is no JSON: check the address") from None

    def _read(self, answer: httpx.Response) -> bytes:
        parts, size = [], 0
        for part in answer.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > LARGEST:
                raise SourceError(
                    f"{self._place}: an answer of more than {LARGEST >> 20} MiB: "
                    "ask for fewer series, or set a shorter slice"
                )
        return b"".join(parts)

    def _translate(self, answer: httpx.Response, body: bytes) -> SourceError:
        status, message = answer.status_code, _message(body)
        text = f"{self._place}: {status}: {message}".rstrip(": ")
        if status in (401, 403):
            return SourceError(f"{text}: {self._permission} is needed")
        if status == 429 or status >= 500:
            return SourceBusy(text, parse_retry_after(answer.headers.get("Retry-After")))
        return SourceError(text)


def _message(body: bytes) -> str:
    """Return the reason in the body of an error, in one line."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    error = document.get("error", document) if isinstance(document, dict) else document
    message = error.get("message", "") if isinstance(error, dict) else error
    return " ".join(str(message).split())[:200]
