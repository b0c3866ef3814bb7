"""Samples of Prometheus: text with times, OpenMetrics, and stored answers of its API."""

from __future__ import annotations

import json

import pytest
from driftline_plugins.formats.prometheus import Prometheus
from format_decoding import other, read

from driftline import Unreadable

TEXT = b"""# HELP auc Area under the curve.
# TYPE auc gauge
auc{env="prod",path="C:\\\\logs\\n\\"x\\"",} 0.83 1714557600000
auc 8.1e-01 1714557660000

loss_total{name="train"} +Inf 1714557660.5 # {trace="a"} 1
"""


def answer(*series: object, kind: str = "matrix") -> bytes:
    data = {"resultType": kind, "result": list(series)}
    return json.dumps({"status": "success", "data": data}).encode()


def test_a_sample_is_a_row_with_its_labels():
    """Escapes, a comma at the end, no labels, an exemplar, and a label that is called `name`."""
    rows, ctx = read(Prometheus(), TEXT, *map(other, ("time", "value", "name", "env", "path")))
    assert rows == [
        {
            "time": 1714557600000,
            "value": 0.83,
            "name": "auc",
            "env": "prod",
            "path": 'C:\\logs\n"x"',
        },
        {"time": 1714557660000, "value": 0.81, "name": "auc", "env": None, "path": None},
        {
            "time": 1714557660.5,
            "value": float("inf"),
            "name": "loss_total",
            "env": None,
            "path": None,
        },
    ]
    assert ctx.samples == []
    everything, _ = read(Prometheus(), TEXT)
    assert everything[2]["label_name"] == "train"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"auc 0.83", "a sample without a time"),
        (b"auc{env=prod} 0.83 1714557600000", "not a sample of Prometheus"),
        (b'auc{env="prod" 0.83 1714557600000', "not a sample of Prometheus"),
        (b'auc{a="1" b="2"} 0.83 1714557600000', "not a sample of Prometheus"),
        (b"auc high 1714557600000", "a value or time that is no number"),
        (b"\xff 1 1714557600000", "not UTF-8"),
        (b"0.83", "not a sample of Prometheus"),
    ],
)
def test_a_bad_line_costs_only_itself(line, reason):
    """Its reason is counted, and the other samples are there."""
    rows, ctx = read(Prometheus(), b"a 1 1714557600000\n" + line + b"\nb 2 1714557600000\n")
    assert [row["name"] for row in rows] == ["a", "b"]
    assert [(place, why) for place, why, _ in ctx.samples] == [(1, reason)]


def test_a_line_that_is_still_written_waits():
    """Of a growing file only whole lines count."""
    rows, _ = read(Prometheus(), b"a 1 1714557600000\nb 2 17145", is_complete=False)
    assert [row["name"] for row in rows] == ["a"]


def test_answers_of_the_api_are_read():
    """`query_range` gives a matrix, `query` a vector; NaN is a missing value."""
    series = {
        "metric": {"__name__": "auc", "env": "prod"},
        "values": [[1714557600, "0.83"], [1714557660.5, "NaN"]],
    }
    rows, _ = read(Prometheus(), answer(series), *map(other, ("time", "value", "name", "env")))
    assert rows == [
        {"time": 1714557600, "value": 0.83, "name": "auc", "env": "prod"},
        {"time": 1714557660.5, "value": None, "name": "auc", "env": "prod"},
    ]
    vector = {"metric": {}, "value": [1714557600, "2"]}
    rows, _ = read(Prometheus(), answer(vector, kind="vector"))
    assert rows == [{"time": 1714557600, "value": 2.0, "name": ""}]


def test_a_bad_series_costs_only_itself():
    """A value that is no number, and one that is no text."""
    good = {"metric": {"__name__": "a"}, "values": [[1714557600, "1"]]}
    bad = {"metric": {"__name__": "b"}, "values": [[1714557600, "high"]]}
    rows, ctx = read(Prometheus(), answer(bad, good, {"metric": 3}))
    assert [row["name"] for row in rows] == ["a"]
    assert [place for place, _, _ in ctx.samples] == [0, 2]


def test_a_bad_sample_costs_only_itself():
    """The other samples of its series stay, and each bad one is counted."""
    values = [[1714557600, "1"], [1714557660, "high"], ["x", "1"], 5, [1714557720, "2"]]
    rows, ctx = read(Prometheus(), answer({"metric": {"__name__": "a"}, "values": values}))
    assert [row["value"] for row in rows] == [1.0, 2.0]
    assert len(ctx.samples) == 3


@pytest.mark.parametrize("key", ["histogram", "histograms"])
def test_a_native_histogram_is_rejected(key):
    part = [1714557600, {"count": "3"}]
    series = {"metric": {}, key: [part] if key == "histograms" else part}
    rows, ctx = read(Prometheus(), answer(series))
    assert rows == []
    assert len(ctx.samples) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"status": "error", "error": "query timed out"}', "query timed out"),
        (answer(kind="scalar"), "of type scalar"),
        (b'{"status": "succ', "not an answer"),
        (b"{}", "not an answer"),
    ],
)
def test_an_answer_without_series_says_why(data, reason):
    """An error of the server, a single number, half an answer, another document."""
    with pytest.raises(Unreadable, match=reason):
        read(Prometheus(), data)


def test_many_series_come_in_batches():
    """60,000 samples of an answer are two batches."""
    series = [
        {"metric": {"__name__": "a", "n": str(n)}, "values": [[t, "1"] for t in range(60)]}
        for n in range(1000)
    ]
    rows, _ = read(Prometheus(), answer(*series), *map(other, ("time", "n")))
    assert len(rows) == 60_000
