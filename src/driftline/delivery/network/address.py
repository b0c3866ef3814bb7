"""Resolves the name of a receiver and checks its addresses: private ones must be allowed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], list[str]]
EMBEDDING = tuple(map(ip_network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
"""Networks whose last 32 bits are an IPv4 address: compatible, translated (RFC 2765), NAT64."""
NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            "168.63.129.16/32",  # the services of an Azure machine
            "192.0.0.0/24",  # protocol assignments, RFC 6890
            "192.88.99.0/24",  # 6to4 relays, RFC 7526
            "64:ff9b:1::/48",  # NAT64 of a network of its own, RFC 8215
            "fec0::/10",  # site-local, RFC 3879
        ),
    )
)
"""Networks that `ipaddress` calls global, at least in some releases of Python."""


class PrivateAddressError(Exception):
    """A name resolves to an address that isn't public."""


def explain_setting(part: str) -> str:
    """Return what allows private addresses; `part` is a part of the configuration, or empty."""
    if not part:
        return "set `allow_private: true` on the sink or action to allow it"
    return f"set `{part}.allow_private: true` to allow it"


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
    """Whether `address` is reachable by anyone, also where an IPv6 address wraps an IPv4 one.

    Reads every spelling that a resolver reads, such as `0x7f.1`. Raises ValueError for a text that
    is no address. Ranges: the IANA registries of special-purpose addresses.
    """
    return all(
        candidate.is_global
        and not candidate.is_multicast
        and not any(candidate in network for network in NOT_PUBLIC)
        for candidate in _embedded_addresses(_parse(address))
    )


def _parse(address: str) -> Address:
    text = address.strip().removeprefix("[").removesuffix("]").split("%")[0]
    try:
        return ip_address(text)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(text))
    except OSError:
        raise ValueError(f"{address!r} is no address") from None


def _embedded_addresses(address: Address) -> Iterable[Address]:
    yield address
    if isinstance(address, IPv6Address):
        teredo = address.teredo or ()
        yield from (
            inner
            for inner in (address.ipv4_mapped, address.sixtofour, *teredo)
            if inner is not None
        )
        if any(address in network for network in EMBEDDING):
            yield IPv4Address(int(address) & 0xFFFFFFFF)
