"""TFDV's statistics as rows: JSON, the message itself and a TFRecord say the same."""

from __future__ import annotations

import contextlib
import json
import struct

import numpy as np
import pytest
from driftline_plugins.formats.tfdv_statistics import TfdvStatistics
from format_decoding import read
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import Unreadable
from driftline.testing.format_contract import assert_format

FORM = TfdvStatistics()
F = descriptor_pb2.FieldDescriptorProto
MESSAGES = {
    "Bucket": [("low_value", 1, "double"), ("high_value", 2, "double"), ("sample_count", 4, "double")],
    "Histogram": [("num_nan", 1, "uint64"), ("buckets", 3, "*Bucket"), ("type", 4, "Kind"), ("name", 5, "string")],
    "Common": [
        ("num_non_missing", 1, "uint64"), ("num_missing", 2, "uint64"), ("min_num_values", 3, "uint64"),
        ("max_num_values", 4, "uint64"), ("avg_num_values", 5, "float"),
    ],
    "Numeric": [
        ("common_stats", 1, "Common"), ("mean", 2, "double"), ("num_zeros", 4, "uint64"), ("min", 5, "double"),
        ("max", 7, "double"), ("histograms", 8, "*Histogram"),
    ],
    "Freq": [("value", 2, "string"), ("frequency", 3, "double")],
    "Rank": [("low_rank", 1, "uint64"), ("high_rank", 2, "uint64"), ("label", 4, "string"), ("sample_count", 5, "double")],
    "Ranks": [("buckets", 1, "*Rank")],
    "String": [("common_stats", 1, "Common"), ("top_values", 3, "*Freq"), ("rank_histogram", 5, "Ranks")],
    "Path": [("step", 1, "*string")],
    "Feature": [
        ("name", 1, "string"), ("type", 2, "Type"), ("num_stats", 3, "Numeric"), ("string_stats", 4, "String"),
        ("path", 8, "Path"),
    ],
    "Dataset": [("name", 1, "string"), ("num_examples", 2, "uint64"), ("features", 3, "*Feature"), ("weighted", 4, "double")],
    "List": [("datasets", 1, "*Dataset")],
}  # fmt: skip
"""The part of tensorflow_metadata's statistics.proto that matters, with its field numbers."""
ENUMS = {"Type": ("INT", "FLOAT", "STRING", "BYTES", "STRUCT"), "Kind": ("STANDARD", "QUANTILES")}
SCALARS = {
    "double": F.TYPE_DOUBLE,
    "float": F.TYPE_FLOAT,
    "uint64": F.TYPE_UINT64,
    "string": F.TYPE_STRING,
}


def _list_type():
    file = descriptor_pb2.FileDescriptorProto(name="stats.proto", package="t", syntax="proto3")
    for name, words in ENUMS.items():
        enum = file.enum_type.add(name=name)
        for place, word in enumerate(words):
            enum.value.add(name=word, number=place)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, place, kind in fields:
            bare = kind.lstrip("*")
            made = message.field.add(
                name=field,
                number=place,
                label=F.LABEL_REPEATED if kind != bare else F.LABEL_OPTIONAL,
            )
            if bare in SCALARS:
                made.type = SCALARS[bare]
            else:
                made.type, made.type_name = (
                    (F.TYPE_ENUM if bare in ENUMS else F.TYPE_MESSAGE),
                    f".t.{bare}",
                )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.List"))


LIST = _list_type()
STATISTICS = {
    "datasets": [
        {
            "name": "train",
            "num_examples": 20,
            "features": [
                {
                    "name": "age",
                    "num_stats": {
                        "common_stats": {
                            "num_non_missing": 16,
                            "num_missing": 4,
                            "max_num_values": 1,
                        },
                        "max": 30,
                        "histograms": [
                            {"buckets": [{"high_value": 30, "sample_count": 16}]},
                            {
                                "type": "QUANTILES",
                                "buckets": [
                                    {"high_value": 0, "sample_count": 8},
                                    {"low_value": 0, "high_value": 30, "sample_count": 8},
                                ],
                            },
                        ],
                    },
                },
                {
                    "path": {"step": ["trip", "plan"]},
                    "type": "STRING",
                    "string_stats": {
                        "common_stats": {"num_non_missing": 20},
                        "top_values": [{"value": "gold", "frequency": 9}],
                        "rank_histogram": {
                            "buckets": [
                                {"label": "gold", "sample_count": 9},
                                {"label": "tin", "sample_count": 8},
                            ]
                        },
                    },
                },
                {
                    "name": "tags",
                    "type": "STRING",
                    "string_stats": {"common_stats": {"num_non_missing": 20, "max_num_values": 3}},
                },
            ],
        },
        {"name": "eval", "num_examples": 3},
    ]
}


def message():
    return json_format.ParseDict(STATISTICS, LIST())


WRITTEN = {
    "camelCase": lambda: json_format.MessageToJson(message()).encode(),
    "snake_case": lambda: json_format.MessageToJson(
        message(), preserving_proto_field_name=True
    ).encode(),
    "message": lambda: message().SerializeToString(),
    "TFRecord": lambda: _record(message().SerializeToString()),
}


def _record(data):
    return struct.pack("<QI", len(data), 0) + data + struct.pack("<I", 0)


@pytest.mark.parametrize("form", WRITTEN)
def test_each_way_of_writing_gives_the_same_rows(form):
    """Protobuf's own encoders write it; numbers follow the finer histogram, categories the longer
    list; no field is a 0.
    """
    rows, ctx = read(FORM, WRITTEN[form]())
    assert list(rows[0]) == ["age", "trip.plan", "tags"]
    ages = [row["age"] for row in rows if row["age"] is not None]
    assert (len(rows), len(ages), ages.count(0.0), max(ages)) == (20, 16, 8, 30.0)
    assert all(age == round(age) for age in ages)
    plans = [row["trip.plan"] for row in rows]
    assert {plan: plans.count(plan) for plan in set(plans)} == {
        "gold": 9,
        "tin": 8,
        "(not listed)": 3,
    }
    assert [(place, reason) for place, reason, _ in ctx.samples] == [
        (2, "tags: has several values a row")
    ]


def test_a_slice_is_taken_by_its_name():
    """`dataset` chooses; one that is not there is refused with the names there are."""
    assert read(TfdvStatistics(dataset="eval"), WRITTEN["message"]())[0] == [{}] * 3
    with pytest.raises(Unreadable, match="'train', 'eval'"):
        read(TfdvStatistics(dataset="test"), WRITTEN["message"]())


def test_sharded_records_and_rubbish_are_refused():
    """Several records in one file would be half a baseline; what is no message is told, never a
    traceback.
    """
    data = message().SerializeToString()
    with pytest.raises(Unreadable, match="several records"):
        read(FORM, _record(data) + _record(data))
    with pytest.raises(Unreadable, match="neither JSON nor"):
        read(FORM, data[:-3])
    assert_format(FORM)


def test_endless_borders_end_at_the_extremes():
    """Buckets that reach to infinity end at min and max."""
    buckets = [
        {"lowValue": "-Infinity", "highValue": 0, "sampleCount": 5},
        {"highValue": "Infinity", "sampleCount": 5},
    ]
    told = {
        "commonStats": {"numNonMissing": "10"},
        "min": -1,
        "max": 1,
        "histograms": [{"buckets": buckets}],
    }
    data = json.dumps(
        {
            "datasets": [
                {
                    "numExamples": "10",
                    "features": [{"name": "x", "type": "FLOAT", "numStats": told}],
                }
            ]
        }
    )
    found = np.array([row["x"] for row in read(FORM, data.encode())[0]])
    assert (found.min(), found.max(), int((found < 0).sum())) == (-1, 1, 5)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=6))
def test_damaged_messages_give_rows_or_a_reason(place, noise):
    """Bytes overwritten anywhere in a message end in rows, rejects or Unreadable."""
    data = bytearray(message().SerializeToString())
    data[place : place + len(noise)] = noise
    with contextlib.suppress(Unreadable):
        read(FORM, bytes(data))
