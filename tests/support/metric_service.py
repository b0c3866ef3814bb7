"""A server on this machine that gives the recorded answers of a metric service, in turn."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class MetricService:
    """What the server answers, and what it was asked."""

    url: str = ""
    answers: deque[tuple[int, Any, dict[str, str]]] = field(default_factory=deque)
    """Status, document and headers of each answer; the last one is given again and again."""
    requests: list[tuple[str, dict[str, list[str]], dict[str, str]]] = field(default_factory=list)
    """Path, parameters and headers of each request."""

    def answer(self, document: Any, status: int = 200, **headers: str) -> None:
        """Add an answer."""
        self.answers.append((status, document, headers))


@contextmanager
def metric_service() -> Iterator[MetricService]:
    """Run the server."""
    service = MetricService()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            service.requests.append((parts.path, parse_qs(parts.query), dict(self.headers)))
            few = len(service.answers) == 1
            status, document, headers = service.answers[0] if few else service.answers.popleft()
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
