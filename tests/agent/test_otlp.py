"""Metrics reach a collector by OTLP, and alerts are shown as long as they fire."""

import gzip
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import structlog
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from driftline.telemetry.metrics import Metrics
from driftline.telemetry.otlp import MetricsPusher, make_exporter


@pytest.fixture
def collector():
    """A collector that decodes what it gets as the protocol has it."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
            seen.append(
                (self.path, dict(self.headers), ExportMetricsServiceRequest.FromString(body))
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/metrics", seen
    server.shutdown()


def test_what_prometheus_scrapes_is_pushed_with_its_labels(collector):
    """Gauges, counters and histograms arrive with values and labels, and the configured headers;
    stopping pushes once more.
    """
    endpoint, seen = collector
    metrics = Metrics("1")
    metrics.rows.labels("churn").inc(7)
    metrics.set_measurement(
        model="churn", check="drift", measurement="psi", value=0.31, column="age"
    )
    metrics.tick_seconds.labels("churn").observe(0.2)
    push = MetricsPusher(
        metrics.registry,
        make_exporter(endpoint, {"x-key": "k"}),
        every=timedelta(hours=1),
        log=structlog.get_logger(),
    )
    push.stop()
    [(path, headers, request)] = seen
    found = {metric.name: metric for metric in request.resource_metrics[0].scope_metrics[0].metrics}
    assert (path, headers["x-key"]) == ("/v1/metrics", "k")
    assert found["driftline_rows"].sum.is_monotonic
    assert found["driftline_rows"].sum.data_points[0].as_double == 7
    [point] = found["driftline_measurement"].gauge.data_points
    labels = {one.key: one.value.string_value for one in point.attributes}
    assert (point.as_double, labels["column"], labels["model"]) == (0.31, "age", "churn")
    [ticks] = found["driftline_tick_seconds"].histogram.data_points
    assert (ticks.count, ticks.sum, list(ticks.bucket_counts)[3]) == (1, 0.2, 1)


def test_a_collector_that_is_away_costs_a_word_in_the_log(collector):
    """A refused connection does not raise."""
    push = MetricsPusher(
        Metrics("1").registry, _Refusing(), every=timedelta(hours=1), log=structlog.get_logger()
    )
    assert not push.push()
    push.stop()


class _Refusing:
    def export(self, data):
        raise ConnectionError("refused")


def test_an_alert_is_shown_as_long_as_it_fires():
    """The gauge of a model has exactly its firing alerts, and never more than its bound."""
    metrics = Metrics("1", label_sets=3)
    alerts = [("drift", "psi", f"c{place}", "", "", "warning") for place in range(5)]

    def shown():
        samples = [sample for family in metrics.registry.collect() for sample in family.samples]
        return {
            (each.labels["model"], each.labels["column"])
            for each in samples
            if each.name == "driftline_alert"
        }

    metrics.set_alerts("churn", alerts[:2])
    assert shown() == {("churn", "c0"), ("churn", "c1")}
    metrics.set_alerts("churn", alerts[1:2])
    assert shown() == {("churn", "c1")}
    metrics.set_alerts("other", alerts)
    assert len(shown()) == 3
    metrics.set_alerts("other", [])
    metrics.set_alerts("churn", [])
    assert shown() == set()
