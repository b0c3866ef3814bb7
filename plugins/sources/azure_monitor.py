"""Asks Azure Monitor for the points of metrics, such as those of an online endpoint.

Does not store a credential: the SDK finds them. Does not query logs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

from pydantic import Field as Setting
from pydantic import PrivateAttr, field_validator

from driftline import Source, SourceError, hookimpl
from driftline.kit.settings import Settings
from driftline.kit.stores.http_metric_source import HttpMetricSource
from driftline.kit.stores.metric_source import make_point, parse_rfc3339

RIGHT = "Microsoft.Insights/metrics/read (the role Monitoring Reader)"
API_VERSION = "2023-10-01"
STEPS = {60: "PT1M", 300: "PT5M", 900: "PT15M", 1800: "PT30M", 3600: "PT1H", 21600: "PT6H",
         43200: "PT12H", 86400: "P1D"}  # fmt: skip
"""The steps in seconds that Azure Monitor knows, and their names."""
MOST_SERIES = 1000
"""Series of one metric that are returned at most."""


class AzureMetric(Settings):
    """One metric of the resource."""

    metric: str = Setting(min_length=1)
    """The name of the metric, such as `RequestLatency_P95`."""
    aggregation: Literal["average", "total", "minimum", "maximum", "count"] = "average"
    """How the values of a step become one."""
    namespace: str | None = None
    """The namespace of the metric; that of the resource when absent."""
    filter: str | None = None
    """Splits a metric by dimensions, such as `deployment eq '*'`: a series for each value."""


class AzureMonitor(HttpMetricSource):
    """Reads metrics of a resource of Azure by the REST API of Azure Monitor.

    Each point is a row with `time` (the start of its step), `value` and `name` (the name of the
    metric here), and a column for each dimension of `filter`.
    """

    type = "azure_monitor"
    extra = "azure"
    permission = RIGHT

    resource: str = Setting(pattern=r"^/?subscriptions/[^/\s]+/.+[^/]$")
    """The id of the resource, such as `/subscriptions/.../onlineEndpoints/churn`."""
    metrics: Mapping[str, AzureMetric] = Setting(min_length=1)
    """The metrics, by name: `{latency: {metric: RequestLatency_P95}}`."""
    url: str = "https://management.azure.com"
    """The address of Azure Resource Manager; change it for a national cloud."""
    anonymous: bool = False
    """Send requests without credentials, to a server for tests."""

    _credential: Any = PrivateAttr(default=None)

    @field_validator("step")
    @classmethod
    def _is_step(cls, step: timedelta) -> timedelta:
        if step / timedelta(seconds=1) not in STEPS:
            raise ValueError("should be 1m, 5m, 15m, 30m, 1h, 6h, 12h or 1d")
        return step

    def stop(self) -> None:
        """Close the connections."""
        credential, self._credential = self._credential, None
        if credential is not None:
            credential.close()
        super().stop()

    @property
    def address(self) -> str:
        """Return the name of the resource."""
        return f"azure-monitor://{self.resource.strip('/').rsplit('/', 1)[-1]}"

    def permissions(self) -> tuple[str, ...]:
        """Return the right to read metrics."""
        return (f"{RIGHT} on {self.resource}",)

    def read_points(self, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
        """Yield the points of every metric, those of one metric after another."""
        base = f"{self.url.rstrip('/')}/{quote(self.resource.strip('/'))}"
        for name, metric in self.metrics.items():
            parameters: dict[str, str | list[str]] = {
                "api-version": API_VERSION,
                "metricnames": metric.metric,
                "aggregation": metric.aggregation,
                "timespan": f"{start:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}",
                "interval": STEPS[self.step // timedelta(seconds=1)],
            }
            if metric.namespace is not None:
                parameters["metricnamespace"] = metric.namespace
            if metric.filter is not None:
                parameters |= {"$filter": metric.filter, "top": str(MOST_SERIES)}
            answer = self.get_json(f"{base}/providers/microsoft.insights/metrics", parameters)
            try:
                for result in answer["value"]:
                    yield from self._points(name, metric, result)
            except (KeyError, TypeError, ValueError, AttributeError):
                raise SourceError(
                    f"{self.address}: {name}: not an answer of Azure Monitor"
                ) from None

    def _points(
        self, name: str, metric: AzureMetric, result: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        if result.get("errorCode", "Success") != "Success":
            message = str(result.get("errorMessage") or result["errorCode"])[:200]
            raise SourceError(f"{self.address}: {name}: {message}")
        for series in result["timeseries"]:
            labels = {
                part["name"]["value"]: part["value"] for part in series.get("metadatavalues", ())
            }
            for point in series["data"]:
                value = point.get(metric.aggregation)
                # A step in which nothing was measured has a time and no value: it is no point.
                if value is not None:
                    yield make_point(name, parse_rfc3339(point["timeStamp"]), float(value), labels)

    def request_headers(self) -> dict[str, str]:
        """Return the token of the account."""
        if self.anonymous:
            return {}
        try:
            from azure.core.exceptions import AzureError
            from azure.identity import DefaultAzureCredential
        except ImportError:
            raise SourceError(
                "azure-identity is not installed: pip install 'driftline[azure]'"
            ) from None
        self._credential = self._credential or DefaultAzureCredential()
        try:
            token = self._credential.get_token(f"{self.url.rstrip('/')}/.default").token
        except AzureError as error:
            reason = " ".join(str(error).split())[:200]
            raise SourceError(f"{self.address}: no Azure credentials work: {reason}") from None
        return {"authorization": f"Bearer {token}"}


@hookimpl
def register_sources() -> list[type[Source]]:
    """Register the source of this file."""
    return [AzureMonitor]
