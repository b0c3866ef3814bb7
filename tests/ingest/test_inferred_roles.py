"""The roles and features that are inferred from a few records: each column as an expert would
have it, and a sentence about each column that is left out.
"""

from __future__ import annotations

import uuid
from email.utils import format_datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from driftline.ingest.columns.infer import InferredSchema, infer_schema
from driftline.types.model import Kind, Task

ROWS = 200
DRAW = np.random.default_rng(5)
START = np.datetime64("2026-11-01T10:00:00")
CLOCK = [START + np.timedelta64(7 * row, "s") for row in range(ROWS)]
PLAN = [str(value) for value in DRAW.choice(["gold", "free"], ROWS)]
AGE = DRAW.normal(40, 9, ROWS).round(1).tolist()
BINARY = [int(value) for value in DRAW.random(ROWS) < 0.4]
OTHER = [value if DRAW.random() < 0.8 else 1 - value for value in BINARY]
CHANCE = DRAW.random(ROWS).round(3).tolist()
PRICE = DRAW.lognormal(3, 0.5, ROWS).round(2).tolist()
CLASSES = [str(value) for value in DRAW.choice(["a", "b", "c"], ROWS)]
MIXED = DRAW.permutation(ROWS)
Columns = dict[str, Any]


def infer(columns: Columns) -> InferredSchema:
    arrays = {
        name: values if isinstance(values, pa.Array) else pa.array(values)
        for name, values in columns.items()
    }
    return infer_schema([pa.RecordBatch.from_pydict(arrays)])


def spelled(form: str) -> list[str]:
    return [time.item().strftime(form) for time in CLOCK]


EPOCH = [int(time.astype("datetime64[s]").astype(int)) for time in CLOCK]
NO_FEATURES: dict[str, tuple[str, Any, str]] = {
    # The column, its values, what the sentence about it says.
    "nameless index": ("_c0", list(range(ROWS)), "rise or fall"),
    "index as pandas writes it": ("Unnamed: 0", MIXED.tolist(), "rise or fall"),
    "index that was shuffled": ("place", MIXED.tolist(), "rise or fall"),
    "counter with gaps": ("order", [1000 + 7 * row for row in range(ROWS)], "rise or fall"),
    "counter of two writers": ("step", [row ^ 1 for row in range(ROWS)], "rise or fall"),
    "counter that repeats": ("batch", [row // 3 for row in range(ROWS)], "rise or fall"),
    "counter as text": ("seq", [str(row) for row in range(ROWS)], "rise or fall"),
    "remaining rows": ("left", [5000 - row for row in range(ROWS)], "rise or fall"),
    "UUIDs": ("token", [str(uuid.UUID(int=int(row) << 90)) for row in MIXED], "another code"),
    "digests": ("digest", [f"{int(row):032x}" for row in MIXED], "another code"),
    "few distinct codes": ("code_of_row", [f"t-{row}" for row in range(ROWS)], "look like ids"),
    "id of a customer": ("customer_id", [row % 30 for row in MIXED], "called like an id"),
    "id in camel case": ("deployedModelId", ["7"] * 100 + ["8"] * 100, "served"),
    "label id": ("label_id", PLAN, "called like an id"),
    "many products": ("productId", [row % 150 for row in MIXED], "many values"),
    "ISO times": ("seen", spelled("%Y-%m-%dT%H:%M:%SZ"), "times"),
    "RFC 2822 times": ("mailed", [format_datetime(time.item()) for time in CLOCK], "times"),
    "times of a web server": ("hit", spelled("%d/%b/%Y:%H:%M:%S +0000"), "times"),
    "compact times as text": ("stamp", spelled("%Y%m%d%H%M%S"), "times"),
    "compact times as numbers": ("stamp", [int(text) for text in spelled("%Y%m%d%H%M%S")], "times"),
    "epoch seconds as text": ("sent", [str(EPOCH[row]) for row in MIXED], "times"),
    "epoch milliseconds": ("sent", [1000 * EPOCH[row] for row in MIXED], "times"),
    "epoch seconds with a fraction": ("sent", [EPOCH[row] + 0.5 for row in MIXED], "times"),
    "epoch as a repeated name": ("batch_timestamp", [EPOCH[0], EPOCH[1]] * 100, "times"),
    "dates": ("day_of_birth", spelled("%Y-%m-%d"), "times"),
    "Arrow dates": ("birth", pa.array([time.item().date() for time in CLOCK]), "times"),
    "status code": ("statusCode", [200, 200, 500, 404] * 50, "status codes"),
    "status by its values": ("status", [200, 200, 500, 404] * 50, "status codes"),
    "gRPC status": ("grpc_status", [0, 0, 0, 14] * 50, "status codes"),
    "latency": ("latency_ms", DRAW.integers(3, 40, ROWS).tolist(), "latencies"),
    "execution time": ("execution_time_ms", DRAW.integers(3, 40, ROWS).tolist(), "latencies"),
    "response time": ("responseTime", DRAW.random(ROWS).tolist(), "latencies"),
    "total duration": ("total_duration", DRAW.random(ROWS).tolist(), "latencies"),
    "endpoint": ("endpoint_name", ["a", "b"] * 100, "several models (a, b)"),
    "model": ("model", ["churn", "fraud"] * 100, "several models (churn, fraud)"),
    "served entity": ("served_entity_name", ["a"] * 200, "served"),
    "sampling": ("sampling_fraction", [1.0, 0.5] * 100, "served"),
    "address of a client": ("client_ip", [f"10.0.0.{row % 9}" for row in range(ROWS)], "served"),
    "constant number": ("flag", [3] * ROWS, "one value"),
    "constant text": ("country", ["DE"] * ROWS, "one value"),
    "second output": ("predicted_class_name", ["yes", "no"] * 100, "another output"),
    "score of one class": ("scores.gold", CHANCE, "another output"),
    "output without a name": ("_o1", CHANCE, "another output"),
    "addresses": ("content", [f"gs://b/{row % 50}.jpg" for row in range(ROWS)], "addresses"),
    "probability of the other class": ("probability_0", CHANCE, "another output"),
}


@pytest.mark.parametrize("name", ["y_true", "groundTruth", "actual", "true_label"])
def test_a_second_label_is_no_feature(name):
    """It would tell the model's answer; one column has the label."""
    inferred = infer({"age": AGE, "prediction": OTHER, "label": BINARY, name: BINARY})
    assert set(inferred.schema.features) == {"age"}
    assert any(f"{name} is left out: another label" in doubt for doubt in inferred.doubts)


@pytest.mark.parametrize("kind", NO_FEATURES)
def test_no_id_counter_time_constant_or_fact_about_serving_is_a_feature(kind):
    """Such a column is left out of the features with a sentence that names it and the reason."""
    name, values, reason = NO_FEATURES[kind]
    found = infer(
        {
            "id": PLAN,
            "ts": CLOCK_TEXT,
            "age": AGE,
            "plan": PLAN,
            "prediction": BINARY,
            "score": CHANCE,
        }
        | {name: values}
    )
    assert dict(found.schema.features).keys() == {"age", "plan"}
    assert any(name in doubt and reason in doubt for doubt in found.doubts), found.doubts


CLOCK_TEXT = spelled("%Y-%m-%dT%H:%M:%SZ")
FEATURES: dict[str, tuple[str, Any, Kind]] = {
    "an amount": ("amount", PRICE, Kind.NUMERIC),
    "whole numbers": ("tenure", DRAW.integers(1, 60, ROWS).tolist(), Kind.NUMERIC),
    "large whole numbers": ("income", DRAW.integers(20_000, 10**9, ROWS).tolist(), Kind.NUMERIC),
    "numbers as text": ("amount_s", [str(value) for value in PRICE], Kind.NUMERIC),
    "NA among numbers": (
        "rate",
        ["NA" if row % 9 == 0 else str(AGE[row]) for row in range(ROWS)],
        Kind.NUMERIC,
    ),
    "a status of a person": ("marital_status", ["single", "married"] * 100, Kind.CATEGORICAL),
    "codes of a status": ("status", [int(row) % 4 for row in MIXED], Kind.NUMERIC),
    "ids of a few shops": ("store_id", [int(row) % 12 for row in MIXED], Kind.CATEGORICAL),
    "postcodes": ("postcode", [f"0{int(row) % 9}10" for row in MIXED], Kind.CATEGORICAL),
    "a delay in minutes": ("delivery_time", DRAW.integers(10, 90, ROWS).tolist(), Kind.NUMERIC),
    "the hour of the day": ("hour", [int(row) % 24 for row in MIXED], Kind.NUMERIC),
    "years": ("year_built", DRAW.integers(1950, 2020, ROWS).tolist(), Kind.NUMERIC),
    "a rating of a person": ("credit_score", DRAW.integers(300, 850, ROWS).tolist(), Kind.NUMERIC),
    "an action that scores do not split": ("action_taken", PLAN, Kind.CATEGORICAL),
    "booleans": ("active", [bool(value) for value in BINARY], Kind.CATEGORICAL),
    "numbers as bytes": ("rate", [str(value).encode() for value in PRICE], Kind.NUMERIC),
    "text as bytes": ("plan", [value.encode() for value in PLAN], Kind.CATEGORICAL),
    "an input called score": ("inputs.score", CHANCE, Kind.NUMERIC),
}


@pytest.mark.parametrize("kind", FEATURES)
def test_inputs_with_similar_names_or_values_stay_features(kind):
    """A column is not left out for a name or values that an input has as well."""
    name, values, expected = FEATURES[kind]
    found = infer(
        {"ts": CLOCK_TEXT, "age": AGE, "prediction": BINARY, "score": CHANCE, name: values}
    )
    assert {key: part.kind for key, part in found.schema.features.items()} == {
        "age": Kind.NUMERIC,
        name: expected,
    }


YES_NO = [["no", "yes"][value] for value in BINARY]
APPROVED = ["approve" if chance >= 0.6 else "decline" for chance in CHANCE]
ROLES: dict[str, tuple[Columns, Columns]] = {
    # Columns beside the feature `age`, and the roles.
    "usual names": (
        {"event_time": CLOCK_TEXT, "id": CLOCK_TEXT, "prediction": BINARY, "label": OTHER},
        {
            "timestamp": "event_time",
            "id": "id",
            "prediction": "prediction",
            "label": "label",
            "task": Task.BINARY,
            "positive": "1",
        },
    ),
    "names of scikit-learn": (
        {"y_true": YES_NO, "y_pred": YES_NO, "y_proba": CHANCE},
        {
            "prediction": "y_pred",
            "score": "y_proba",
            "label": "y_true",
            "task": Task.BINARY,
            "positive": "yes",
        },
    ),
    "names in camel case": (
        {
            "requestId": MIXED.tolist(),
            "predictedLabel": YES_NO,
            "predictedProbability": CHANCE,
            "groundTruth": YES_NO,
            "modelVersion": PLAN,
        },
        {
            "id": "requestId",
            "version": "modelVersion",
            "prediction": "predictedLabel",
            "score": "predictedProbability",
            "label": "groundTruth",
            "task": Task.BINARY,
            "positive": "yes",
        },
    ),
    "names of the target": (
        {
            "churn": [bool(value) for value in BINARY],
            "churn_prediction": [bool(value) for value in OTHER],
            "churn_score": CHANCE,
        },
        {
            "prediction": "churn_prediction",
            "score": "churn_score",
            "label": "churn",
            "task": Task.BINARY,
            "positive": "1",
        },
    ),
    "spelled as Python does": (
        {
            "predicted_default": [str(bool(value)) for value in BINARY],
            "default": [str(bool(value)) for value in OTHER],
        },
        {
            "prediction": "predicted_default",
            "label": "default",
            "task": Task.BINARY,
            "positive": "1",
        },
    ),
    "a regression": (
        {"predicted_price": PRICE, "actual_price": [value + 1 for value in PRICE]},
        {"prediction": "predicted_price", "label": "actual_price", "task": Task.REGRESSION},
    ),
    "ratings, predicted with fractions": (
        {
            "rating_pred": [round(value % 5, 1) for value in PRICE],
            "rating": [int(value) % 5 for value in PRICE],
        },
        {"prediction": "rating_pred", "label": "rating", "task": Task.REGRESSION},
    ),
    "shares": (
        {"prediction": CHANCE, "label": [round(1 - value, 2) for value in CHANCE]},
        {"prediction": "prediction", "label": "label", "task": Task.REGRESSION},
    ),
    "a probability as the prediction": (
        {"prediction": CHANCE, "label": BINARY},
        {"score": "prediction", "label": "label", "task": Task.BINARY, "positive": "1"},
    ),
    "several classes": (
        {"prediction": CLASSES, "confidence": CHANCE, "label": CLASSES},
        {"prediction": "prediction", "label": "label", "task": Task.MULTICLASS},
    ),
    "a class and its probability without names": (
        {"_o0": BINARY, "_o1": [[0.1, 0.9][value] for value in BINARY]},
        {"prediction": "_o0", "score": "_o1", "task": Task.BINARY, "positive": "1"},
    ),
    "bytes": (
        {
            "prediction": [str(value).encode() for value in BINARY],
            "t": [t.encode() for t in CLOCK_TEXT],
        },
        {"timestamp": "t", "prediction": "prediction", "task": Task.BINARY, "positive": "1"},
    ),
    "an outcome that is yes or no": (
        {"prediction": OTHER, "is_fraud": BINARY},
        {"prediction": "prediction", "label": "is_fraud", "task": Task.BINARY, "positive": "1"},
    ),
    "classes that have a score each": (
        {"prediction": ["a", "b"] * 100, "confidence": CHANCE}
        | {f"scores.{name}": CHANCE for name in "abc"},
        {"prediction": "prediction", "task": Task.MULTICLASS},
    ),
    "outputs under their path": (
        {"inputs.label": PLAN, "outputs.decision": YES_NO, "outputs.probability": CHANCE},
        {
            "prediction": "outputs.decision",
            "score": "outputs.probability",
            "task": Task.BINARY,
            "positive": "yes",
        },
    ),
    "a decision that splits the scores": (
        {"score": CHANCE, "decision": APPROVED},
        {
            "prediction": "decision",
            "score": "score",
            "task": Task.BINARY,
            "positive": "approve",
        },
    ),
    "a split by scores of another name": (
        {"probability": CHANCE, "passed_on": [chance < 0.3 for chance in CHANCE]},
        {"prediction": "passed_on", "score": "probability", "task": Task.BINARY, "positive": "0"},
    ),
    "a decision with other thresholds in places": (
        {"score": [*CHANCE[:-1], 0.99], "verdict": [*APPROVED[:-1], "decline"]},
        {
            "prediction": "verdict",
            "score": "score",
            "task": Task.BINARY,
            "positive": "approve",
        },
    ),
    "a decision by a score that is no probability": (
        {"score": [int(300 + 500 * chance) for chance in CHANCE], "decision": APPROVED},
        {"prediction": "decision", "task": Task.BINARY, "positive": "approve"},
    ),
    "two columns that split the scores": (
        {"score": CHANCE, "a": APPROVED, "b": [chance < 0.3 for chance in CHANCE]},
        {"score": "score", "task": Task.BINARY, "positive": "1"},
    ),
    "an input that gives all scores": (
        {"score": [0.2 + 0.6 * value for value in BINARY], "vip": BINARY},
        {"score": "score", "task": Task.BINARY, "positive": "1"},
    ),
    "a decision beside an input that splits the scores": (
        {"score": CHANCE, "vip": [chance < 0.3 for chance in CHANCE], "decision": APPROVED},
        {
            "prediction": "decision",
            "score": "score",
            "task": Task.BINARY,
            "positive": "approve",
        },
    ),
    "a decision with other values than the label": (
        {"score": CHANCE, "decision": APPROVED, "label": BINARY},
        {"score": "score", "label": "label", "task": Task.BINARY, "positive": "1"},
    ),
    "a split by scores with other values than the label": (
        {"score": CHANCE, "passed_on": APPROVED, "target": BINARY},
        {"score": "score", "label": "target", "task": Task.BINARY, "positive": "1"},
    ),
    "letters of a binary model": (
        {"x": PRICE, "y": BINARY, "p": OTHER, "s": CHANCE},
        {"prediction": "p", "score": "s", "label": "y", "task": Task.BINARY, "positive": "1"},
    ),
    "letters with a probability": (
        {"x": PRICE, "y": BINARY, "p": CHANCE},
        {"score": "p", "label": "y", "task": Task.BINARY, "positive": "1"},
    ),
    "letters of inputs": ({"x": PRICE, "y": BINARY, "p": AGE, "s": PLAN}, {}),
    "an input called y": ({"x": PRICE, "y": PRICE[::-1]}, {}),
    "ids without a usual name": (
        {"token": [str(uuid.UUID(int=int(row) << 90)) for row in MIXED], "prediction": BINARY},
        {"id": "token", "prediction": "prediction", "task": Task.BINARY, "positive": "1"},
    ),
    "the time of the row beside another": (
        {"birth_date": spelled("%Y-%m-%d"), "written": CLOCK_TEXT},
        {"timestamp": "written"},
    ),
    "epoch milliseconds as text": (
        {"timestamp_ms": [str(1000 * value) for value in EPOCH]},
        {"timestamp": "timestamp_ms"},
    ),
    "times of a web server": (
        {"logged": spelled("%d/%b/%Y:%H:%M:%S +0000")},
        {"timestamp": "logged"},
    ),
}


@pytest.mark.parametrize("kind", ROLES)
def test_each_role_is_found_by_name_type_and_values(kind):
    columns, expected = ROLES[kind]
    schema = infer({"age": AGE} | columns).schema
    assert not {"decision", "verdict", "passed_on"} & set(schema.features)
    roles: Columns = {
        role: part.name
        for role in ("timestamp", "id", "version", "prediction", "score", "label")
        if (part := getattr(schema, role)) is not None
    }
    if schema.task is not None:
        roles["task"] = schema.task
        if schema.task is Task.BINARY:
            roles["positive"] = schema.positive
    assert roles == expected


def test_columns_that_options_of_checks_name_are_features():
    """Somebody wants them to be judged, whatever they look like."""
    batch = pa.RecordBatch.from_pydict({"order": list(range(ROWS)), "age": AGE})
    assert set(infer_schema([batch], named={"order"}).schema.features) == {"order", "age"}


def test_times_that_cannot_be_read_are_named():
    """A column called like a time whose values are ambiguous gives a doubt with an example."""
    found = infer({"date": ["03/04/2026 10:00"] * 30, "age": AGE[:30]})
    assert found.schema.timestamp is None
    assert any("'03/04/2026 10:00'" in doubt for doubt in found.doubts)
    assert set(found.schema.features) == {"age"}


@pytest.mark.parametrize("form", ["%d/%m/%Y %H:%M:%S", "%m-%d-%Y", "%d.%m.%YT%H:%M"])
def test_dates_without_a_sure_order_are_named_in_any_column(form):
    """A column of another name with dates such as 03/04/2026 is named, with an example and the
    settings to choose from; it is no feature.
    """
    times = spelled(form)
    found = infer({"t": times, "age": AGE, "prediction": BINARY})
    other = form.replace("%d", "%?").replace("%m", "%d").replace("%?", "%m")
    settings = [f'{{path: t, format: "{each}"}}' for each in sorted((form, other))]
    assert found.schema.timestamp is None
    assert set(found.schema.features) == {"age"}
    doubts = [doubt for doubt in found.doubts if doubt.startswith("t ")]
    assert len(doubts) == 1, doubts
    assert f"t has dates such as {times[0]!r}" in doubts[0]
    assert f"write {' or '.join(settings)}" in doubts[0]


@pytest.mark.parametrize(
    "form", ["%d/%m/%Y %H:%M", "%m/%d/%Y", "%d.%m.%Y, %H:%M:%S", "%m-%d-%Y %I:%M %p"]
)
def test_days_above_12_show_the_format_of_the_dates(form):
    days = [START + np.timedelta64(7 * row, "h") for row in range(ROWS)]
    found = infer({"t": [day.item().strftime(form) for day in days], "age": AGE})
    assert found.schema.timestamp is not None
    assert (found.schema.timestamp.path, found.schema.time_form.format) == ("t", form)
    assert set(found.schema.features) == {"age"}


def test_dates_of_birth_are_not_taken_as_the_time_of_a_row():
    """A date of birth with slashes is a fact about a person."""
    found = infer({"birth_date": spelled("%d/%m/%Y"), "age": AGE})
    assert any("no column with times was found" in doubt for doubt in found.doubts)


def test_the_model_of_a_product_is_a_feature():
    """Beside its maker, `model` says which product it is."""
    found = infer({"make": PLAN, "model": CLASSES, "age": AGE, "prediction": BINARY})
    assert set(found.schema.features) == {"make", "model", "age"}


def test_models_in_separate_objects_are_named():
    """Each object has one name; all of them are in the sentence."""
    batches = [
        pa.RecordBatch.from_pydict({"model_name": [name] * 30, "age": AGE[:30]})
        for name in ("churn", "fraud", "ltv")
    ]
    found = infer_schema(batches)
    assert set(found.schema.features) == {"age"}
    assert any("several models (churn, fraud, ltv)" in doubt for doubt in found.doubts)
