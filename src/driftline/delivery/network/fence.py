"""Guards the connections of libraries that connect by themselves, by an audit hook of Python.

Blocks private addresses unless they are allowed. Does not guard threads that the library starts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from driftline.delivery.network.address import (
    PrivateAddressError,
    Resolve,
    explain_setting,
    resolve_allowed,
)
from driftline.delivery.network.dial import Dial
from driftline.types.errors import Rejected
from driftline.types.phrasing import clean


@dataclass
class _Watch:
    """The addresses that one thread may connect to, and the first one that was blocked."""

    resolve: Resolve
    blocked_host: str = ""

    def check(self, address: object) -> None:
        """Raise PermissionError unless the address is allowed.

        Libraries handle it like a failed connection. After the first blocked address all are.
        """
        host, port = address[:2] if isinstance(address, tuple) else (str(address), 0)
        try:
            if not self.blocked_host:
                resolve_allowed(str(host), int(port), allow_private=False, resolve=self.resolve)
        except (
            PrivateAddressError,
            OSError,
            ValueError,
        ):  # a socket of this machine's own is no public address either
            self.blocked_host = clean(str(host), 100)
        if self.blocked_host:
            raise PermissionError(f"{self.blocked_host} may not be connected to")


_WATCH: ContextVar[_Watch | None] = ContextVar("watch", default=None)


def _audit(event: str, facts: tuple[Any, ...]) -> None:
    if (
        event in ("socket.connect", "socket.sendto", "socket.sendmsg")
        and (watch := _WATCH.get()) is not None
    ):
        watch.check(facts[1])


@cache
def _listen() -> None:
    """Add the audit hook, once for the process: Python can't remove one."""
    sys.addaudithook(_audit)


@dataclass(frozen=True)
class Fence:
    """Guards the connections of this thread within a `with` block, by the rules of `dial`."""

    dial: Dial

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Guard a `with` block. Raises Rejected at its end when a connection was blocked.

        At its beginning it raises what `dial.permit` raises.
        """
        self.dial.permit()
        if self.dial.allow_private:
            yield
            return
        _listen()
        watch = _Watch(self.dial.resolve)
        before = _WATCH.set(watch)
        try:
            yield
        finally:
            _WATCH.reset(before)
            if watch.blocked_host:
                raise Rejected(
                    f"{watch.blocked_host} is no public address: {explain_setting(self.dial.part)}"
                )
