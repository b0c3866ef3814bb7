"""Turns away requests that name a host which this agent does not have.

A page of another site can let its own name point to this machine (DNS rebinding): the browser then
takes the agent's answers for those of that site. Such requests name that site.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from driftline.types.phrasing import clean

OPEN_TO_ALL = ("/healthz",)
"""Says nothing of the agent but that it lives."""


class KnownHosts:
    """Passes on what names this machine, an IP address or one of `names`.

    An IP address is safe: only names can be made to point elsewhere.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app = app
        self._names = {name.lower().rstrip(".") for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] not in OPEN_TO_ALL:
            host = Headers(scope=scope).get("host", "")
            if host and not self._knows(host):
                answer = PlainTextResponse(
                    f"This agent does not know itself by the name {clean(host, 100)}. If people "
                    "reach it by this name, add the name to agent.http_hosts.\n",
                    421,
                )
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _knows(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
            if host.startswith("[") and host.partition("]")[2][:1] not in ("", ":"):
                return False  # Text after an address in brackets is part of a name.
        except ValueError:
            return False
        if name == "localhost" or name.endswith(".localhost") or name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
