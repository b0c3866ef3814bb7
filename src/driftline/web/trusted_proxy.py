"""A proxy that has asked people who they are, and says so in a header of each request.

Only requests that come from its own address are believed: anybody can write a header.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class TrustedProxy:
    """The proxy before the pages."""

    header: str
    """The header with the name of the reader."""
    networks: Sequence[Network]
    """Where the proxy's requests come from."""

    @classmethod
    def parse(cls, header: str, addresses: Sequence[str]) -> TrustedProxy:
        """The proxy of the configuration; addresses are `10.0.0.5` or `10.0.0.0/24`."""
        return cls(header, [ipaddress.ip_network(address) for address in addresses])

    def is_user_named(self, request: Request) -> bool:
        """Whether the request comes from the proxy and names a reader."""
        if request.client is None or not request.headers.get(self.header, "").strip():
            return False
        try:
            address = ipaddress.ip_address(request.client.host)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.networks)
