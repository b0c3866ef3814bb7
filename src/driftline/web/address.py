"""Checks the address that the pages are served on.

An address that other machines can reach needs a token. Does not open the address.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from driftline.types.errors import DriftlineError
from driftline.types.secret import Secret


class AddressError(DriftlineError):
    """The configured address can't be used."""


class Address(NamedTuple):
    """A host and a port to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def check_address(http: str, guard: Secret | str | None) -> Address:
    """Parse `127.0.0.1:8080` or `[::1]:8080`.

    `guard` is the token for readers, or the header in which a proxy names them. Raises AddressError
    for another form, and for a reachable address without a guard.
    """
    host, colon, port = http.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise AddressError(f"agent.http: {http!r} is no address; write it as 127.0.0.1:8080")
    address = Address(host, int(port))
    if guard is None and not address.loopback:
        raise AddressError(
            f"agent.http: {address} can be reached from other machines; set agent.http_token, "
            f"such as ${{env:DRIFTLINE_HTTP_TOKEN}}, or listen on 127.0.0.1:{address.port}"
        )
    return address
