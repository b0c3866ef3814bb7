"""The metrics, pushed over OTLP to a collector that can't scrape them. Needs the extra `otlp`.

Refuses to lose the agent time: a push that fails is told to the log and the next one carries newer
numbers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from driftline.types.errors import DriftlineError

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData

SECONDS = 10
"""For one push."""


class MetricsPusher:
    """Pushes a registry again and again until it is stopped, and once more then."""

    def __init__(
        self, registry: CollectorRegistry, exporter: MetricExporter, every: timedelta, log: Any
    ) -> None:
        self._registry, self._exporter, self._every, self._log = registry, exporter, every, log
        self._began = time.time_ns()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otlp", daemon=True)
        self._thread.start()

    def push(self) -> bool:
        """Push what there is now; returns whether it was taken."""
        from opentelemetry.sdk.metrics.export import MetricExportResult

        try:
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
        """Push once more and end."""
        self._stopping.set()
        self._thread.join(SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(self._every.total_seconds()):
            self.push()
        self.push()


def make_exporter(endpoint: str, headers: Mapping[str, str]) -> MetricExporter:
    """OTLP over HTTP. Raises DriftlineError without the extra."""
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    except ImportError:
        raise DriftlineError(
            "pushing metrics needs OpenTelemetry: pip install 'driftline[otlp]'"
        ) from None
    return OTLPMetricExporter(endpoint=endpoint, headers=dict(headers), timeout=SECONDS)


def metrics_data(registry: CollectorRegistry, began: int, now: int) -> MetricsData:
    """The registry as OTLP has it; nanoseconds since the epoch."""
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    found = [_metric(family, began, now) for family in registry.collect() if family.samples]
    scope = ScopeMetrics(
        InstrumentationScope("driftline"), [metric for metric in found if metric is not None], ""
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
        mine = series.setdefault(labels, {"upto": []})
        if sample.name.endswith("_bucket"):
            mine["upto"].append((float(sample.labels["le"]), int(sample.value)))
        else:
            mine[sample.name.rpartition("_")[2]] = sample.value
    for labels, mine in series.items():
        upto = sorted(mine["upto"])
        counts = [
            count - before
            for (_, count), before in zip(upto, [0, *(count for _, count in upto)], strict=False)
        ]
        bounds = [bound for bound, _ in upto[:-1]]
        yield HistogramDataPoint(
            dict(labels),
            began,
            now,
            int(mine["count"]),
            float(mine["sum"]),
            counts,
            bounds,
            float("inf"),
            float("-inf"),
        )
