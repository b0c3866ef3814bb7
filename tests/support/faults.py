"""A proxy in front of a store that takes requests down, and does to some of them what networks and
clouds do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Refuse:
    """An answer of the proxy's own."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Cut:
    """The store's answer, whose body ends after some bytes."""

    after: int


@dataclass(frozen=True)
class Instead:
    """The store's answer to another request: one without a hint, as if it didn't know it."""

    target: str


@dataclass(frozen=True)
class Altered:
    """The store's answer with another status, or with some headers replaced."""

    headers: Mapping[str, str]
    status: int | None = None


class FaultProxy:
    """Passes requests on to `target`; `fault(asked)` may choose another answer for each."""

    def __init__(self, target: str) -> None:
        address = urlsplit(target)
        self.asked: list[Asked] = []
        self.fault: Callable[[Asked], Refuse | Cut | Instead | Altered | None] = lambda asked: None
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Else the last packet of each answer waits for an acknowledgement.
            disable_nagle_algorithm = True

            def log_message(self, *args: object) -> None: ...

            def do_GET(self) -> None:
                asked = Asked(self.command, self.path, dict(self.headers.items()))
                proxy.asked.append(asked)
                length = int(self.headers.get("Content-Length", 0))
                sent = self.rfile.read(length) if length else None
                fault = proxy.fault(asked)
                if isinstance(fault, Refuse):
                    self._give(fault.status, fault.headers, fault.body, len(fault.body))
                    return
                upstream = HTTPConnection(address.hostname or "", address.port or 80)
                target = fault.target if isinstance(fault, Instead) else self.path
                upstream.putrequest(self.command, target, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    upstream.putheader(name, address.netloc if name.lower() == "host" else value)
                upstream.endheaders(sent)
                answer = upstream.getresponse()
                body = answer.read()
                upstream.close()
                size = (
                    int(answer.getheader("Content-Length") or len(body))
                    if self.command == "HEAD"
                    else len(body)
                )
                if isinstance(fault, Cut):
                    self.close_connection = True
                    body = body[: fault.after]
                status, headers = answer.status, dict(answer.getheaders())
                if isinstance(fault, Altered):
                    status = fault.status or status
                    names = {name.lower() for name in fault.headers}
                    headers = {k: v for k, v in headers.items() if k.lower() not in names}
                    headers |= fault.headers
                self._give(status, headers, body, size)

            do_HEAD = do_POST = do_PUT = do_GET

            def _give(
                self, status: int, headers: Mapping[str, str], body: bytes, size: int
            ) -> None:
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(size))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that went away is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}{address.path}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
