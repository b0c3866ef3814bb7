"""Pushes the metrics over OTLP, to a collector that cannot scrape them. Needs the extra `otlp`.

Runs on a thread of its own. A push that fails is logged; the next one carries newer values.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from driftline.types.errors import DriftlineError

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData

PUSH_TIMEOUT = 10
"""Seconds for one push."""


class MetricsPusher:
    """Pushes a registry at an interval until it is stopped, and a last time then."""

    def __init__(
        self,
        registry: CollectorRegistry,
        exporter: MetricExporter,
        *,
        every: timedelta,
        log: Any,
        renew: Callable[[], MetricExporter | None] = lambda: None,
    ) -> None:
        """`renew` returns another exporter when a secret has changed."""
        self._renew = renew
        self._registry, self._exporter, self._every, self._log = registry, exporter, every, log
        self._began = time.time_ns()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otlp", daemon=True)
        self._thread.start()

    def push(self) -> bool:
        """Push the current values; returns whether the collector accepted them."""
        from opentelemetry.sdk.metrics.export import MetricExportResult

        try:
            self._exporter = self._renew() or self._exporter
            answer = self._exporter.export(
                metrics_data(self._registry, self._began, time.time_ns())
            )
        except Exception as error:
            self._log.warning("metrics could not be pushed", error=str(error))
            return False
        if answer is not MetricExportResult.SUCCESS:
            self._log.warning("metrics were not taken by the collector")
        return answer is MetricExportResult.SUCCESS

    def stop(self) -> None:
        """Push a last time and end."""
        self._stopping.set()
        self._thread.join(PUSH_TIMEOUT)

    def _run(self) -> None:
        while not self._stopping.wait(self._every.total_seconds()):
            self.push()
        self.push()


def make_exporter(endpoint: str, headers: Mapping[str, str]) -> MetricExporter:
    """Make an exporter for OTLP over HTTP. Raises DriftlineError without the extra `otlp`."""
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    except ImportError:
        raise DriftlineError(
            "pushing metrics needs OpenTelemetry: pip install 'driftline[otlp]'"
        ) from None
    return OTLPMetricExporter(endpoint=endpoint, headers=dict(headers), timeout=PUSH_TIMEOUT)


def metrics_data(registry: CollectorRegistry, began: int, now: int) -> MetricsData:
    """Convert the registry to OTLP; `began` and `now` are nanoseconds since the Unix epoch."""
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    metrics = [_metric(family, began, now) for family in registry.collect() if family.samples]
    scope = ScopeMetrics(
        InstrumentationScope("driftline"), [metric for metric in metrics if metric is not None], ""
    )
    return MetricsData(
        [ResourceMetrics(Resource.create({"service.name": "driftline"}), [scope], "")]
    )


def _metric(family: Metric, began: int, now: int) -> Any:
    from opentelemetry.sdk.metrics import export

    cumulative = export.AggregationTemporality.CUMULATIVE
    if family.type == "histogram":
        data: Any = export.Histogram(list(_histograms(family, began, now)), cumulative)
    elif family.type in ("counter", "gauge"):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        points = [
            export.NumberDataPoint(dict(sample.labels), began, now, sample.value)
            for sample in family.samples
            if sample.name == name
        ]
        data = (
            export.Sum(points, cumulative, True)
            if family.type == "counter"
            else export.Gauge(points)
        )
    else:
        return None
    return export.Metric(family.name, family.documentation, family.unit, data)


def _histograms(family: Metric, began: int, now: int) -> Iterator[Any]:
    from opentelemetry.sdk.metrics.export import HistogramDataPoint

    series: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for sample in family.samples:
        labels = tuple(
            sorted((name, value) for name, value in sample.labels.items() if name != "le")
        )
        values = series.setdefault(labels, {"buckets": []})
        if sample.name.endswith("_bucket"):
            values["buckets"].append((float(sample.labels["le"]), int(sample.value)))
        else:
            values[sample.name.rpartition("_")[2]] = sample.value
    for labels, values in series.items():
        buckets = sorted(values["buckets"])
        cumulative = [count for _, count in buckets]
        yield HistogramDataPoint(
            attributes=dict(labels),
            start_time_unix_nano=began,
            time_unix_nano=now,
            count=int(values["count"]),
            sum=float(values["sum"]),
            bucket_counts=[
                count - smaller
                for count, smaller in zip(cumulative, [0, *cumulative], strict=False)
            ],
            explicit_bounds=[upper_limit for upper_limit, _ in buckets[:-1]],
            min=float("inf"),
            max=float("-inf"),
        )
