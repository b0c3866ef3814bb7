"""Asks Amazon CloudWatch for the points of metrics, such as the latency of a SageMaker endpoint.

Does not store a credential: the SDK finds them. Does not write metrics or read alarms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pydantic import Field as Setting
from pydantic import field_validator, model_validator

from driftline import Source, SourceBusy, SourceError, hookimpl
from driftline.kit.settings import Settings
from driftline.kit.stores.client_source import ClientSource
from driftline.kit.stores.faults import RATE_CODES, describe_connection
from driftline.kit.stores.metric_source import MetricSource, make_point
from driftline.kit.stores.retry import retry_while_busy

MOST_QUERIES = 500
"""Queries of one request."""
MOST_POINTS = 100_800
"""Points of one answer."""
STATISTIC = re.compile(
    r"Average|Sum|Minimum|Maximum|SampleCount|IQM|"
    r"p(?:100|\d{1,2}(?:\.\d{1,10})?)|(?:tm|wm|tc|ts)\d{1,2}(?:\.\d{1,10})?|"
    r"(?:TM|WM|TC|TS|PR)\(\S*:\S*\)"
)
SHORT_STEPS = (1, 5, 10, 20, 30)
"""Steps in seconds below a minute that CloudWatch knows."""


class CloudWatchMetric(Settings):
    """One metric, or an expression over metrics."""

    namespace: str = ""
    """The namespace, such as `AWS/SageMaker`."""
    metric: str = ""
    """The name of the metric, such as `ModelLatency`."""
    dimensions: Mapping[str, str] = {}
    """All dimensions of the metric: `{EndpointName: churn, VariantName: AllTraffic}`."""
    statistic: str = "Average"
    """`Average`, `Sum`, `Minimum`, `Maximum`, `SampleCount`, or a percentile such as `p95`."""
    expression: str = ""
    """Instead of all others: a `SEARCH(...)` or `SELECT ...`, a series for each result."""

    @field_validator("statistic")
    @classmethod
    def _is_statistic(cls, text: str) -> str:
        if not STATISTIC.fullmatch(text):
            raise ValueError("should be Average, Sum, Minimum, Maximum, SampleCount or p95")
        return text

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if bool(self.expression) == bool(self.namespace or self.metric or self.dimensions):
            raise ValueError("give namespace and metric, or expression")
        if not self.expression and not (self.namespace and self.metric):
            raise ValueError("give both namespace and metric")
        return self


class CloudWatch(ClientSource, MetricSource):
    """Reads metrics of Amazon CloudWatch by `GetMetricData`.

    Each point is a row with `time`, `value` and `name` (the name of the metric here). The results
    of an expression have a column `label`.
    """

    type = "cloudwatch"
    extra = "aws"

    metrics: Mapping[str, CloudWatchMetric] = Setting(min_length=1, max_length=MOST_QUERIES)
    """The metrics, by name: `{latency: {namespace: AWS/SageMaker, metric: ModelLatency}}`."""
    region: str | None = None
    """The region, such as `eu-west-1`; that of the machine when absent."""
    endpoint_url: str | None = None
    """The address of another server with the same API; Amazon's when absent."""

    @field_validator("step")
    @classmethod
    def _is_step(cls, step: timedelta) -> timedelta:
        seconds = step / timedelta(seconds=1)
        if seconds % 60 and seconds not in SHORT_STEPS:
            raise ValueError("should be whole minutes, or 1, 5, 10, 20 or 30 seconds")
        return step

    @property
    def address(self) -> str:
        """Return the region."""
        return f"cloudwatch://{self.region or 'default'}"

    def permissions(self) -> tuple[str, ...]:
        """Return the right to read metrics."""
        return ("cloudwatch:GetMetricData on *",)

    def read_points(self, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
        """Yield the points of all metrics."""
        names = list(self.metrics)
        parameters = {
            "MetricDataQueries": [
                self._query(f"m{place}", metric)
                for place, metric in enumerate(self.metrics.values())
            ],
            "StartTime": start,
            "EndTime": end,
            "ScanBy": "TimestampAscending",
            "MaxDatapoints": MOST_POINTS,
        }
        while True:
            answer = retry_while_busy(lambda: self._ask(parameters), self._sleep)
            for result in answer.get("MetricDataResults", ()):
                yield from self._points(names[int(result["Id"][1:])], result)
            token = answer.get("NextToken")
            if not token:
                return
            parameters["NextToken"] = token

    def _points(self, name: str, result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if result.get("StatusCode") in ("Forbidden", "InternalError"):
            messages = "; ".join(str(part.get("Value")) for part in result.get("Messages", ()))
            fault = SourceBusy if result["StatusCode"] == "InternalError" else SourceError
            raise fault(f"{self.address}: {name}: {result['StatusCode']}: {messages}".rstrip(": "))
        labels = {"label": str(result.get("Label", ""))} if self.metrics[name].expression else {}
        for at, value in zip(result["Timestamps"], result["Values"], strict=True):
            yield make_point(name, at.astimezone(UTC), float(value), labels)

    def _query(self, place: str, metric: CloudWatchMetric) -> dict[str, Any]:
        period = self.step // timedelta(seconds=1)
        if metric.expression:
            return {"Id": place, "Expression": metric.expression, "Period": period}
        dimensions = [{"Name": k, "Value": v} for k, v in metric.dimensions.items()]
        of = {
            "Namespace": metric.namespace,
            "MetricName": metric.metric,
            "Dimensions": dimensions,
        }
        return {
            "Id": place,
            "MetricStat": {"Metric": of, "Period": period, "Stat": metric.statistic},
        }

    def _ask(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectionError,
            HTTPClientError,
        )

        try:
            answer: dict[str, Any] = self._connect().get_metric_data(**parameters)
            return answer
        except (ConnectionError, HTTPClientError) as error:
            raise SourceBusy(f"{self.address}: {describe_connection(error)}") from None
        except ClientError as error:
            raise self._translate(error.response) from None
        except BotoCoreError as error:
            raise SourceError(f"{self.address}: {str(error)[:300]}") from None

    def _translate(self, answer: Mapping[str, Any]) -> SourceError:
        code = str(answer.get("Error", {}).get("Code", ""))
        status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        text = f"{self.address}: {code or status}: {answer.get('Error', {}).get('Message', '')}"
        if code in RATE_CODES or status == 429 or status >= 500:
            return SourceBusy(text)
        if status in (401, 403):
            # Someone may have renewed the credentials: the next request reads them again.
            self._forget_client()
            return SourceError(f"{text}: cloudwatch:GetMetricData is needed")
        return SourceError(text)

    def _make_client(self) -> Any:
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise SourceError("boto3 is not installed: pip install 'driftline[aws]'") from None
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=60)
        try:
            # A session of its own: the default one may not be shared by threads.
            return boto3.session.Session().client(
                "cloudwatch",
                region_name=self.region,
                endpoint_url=self.endpoint_url,
                config=config,
            )
        except BotoCoreError as error:
            raise SourceError(f"{self.address}: {error}: set region") from None


@hookimpl
def register_sources() -> list[type[Source]]:
    """Register the source of this file."""
    return [CloudWatch]
