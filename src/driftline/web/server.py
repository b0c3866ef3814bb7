"""Serves the application in a thread, and stops it cleanly.

Does not handle signals: the agent does.
"""

from __future__ import annotations

import socket
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING

from driftline.types.errors import DriftlineError
from driftline.web.address import Address

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

BACKLOG = 64
GRACE = 2
"""Seconds that running requests get at a stop."""


class WebServer:
    """A web server that runs until it is stopped."""

    def __init__(self, address: Address, server: uvicorn.Server, thread: Thread) -> None:
        self.address = address
        """Where it listens, with the real port when port 0 was requested."""
        self._server = server
        self._thread = thread

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Finish running requests, then close. Safe to call twice."""
        self._server.should_exit = True
        self._thread.join(GRACE + 3)


def serve(
    app: Starlette, host: str, port: int, *, certificate: tuple[Path, Path] | None = None
) -> WebServer:
    """Listen on `host` and `port`, and return when requests are answered.

    With `certificate`, the files of a certificate and its key, it speaks TLS. Raises DriftlineError
    when the address or the certificate can't be used.
    """
    import uvicorn

    from driftline.web.connections import ConnectionLimits, limited_protocol

    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        raise DriftlineError(
            f"agent.http: can't listen on {Address(host, port)}: {error.strerror or error}"
        ) from error
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        http=limited_protocol(ConnectionLimits()),
        # So many connections are accepted at a time before too many are closed.
        backlog=BACKLOG,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=GRACE,
    )
    if certificate is not None:
        config.ssl_certfile, config.ssl_keyfile = certificate
        try:
            config.load()
        except OSError as error:
            listener.close()
            raise DriftlineError(
                f"agent.http_certificate: {certificate[0]} and its key {certificate[1]} can't be "
                f"used: {error}"
            ) from error
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, args=([listener],), name="web", daemon=True)
    thread.start()
    deadline = monotonic() + 10
    while not server.started:
        if not thread.is_alive() or monotonic() > deadline:
            raise DriftlineError(
                f"agent.http: the web server on {Address(host, port)} did not start"
            )
        sleep(0.005)
    return WebServer(Address(host, int(listener.getsockname()[1])), server, thread)
