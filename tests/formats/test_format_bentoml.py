"""BentoML's monitoring logs: the service's columns, with times of a clock whose zone the
configuration tells.
"""

from __future__ import annotations

import json

import pytest
from driftline_plugins.formats.bentoml import BentoMl
from format_decoding import number, other, read
from pydantic import ValidationError


def line(timestamp="2024-07-01T10:00:00.123456", **columns) -> bytes:
    about = {"timestamp": timestamp, "request_id": "140", "trace_id": "77"}
    return json.dumps({"sepal length": 4.9, "pred": "setosa"} | columns | about).encode() + b"\n"


def times(zone: str, *values) -> list:
    return [
        row["timestamp"]
        for row in read(BentoMl(timezone=zone), b"".join(map(line, values)), other("timestamp"))[0]
    ]


def test_columns_as_the_service_logged_them():
    """Names with spaces, sequences and ids; a line that is no object costs only itself."""
    data = line() + b"[1]\n" + line(embedding=[0.5, 1.5]) + b'{"torn'
    found, ctx = read(
        BentoMl(), data, number("sepal length"), other("request_id"), number("embedding[1]")
    )
    assert found == [
        {"sepal length": 4.9, "request_id": "140", "embedding[1]": None},
        {"sepal length": 4.9, "request_id": "140", "embedding[1]": 1.5},
    ]
    assert [place for place, _, _ in ctx.samples] == [1, 3]
    everything, _ = read(BentoMl(), line())
    assert set(everything[0]) == {"sepal length", "pred", "timestamp", "request_id", "trace_id"}


def test_times_are_of_the_servers_clock():
    """In summer and in winter, and in the hour that comes twice; a time with a zone and what is no
    time stay as they are.
    """
    assert times("UTC", "2024-07-01T10:00:00") == ["2024-07-01T10:00:00+00:00"]
    assert times("Europe/Berlin", "2024-07-01T10:00:00.5", "2024-01-01T00:30:00", "2024-10-27T02:30:00") == [
        "2024-07-01T08:00:00.500000+00:00", "2023-12-31T23:30:00+00:00", "2024-10-27T00:30:00+00:00",
    ]  # fmt: skip
    assert times("Asia/Tokyo", "2024-07-01T10:00:00+00:00", "soon", None) == [
        "2024-07-01T10:00:00+00:00",
        "soon",
        None,
    ]


def test_an_unknown_zone_is_a_mistake_at_once():
    """With the mend."""
    for name in ("Europe/Berlyn", "../etc/passwd", ""):
        with pytest.raises(ValidationError, match="no time zone is called"):
            BentoMl(timezone=name)


def test_the_schema_is_no_data():
    """By its place, also when it was rotated."""
    form = BentoMl()
    assert form.no_data("file:///logs/iris/schema/schema.1.log")
    assert form.no_data("s3://bucket/logs/iris/schema/schema.1.log.1")
    assert form.no_data("file:///logs/iris/data/data.1.log.2024-05-01") == ""
