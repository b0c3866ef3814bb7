"""An HTTP server on this machine that serves a model, in the protocols of serving frameworks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np


@dataclass
class ModelServer:
    """Where the server is, and what it got."""

    url: str = ""
    sizes: list[int] = field(default_factory=list)
    """Rows of each request."""
    headers: list[dict[str, str]] = field(default_factory=list)
    status: int = 200


@contextmanager
def model_server(model: Callable[[np.ndarray], np.ndarray]) -> Iterator[ModelServer]:
    """Serve `model`, from rows (n, F) to outputs (n, C): by v2 at /v2, else by instances or CSV."""
    running = ModelServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            running.headers.append(dict(self.headers))
            if self.headers["content-type"] == "text/csv":
                rows = [[float(cell) for cell in line.split(",")] for line in body.splitlines()]
            elif self.path == "/v2":
                columns = [part["data"] for part in json.loads(body)["inputs"]]
                rows = [list(row) for row in zip(*columns, strict=True)]
            else:
                rows = json.loads(body)["instances"]
            running.sizes.append(len(rows))
            outputs = model(np.array(rows, float))
            if self.headers["content-type"] == "text/csv":
                answer = "\n".join(",".join(map(str, row)) for row in outputs.tolist())
            elif self.path == "/v2":
                part = {
                    "name": "p",
                    "datatype": "FP64",
                    "shape": list(outputs.shape),
                    "data": outputs.ravel().tolist(),
                }
                answer = json.dumps({"model_name": "m", "outputs": [part]})
            else:
                answer = json.dumps({"predictions": outputs.tolist()})
            self.send_response(running.status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
