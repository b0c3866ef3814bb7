"""Asks Azure Monitor for the points of metrics, such as those of an online endpoint.

Does not store a credential: the SDK finds them. Does not query logs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

from pydantic import Field as Setting
from pydantic import PrivateAttr, field_validator

from driftline import Source, SourceBusy, SourceError, hookimpl
from driftline.kit.settings import Settings
from driftline.kit.stores.client_source import ClientSource
from driftline.kit.stores.metric_source import MetricSource, make_point
from driftline.kit.stores.retry import parse_retry_after, retry_while_busy

RIGHT = "Microsoft.Insights/metrics/read (the role Monitoring Reader)"
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


class AzureMonitor(ClientSource, MetricSource):
    """Reads metrics of a resource of Azure by the SDK of Azure Monitor.

    Each point is a row with `time` (the start of its step), `value` and `name` (the name of the
    metric here), and a column for each dimension of `filter`.
    """

    type = "azure_monitor"
    extra = "azure"

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
        super().stop()
        credential, self._credential = self._credential, None
        if credential is not None:
            credential.close()

    @property
    def address(self) -> str:
        """Return the name of the resource."""
        return f"azure-monitor://{self.resource.strip('/').rsplit('/', 1)[-1]}"

    def permissions(self) -> tuple[str, ...]:
        """Return the right to read metrics."""
        return (f"{RIGHT} on {self.resource}",)

    def read_points(self, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
        """Yield the points of every metric, those of one metric after another."""
        for name, metric in self.metrics.items():
            for result in retry_while_busy(partial(self._ask, metric, start, end), self._sleep):
                yield from self._points(name, metric, result)

    def _ask(self, metric: AzureMetric, start: datetime, end: datetime) -> Sequence[Any]:
        """Return the results of one metric, as the SDK gives them."""
        from azure.core import exceptions

        try:
            answer = self._connect().metrics.list(
                self.resource.strip("/"),
                timespan=f"{start:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}",
                interval=STEPS[self.step // timedelta(seconds=1)],
                metricnames=metric.metric,
                aggregation=metric.aggregation,
                metricnamespace=metric.namespace,
                filter=metric.filter,
                top=None if metric.filter is None else MOST_SERIES,
            )
            return list(answer.value)
        except exceptions.ClientAuthenticationError as error:
            self._forget_client()
            raise self._translate(error) from None
        except exceptions.HttpResponseError as error:
            raise self._translate(error) from None
        except (exceptions.ServiceRequestError, exceptions.ServiceResponseError) as error:
            raise SourceBusy(f"{self.address}: {_first_words(error)}") from None
        except (exceptions.AzureError, TypeError, ValueError, AttributeError):
            raise SourceError(f"{self.address}: not an answer of Azure Monitor") from None

    def _translate(self, error: Any) -> SourceError:
        """Return driftline's error for an error of the SDK."""
        status = int(getattr(error, "status_code", None) or 0)
        if not status:
            return SourceError(f"{self.address}: no Azure credentials work: {_first_words(error)}")
        text = f"{self.address}: {status}: {_message(error)}"
        if status == 429 or status >= 500:
            headers = getattr(error.response, "headers", {})
            return SourceBusy(text, pause=parse_retry_after(headers.get("Retry-After")))
        if status in (401, 403):
            return SourceError(f"{text}: {RIGHT} is needed")
        return SourceError(text)

    def _points(self, name: str, metric: AzureMetric, result: Any) -> Iterator[dict[str, Any]]:
        if (result.error_code or "Success") != "Success":
            message = str(result.error_message or result.error_code)[:200]
            raise SourceError(f"{self.address}: {name}: {message}")
        for series in result.timeseries or ():
            labels = {part.name.value: part.value for part in series.metadatavalues or ()}
            for point in series.data or ():
                value = getattr(point, metric.aggregation)
                # A step in which nothing was measured has a time and no value: it is no point.
                if value is not None:
                    yield make_point(name, point.time_stamp.astimezone(UTC), float(value), labels)

    def _make_client(self) -> Any:
        try:
            from azure.core.pipeline.policies import SansIOHTTPPolicy
            from azure.mgmt.monitor import MonitorManagementClient
        except ImportError:
            raise SourceError(
                "azure-mgmt-monitor is not installed: pip install 'driftline[azure]'"
            ) from None
        settings: dict[str, Any] = {
            "base_url": self.url.rstrip("/"),
            "credential_scopes": [f"{self.url.rstrip('/')}/.default"],
            "retry_total": 0,
            "connection_timeout": 10,
            "read_timeout": 60,
        }
        if self.anonymous:
            settings["authentication_policy"] = SansIOHTTPPolicy()
        subscription = self.resource.strip("/").split("/")[1]
        return MonitorManagementClient(self._find_credential(), subscription, **settings)

    def _find_credential(self) -> Any:
        """Return the credential of the machine, made once; a stand-in for an anonymous client."""
        if self.anonymous:
            return object()
        try:
            from azure.identity import DefaultAzureCredential
        except ImportError:
            raise SourceError(
                "azure-identity is not installed: pip install 'driftline[azure]'"
            ) from None
        self._credential = self._credential or DefaultAzureCredential()
        return self._credential


def _message(error: Any) -> str:
    """Return what the service says, on one line."""
    detail = getattr(error, "error", None)
    text = getattr(detail, "message", None) or getattr(error, "message", None) or str(error)
    return " ".join(str(text).split())[:300]


def _first_words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


@hookimpl
def register_sources() -> list[type[Source]]:
    """Register the source of this file."""
    return [AzureMonitor]
