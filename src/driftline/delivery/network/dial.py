"""The way out for sinks that speak no HTTP: one guarded connection.

Refuses private addresses unless allowed, to wait longer than 20 seconds for anything, and to
connect when nothing may be sent.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass

from driftline.delivery.network.address import PrivateAddressError, Resolve, checked, resolve
from driftline.types.errors import Rejected, Retryable
from driftline.types.phrasing import clean

TIMEOUT = 20.0


@dataclass(frozen=True)
class Dial:
    """Connects to a host that was looked up once and checked."""

    allow_private: bool | Collection[str] = False
    """True, or the host names for which private addresses are fine."""
    permit: Callable[[], None] = lambda: None
    """Called when connected, before the first byte leaves; raises when it must not."""
    resolve: Resolve = resolve

    def __call__(self, host: str, port: int) -> socket.socket:
        """The first address that answers. Raises Rejected or Retryable."""
        place = f"{clean(host, 100)}:{port}"
        why = "it has no address"
        try:
            addresses = checked(host, port, self.allow_private, self.resolve)
        except PrivateAddressError as error:
            said = f"{place} is a private address ({error}): allow it in the configuration, if that is meant"
            raise Rejected(said) from None
        except (OSError, UnicodeError) as error:
            raise Retryable(
                f"{place}: the name can't be resolved: {type(error).__name__}"
            ) from None
        for address in addresses:
            try:
                connection = socket.create_connection((address, port), TIMEOUT)
            except OSError as error:
                why = type(error).__name__
                continue
            try:
                self.permit()
            except BaseException:
                connection.close()
                raise
            return connection
        raise Retryable(f"{place} can't be reached: {why}")
