"""The request-response log of Vertex AI: a row for each instance, paired by place, in whatever form
the model answers.
"""

from __future__ import annotations

import json

import pytest
from driftline_plugins.formats.vertex_logging import VertexLogging
from format_decoding import SAMPLES, Trickle, category, number, other, read
from hypothesis import given
from hypothesis import strategies as st

from driftline.testing.plugin_contract import assert_plugin_contract

SAMPLE = SAMPLES / "gcp" / "request_response_log" / "serving_online_2025-04-04.jsonl"
ENDPOINT = "projects/1026793852137/locations/us-central1/endpoints/822158720157876224"


def record(instances, answers, **other):
    told = {
        "endpoint": "e",
        "deployed_model_id": "7",
        "logging_time": "2024-05-01 07:00:00.000001 UTC",
        "request_id": "3168270330478093842",
        "request_payload": [json.dumps(item) for item in instances],
        "response_payload": [json.dumps(item) for item in answers],
    }
    return json.dumps(told | other).encode() + b"\n"


def test_the_real_log():
    """Every row of the sample, the first and the last value by value."""
    data = SAMPLE.read_bytes()
    rows, ctx = read(VertexLogging(), data)
    assert (len(rows), ctx.rejected, ctx.offset) == (5, 0, 3650)
    assert rows[0] == {
        "island": "Dream",
        "flipper_length_mm": 243.09741317391627,
        "sex": "FEMALE",
        "culmen_depth_mm": 16.6,
        "culmen_length_mm": 46.9,
        "body_mass_g": 3667.2703271198634,
        "prediction": "Chinstrap penguin (Pygoscelis antarctica)",
        "confidence": 0.58729588985443115,
        "scores.Gentoo penguin (Pygoscelis papua)": 0.3074018657207489,
        "scores.Chinstrap penguin (Pygoscelis antarctica)": 0.58729588985443115,
        "scores.Adelie Penguin (Pygoscelis adeliae)": 0.1053022444248199,
        "event_time": "2025-04-04 11:17:22.686327+00:00",
        "event_id": "3168270330478093842",
        "endpoint": ENDPOINT,
        "deployed_model_id": "455282476294602752",
    }
    assert rows[-1] == {
        "island": "Dream",
        "flipper_length_mm": 209.12614034056205,
        "sex": "FEMALE",
        "culmen_depth_mm": 16.8,
        "culmen_length_mm": 47.5,
        "body_mass_g": 4115.3868919517809,
        "prediction": "Chinstrap penguin (Pygoscelis antarctica)",
        "confidence": 0.76161128282547,
        "scores.Gentoo penguin (Pygoscelis papua)": 0.1126966625452042,
        "scores.Chinstrap penguin (Pygoscelis antarctica)": 0.76161128282547,
        "scores.Adelie Penguin (Pygoscelis adeliae)": 0.1256920397281647,
        "event_time": "2025-04-04 11:17:26.133604+00:00",
        "event_id": "1389273157619785037",
        "endpoint": ENDPOINT,
        "deployed_model_id": "455282476294602752",
    }
    assert rows[3]["culmen_depth_mm"] == 19


def test_paths_lead_into_both_sides():
    """What was recognised is reachable by its own name, too, and each side by itself."""
    fields = (
        number("species_probs[1]"),
        category("predicted_species"),
        number("output.species_probs[1]"),
        number("input.body_mass_g"),
    )
    rows, _ = read(VertexLogging(), SAMPLE.read_bytes(), *fields)
    assert list(rows[0].values()) == [
        0.58729588985443115,
        "Chinstrap penguin (Pygoscelis antarctica)",
        0.58729588985443115,
        3667.2703271198634,
    ]


def test_an_instance_each():
    """A request of several instances gives a row for each, numbered; a single one keeps the
    request's id.
    """
    data = record([{"x": 1}, {"x": 2}], [0.1, 0.2]) + record([{"x": 3}], [0.3])
    rows, ctx = read(
        VertexLogging(),
        Trickle(data),
        number("x"),
        number("prediction"),
        other("event_id"),
        other("event_time"),
    )
    assert [tuple(row.values()) for row in rows] == [
        (1, 0.1, "3168270330478093842:0", "2024-05-01 07:00:00.000001"),
        (2, 0.2, "3168270330478093842:1", "2024-05-01 07:00:00.000001"),
        (3, 0.3, "3168270330478093842", "2024-05-01 07:00:00.000001"),
    ]
    assert ctx.offset == len(data)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            {"classes": ["no", "yes"], "scores": [0.2, 0.8]},
            {
                "prediction": "yes",
                "confidence": 0.8,
                "score": 0.8,
                "scores.no": 0.2,
                "scores.yes": 0.8,
            },
        ),
        (
            {"classes": ["yes", "no"], "scores": [0.2, 0.8]},
            {
                "prediction": "no",
                "confidence": 0.8,
                "score": 0.2,
                "scores.no": 0.8,
                "scores.yes": 0.2,
            },
        ),
        ({"classes": [], "scores": []}, {"prediction": None, "confidence": None}),
        (
            {"value": 12.3, "lower_bound": 9.1, "upper_bound": 15},
            {"prediction": 12.3, "lower_bound": 9.1, "upper_bound": 15},
        ),
        (
            {"ids": ["1", "2"], "displayNames": ["daisy", "roses"], "confidences": ["0.1", 0.9]},
            {"prediction": "roses", "confidence": 0.9, "scores.daisy": 0.1, "scores.roses": 0.9},
        ),
        ({"predicted_fare": 8.5}, {"prediction": 8.5}),
        (
            {"predicted_y": "b", "y_probs": [0.6, 0.4], "y_values": ["a", "b"]},
            {"prediction": "b", "confidence": 0.6, "scores.a": 0.6, "scores.b": 0.4},
        ),
        (0.73, {"prediction": 0.73}),
        ("spam", {"prediction": "spam"}),
        ([0.73], {"prediction": 0.73}),
        ([[0.25, 0.75]], {"_o0": 0.25, "_o1": 0.75}),
        ({"dense_2": [0.5]}, {"prediction": 0.5}),
        ({"dense_2": [0.5, 0.25]}, {"_o0": 0.5, "_o1": 0.25}),
        ({"a": 1, "b": {"c": "x"}}, {"a": 1, "b.c": "x"}),
        (
            [
                {"displayName": "golf", "confidence": 0.3},
                {"displayName": "golf", "confidence": 0.5},
                {"displayName": "run", "confidence": 0.4},
            ],
            {"prediction": "golf", "confidence": 0.5, "scores.golf": 0.5, "scores.run": 0.4},
        ),
        (None, {"prediction": None}),
    ],
)
def test_forms_of_an_answer(answer, expected):
    """Each documented form gives its prediction, and scores by class where it has some."""
    [row], _ = read(VertexLogging(), record([{}], [answer]))
    meta = ("event_time", "event_id", "endpoint", "deployed_model_id")
    assert {name: value for name, value in row.items() if name not in meta} == expected


def test_settings_name_what_has_no_names():
    """Lists become columns by `headers`, scores by `classes`; `positive` says whose score is
    `score`.
    """
    data = record([[5.1, "a"]], [[0.1, 0.7, 0.2]])
    [row], _ = read(VertexLogging(headers=("x", "y"), classes=("a", "b", "c"), positive="c"), data)
    assert [row[name] for name in ("x", "y", "prediction", "confidence", "score", "scores.a")] == [
        5.1,
        "a",
        "b",
        0.7,
        0.2,
        0.1,
    ]
    [row], _ = read(VertexLogging().with_columns(["p", "q"]), data)
    assert [row["p"], row["q"]] == [5.1, "a"]
    [row], _ = read(VertexLogging(headers=("x", "y")).with_columns(["p", "q"]), data)
    assert row["x"] == 5.1
    [row], _ = read(VertexLogging(), data)
    assert [row["_c0"], row["_c1"]] == [5.1, "a"]
    [row], _ = read(VertexLogging(), record([7], [1]))
    assert row["_c0"] == 7


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (record([{}, {}], [1]), "payloads don't pair: 2 instances, 1 predictions"),
        (record([], []), "neither an instance nor a prediction was logged"),
        (record([{}], [1], request_payload=["{oops"]), "request_payload[0]: not JSON"),
        (record([{}, {}], [1, 1], response_payload=["1", ""]), "response_payload[1]: empty"),
        (
            record([{}], [1], response_payload=["1 2"]),
            "response_payload[0]: 2 JSON values where one is expected",
        ),
        (
            record([{}], [1], response_payload=["[" * 100_000]),
            "response_payload[0]: nested too deeply",
        ),
        (
            record([{}], [1], request_payload="x"),
            "not a row of the log: Expected `array`, got `str` - at `$.request_payload`",
        ),
        (
            record([{}], [{"classes": ["a"], "scores": [0.1, 0.2]}]),
            "2 scores where there are 1 classes",
        ),
        (record([{}], [{"classes": ["a"], "scores": [{}]}]), "a score that is no number: {}"),
        (
            record([{}], [1], request_id=3.1682703304780938e18),
            "request_id is 3.168270330478094e+18: its digits are lost",
        ),
        (b"[1]\n", "not a row of the log"),
        (b"\xff\n", "JSON is malformed"),
        (b"{" * 17_000_000 + b"\n", "line longer than 16 MiB"),
    ],
)
def test_what_can_not_be_read_costs_itself_only(line, reason):
    """The record is rejected with its place and the reason; its neighbours are read."""
    good = record([{"x": 1}], [1])
    rows, ctx = read(VertexLogging(), good + line + good, number("x"))
    assert len(rows) == 2
    assert (ctx.rejected, ctx.samples[0][0]) == (1, 1)
    assert ctx.samples[0][1].startswith(reason)


def test_a_list_of_another_length_than_its_names_is_rejected():
    """Values are never named by chance."""
    rows, ctx = read(VertexLogging(headers=("x", "y")), record([[1, 2, 3]], [1]))
    assert (rows, ctx.samples[0][1]) == ([], "3 values in the instance where 2 names are set")


@pytest.mark.parametrize(
    "text",
    [
        "3168270330478093842",
        '"3168270330478093842"',
        '"3168270330478093842.000000000"',
        "3168270330478093842.0",
    ],
)
def test_ids_keep_their_digits(text):
    """However an export writes the number, no float comes between."""
    data = record([{}], [1]).replace(b'"3168270330478093842"', text.encode())
    rows, _ = read(VertexLogging(), data, other("event_id"))
    assert rows == [{"event_id": "3168270330478093842"}]


def test_payloads_are_not_kept():
    """Base64 becomes its length in bytes; a text without end its beginning, its length and a hash
    that tells it from others.
    """
    instances = [
        {"image": {"b64": "QUJDRA=="}},
        {"image": {"b64": "A" * 4_000_000}},
        {"note": "n" * 2000},
        {"note": "n" * 2001},
    ]
    rows, _ = read(VertexLogging(), record(instances, [0] * 4))
    assert [row["image.b64"] for row in rows] == [4, 3_000_000, None, None]
    assert rows[2]["note"].startswith("n" * 50 + "… (2000 characters, ")
    assert rows[2]["note"][-13:] != rows[3]["note"][-13:]


def test_the_place_of_an_object_is_a_column():
    """What the place says of its records stands beside them, unless they say it themselves."""
    from io import BytesIO

    from driftline.ingest.read.decoding import Decoding

    ctx = Decoding(uri="gs://b/k", fields=None, parts={"model": "churn", "endpoint": "place"})
    [batch] = VertexLogging().decode(BytesIO(record([{}], [1])), ctx)
    [row] = batch.to_pylist()
    assert (row["model"], row["endpoint"]) == ("churn", "e")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
TEXTS = st.lists(JSON.map(json.dumps) | st.text(max_size=20), max_size=3)


@given(st.lists(st.tuples(TEXTS, TEXTS, JSON, JSON), max_size=5), st.booleans())
def test_mangled_payloads_never_raise(lines, everything):
    """Whatever stands in a payload or an id, each record gives rows or a reject."""
    told = [
        {
            "request_payload": a,
            "response_payload": b,
            "request_id": c,
            "logging_time": d,
            "deployed_model_id": c,
        }
        for a, b, c, d in lines
    ]
    data = b"".join(json.dumps(line).encode() + b"\n" for line in told)
    fields = () if everything else (number("prediction"), category("a.b[0]"), other("event_id"))
    rows, ctx = read(VertexLogging(classes=("a", "b"), headers=("x",)), data, *fields)
    assert ctx.rejected <= len(lines)
    assert len(rows) >= len(lines) - ctx.rejected
    assert len(rows) <= sum(len(a) for a, *_ in lines)


@given(st.binary(max_size=300), st.integers(0, 3650), st.integers(0, 3650))
def test_mangled_bytes_never_raise(noise, start, end):
    """A log with a hole, and noise in it, costs the lines that it hits."""
    data = SAMPLE.read_bytes()
    mangled = data[:start] + noise + data[end:]
    rows, ctx = read(VertexLogging(), mangled)
    lines = sum(1 for line in mangled.split(b"\n") if line and not line.isspace())
    assert len(rows) + ctx.rejected == lines


def test_contract():
    """The promises of every format."""
    assert_plugin_contract(VertexLogging)
