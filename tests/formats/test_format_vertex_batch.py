"""Batch predictions of Vertex AI: results in both forms and files of errors, told by what they
hold.
"""

from __future__ import annotations

import csv
import json

import pytest
from driftline_plugins.formats.vertex_batch import VertexBatch
from format_decoding import SAMPLES, Trickle, category, number, other, read
from hypothesis import given
from hypothesis import strategies as st

from driftline import Unreadable
from driftline.testing.plugin_contract import assert_plugin_contract

BATCH = SAMPLES / "gcp" / "batch"
FOLDER = "gs://b/out/prediction-churn-v3-2022_10_03T04_30_14_757Z"
SHARD = f"{FOLDER}/prediction.results-00000-of-00004"
VIDEO = "gs://automl-video-demo-data/hmdb51/"


def sample(name):
    path = BATCH / name
    rows, ctx = read(VertexBatch(), path.read_bytes(), uri=path.as_uri())
    assert ctx.rejected == 0
    return rows


def line(**record) -> bytes:
    return json.dumps(record).encode() + b"\n"


def test_real_image_classification():
    """The only record, value by value."""
    assert sample("automl_image_classification/prediction.results-00000-of-00001") == [
        {
            "content": "gs://vertex-ai-devaip-7wdzncwx/10140303196_b88d3d6cec.jpg",
            "mimeType": "image/jpeg",
            "prediction": "daisy",
            "confidence": 1.0,
            "scores.daisy": 1.0,
            "scores.roses": 3.1230819e-12,
            "scores.sunflowers": 2.1263056e-13,
            "scores.dandelion": 4.0844576e-14,
            "scores.tulips": 9.525705e-15,
        }
    ]


@pytest.mark.parametrize(
    ("number", "film", "scores"),
    [
        (
            1,
            "Acrobacias_de_un_fenomeno_cartwheel_f_cm_np1_ba_bad_8.avi",
            [0.7587755, 0.066670656, 0.06072673, 0.05987679, 0.05395039],
        ),
        (
            2,
            "_Rad_Schlag_die_Bank__cartwheel_f_cm_np1_le_med_0.avi",
            [0.7563839, 0.060591273, 0.06483065, 0.06341511, 0.054779045],
        ),
    ],
)
def test_real_video_classification(number, film, scores):
    """One object a file, without a newline at its end, value by value."""
    names = ("cartwheel", "pullup", "golf", "ride_horse", "kick_ball")
    assert sample(f"automl_video_classification/prediction-{number}.json") == [
        {
            "content": VIDEO + film,
            "mimeType": "video/avi",
            "timeSegmentStart": "0.0s",
            "timeSegmentEnd": "5.0s",
            "prediction": "cartwheel",
            "confidence": scores[0],
        }
        | {f"scores.{name}": score for name, score in zip(names, scores, strict=True)}
    ]


def test_real_images_as_base64():
    """Both records: ten scores each, and the length of the image in place of it."""
    rows = sample("custom_cifar10/prediction.results-00000-of-00001")
    assert [row["bytes_inputs.b64"] for row in rows] == [1284, 1417]
    assert [rows[0][f"_o{i}"] for i in range(10)] == [
        0.0981755257, 0.101476431, 0.101105355, 0.100073941, 0.100004263,
        0.0977088585, 0.102519587, 0.100826368, 0.0982166529, 0.0998929292,
    ]  # fmt: skip
    assert [rows[1][f"_o{i}"] for i in range(10)] == [
        0.0981665105, 0.101497345, 0.101064779, 0.100082591, 0.0999847129,
        0.0977030247, 0.102505229, 0.100839838, 0.0982601643, 0.0998958,
    ]  # fmt: skip
    assert len(rows[0]) == 11


def test_real_forecasts():
    """1,400 lines behind a header, the first and the last value by value, all others by Python's
    own reader.
    """
    path = BATCH / "automl_forecasting_csv/predictions_first_1400.csv"
    rows = sample("automl_forecasting_csv/predictions_first_1400.csv")
    assert len(rows) == 1400
    assert rows[0] == {
        "city": "Burlington",
        "county": "DES MOINES",
        "date": "2021-04-16",
        "sale_dollars": None,
        "store_name": "River Mart",
        "zip_code": 52601,
        "prediction": 24.338449478149414,
    }
    assert rows[-1] == {
        "city": "Ankeny",
        "county": "POLK",
        "date": "2021-04-21",
        "sale_dollars": None,
        "store_name": "Casey's General Store #2896 / Ankeny",
        "zip_code": 50021,
        "prediction": 24.170608520507812,
    }
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["store_name"], row["prediction"]) for row in rows] == [
        (line["store_name"], float(line["predicted_sale_dollars"])) for line in table
    ]
    assert sum("," in row["store_name"] for row in rows) > 0


def test_a_key_stands_instead_of_the_instance():
    """A job with a key field gives keys; one without gives instances; both give predictions."""
    rows, ctx = read(
        VertexBatch(), line(key="row-17", prediction=0.73) + line(key=18, prediction=[1]), uri=SHARD
    )
    time = {"event_time": "2022-10-03T04:30:14.757Z"}
    assert rows == [
        {"key": "row-17", "prediction": 0.73} | time,
        {"key": "18", "prediction": 1.0} | time,
    ]
    assert ctx.offset == len(line(key="row-17", prediction=0.73) + line(key=18, prediction=[1]))


def test_what_failed_is_counted_with_its_reason():
    """Records with an error are rejects that tell code and message, in results and in files of
    errors; text, too.
    """
    data = line(instance={"x": 1}, prediction=1) + line(
        instance={"x": 2}, error={"code": 3, "message": "no tensor x"}
    )
    rows, ctx = read(
        VertexBatch(), data + line(error="died") + line(instance={}) + b"7\n{oops\n", uri=SHARD
    )
    assert len(rows) == 1
    assert [(place, reason[:60]) for place, reason, _ in ctx.samples] == [
        (1, "the job failed on it: code 3: no tensor x"),
        (2, "the job failed on it: code null: died"),
        (3, "neither a prediction nor an error"),
        (4, "not an object"),
        (5, "not JSON: Expecting property name enclosed in double quotes"),
    ]
    for name, lines in (
        ("prediction.errors_stats-00000-of-00001", 2),
        ("errors_0001.csv", 1),
        ("errors_1", 2),
    ):
        rows, ctx = read(VertexBatch(), b"('no tensor', 3)\n('died', 1)\n", uri=f"{FOLDER}/{name}")
        assert (rows, ctx.rejected) == ([], lines)
        assert ctx.samples[-1][1] == "the job failed on it: ('died', 1)"
    assert (
        read(VertexBatch(), b"", uri=f"{FOLDER}/prediction.errors_stats-00000-of-00001")[1].rejected
        == 0
    )


@pytest.mark.parametrize(
    ("header", "classes"),
    [
        ("churn,a,churn_no_scores,churn_yes_scores", ["no", "yes"]),
        ("a,b,churn_1_scores,churn_10_scores", ["1", "10"]),
        ("a,b,my_target_x_scores,my_target_y_scores", ["x", "y"]),
        ("my_target,my,my_target_x_scores,my_target_y_scores", ["x", "y"]),
    ],
)
def test_csv_of_classes(header, classes):
    """A column of scores a class gives the decision and the scores by class, whatever the target is
    called.
    """
    [row], _ = read(VertexBatch(), f"{header}\nnull,7,0.2,0.8\n".encode(), uri=SHARD)
    assert list(row.items())[:2] == [(header.split(",")[0], None), (header.split(",")[1], 7)]
    assert {name: row[name] for name in ("prediction", "confidence")} == {
        "prediction": int(classes[1]) if classes[1].isdigit() else classes[1],
        "confidence": 0.8,
    }
    assert [row[f"scores.{name}"] for name in classes] == [0.2, 0.8]
    assert row.get("score") == (
        0.8 if classes == ["no", "yes"] else 0.2 if "1" in classes else None
    )
    fields = (
        number(header.split(",")[2]),
        number(f"scores.{classes[1]}"),
        category("prediction"),
        other("event_time"),
    )
    rows, _ = read(
        VertexBatch(), f"{header}\nnull,7,0.2,0.8\nx,7,oops,0.8\n".encode(), *fields, uri=SHARD
    )
    assert [list(row.values()) for row in rows] == [
        ["0.2", 0.8, classes[1], "2022-10-03T04:30:14.757Z"],
        ["oops", None, None, "2022-10-03T04:30:14.757Z"],
    ]


def test_csv_that_is_broken():
    """Bad records cost themselves: too few values, no UTF-8, a quote without end; quotes may hold
    commas and line ends.
    """
    data = (
        b'a,predicted_y\n"x, y",1\n"two\nlines",2\nshort\n\xff,3\n'
        + b'"'
        + (b"z" * 999_999 + b"\n") * 17
        + b"last,5"
    )
    rows, ctx = read(VertexBatch(), Trickle(data, 1 << 20), uri=SHARD)
    assert [(row["a"], row["prediction"]) for row in rows] == [
        ("x, y", 1),
        ("two\nlines", 2),
        ("last", 5),
    ]
    assert [(place, reason) for place, reason, _ in ctx.samples] == [
        (2, "1 values where 2 are expected"),
        (3, "not UTF-8"),
        (4, "line 23: field larger than field limit (16777216)"),
    ]
    with pytest.raises(Unreadable, match="twice in the header"):
        read(VertexBatch(), b"a,a\n1,2\n", uri=SHARD)
    with pytest.raises(Unreadable, match="let the job write jsonl or csv"):
        read(VertexBatch(), b"\x10\0\0\0\0\0\0\0record", uri=SHARD)


@pytest.mark.parametrize(
    ("uri", "time"),
    [
        (SHARD, "2022-10-03T04:30:14.757Z"),
        (
            "gs://b/prediction-m-2022-10-03T04:30:14.757123Z/predictions_0001.jsonl",
            "2022-10-03T04:30:14.757123Z",
        ),
        (
            "file:///x/prediction-m-2022-10-03T04%3A30%3A14Z/prediction.results-00000-of-00001",
            "2022-10-03T04:30:14.0Z",
        ),
        ("gs://b/elsewhere/prediction.results-00000-of-00001", None),
    ],
)
def test_the_time_is_the_jobs(uri, time):
    """The folder's name tells it, in each of its forms; without one there is none; a time in the
    data wins.
    """
    for data in (line(instance={}, prediction=1), b"a,predicted_b\n1,2\n"):
        assert read(VertexBatch(), data, other("event_time"), uri=uri)[0] == [{"event_time": time}]
    own = "2024-01-01T00:00:00Z"
    for data in (
        line(instance={"event_time": own}, prediction=1),
        f"event_time,predicted_b\n{own},2\n".encode(),
    ):
        assert read(VertexBatch(), data, other("event_time"), uri=uri)[0] == [{"event_time": own}]


def test_settings_name_what_has_no_names():
    """As in the log of online predictions."""
    data = line(instance=[1, 2], prediction=[0.25, 0.75])
    form = VertexBatch(classes=("a", "b"), positive="a").with_columns(["x", "y"])
    assert read(form, data)[0] == [
        {
            "x": 1,
            "y": 2,
            "prediction": "b",
            "confidence": 0.75,
            "score": 0.25,
            "scores.a": 0.25,
            "scores.b": 0.75,
        }
    ]


def test_a_line_beyond_16_mib_costs_itself_only():
    """In JSON lines and in CSV."""
    for good in (line(instance={"a": 1}, prediction=1), b"a,predicted_b\n1,1\n"):
        rows, ctx = read(
            VertexBatch(),
            good + b"9" * 17_000_000 + b",1\n" + good.splitlines(True)[-1],
            number("a"),
        )
        assert [float(row["a"]) for row in rows] == [1, 1]
        assert [reason for _, reason, _ in ctx.samples] == ["line longer than 16 MiB"]


REAL = [path.read_bytes() for path in sorted(BATCH.rglob("*")) if path.is_file()]


@given(
    st.sampled_from(REAL),
    st.binary(max_size=200),
    st.integers(0, 4000),
    st.integers(0, 4000),
    st.booleans(),
)
def test_mangled_results_never_raise(data, noise, start, end, everything):
    """Any file with a hole and noise in it gives rows and rejects, or says that it can't be
    read.
    """
    fields = () if everything else (number("prediction"), category("x.y"))
    try:
        rows, ctx = read(
            VertexBatch(), data[:start] + noise + data[end : end + 5000], *fields, uri=SHARD
        )
    except Unreadable:
        return
    assert (
        len(rows) + ctx.rejected <= data.count(b"\n") + noise.count(b"\n") + noise.count(b"\r") + 4
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "b64",
                    "value",
                    "classes",
                    "scores",
                    "predicted_x",
                    "x_probs",
                    "x_values",
                    "displayName",
                    "confidence",
                    "\ud800",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["instance", "prediction", "error", "key"]), JSON),
        max_size=6,
    ),
    st.booleans(),
)
def test_mangled_records_never_raise(found, everything):
    """Each record of whatever JSON is a row or a reject."""
    data = b"{}\n" + b"".join(line(**record) for record in found)
    fields = () if everything else (number("prediction"), category("output.x_probs[0]"))
    rows, ctx = read(VertexBatch(classes=("a",)), data, *fields)
    assert len(rows) + ctx.rejected == len(found) + 1


def test_contract():
    """The promises of every format."""
    assert_plugin_contract(VertexBatch)
