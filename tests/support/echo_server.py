"""A receiver that refuses every request and echoes it: in whole, in halves, in Base64 and with
percent signs, in the body of its answer and in its headers.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote


class EchoServer(ThreadingHTTPServer):
    """`status` is that of the answers; `seen` holds the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 400
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


def echoes(request: str) -> list[str]:
    """The forms of a request. Each comes first in one of the answers, since an error may be cut."""
    half = len(request) // 2
    start = max(0, request.lower().find("authorization"))
    return [
        request,
        request[start : start + 60],
        request[:half],
        request[half:],
        base64.b64encode(request.encode()).decode(),
        base64.b64encode(request[start:].encode()).decode(),
        quote(request, safe=""),
        quote(request[start:], safe=""),
    ]


class _Handler(BaseHTTPRequestHandler):
    server: EchoServer

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(size).decode("utf-8", "replace")
        head = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        request = f"{self.command} {self.path}\n{head}\n{body}"
        self.server.seen.append(request)
        forms = echoes(request)
        turn = len(self.server.seen) % len(forms)
        answer = "\n".join([*forms[turn:], *forms[:turn]]).encode()[:60_000]
        self.send_response(self.server.status, quote(request[:200], safe=" "))
        for number, form in enumerate(forms):
            self.send_header(f"x-echo-{number}", quote(form[:300], safe=" "))
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_PATCH = do_DELETE = do_POST

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def echo_server() -> Iterator[EchoServer]:
    """A running server on loopback."""
    server = EchoServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
