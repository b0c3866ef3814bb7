"""Resolves the name of a receiver and checks its addresses: private ones must be allowed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], list[str]]
NAT64 = ip_network("64:ff9b::/96")


class PrivateAddressError(Exception):
    """A name resolves to an address that isn't public."""


def resolve(host: str, port: int) -> list[str]:
    """Every address of `host`. Raises OSError."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]).split("%")[0] for entry in entries))


def resolve_allowed(
    host: str, port: int, allow_private: bool, resolve: Resolve = resolve
) -> list[str]:
    """Resolve `host`, and check that every address is allowed.

    Raises OSError, UnicodeError or PrivateAddressError.
    """
    addresses = resolve(host, port)
    if not allow_private:
        for address in addresses:
            if not is_public(address):
                raise PrivateAddressError(address)
    return addresses


def is_public(address: str) -> bool:
    """Whether `address` is reachable by anyone, also where an IPv6 address wraps an IPv4 one."""
    return all(
        candidate.is_global and not candidate.is_multicast
        for candidate in _embedded_addresses(ip_address(address))
    )


def _embedded_addresses(address: Address) -> Iterable[Address]:
    yield address
    if isinstance(address, IPv6Address):
        teredo = address.teredo or ()
        yield from (
            inner
            for inner in (address.ipv4_mapped, address.sixtofour, *teredo)
            if inner is not None
        )
        if address in NAT64:
            yield IPv4Address(int(address) & 0xFFFFFFFF)
