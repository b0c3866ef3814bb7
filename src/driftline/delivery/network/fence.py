"""The guard for libraries that connect by themselves: Python tells of each connection before it is
made, and may be told no.

Refuses private addresses unless allowed, and to guard threads that the library starts: it knows
only the one that entered.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from driftline.delivery.network.address import PrivateAddressError, checked
from driftline.delivery.network.dial import Dial
from driftline.types.errors import Rejected
from driftline.types.phrasing import clean


@dataclass
class _Watch:
    """What one thread may connect to just now, and the first address that it was refused."""

    allow_private: bool | Collection[str]
    refused: str = ""

    def check(self, address: object) -> None:
        """Nothing more is let through after a refusal. Raises OSError, which libraries take for a
        connection that failed.
        """
        host, port = address[:2] if isinstance(address, tuple) else (str(address), 0)
        try:
            if not self.refused:
                checked(str(host), int(port), self.allow_private)
        except (
            PrivateAddressError,
            OSError,
            ValueError,
        ):  # a socket of this machine's own is no public address either
            self.refused = clean(str(host), 100)
        if self.refused:
            raise PermissionError(f"{self.refused} may not be connected to")


_WATCH: ContextVar[_Watch | None] = ContextVar("watch", default=None)


def _audit(event: str, facts: tuple[Any, ...]) -> None:
    if (
        event in ("socket.connect", "socket.sendto", "socket.sendmsg")
        and (watch := _WATCH.get()) is not None
    ):
        watch.check(facts[1])


@cache
def _listen() -> None:
    """Once for the process: Python forgets no audit hook."""
    sys.addaudithook(_audit)


@dataclass(frozen=True)
class Fence:
    """Guards all connections of this thread while it is entered, by the rules of `dial`."""

    dial: Dial

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Raises Rejected at its end when a connection was refused, and what `permit` of the dial
        raises at its beginning.
        """
        self.dial.permit()
        if self.dial.allow_private is True:
            yield
            return
        _listen()
        watch = _Watch(self.dial.allow_private)
        before = _WATCH.set(watch)
        try:
            yield
        finally:
            _WATCH.reset(before)
            if watch.refused:
                said = f"{watch.refused} is no public address: allow it in the configuration, if that is meant"
                raise Rejected(said)
