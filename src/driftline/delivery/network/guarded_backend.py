"""Resolves the name of a receiver once for each request, and connects to a checked address.

Does not connect to private, loopback and link-local addresses unless they are allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpcore

from driftline.delivery.network.address import (
    PrivateAddressError,
    Resolve,
    resolve,
    resolve_allowed,
)


class GuardedBackend(httpcore.NetworkBackend):
    """Connects for one request, with one deadline for the whole request."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        deadline: float,
        allow_private: bool,
        resolve: Resolve = resolve,
    ) -> None:
        self._monotonic = monotonic
        self._deadline = deadline
        self._allow = allow_private
        self._resolve = resolve
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers.

        Raises PrivateAddressError or httpcore.ConnectError.
        """
        try:
            addresses = resolve_allowed(host, port, self._allow, self._resolve)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(
                f"the name can't be resolved: {error.__class__.__name__}"
            ) from None
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in addresses:
            try:
                stream = self._plain.connect_tcp(
                    address, port, self._limit(timeout), *args, **kwargs
                )
                return _Stream(stream, self._limit)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        """Always raises PrivateAddressError."""
        raise PrivateAddressError("a unix socket")

    def _limit(self, timeout: float | None) -> float:
        left = self._deadline - self._monotonic()
        if left <= 0:
            raise httpcore.ConnectTimeout("out of time")
        return left if timeout is None else min(left, timeout)


class _Stream(httpcore.NetworkStream):
    def __init__(
        self, stream: httpcore.NetworkStream, limit: Callable[[float | None], float]
    ) -> None:
        self._stream = stream
        self._limit = limit

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._within(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._within(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(
            self._stream.start_tls(ssl_context, server_hostname, self._limit(timeout)), self._limit
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _within(self, timeout: float | None, error: type[Exception]) -> float:
        try:
            return self._limit(timeout)
        except httpcore.ConnectTimeout:
            raise error("out of time") from None
