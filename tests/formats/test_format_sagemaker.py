"""Data capture: rows of input, output and label, paired, in whatever form the endpoint wrote
them.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from driftline_plugins.formats.sagemaker import SageMaker
from format_decoding import SAMPLES, category, number, other, read
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

CAPTURES = sorted((SAMPLES / "aws" / "datacapture").rglob("*.jsonl"))


def side(data, encoding=None, content_type=""):
    if isinstance(data, bytes):
        return {
            "data": base64.b64encode(data).decode(),
            "encoding": encoding or "BASE64",
            "observedContentType": content_type,
        }
    text = data if isinstance(data, str) else json.dumps(data)
    return {
        "data": text,
        "encoding": encoding or ("CSV" if isinstance(data, str) else "JSON"),
        "observedContentType": content_type,
    }


def record(inputs=None, outputs=None, label=None, event="e1", **meta) -> bytes:
    capture = {}
    if inputs is not None:
        capture["endpointInput"] = side(inputs) | {"mode": "INPUT"}
    if outputs is not None:
        capture["endpointOutput"] = side(outputs) | {"mode": "OUTPUT"}
    line = {
        "captureData": capture,
        "eventMetadata": {"eventId": event, "inferenceTime": "2024-05-01T00:00:00Z", **meta},
    }
    if label is not None:
        line["groundTruthData"] = side(label)
    return json.dumps(line | {"eventVersion": "0"}).encode() + b"\n"


def rows(data: bytes, *fields, form=None, **how):
    found, ctx = read(form or SageMaker(), data, *fields, **how)
    return [tuple(row.values()) for row in found], ctx


A, B, P = number("a"), number("b"), number("prediction")
AB = SageMaker(headers=("a", "b"))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.parent.parts[-6][-16:])
def test_real_captures(path: Path):
    """Every real file gives a row for each row inside its requests, with a prediction or score for
    each, and no reject.
    """
    found, ctx = read(SageMaker(), path.read_bytes(), uri=path.as_uri())
    inside = [
        json.loads(line)["captureData"]["endpointInput"]["data"]
        for line in path.read_text().splitlines()
    ]
    expected = sum(
        text.count('"features"') if text.startswith("{") else text.count("\n") + 1
        for text in inside
    )
    assert (len(found), ctx.rejected) == (expected, 0)
    assert ctx.offset == path.stat().st_size
    for row in found:
        assert row["variant"] == "AllTraffic"
        assert row["endpoint"].startswith("DEMO-")
        assert 0 <= float(row.get("prediction", row.get("score"))) <= 1
        assert row["_c0"] is not None


def test_a_real_capture_value_by_value():
    """The churn record of the documentation, with the names of its training data."""
    with (SAMPLES / "aws/churn/training-dataset-with-header.csv").open() as file:
        names = tuple(file.readline().strip().split(",")[1:])
    [path] = [path for path in CAPTURES if "quality-monitor-2021" in str(path)]
    fields = (
        number("Account Length"),
        number("Eve Mins"),
        category("Int'l Plan_no"),
        P,
        other("inference_id"),
        other("event_time"),
    )
    found, ctx = rows(path.read_bytes(), *fields, form=SageMaker(headers=names))
    assert found[1] == (41.0, 125.9, "1", 0.01216088142246008, "58", "2021-05-18T00:29:02Z")
    assert len(found) == 3
    assert ctx.rejected == 0


def test_bare_numbers_and_merged_records():
    """Instances that are numbers are rows of one value; ground truth that was merged is the
    label.
    """
    found, _ = rows(
        (SAMPLES / "aws/misc/sdk_captured-data.jsonl").read_bytes(),
        number("_c0"),
        P,
        other("event_id"),
    )
    first = "12b73486-e916-45de-9d82-7fa23d4a39a6"
    assert found[:3] == [
        (1.0, 3.5, f"{first}:0"),
        (2.0, 4.0, f"{first}:1"),
        (5.0, 5.5, f"{first}:2"),
    ]
    assert len(found) == 6
    found, _ = rows(
        (SAMPLES / "aws/merge/endpoint_jsonl.jsonl").read_bytes(),
        number("_c0"),
        number("score"),
        category("label"),
    )
    assert [(a, b, int(label)) for a, b, label in found] == [(42.0, 0.90517783164978, 0)]
    found, _ = rows(
        (SAMPLES / "aws/merge/batch_jsonl.jsonl").read_bytes(),
        number("_c2"),
        number("score"),
        number("label"),
    )
    assert found == [(133937.0, 0.989977359771728, 1.0)]


def test_ground_truth_alone():
    """The official label files give ids and labels, one a file, without a newline at their end."""
    files = sorted((SAMPLES / "aws/ground_truth/test_gt").glob("*.jsonl"))
    found = [rows(path.read_bytes(), other("event_id"), category("label"))[0] for path in files]
    assert [row[0][0] for row in found] == [path.stem for path in files]
    assert {str(row[0][1]) for row in found} == {"0", "1"}


def test_mixed_encodings_in_one_file():
    """CSV, JSON, JSON Lines and BASE64 of them, for input and output alike, pair row by row."""
    data = (
        record("1,2", "0.5")
        + record("3,4", {"predictions": [{"prediction": 0.25, "predicted_label": 0}]})
        + record(b"5,6\n7,8", b"0.1\n0.2\n")
        + record({"instances": [{"features": [9, 10]}]}, "0.3")
        + record(
            b'{"features":[11,12]}\n{"features":[13,14]}\n',
            b'{"prediction":0.4}\n{"prediction":0.6}',
        )
        + record({"a": [15, 17], "b": [16, 18]}, {"predictions": [[0.7], [0.8]]})
        + record({"a": 19, "b": 20}, "0.9")
        + record([[21, 22]], [0.11])
    )
    found, ctx = rows(data, A, B, P, form=AB)
    assert ctx.rejected == 0
    assert [(float(a), float(b)) for a, b, _ in found] == [(n, n + 1) for n in range(1, 23, 2)]
    assert [float(p) for *_, p in found] == [
        0.5,
        0.25,
        0.1,
        0.2,
        0.3,
        0.4,
        0.6,
        0.7,
        0.8,
        0.9,
        0.11,
    ]


def test_several_rows_in_csv():
    """Lines of a request are rows; a trailing line end is none; quoted line ends are inside a
    value.
    """
    data = record("1,2\n3,4\n", "0.1\n0.2") + record('5,"x\ny"', "0.3")
    found, ctx = rows(data, A, category("b"), P, other("event_id"), form=AB)
    assert [(float(a), str(b), float(p), e) for a, b, p, e in found] == [
        (1, "2", 0.1, "e1:0"), (3, "4", 0.2, "e1:1"), (5, "x\ny", 0.3, "e1"),
    ]  # fmt: skip
    assert ctx.rejected == 0


def test_answers_on_one_line():
    """An answer with as many values on one line as the request has rows is one for each row."""
    assert rows(record("1,2\n3,4", "0.1,0.2"), A, P, form=AB)[0] == [(1.0, "0.1"), (3.0, "0.2")]


def test_several_outputs():
    """They are `_o0`, `_o1`, or named by the configuration."""
    data = record("1,2", "0,0.98") + record("3,4", "1,0.5")
    assert rows(data, number("_o1"), form=AB)[0] == [(0.98,), (0.5,)]
    named = SageMaker(headers=("a", "b"), output_headers=("cls", "score"))
    assert rows(data, category("cls"), number("score"), form=named)[0] == [("0", 0.98), ("1", 0.5)]


def test_rows_that_do_not_pair_are_rejected_with_both_numbers():
    """Nothing is paired by chance, and the neighbours stay."""
    data = record("1,2", "0.1") + record("1,2\n3,4\n5,6", "0.1\n0.2") + record("7,8", "0.3")
    found, ctx = rows(data, A, P, form=AB)
    assert [(float(a), float(p)) for a, p in found] == [(1, 0.1), (7, 0.3)]
    assert ctx.samples[0][:2] == (1, "rows don't pair: input 3, output 2")
    assert ctx.samples[0][2].startswith(b'{"captureData"')


def test_another_number_of_values_is_rejected_with_both_numbers():
    """Names and values must be as many."""
    data = (
        record("1,2", "0.1")
        + record("1,2,3", "0.1")
        + record({"instances": [{"features": [1]}]}, "0.1")
    )
    found, ctx = rows(data, A, form=AB)
    assert len(found) == 1
    assert [why for _, why, _ in ctx.samples] == [
        "input: 3 values where 2 names are set", "input: 1 values where 2 names are set",
    ]  # fmt: skip


def test_half_records_are_null_and_no_rejects():
    """What was not captured is null; what was is a row."""
    data = (
        record("1,2", None)
        + record(None, "0.5")
        + record("3,4", "0.6")
        + record(None, None, label="1")
    )
    found, ctx = rows(data, A, P, category("label"), form=AB)
    assert [tuple(v if v is None else float(v) for v in row) for row in found] == [
        (1, None, None), (None, 0.5, None), (3, 0.6, None), (None, None, 1),
    ]  # fmt: skip
    assert ctx.rejected == 0


def test_inputs_that_are_no_table():
    """The answer to an image is kept; where columns are set the record is rejected."""
    data = record(b"\x89PNG\r\n\x1a\n\xff\xff", {"predictions": [0.9]})
    assert rows(data, P)[0] == [(0.9,)]
    found, ctx = rows(data, A, P, form=AB)
    assert found == []
    assert "no text" in ctx.samples[0][1]


def test_paths_say_where_rows_stand():
    """A path with `[*]` takes each match as a row."""
    form = SageMaker(headers=("a", "b"), input_path="body.items[*].x", output_path="out[*].s")
    data = record(
        {"body": {"items": [{"x": [1, 2]}, {"x": [3, 4]}]}}, {"out": [{"s": 0.1}, {"s": 0.2}]}
    )
    assert rows(data, A, B, P, form=form)[0] == [(1.0, 2.0, 0.1), (3.0, 4.0, 0.2)]
    _, ctx = rows(record({"body": {}}, {"out": [{"s": 1}]}), A, form=form)
    assert ctx.samples[0][1] == "input: nothing at body.items[*].x"


def test_equal_names_are_told_apart():
    """`input.NAME` and `output.NAME` reach both; the plain name is the output's."""
    data = record({"score": 1, "x": {"y": 2}}, {"score": 0.5})
    fields = number("score"), number("input.score"), number("output.score"), number("x.y")
    assert rows(data, *fields)[0] == [(0.5, 1.0, 0.5, 2.0)]


def test_what_stands_beside_the_data():
    """Ids, time, attributes, endpoint and variant are columns too."""
    data = record("1,2", "0.5", inferenceId="77", customAttributes=["k=v", "w"]) + record(
        "3,4\n5,6", "1\n2", event="e2"
    )
    names = ("event_id", "inference_id", "event_time", "custom_attributes", "endpoint", "variant")
    uri = "s3://bucket/log/my-endpoint/blue/2024/05/01/00/21-45-841-x.jsonl"
    found, _ = rows(data, *map(other, names), form=AB, uri=uri)
    time = "2024-05-01T00:00:00Z"
    assert found == [
        ("e1", "77", time, "k=v,w", "my-endpoint", "blue"),
        ("e2:0", None, time, None, "my-endpoint", "blue"),
        ("e2:1", None, time, None, "my-endpoint", "blue"),
    ]
    assert rows(data, other("variant"), uri="file:///tmp/x.jsonl")[0][0] == (None,)


INPUT = b'{"captureData":{"endpointInput":{"data":"%s","encoding":"%s"}}}\n'


@pytest.mark.parametrize("line", [
    b"not json\n", b"[]\n", b"7\n", b'{"captureData":7}\n', b"{}\n", b'{"a":' * 50_000 + b"\n",
    INPUT % (b"1", b"X"), INPUT % (b"{", b"JSON"), INPUT % (b"\xff", b"CSV"), INPUT % (b"@@", b"BASE64"),
])  # fmt: skip
def test_bad_records_cost_only_themselves(line):
    """Whatever is wrong with a line, it is one reject with a reason, in its place; the others are
    rows.
    """
    found, ctx = rows(record("1,2", "0.1") + line + record("3,4", "0.2"), A, P, form=AB)
    assert [float(a) for a, _ in found] == [1, 3]
    assert (ctx.rejected, ctx.samples[0][0]) == (1, 1)
    assert ctx.samples[0][1]


def test_one_odd_record_among_many():
    """Thousands of rows come out right around a record of another width, and around one in JSON."""
    lines = [record(f"{i},{i % 7}", f"0.{i:04d}", event=f"e{i}") for i in range(5000)]
    lines[2500] = record("1,2,3", "0.1")
    lines[4000] = record(
        {"instances": [{"features": [4000, 3]}]}, {"predictions": [0.4]}, event="e4000"
    )
    found, ctx = rows(b"".join(lines), A, category("b"), P, other("event_id"), form=AB)
    assert ctx.rejected == 1
    assert ctx.samples[0][:2] == (2500, "input: 3 values where 2 names are set")
    expected = [(i, str(i % 7), i / 10_000, f"e{i}") for i in range(5000) if i != 2500]
    assert [(float(a), str(b), float(p), e) for a, b, p, e in found] == expected


def test_torn_ends_wait():
    """The last line without its end is left while the object may grow."""
    whole = record("1,2", "0.1")
    found, ctx = rows(whole + whole[:50], A, form=AB, is_complete=False)
    assert (len(found), ctx.rejected, ctx.offset) == (1, 0, len(whole))
    found, ctx = rows(whole + whole[:50], A, form=AB, is_complete=True)
    assert (len(found), ctx.rejected) == (1, 1)


def test_names_stand_once():
    """Two headers of one name are a mistake at once."""
    with pytest.raises(ValidationError, match="twice"):
        SageMaker(headers=("a", "a"))


row = st.tuples(st.integers(-99, 99), st.sampled_from(["x", "y", 'q"', "a b"]))
request = st.lists(row, min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            request,
            st.sampled_from(["csv", "json", "lines", "base64"]),
            st.sampled_from(["csv", "json"]),
        ),
        max_size=8,
    )
)
def test_every_row_comes_back(requests):
    """Whatever forms input and output take, each row of each request comes once, in order, with its
    answer.
    """
    data, expected = b"", []
    for number_, (entries, form_in, form_out) in enumerate(requests):
        quoted = [
            '"' + text.replace('"', '""') + '"' if '"' in text else text for _, text in entries
        ]
        text = "\n".join(f"{n},{q}" for (n, _), q in zip(entries, quoted, strict=True))
        documents = [{"features": list(entry)} for entry in entries]
        lines = "\n".join(map(json.dumps, documents))
        inputs = {
            "csv": text,
            "json": {"instances": documents},
            "base64": text.encode(),
            "lines": lines.encode(),
        }[form_in]
        answers = [float(n) / 100 for n, _ in entries]
        data += record(
            inputs,
            "\n".join(map(str, answers)) if form_out == "csv" else {"predictions": answers},
            event=str(number_),
        )
        expected += [(n, text, n / 100) for n, text in entries]
    found, ctx = rows(data, A, category("b"), P, form=AB)
    assert ctx.rejected == 0
    assert [(float(a), str(b), float(p)) for a, b, p in found] == expected


@pytest.mark.parametrize("extra", [{}, {"index": [0, 1]}])
def test_a_split_frame_is_a_body(extra):
    """The split orientation of pandas, also without a key around it, names its columns."""
    body = {"columns": ["b", "a"], "data": [[1, 2], [3, 4]], **extra}
    for inputs in (body, {"dataframe_split": body}):
        found, ctx = rows(record(inputs, [[0.1], [0.2]]), A, B, P, form=AB)
        assert (found, ctx.rejected) == ([(2.0, 1.0, 0.1), (4.0, 3.0, 0.2)], 0)


@pytest.mark.parametrize(
    "body",
    [
        {"a": {"0": 2, "1": 4}, "b": {"0": 1, "1": 3}},
        {"0": {"a": 2, "b": 1}, "1": {"a": 4, "b": 3}},
        [{"a": 2, "b": 1}, {"a": 4, "b": 3}],
        {"schema": {"fields": []}, "data": [{"a": 2, "b": 1}, {"a": 4, "b": 3}]},
        {"inputs": {"a": {"0": 2, "1": 4}, "b": {"0": 1, "1": 3}}},
        {"a": [2, 4], "b": [1, 3]},
    ],
    ids=["columns", "index", "records", "table", "inputs", "lists"],
)
def test_frames_of_pandas_are_bodies(body):
    """Each orientation has the names of its columns."""
    found, ctx = rows(record(body, [[0.1], [0.2]]), A, B, P)
    assert (found, ctx.rejected) == ([(2.0, 1.0, 0.1), (4.0, 3.0, 0.2)], 0)


def csv_record(inputs: str, outputs: str, encode=False) -> bytes:
    """A record with CSV bodies, or with BASE64 of them."""

    def body(text: str) -> dict:
        if encode:
            return {"data": base64.b64encode(text.encode()).decode(), "encoding": "BASE64"}
        return {"data": text, "encoding": "CSV"}

    sides = {"endpointInput": body(inputs), "endpointOutput": body(outputs)}
    return json.dumps({"captureData": sides, "eventMetadata": {"eventId": "e"}}).encode() + b"\n"


@pytest.mark.parametrize("encode", [False, True])
@pytest.mark.parametrize("title", ["age,tenure", '"age","tenure"', " age , tenure"])
@pytest.mark.parametrize(
    "form",
    [
        SageMaker(),
        SageMaker(headers=("age", "tenure")),
        SageMaker(output_headers=("_o0", "_o1")),
        SageMaker(headers=("age", "tenure"), output_headers=("_o0", "_o1")),
    ],
)
def test_a_header_line_in_a_body_is_no_row(form, title, encode):
    """Two values of one answer stay values of one row."""
    data = b"".join(csv_record(f"{title}\n{age},{age + 1}", f"1,0.{age}", encode) for age in (5, 6))
    found, ctx = read(form, data, number("age"), number("tenure"), number("_o0"), number("_o1"))
    assert ctx.rejected == 0
    assert [list(map(float, row.values())) for row in found] == [[5, 6, 1, 0.5], [6, 7, 1, 0.6]]


def test_header_lines_of_several_rows_and_of_categories():
    """The names come from the line that stands at the start of every body."""
    data = csv_record("plan,land\nfree,CH\npro,DE", "yes\nno") + csv_record(
        "plan,land\npro,AT", "yes"
    )
    found, ctx = read(SageMaker(), data, other("plan"), other("land"), other("prediction"))
    assert ([tuple(row.values()) for row in found], ctx.rejected) == (
        [("free", "CH", "yes"), ("pro", "DE", "no"), ("pro", "AT", "yes")],
        0,
    )


def test_header_lines_may_differ_from_body_to_body():
    """Each body has its own order of the columns, or no header at all."""
    data = (
        csv_record("a,b\n1,2\n3,4", "0.1\n0.2") * 2
        + csv_record("b,a\n6,5", "0.3") * 2
        + csv_record("7,8", "0.4")
    )
    form = SageMaker(headers=("a", "b"))
    found, ctx = read(form, data, number("a"), number("b"))
    assert ([tuple(map(float, row.values())) for row in found], ctx.rejected) == (
        [(1, 2), (3, 4), (1, 2), (3, 4), (5, 6), (5, 6), (7, 8)],
        0,
    )


def test_an_answer_with_a_header_line():
    """It has one line more than the request has rows."""
    data = csv_record("1,2\n3,4", "class,score\nyes,0.9\nno,0.2")
    found, ctx = read(SageMaker(), data, other("class"), number("score"))
    values = [(row["class"], float(row["score"])) for row in found]
    assert (values, ctx.rejected) == ([("yes", 0.9), ("no", 0.2)], 0)


@pytest.mark.parametrize(
    "inputs", ["free,CH\npro,DE", "unknown,CH\n12,CH", "1,2\n3,4", "free,CH\n,"]
)
def test_a_first_row_is_no_header_line(inputs):
    """Categories look like names, but two rows have two answers."""
    data = csv_record(inputs, "0.1\n0.2") + csv_record("pro,AT\nfree,DE", "0.3\n0.4")
    found, ctx = read(SageMaker(), data, other("_c0"), number("prediction"))
    assert (len(found), ctx.rejected) == (4, 0)


def test_lists_beside_the_predictions_belong_to_the_rows():
    """Several values of an answer may stand in several lists."""
    answer = {"predictions": [1, 0], "probabilities": [[0.1, 0.9], [0.8, 0.2]], "model": "m"}
    data = record("1,2\n3,4", answer)
    found, ctx = rows(data, number("prediction"), number("probabilities[1]"))
    assert (found, ctx.rejected) == ([(1, 0.9), (0, 0.2)], 0)


def test_a_long_answer_of_named_values_is_one_row():
    """Two names and two values are one answer, also where the request has two rows."""
    form = SageMaker(output_headers=("class", "score"))
    found, ctx = read(form, csv_record("1,2\n3,4", "1,0.9"), number("class"))
    assert (found, ctx.samples[0][1]) == ([], "rows don't pair: input 2, output 1")
