"""Guarded connections for sinks that don't use HTTP.

Does not connect to private addresses unless they are allowed, waits at most 20 seconds, and closes
the connection when nothing may be sent.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from driftline.delivery.network.address import (
    PrivateAddressError,
    Resolve,
    explain_setting,
    resolve,
    resolve_allowed,
)
from driftline.types.errors import Rejected, Retryable
from driftline.types.phrasing import clean

TIMEOUT = 20.0


@dataclass(frozen=True)
class Dial:
    """Resolves a host once, checks its addresses and connects."""

    allow_private: bool = False
    """Whether private addresses are allowed."""
    permit: Callable[[], None] = lambda: None
    """Called when connected, before the first byte is sent; raises when it must not be sent."""
    resolve: Resolve = resolve
    part: str = ""
    """The part of the configuration that decides this, such as `sinks.chat`."""

    def __call__(self, host: str, port: int) -> socket.socket:
        """Connect to the first address that answers. Raises Rejected or Retryable."""
        place = f"{clean(host, 100)}:{port}"
        reason = "it has no address"
        try:
            addresses = resolve_allowed(host, port, self.allow_private, self.resolve)
        except PrivateAddressError as error:
            raise Rejected(
                f"{place} is a private address ({error}): {explain_setting(self.part)}"
            ) from None
        except (OSError, UnicodeError) as error:
            raise Retryable(
                f"{place}: the name can't be resolved: {type(error).__name__}"
            ) from None
        for address in addresses:
            try:
                connection = socket.create_connection((address, port), TIMEOUT)
            except OSError as error:
                reason = type(error).__name__
                continue
            try:
                self.permit()
            except BaseException:
                connection.close()
                raise
            return connection
        raise Retryable(f"{place} can't be reached: {reason}")
