"""Asks Google Cloud Monitoring for the points of time series, such as those of a Vertex endpoint.

Does not store a credential: the SDK finds them. Does not read distributions: align them to a
percentile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field as Setting
from pydantic import field_validator, model_validator

from driftline import Source, SourceBusy, SourceError, hookimpl
from driftline.kit.clouds import google
from driftline.kit.settings import Settings
from driftline.kit.stores.client_source import ClientSource
from driftline.kit.stores.metric_source import MetricSource, make_point
from driftline.kit.stores.retry import retry_while_busy

SCOPE = "https://www.googleapis.com/auth/monitoring.read"
RIGHT = "monitoring.timeSeries.list (the role Monitoring Viewer)"
PAGE = 100_000
"""Points of one answer."""
TIMEOUT = 60.0
"""Seconds for one answer."""
NUMBERS = ("double_value", "int64_value", "bool_value")
"""The kinds of a value that are numbers."""
Aligner = Literal[
    "ALIGN_MEAN", "ALIGN_SUM", "ALIGN_MIN", "ALIGN_MAX", "ALIGN_COUNT", "ALIGN_RATE", "ALIGN_DELTA",
    "ALIGN_STDDEV", "ALIGN_COUNT_TRUE", "ALIGN_FRACTION_TRUE", "ALIGN_PERCENTILE_99",
    "ALIGN_PERCENTILE_95", "ALIGN_PERCENTILE_50", "ALIGN_PERCENTILE_05", "ALIGN_NEXT_OLDER",
    "ALIGN_INTERPOLATE",
]  # fmt: skip
Reducer = Literal[
    "REDUCE_MEAN", "REDUCE_SUM", "REDUCE_MIN", "REDUCE_MAX", "REDUCE_COUNT", "REDUCE_STDDEV",
    "REDUCE_PERCENTILE_99", "REDUCE_PERCENTILE_95", "REDUCE_PERCENTILE_50", "REDUCE_PERCENTILE_05",
]  # fmt: skip


class MonitoringMetric(Settings):
    """One metric, aligned to `step`."""

    filter: str = Setting(min_length=1)
    """The filter of the API, such as `metric.type="aiplatform.googleapis.com/..."`."""
    aligner: Aligner = "ALIGN_MEAN"
    """How the points of a step become one; a distribution needs a percentile or the mean."""
    reducer: Reducer | None = None
    """How several series become one; each stays a series of its own when absent."""
    group_by: tuple[str, ...] = ()
    """The labels that `reducer` keeps, such as `resource.label.endpoint_id`."""

    @field_validator("filter")
    @classmethod
    def _names_a_metric(cls, text: str) -> str:
        if "metric.type" not in text:
            raise ValueError('should name the metric: metric.type="..."')
        if text.count('"') % 2:
            raise ValueError("a quote is not closed")
        return text


class CloudMonitoring(ClientSource, MetricSource):
    """Reads time series of Google Cloud Monitoring by `projects.timeSeries.list`, over gRPC.

    Each point is a row with `time` (the start of its step), `value` and `name` (the name of the
    metric here), and a column for each label of the metric and its resource.
    """

    type = "cloud_monitoring"
    extra = "gcp"

    project: str = Setting(pattern=r"^[a-z0-9.:-]{1,100}$")
    """The id of the project."""
    metrics: Mapping[str, MonitoringMetric] = Setting(min_length=1)
    """The metrics, by name: `{latency: {filter: ..., aligner: ALIGN_PERCENTILE_95}}`."""
    credentials_file: str | None = None
    """The key file of a service account.

    Give it only where the machine's own identity can't be used. A relative path starts at the
    folder of the configuration file.
    """
    endpoint_url: str = "https://monitoring.googleapis.com"
    """The address of the API; `http` only for a server for tests, without credentials."""
    anonymous: bool = False
    """Send requests without credentials, to a server for tests."""

    @model_validator(mode="after")
    def _keeps_credentials_secret(self) -> Self:
        if not self.endpoint_url.startswith("https://") and not self.anonymous:
            raise ValueError("endpoint_url should begin with https:// unless anonymous is true")
        return self

    @field_validator("step")
    @classmethod
    def _is_step(cls, step: timedelta) -> timedelta:
        if step < timedelta(minutes=1):
            raise ValueError("should be a minute at least")
        return step

    @property
    def address(self) -> str:
        """Return the address of the project."""
        return f"cloud-monitoring://{self.project}"

    def permissions(self) -> tuple[str, ...]:
        """Return the right to read time series."""
        return (f"{RIGHT} on the project {self.project}",)

    def read_points(self, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
        """Yield the points of every metric, those of one metric after another."""
        for name, metric in self.metrics.items():
            request = self._request(metric, start, end)
            while True:
                page = retry_while_busy(partial(self._ask, request), self._sleep)
                for series in page.time_series:
                    yield from self._points(name, series)
                if not page.next_page_token:
                    break
                request["page_token"] = page.next_page_token

    def _ask(self, request: Mapping[str, Any]) -> Any:
        """Return one page of the answer."""
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import GoogleAuthError, TransportError

        try:
            pager = self._connect().list_time_series(request, retry=None, timeout=TIMEOUT)
            return next(iter(pager.pages))
        except GoogleAPICallError as error:
            raise self._translate(error) from None
        except TransportError as error:
            raise SourceBusy(f"{self.address}: {str(error)[:200]}") from None
        except GoogleAuthError as error:
            self._forget_client()
            raise SourceError(f"{self.address}: {str(error)[:200]}") from None

    def _translate(self, error: Exception) -> SourceError:
        """Return driftline's error for an error of the SDK."""
        status, _, message = google.error_details(error)
        text = f"{self.address}: {status}: {message[:300]}"
        if status == 429 or status >= 500 or not status:
            return SourceBusy(text)
        if status in (401, 403):
            # Someone may have renewed the credentials: the next request reads them again.
            self._forget_client()
            return SourceError(f"{text}: {RIGHT} is needed")
        return SourceError(text)

    def _points(self, name: str, series: Any) -> Iterator[dict[str, Any]]:
        labels = {**series.resource.labels, **series.metric.labels}
        for point in series.points:
            # An aligned point stands at the end of its step; the row has the start.
            at = point.interval.end_time.astimezone(UTC) - self.step
            yield make_point(name, at, self._number(name, point.value), labels)

    def _number(self, name: str, value: Any) -> float | None:
        kind = type(value).pb(value).WhichOneof("value")
        if kind == "distribution_value":
            raise SourceError(
                f"{self.address}: {name}: a distribution has no value: "
                "set aligner to a percentile, such as ALIGN_PERCENTILE_95"
            )
        return float(getattr(value, kind)) if kind in NUMBERS else None

    def _request(self, metric: MonitoringMetric, start: datetime, end: datetime) -> dict[str, Any]:
        aggregation: dict[str, Any] = {
            "alignment_period": {"seconds": self.step // timedelta(seconds=1)},
            "per_series_aligner": metric.aligner,
            "group_by_fields": list(metric.group_by),
        }
        if metric.reducer is not None:
            aggregation["cross_series_reducer"] = metric.reducer
        return {
            "name": f"projects/{self.project}",
            "filter": metric.filter,
            "interval": {"start_time": start, "end_time": end},
            "aggregation": aggregation,
            "page_size": PAGE,
        }

    def _make_client(self) -> Any:
        monitoring = google.import_sdk("monitoring_v3", package="monitoring")
        address = urlsplit(self.endpoint_url)
        if address.scheme == "http":
            import grpc  # type: ignore[import-untyped,unused-ignore]

            transport = monitoring.MetricServiceClient.get_transport_class("grpc")
            return _Client(
                monitoring.MetricServiceClient(
                    transport=transport(channel=grpc.insecure_channel(address.netloc))
                )
            )
        file = self.credentials_file
        path = None if file is None else self.context.config_folder / file
        credentials = google.load_credentials(SCOPE, path, anonymous=self.anonymous)
        options = {"api_endpoint": address.netloc}
        return _Client(
            monitoring.MetricServiceClient(credentials=credentials, client_options=options)
        )


@dataclass(frozen=True, slots=True)
class _Client:
    """The client of the SDK, which closes by its transport."""

    sdk: Any

    def list_time_series(self, request: Mapping[str, Any], **settings: Any) -> Any:
        return self.sdk.list_time_series(request=request, **settings)

    def close(self) -> None:
        self.sdk.transport.close()


@hookimpl
def register_sources() -> list[type[Source]]:
    """Register the source of this file."""
    return [CloudMonitoring]
