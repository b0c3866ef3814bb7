"""Asks Google Cloud Monitoring for the points of time series, such as those of a Vertex endpoint.

Does not store a credential: the SDK finds them. Does not read distributions: align them to a
percentile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field as Setting
from pydantic import PrivateAttr, field_validator

from driftline import Rejected, Retryable, Source, SourceBusy, SourceError, hookimpl
from driftline.kit.clouds import google
from driftline.kit.settings import Settings
from driftline.kit.stores.http_metric_source import HttpMetricSource
from driftline.kit.stores.metric_source import make_point, parse_rfc3339

SCOPE = "https://www.googleapis.com/auth/monitoring.read"
RIGHT = "monitoring.timeSeries.list (the role Monitoring Viewer)"
PAGE = 100_000
"""Points of one answer."""
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


class CloudMonitoring(HttpMetricSource):
    """Reads time series of Google Cloud Monitoring by `projects.timeSeries.list`.

    Each point is a row with `time` (the start of its step), `value` and `name` (the name of the
    metric here), and a column for each label of the metric and its resource.
    """

    type = "cloud_monitoring"
    extra = "gcp"
    permission = RIGHT

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
    """The address of the API."""
    anonymous: bool = False
    """Send requests without credentials, to a server for tests."""

    _credentials: Any = PrivateAttr(default=None)

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
            parameters = self._parameters(metric, start, end)
            while True:
                url = f"{self.endpoint_url.rstrip('/')}/v3/projects/{self.project}/timeSeries"
                answer = self.get_json(url, parameters)
                try:
                    for series in answer.get("timeSeries", ()):
                        yield from self._points(name, series)
                    token = answer.get("nextPageToken")
                except (KeyError, TypeError, ValueError, AttributeError):
                    raise SourceError(
                        f"{self.address}: {name}: not an answer of Cloud Monitoring"
                    ) from None
                if not token:
                    break
                parameters["pageToken"] = token

    def _points(self, name: str, series: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        labels = {
            **series.get("resource", {}).get("labels", {}),
            **series.get("metric", {}).get("labels", {}),
        }
        for point in series.get("points", ()):
            # An aligned point stands at the end of its step; the row has the start.
            at = parse_rfc3339(point["interval"]["endTime"]) - self.step
            yield make_point(name, at, self._number(name, point["value"]), labels)

    def _number(self, name: str, value: Mapping[str, Any]) -> float | None:
        for kind in ("doubleValue", "int64Value", "boolValue"):
            if kind in value:
                return float(value[kind])
        if "distributionValue" in value:
            raise SourceError(
                f"{self.address}: {name}: a distribution has no value: "
                "set aligner to a percentile, such as ALIGN_PERCENTILE_95"
            )
        return None

    def _parameters(
        self, metric: MonitoringMetric, start: datetime, end: datetime
    ) -> dict[str, str | list[str]]:
        parameters: dict[str, str | list[str]] = {
            "filter": metric.filter,
            "interval.startTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "interval.endTime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "aggregation.alignmentPeriod": f"{self.step // timedelta(seconds=1)}s",
            "aggregation.perSeriesAligner": metric.aligner,
            "pageSize": str(PAGE),
        }
        if metric.reducer is not None:
            parameters["aggregation.crossSeriesReducer"] = metric.reducer
        if metric.group_by:
            parameters["aggregation.groupByFields"] = list(metric.group_by)
        return parameters

    def request_headers(self) -> dict[str, str]:
        """Return the token of the account."""
        if self.anonymous:
            return {}
        if self._credentials is None:
            file = self.credentials_file
            path = None if file is None else self.context.config_folder / file
            try:
                self._credentials = google.load_credentials(SCOPE, path, anonymous=False)
            except ImportError:
                raise SourceError(
                    "google-auth is not installed: pip install 'driftline[gcp]'"
                ) from None
        try:
            token = google.access_token(self._credentials)
        except Retryable as error:
            raise SourceBusy(f"{self.address}: {error}") from None
        except Rejected as error:
            self._credentials = None
            raise SourceError(f"{self.address}: {error}") from None
        return {"authorization": f"Bearer {token}"}


@hookimpl
def register_sources() -> list[type[Source]]:
    """Register the source of this file."""
    return [CloudMonitoring]
