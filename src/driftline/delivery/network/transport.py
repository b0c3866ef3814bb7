"""An httpx transport for one request on a guarded connection.

Does not keep connections: messages are few, and a dead connection looks like a lost answer.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping

import httpcore
import httpx

ERROR_KINDS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.PoolTimeout, httpx.PoolTimeout),
    (httpcore.TimeoutException, httpx.ReadTimeout),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
    (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
    (httpcore.NetworkError, httpx.ReadError),
)


class OneRequestTransport(httpx.BaseTransport):
    """Sends over `backend`, with TLS checked by `tls`.

    Calls `permit` when connected, right before the first byte is sent.
    """

    def __init__(
        self, backend: httpcore.NetworkBackend, tls: ssl.SSLContext, permit: Callable[[], None]
    ) -> None:
        self._permit = permit
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls, network_backend=backend, max_keepalive_connections=0
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its answer. Raises httpx.TransportError."""
        url = request.url
        plain = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions={**request.extensions, "trace": self._trace},
        )
        try:
            answer = self._pool.handle_request(plain)
        except Exception as error:
            raise _translate(error) from error
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Stream(answer.stream),
            extensions=answer.extensions,
        )

    def _trace(self, event: str, facts: Mapping[str, object]) -> None:
        if event == "http11.send_request_headers.started":
            self._permit()

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, parts: object) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._parts  # type: ignore[misc]
        except Exception as error:
            raise _translate(error) from error

    def close(self) -> None:
        self._parts.close()  # type: ignore[attr-defined]


def _translate(error: Exception) -> Exception:
    return next(
        (httpx_kind(str(error)) for kind, httpx_kind in ERROR_KINDS if isinstance(error, kind)),
        error,
    )
