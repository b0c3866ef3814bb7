"""Which addresses are public: a pure question, nothing is connected to."""

from __future__ import annotations

import itertools
from ipaddress import IPv4Address, IPv6Address

import pytest

from driftline.delivery.network.address import is_public

PRIVATE = (
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.170",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
)
PUBLIC = ("1.1.1.1", "8.8.8.8", "93.184.216.34")
OF_SIX = (
    "::",
    "::1",
    "fe80::1%eth0",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "ff02::1",
    "64:ff9b:1::1",
    "2001:db8::1",
    "[::1]",
)


def four_spellings(address: str) -> list[str]:
    """The spellings of an IPv4 address that resolvers read."""
    number, parts = int(IPv4Address(address)), [int(part) for part in address.split(".")]
    return [
        address,
        f" {address} ",
        str(number),
        hex(number),
        f"0{number:o}",
        ".".join(hex(part) for part in parts),
        ".".join(f"0{part:o}" for part in parts[:3]) + f".{parts[3]}",
        f"{parts[0]}.{int(IPv4Address(bytes([0, *parts[1:]])))}",
        f"{parts[0]}.{parts[1]}.{parts[2] * 256 + parts[3]}",
    ]


def six_spellings(address: str) -> list[str]:
    """The IPv6 addresses that wrap an IPv4 address, in several spellings."""
    number = int(IPv4Address(address))
    wraps = [
        0xFFFF << 32 | number,  # mapped
        number,  # compatible
        0xFFFF << 48 | number,  # translated
        0x64FF9B << 96 | number,  # NAT64
        0x2002 << 112 | number << 80,  # 6to4
        0x20010000 << 96 | number << 64,  # Teredo, by its server
    ]
    texts = [IPv6Address(wrap) for wrap in wraps]
    return [form for text in texts for form in (str(text), text.exploded, f"[{text}]".upper())]


SPELLINGS = [
    spelling
    for address in PRIVATE
    for spelling in (*four_spellings(address), *six_spellings(address))
]


def test_there_are_at_least_200_spellings():
    """The list is as long as it should be, and holds each spelling once."""
    assert len(set(SPELLINGS) | set(OF_SIX)) >= 200


@pytest.mark.parametrize("spelling", sorted({*SPELLINGS, *OF_SIX}))
def test_no_spelling_of_a_private_address_is_public(spelling):
    """Whatever base, length or wrapping: the address behind it counts."""
    assert not is_public(spelling)


@pytest.mark.parametrize(
    "spelling",
    sorted(
        {*itertools.chain.from_iterable(map(four_spellings, PUBLIC)), "2606:4700:4700::1111"}
        | {f"64:ff9b::{address}" for address in PUBLIC}
    ),
)
def test_public_addresses_stay_public(spelling):
    """An address of the public net is one in every spelling, also behind NAT64."""
    assert is_public(spelling)


@pytest.mark.parametrize("text", ["", "example.org", "1.2.3.4.5", "::g", "999.1.1.1"])
def test_a_text_that_is_no_address_is_an_error(text):
    """A name must be resolved first."""
    with pytest.raises(ValueError, match="is no address"):
        is_public(text)
