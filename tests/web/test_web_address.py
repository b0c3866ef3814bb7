"""Who may be listened to."""

from __future__ import annotations

import pytest

from driftline.types.secret import Secret
from driftline.web import AddressError, check_address

TOKEN = Secret("${env:TOKEN}", "hunter2")


@pytest.mark.parametrize(
    ("http", "address"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("127.9.9.9:1", ("127.9.9.9", 1)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:8080", ("::1", 8080)),
    ],
)
def test_loopback_needs_no_token(http, address):
    """Addresses that only this machine reaches work as they are."""
    assert address == check_address(http, None)
    assert http == str(check_address(http, None))


@pytest.mark.parametrize(
    "http",
    ["0.0.0.0:8080", "[::]:8080", "10.0.0.7:80", "agent.example:8080", "localhost.example:80"],
)
def test_reachable_address_needs_a_token(http):
    """An address that others reach is refused without a token, with the mend, and taken with
    one.
    """
    with pytest.raises(AddressError, match=r"set agent\.http_token"):
        check_address(http, None)
    assert http == str(check_address(http, TOKEN))


@pytest.mark.parametrize(
    "http",
    [
        "",
        "8080",
        ":8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:http",
        "127.0.0.1:70000",
        "127.0.0.1:²",
    ],
)
def test_what_is_no_address(http):
    """Anything but a host and a port is one clear error, also when a token is set."""
    with pytest.raises(AddressError, match=r"write it as 127\.0\.0\.1:8080"):
        check_address(http, TOKEN)
