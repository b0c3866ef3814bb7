"""A gRPC server on this machine that gives recorded answers of Google Cloud Monitoring, in turn."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class MonitoringServer:
    """What the server answers, and what it was asked."""

    url: str = ""
    answers: deque[Any] = field(default_factory=deque)
    """A document of the API, or the status code and text of an error."""
    requests: list[Any] = field(default_factory=list)

    def answer(self, document: dict[str, Any]) -> None:
        """Add an answer in the JSON of the API."""
        from google.cloud.monitoring_v3 import ListTimeSeriesResponse

        self.answers.append(ListTimeSeriesResponse.from_json(json.dumps(document)))

    def fail(self, code: Any, text: str) -> None:
        """Add an answer that is an error: a `grpc.StatusCode` and its text."""
        self.answers.append((code, text))


@contextmanager
def monitoring_server() -> Iterator[MonitoringServer]:
    """Run the server."""
    import grpc
    from google.cloud.monitoring_v3 import ListTimeSeriesRequest, ListTimeSeriesResponse

    running = MonitoringServer()

    def list_time_series(request: Any, context: Any) -> Any:
        running.requests.append(request)
        answer = running.answers.popleft()
        if isinstance(answer, tuple):
            context.abort(*answer)
        return answer

    handler = grpc.unary_unary_rpc_method_handler(
        list_time_series,
        request_deserializer=ListTimeSeriesRequest.deserialize,
        response_serializer=ListTimeSeriesResponse.serialize,
    )
    service = "google.monitoring.v3.MetricService"
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {"ListTimeSeries": handler}),)
    )
    running.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield running
    finally:
        server.stop(None).wait()
