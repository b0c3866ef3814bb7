"""A client of the pages of an agent, served on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from station import Station

from driftline.types.secret import Secret
from driftline.web import create_app, serve


@contextmanager
def open_pages(station: Station, token: str = "") -> Iterator[httpx.Client]:
    """Serve the pages of the station's agent, which is open, to readers without a token.

    `token` is `agent.token`; without it nobody can act.
    """
    secret = Secret("${env:T}", token) if token else None
    server = serve(create_app(station.agent, None, secret, clock=station.clock), "127.0.0.1", 0)
    try:
        # Pages are made while other tests use the processor.
        with httpx.Client(
            base_url=f"http://{server.address}", trust_env=False, timeout=60
        ) as client:
            yield client
    finally:
        server.stop()
