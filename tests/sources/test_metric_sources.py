"""Metric services as sources of numbers: every point once, and errors that say what to do."""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta

import grpc
import httpx
import pytest
from driftline_plugins.sources.azure_monitor import AzureMonitor
from driftline_plugins.sources.cloud_monitoring import CloudMonitoring
from driftline_plugins.sources.cloudwatch import CloudWatch
from driftline_plugins.sources.prometheus import PrometheusServer
from metric_service import metric_service
from monitoring_server import monitoring_server
from pydantic import ValidationError
from run_commands import configure, run_once

from driftline import (
    DiscoverContext,
    Secret,
    SourceBusy,
    SourceError,
    StartContext,
    Unreadable,
)
from driftline.ingest.read.decoding import Decoding
from driftline.testing.plugin_contract import assert_plugin_contract

pytestmark = pytest.mark.system

NOW = datetime(2024, 5, 1, 12, 4, tzinfo=UTC)
RESOURCE = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices"
    "/workspaces/w/onlineEndpoints/churn"
)
LATENCY = {
    "filter": 'metric.type="aiplatform.googleapis.com/prediction/online/prediction_latencies"',
    "aligner": "ALIGN_PERCENTILE_95",
}


class Log:
    def info(self, event, **facts): ...

    def warning(self, event, **facts): ...


@pytest.fixture
def service():
    with metric_service() as running:
        yield running


@pytest.fixture
def start():
    """Starts sources and stops them; they note pauses instead of making them."""
    running = []

    def start_source(source, now=NOW):
        source._sleep = lambda seconds: None
        source.start(StartContext(name="m", log=Log(), clock=lambda: now))
        running.append(source)
        return source

    yield start_source
    for source in running:
        source.stop()
        source.stop()


def listed(source, now=NOW, since=None):
    return list(source.discover(DiscoverContext(now=now, since=since)))


def read(source, obj, *fields):
    ctx = Decoding(uri=obj.uri, fields=fields or None)
    return [row for batch in source.batches(obj, ctx) for row in batch.to_pylist()]


def at(text):
    return datetime.fromisoformat(f"2024-05-01T{text}+00:00")


def matrix(*series):
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}}


def seconds(text):
    return at(text).timestamp()


def prometheus(service, **settings):
    return PrometheusServer(**({"url": service.url, "queries": {"auc": "auc"}} | settings))


# --- slices ------------------------------------------------------------------------------------


def test_a_slice_is_listed_once_it_has_settled(service, start):
    """At 12:04 the slice that ended at 12:00 is not listed, with five minutes to settle."""
    source = start(prometheus(service, history="3h"))
    assert [obj.partition for obj in listed(source)] == [
        at("08:00:00"),
        at("09:00:00"),
        at("10:00:00"),
    ]
    assert listed(source, now=at("12:05:00"))[-1].partition == at("11:00:00")
    assert [obj.partition for obj in listed(source, since=at("10:20:00"))] == [at("10:00:00")]
    assert service.requests == []


def test_each_point_belongs_to_one_slice(service, start):
    """The point at a boundary is in the slice that begins there, and in no other."""
    values = [[seconds("09:59:00"), "1"], [seconds("10:00:00"), "2"], [seconds("10:01:00"), "3"]]
    service.answer(matrix({"metric": {"__name__": "auc"}, "values": values}))
    source = start(prometheus(service, history="2h"))
    assert [[row["value"] for row in read(source, obj)] for obj in listed(source)] == [
        [1.0],
        [2.0, 3.0],
    ]


def test_a_slice_keeps_its_name_and_version(service, start):
    """A later listing has the same objects, so that nothing is read twice."""
    source = start(prometheus(service, history="1d"))
    assert set(listed(source)) & set(listed(source, now=at("13:05:00"))) == set(listed(source)[2:])


def test_too_many_points_are_an_error_of_the_slice(service, start):
    """A query with very many series is not read; the reason says what to set."""
    series = [{"metric": {"id": str(n)}, "values": [[seconds("10:00:00"), "1"]]} for n in range(50)]
    service.answer(matrix(*series))
    source = start(prometheus(service, max_points=20, history="1h"))
    with pytest.raises(Unreadable, match="more than 20 points: ask for fewer series"):
        read(source, listed(source)[0])


def test_an_answer_without_end_is_not_read(service, start):
    """The memory for an answer has a bound."""
    service.answer(b'{"status":"' + b"x" * (33 << 20))
    source = start(prometheus(service, history="1h"))
    with pytest.raises(SourceError, match="more than 32 MiB"):
        read(source, listed(source)[0])


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"slice": "7m"}, "divide a day"),
        ({"slice": "1h", "step": "7m"}, "multiple of step"),
        ({"step": "500ms"}, "whole seconds"),
        ({"queries": {}}, "at least 1"),
        ({"queries": {"a": "sum(rate(x[5m])"}}, r"\) is missing for character 4"),
        ({"queries": {"a": "sum(x))"}}, r"\) at character 7 closes nothing"),
        ({"queries": {"a": 'x{a="b}'}}, 'quote " is not closed'),
        ({"queries": {"a": " "}}, "empty"),
        ({"url": "prometheus:9090"}, "http://prometheus:9090"),
        ({"url": "http://u:p@host"}, "token"),
    ],
)
def test_settings_with_a_mistake_are_named(settings, problem):
    """`validate` finds the mistake without a request."""
    with pytest.raises(ValidationError, match=problem):
        PrometheusServer(**({"url": "http://prometheus:9090", "queries": {"a": "x"}} | settings))


def test_a_query_with_brackets_in_quotes_and_comments_is_fine():
    """Only brackets that count are counted."""
    query = "sum(x{a=\"(\", b='\\'['}) # (\n / sum(y)"
    assert PrometheusServer(url="http://p", queries={"a": query}).queries["a"] == query


# --- Prometheus --------------------------------------------------------------------------------


def test_prometheus_points_are_rows(service, start):
    """Time, value and name of the query, and a column for each label; NaN is no value."""
    values = [[seconds("10:00:00"), "0.5"], [seconds("10:01:00"), "NaN"]]
    service.answer(
        matrix({"metric": {"__name__": "auc", "env": "prod", "name": "x"}, "values": values})
    )
    source = start(prometheus(service, token=Secret("${env:T}", "canary"), history="1h"))
    rows = read(source, listed(source)[0])
    assert rows == [
        {
            "time": "2024-05-01T10:00:00+00:00",
            "value": 0.5,
            "name": "auc",
            "env": "prod",
            "label_name": "x",
        },
        {
            "time": "2024-05-01T10:01:00+00:00",
            "value": None,
            "name": "auc",
            "env": "prod",
            "label_name": "x",
        },
    ]
    [(path, parameters, headers)] = service.requests
    assert path == "/api/v1/query_range"
    assert headers["authorization"] == "Bearer canary"
    assert parameters == {
        "query": ["auc"],
        "start": [str(seconds("10:00:00"))],
        "end": [str(seconds("10:59:00"))],
        "step": ["60"],
    }


def test_a_long_slice_is_asked_in_parts(service, start):
    """A server returns at most 11,000 points of a series; no point is asked for twice."""
    service.answer(matrix())
    source = start(prometheus(service, slice="1d", step="5s", history="1d"))
    read(source, listed(source)[0])
    spans = [(float(p["start"][0]), float(p["end"][0])) for _, p, _ in service.requests]
    assert len(spans) == 2
    assert spans[1][0] == spans[0][1] + 5
    assert spans[1][1] == spans[0][0] + 86_400 - 5


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([({"error": "1:5: parse error", "status": "error"}, 400)], "400: 1:5: parse error"),
        ([({"status": "success", "data": {"resultType": "vector"}}, 200)], "auc"),
        ([({"up": True}, 200)], "not an answer of Prometheus"),
        ([(b"<html>login</html>", 200)], "no JSON"),
        ([({}, 401)], "a token is needed"),
        ([({}, 302)], "redirect"),
        ([(matrix({"metric": {}, "values": [[1, "x"]]}), 200)], "not an answer of Prometheus"),
    ],
)
def test_a_bad_answer_is_an_error_that_says_what_came(service, start, answers, problem):
    """The slice is tried again at the next look: nothing of it is lost."""
    for document, status in answers:
        service.answer(document, status)
    source = start(prometheus(service, history="1h"))
    with pytest.raises(SourceError, match=problem):
        read(source, listed(source)[0])


def test_a_busy_service_is_asked_again(service, start):
    """Two answers of 503, then the points."""
    service.answer({}, 503)
    service.answer({}, 429, Retry_After="1")
    service.answer(matrix({"metric": {}, "values": [[seconds("10:00:00"), "1"]]}))
    source = start(prometheus(service, history="1h"))
    assert len(read(source, listed(source)[0])) == 1
    assert len(service.requests) == 3


def test_a_dead_server_is_busy(start):
    """A server that can't be reached may come back."""
    source = start(PrometheusServer(url="http://127.0.0.1:9", queries={"a": "x"}, history="1h"))
    with pytest.raises(SourceBusy, match=r"prometheus://127\.0\.0\.1:9"):
        read(source, listed(source)[0])


def test_a_probe_counts_the_points_of_the_newest_slice(service, start):
    """`doctor` shows that the queries have results."""
    service.answer(
        matrix({"metric": {}, "values": [[seconds("10:30:00"), "1"], [seconds("10:31:00"), "1"]]})
    )
    source = start(prometheus(service))
    assert source.probe().endswith("points of 10:00 to 11:00 UTC: 2 of auc")


@pytest.fixture
def real_prometheus(tmp_path):
    """The address of a Prometheus with three hours of two series."""
    server, tool = shutil.which("prometheus"), shutil.which("promtool")
    if server is None or tool is None:
        pytest.skip("prometheus is not installed")
    lines = ["# TYPE auc gauge"]
    for env in ("prod", "stage"):
        for minute in range(181):
            when = at("08:00:00") + timedelta(minutes=minute)
            lines.append(f'auc{{env="{env}"}} {0.8 + minute / 1000:.3f} {when.timestamp():.0f}')
    (tmp_path / "auc.om").write_text("\n".join([*lines, "# EOF", ""]))
    (tmp_path / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
    blocks = [tool, "tsdb", "create-blocks-from", "openmetrics", "auc.om", "data"]
    subprocess.run(blocks, cwd=tmp_path, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            server,
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        cwd=tmp_path,
        env=os.environ | {"GOMAXPROCS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                if httpx.get(f"{url}/-/ready", trust_env=False).is_success:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()


def test_a_real_prometheus_gives_every_point_once(real_prometheus, start):
    """Each minute of each series is read once over all slices, with its value."""
    source = start(
        PrometheusServer(
            url=real_prometheus, queries={"auc": "auc", "mean": "avg(auc)"}, history="3h"
        ),
        now=at("11:05:00"),
    )
    rows = [row for obj in listed(source, now=at("11:05:00")) for row in read(source, obj)]
    keys = [(row["name"], row.get("env"), row["time"]) for row in rows]
    assert len(keys) == len(set(keys)) == 3 * 180
    value = next(row["value"] for row in rows if row["time"] == "2024-05-01T09:00:00+00:00")
    assert value == pytest.approx(0.86)


def test_a_real_prometheus_says_what_is_wrong_with_a_query(real_prometheus, start):
    """A mistake that the settings can't find comes back in the server's words."""
    source = start(PrometheusServer(url=real_prometheus, queries={"a": "rate(auc)"}, history="1h"))
    with pytest.raises(SourceError, match=r"400: .*parse error"):
        read(source, listed(source)[0])


def test_an_agent_monitors_the_points_of_a_service(service, tmp_path):
    """Windows of the series are made of the points, and a second run reads nothing again."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    values = [[(end - timedelta(hours=n)).timestamp(), str(n)] for n in range(1, 40)]
    service.answer(matrix({"metric": {"__name__": "auc"}, "values": values}))
    model = {
        "source": {
            "type": "prometheus",
            "options": {
                "url": service.url,
                "queries": {"auc": "auc"},
                "history": "2d",
                "settle": "0s",
            },
        },
        "schema": {
            "timestamp": "time",
            "features": {"value": "numeric", "name": "categorical"},
            "segments": ["name"],
        },
        "checks": {
            "series": {
                "type": "statistics",
                "options": {"statistics": ["mean_value"]},
                "min_rows": 1,
            }
        },
    }
    config = configure(tmp_path, {"quality": model})
    _, first = run_once(config)
    requests = len(service.requests)
    _, second = run_once(config)
    assert first["models"]["quality"]["rows"] == second["models"]["quality"]["rows"] == 39
    assert len(service.requests) == requests


# --- CloudWatch --------------------------------------------------------------------------------


@pytest.fixture
def cloudwatch(s3_server, monkeypatch):
    """A client of moto's CloudWatch, and the settings of a source that reads it."""
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    client = boto3.client("cloudwatch", region_name="eu-west-1", endpoint_url=s3_server)
    return client, {"region": "eu-west-1", "endpoint_url": s3_server}


def put(client, name, when, value, **dimensions):
    listed_dimensions = [{"Name": key, "Value": text} for key, text in dimensions.items()]
    datum = {"MetricName": name, "Timestamp": when, "Value": value, "Dimensions": listed_dimensions}
    client.put_metric_data(Namespace="AWS/SageMaker", MetricData=[datum])


def test_cloudwatch_points_are_rows(cloudwatch, start):
    """Each step of each metric is a row once; the SDK sends what the service expects."""
    client, settings = cloudwatch
    now = datetime.now(UTC).replace(minute=5, second=0, microsecond=0)
    for minute in (-66, -65, -65, -5):
        put(
            client,
            "ModelLatency",
            now + timedelta(minutes=minute),
            100.0 - minute,
            EndpointName="churn",
        )
    put(client, "Invocations", now - timedelta(minutes=60), 7.0, EndpointName="churn")
    put(client, "ModelLatency", now - timedelta(minutes=60), 1e6, EndpointName="other")
    of = {"namespace": "AWS/SageMaker", "dimensions": {"EndpointName": "churn"}}
    metrics = {
        "latency": of | {"metric": "ModelLatency", "statistic": "Average"},
        "calls": of | {"metric": "Invocations", "statistic": "Sum"},
    }
    source = start(CloudWatch(metrics=metrics, history="2h", **settings), now=now)
    slices = [read(source, obj) for obj in listed(source, now=now)]
    shown = [[(row["name"], row["time"][11:16], row["value"]) for row in rows] for rows in slices]
    assert shown == [
        [("latency", f"{now - timedelta(minutes=66):%H:%M}", 166.0)],
        [
            ("latency", f"{now - timedelta(minutes=65):%H:%M}", 165.0),
            ("calls", f"{now - timedelta(minutes=60):%H:%M}", 7.0),
        ],
    ]


def test_cloudwatch_pages_are_read_to_the_end(start, monkeypatch):
    """The answer of the service has several parts; an expression names its results."""
    answers = [
        {
            "MetricDataResults": [
                {
                    "Id": "m0",
                    "Label": "a",
                    "Timestamps": [at("10:00:00")],
                    "Values": [1.0],
                    "StatusCode": "PartialData",
                }
            ],
            "NextToken": "more",
        },
        {
            "MetricDataResults": [
                {
                    "Id": "m0",
                    "Label": "a",
                    "Timestamps": [at("10:01:00")],
                    "Values": [2.0],
                    "StatusCode": "Complete",
                },
                {
                    "Id": "m0",
                    "Label": "b",
                    "Timestamps": [at("10:01:00")],
                    "Values": [3.0],
                    "StatusCode": "Complete",
                },
            ]
        },
    ]
    source = start(
        CloudWatch(metrics={"x": {"expression": "SEARCH('x')"}}, region="eu-west-1", history="1h")
    )
    requests = []
    monkeypatch.setattr(
        source._client,
        "get_metric_data",
        lambda **p: requests.append(dict(p)) or answers[len(requests) - 1],
    )
    rows = read(source, listed(source)[0])
    assert [(row["label"], row["value"]) for row in rows] == [("a", 1.0), ("a", 2.0), ("b", 3.0)]
    assert requests[1]["NextToken"] == "more"


def test_cloudwatch_denied_names_the_right(service, start, monkeypatch):
    """Who may not read metrics learns which right is missing."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    source = start(
        CloudWatch(
            metrics={"x": {"namespace": "a", "metric": "b"}},
            region="eu-west-1",
            endpoint_url="http://127.0.0.1:9",
            history="1h",
        )
    )
    with pytest.raises(SourceBusy, match="cloudwatch://eu-west-1"):
        read(source, listed(source)[0])
    denied = {
        "Error": {"Code": "AccessDenied", "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": 403},
    }
    assert "cloudwatch:GetMetricData is needed" in str(source._translate(denied))
    slow = {
        "Error": {"Code": "Throttling", "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    assert isinstance(source._translate(slow), SourceBusy)


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        ({"namespace": "a", "metric": "b", "statistic": "mean"}, "should be Average"),
        ({"namespace": "a", "metric": "b", "statistic": "p101"}, "should be Average"),
        ({"namespace": "a"}, "both namespace and metric"),
        ({}, "or expression"),
        ({"metric": "b", "namespace": "a", "expression": "x"}, "or expression"),
    ],
)
def test_cloudwatch_settings_with_a_mistake_are_named(metric, problem):
    """`validate` finds the mistake without a request."""
    with pytest.raises(ValidationError, match=problem):
        CloudWatch(metrics={"x": metric})


# --- Cloud Monitoring --------------------------------------------------------------------------


def monitoring_answer(*points, token=None):
    series = {
        "metric": {"type": "t", "labels": {"error_category": "none"}},
        "resource": {"type": "aiplatform.googleapis.com/Endpoint", "labels": {"endpoint_id": "7"}},
        "metricKind": "GAUGE",
        "valueType": "DOUBLE",
        "points": [
            {"interval": {"startTime": end, "endTime": end}, "value": value}
            for end, value in points
        ],
    }
    return {"timeSeries": [series], "unit": "ms"} | ({"nextPageToken": token} if token else {})


@pytest.fixture
def monitoring():
    with monitoring_server() as running:
        yield running


def cloud_monitoring(server):
    return CloudMonitoring(
        project="p",
        metrics={"latency": LATENCY},
        endpoint_url=server.url,
        anonymous=True,
        history="1h",
    )


def test_cloud_monitoring_points_are_rows(monitoring, start):
    """The row has the start of its step, and the labels of metric and resource."""
    monitoring.answer(monitoring_answer(("2024-05-01T11:00:00Z", {"doubleValue": 2.5}), token="t2"))
    monitoring.answer(
        monitoring_answer(
            ("2024-05-01T10:01:00Z", {"int64Value": "3"}),
            ("2024-05-01T10:00:00Z", {"doubleValue": 9.0}),
        )
    )
    source = start(cloud_monitoring(monitoring))
    rows = read(source, listed(source)[0])
    labels = {"name": "latency", "error_category": "none", "endpoint_id": "7"}
    assert rows == [
        {"time": "2024-05-01T10:59:00+00:00", "value": 2.5} | labels,
        {"time": "2024-05-01T10:00:00+00:00", "value": 3.0} | labels,
    ]
    first, second = monitoring.requests
    assert first.name == "projects/p"
    assert first.interval.start_time == at("10:00:00")
    assert first.interval.end_time == at("11:00:00")
    assert first.aggregation.alignment_period == timedelta(minutes=1)
    assert first.aggregation.per_series_aligner.name == "ALIGN_PERCENTILE_95"
    assert second.page_token == "t2"


def test_cloud_monitoring_answers_with_a_mistake(monitoring, start):
    """A distribution and a denied request say what to do."""
    monitoring.answer(
        monitoring_answer(("2024-05-01T11:00:00Z", {"distributionValue": {"count": "3"}}))
    )
    monitoring.fail(grpc.StatusCode.PERMISSION_DENIED, "Permission denied")
    source = start(cloud_monitoring(monitoring))
    with pytest.raises(SourceError, match="set aligner to a percentile"):
        read(source, listed(source)[0])
    with pytest.raises(SourceError, match=r"403: Permission denied: monitoring\.timeSeries\.list"):
        read(source, listed(source)[0])


def test_cloud_monitoring_is_asked_again_while_it_is_busy(monitoring, start):
    """A quota that is used up for a moment costs a pause, not the slice."""
    monitoring.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "quota")
    monitoring.fail(grpc.StatusCode.UNAVAILABLE, "restarts")
    monitoring.answer(monitoring_answer(("2024-05-01T11:00:00Z", {"doubleValue": 2.5})))
    source = start(cloud_monitoring(monitoring))
    assert [row["value"] for row in read(source, listed(source)[0])] == [2.5]
    assert len(monitoring.requests) == 3


# --- Azure Monitor -----------------------------------------------------------------------------


def azure_answer(*points, **more):
    series = {
        "metadatavalues": [
            {"name": {"value": "deployment", "localizedValue": "deployment"}, "value": "blue"}
        ],
        "data": [{"timeStamp": when} | value for when, value in points],
    }
    result = {
        "id": RESOURCE,
        "type": "Microsoft.Insights/metrics",
        "name": {"value": "RequestLatency_P95", "localizedValue": "Request Latency P95"},
        "unit": "MilliSeconds",
        "timeseries": [series],
        "errorCode": "Success",
    }
    return {"cost": 59, "timespan": "a/b", "interval": "PT1M", "value": [result | more]}


def azure(service, **metric):
    metrics = {"latency": {"metric": "RequestLatency_P95"} | metric}
    return AzureMonitor(
        resource=RESOURCE, metrics=metrics, url=service.url, anonymous=True, history="1h"
    )


def test_azure_monitor_points_are_rows(service, start):
    """A step without a value is no point; a dimension is a column."""
    service.answer(
        azure_answer(
            ("2024-05-01T10:00:00Z", {"average": 12.5}),
            ("2024-05-01T10:01:00Z", {}),
            ("2024-05-01T11:00:00Z", {"average": 1.0}),
        )
    )
    source = start(azure(service, filter="deployment eq '*'"))
    assert read(source, listed(source)[0]) == [
        {
            "time": "2024-05-01T10:00:00+00:00",
            "value": 12.5,
            "name": "latency",
            "deployment": "blue",
        }
    ]
    [(path, parameters, _)] = service.requests
    assert path == f"{RESOURCE}/providers/Microsoft.Insights/metrics"
    assert parameters["timespan"] == ["2024-05-01T10:00:00Z/2024-05-01T11:00:00Z"]
    assert parameters["interval"] == ["PT1M"]
    assert parameters["metricnames"] == ["RequestLatency_P95"]


def test_azure_monitor_answers_with_a_mistake(service, start):
    """The reason of the service is in the error."""
    service.answer(azure_answer(errorCode="InvalidSamplingType", errorMessage="no average"))
    service.answer({"error": {"code": "BadRequest", "message": "Failed to find metric"}}, 400)
    source = start(azure(service))
    with pytest.raises(SourceError, match="latency: no average"):
        read(source, listed(source)[0])
    with pytest.raises(SourceError, match="400: Failed to find metric"):
        read(source, listed(source)[0])


def test_azure_monitor_is_asked_again_while_it_is_busy(service, start):
    """A request too many costs a pause; a denied one names the right that is missing."""
    service.answer({"error": {"code": "TooManyRequests", "message": "slow down"}}, 429)
    service.answer(azure_answer(("2024-05-01T10:00:00Z", {"average": 12.5})))
    service.answer({"error": {"code": "AuthorizationFailed", "message": "no"}}, 403)
    source = start(azure(service))
    assert [row["value"] for row in read(source, listed(source)[0])] == [12.5]
    with pytest.raises(SourceError, match=r"403: no: Microsoft\.Insights/metrics/read"):
        read(source, listed(source)[0])


@pytest.mark.parametrize(
    ("kind", "settings", "problem"),
    [
        (
            AzureMonitor,
            {"resource": RESOURCE, "metrics": {"a": {"metric": "m"}}, "step": "2m"},
            "should be 1m",
        ),
        (AzureMonitor, {"resource": "churn", "metrics": {"a": {"metric": "m"}}}, "pattern"),
        (
            AzureMonitor,
            {"resource": RESOURCE, "metrics": {"a": {"metric": "m", "aggregation": "mean"}}},
            "average",
        ),
        (
            CloudMonitoring,
            {"project": "p", "metrics": {"a": {"filter": "latency"}}},
            "name the metric",
        ),
        (
            CloudMonitoring,
            {"project": "p", "metrics": {"a": {"filter": 'metric.type="x'}}},
            "not closed",
        ),
        (
            CloudMonitoring,
            {"project": "p", "metrics": {"a": LATENCY}, "step": "30s"},
            "a minute at least",
        ),
        (
            CloudMonitoring,
            {"project": "p", "metrics": {"a": LATENCY}, "endpoint_url": "http://127.0.0.1:1"},
            "begin with https",
        ),
        (CloudMonitoring, {"project": "P/x", "metrics": {"a": LATENCY}}, "pattern"),
    ],
)
def test_settings_of_other_clouds_with_a_mistake_are_named(kind, settings, problem):
    """`validate` finds the mistake without a request."""
    with pytest.raises(ValidationError, match=problem):
        kind(**settings)


def test_they_travel(service, start):
    """A pickled source carries settings only, and reads elsewhere."""
    service.answer(matrix({"metric": {}, "values": [[seconds("10:00:00"), "1"]]}))
    source = start(prometheus(service, history="1h"))
    copy = start(pickle.loads(pickle.dumps(source)))
    assert read(copy, listed(copy)[0]) == read(source, listed(source)[0])
    assert_plugin_contract(PrometheusServer, url="http://p", queries={"a": "x"})
