"""Logs of rankings, forecasts and models of several classes: their schema, or a hint at settings."""

from __future__ import annotations

import json
import random
from typing import Any

import pyarrow as pa
import pytest

from driftline.ingest.columns.infer import InferredSchema, infer_schema
from driftline.types.model import Task

ROWS = 400
CLASSES = ("art", "news", "sport")
RNG = random.Random(5)


def infer(**columns: Any) -> InferredSchema:
    """The schema of records with times, ids, an amount and these columns."""
    usual = {
        "timestamp": [f"2026-05-01T{row % 24:02d}:00:00Z" for row in range(ROWS)],
        "id": [f"r{row}" for row in range(ROWS)],
        "amount": [RNG.gauss(5, 1) for _ in range(ROWS)],
    }
    return infer_schema([pa.RecordBatch.from_pydict({**usual, **columns})])


def sets() -> list[list[str]]:
    return [[name for name in CLASSES if RNG.random() < 0.5] for _ in range(ROWS)]


def numbers(center: float = 50.0) -> list[float]:
    return [RNG.gauss(center, 5) for _ in range(ROWS)]


def cycle(count: int, text: str = "{}") -> list[str]:
    return [text.format(row % count) for row in range(ROWS)]


@pytest.mark.parametrize(
    "write",
    [lambda names: names, json.dumps, "|".join],
    ids=["lists", "JSON texts", "texts with a bar"],
)
@pytest.mark.parametrize(
    ("prediction", "label"),
    [("prediction", "label"), ("predicted_topics", "topics"), ("y_pred", "y_true")],
)
def test_sets_of_classes_are_those_of_a_multilabel_model(write, prediction, label):
    """Prediction and label are known by their names and values."""
    found = infer(
        **{
            prediction: [write(names) for names in sets()],
            label: [write(names) for names in sets()],
        }
    ).schema
    assert found.task is Task.MULTILABEL
    assert (found.prediction.name, found.label.name) == (prediction, label)
    assert list(found.features) == ["amount"]


def test_texts_with_a_bar_now_and_then_are_no_sets():
    """Free text with many parts is no prediction of classes."""
    texts = [f"{row}|{row + 1}" for row in range(ROWS)]
    assert infer(prediction=[RNG.choice(CLASSES) for _ in texts], note=texts).schema.task is (
        Task.MULTICLASS
    )


@pytest.mark.parametrize(
    ("columns", "setting"),
    [
        ({"query_id": cycle(50, "q{}"), "clicked": [0, 1] * 200}, "group: query_id"),
        ({"session": cycle(40, "s{}"), "relevance": [0, 1, 2, 3] * 100}, "column: relevance"),
        ({"user_id": cycle(40, "u{}"), "item_id": cycle(90, "i{}")}, "group: user_id"),
    ],
    ids=["clicks of a query", "grades of a session", "items of a user"],
)
def test_a_score_of_items_in_groups_may_be_a_ranking(columns, setting):
    """The hint has the setting with the names of the columns."""
    doubts = infer(score=numbers(0), **columns).doubts
    [hint] = [doubt for doubt in doubts if "kind: ranking, column: score" in doubt]
    assert setting in hint


@pytest.mark.parametrize(
    ("horizon", "series", "prediction"),
    [
        ("horizon", "series_id", "forecast"),
        ("h", "unique_id", "yhat"),
        ("days_ahead", "series", "prediction"),
    ],
)
def test_a_horizon_and_series_may_be_those_of_a_forecast(horizon, series, prediction):
    """The hint has both settings; the ends of the interval are no features."""
    found = infer(
        **{
            horizon: [row % 7 + 1 for row in range(ROWS)],
            series: cycle(20, "s{}"),
            prediction: numbers(),
            "actual": numbers(),
            f"{prediction}_lower": numbers(40),
            f"{prediction}_upper": numbers(60),
        }
    )
    assert found.schema.task is Task.REGRESSION
    assert found.schema.prediction.name == prediction
    text = "\n".join(found.doubts)
    assert f"horizon: {horizon}, series: {series}" in text
    assert f"lower: {prediction}_lower, upper: {prediction}_upper" in text
    assert not any(name.startswith(prediction) for name in found.schema.features)


@pytest.mark.parametrize(
    ("columns", "place"),
    [
        ({"probabilities": [[0.2, 0.3, 0.5]] * ROWS}, 'news: "probabilities[1]"'),
        ({f"prob_{name}": numbers(0.3) for name in CLASSES}, 'news: "prob_news"'),
        ({f"p_{name}": numbers(0.3) for name in CLASSES}, 'news: "p_news"'),
    ],
    ids=["a list", "columns", "short names"],
)
def test_probabilities_of_classes_are_outputs_with_a_setting(columns, place):
    """The hint has the place of each class."""
    topics = [RNG.choice(CLASSES) for _ in range(ROWS)]
    found = infer(prediction=topics, label=topics[::-1], **columns)
    assert any(place in doubt for doubt in found.doubts)
    assert list(found.schema.features) == ["amount"]


@pytest.mark.parametrize(
    "columns",
    [
        {"store": cycle(20, "s{}"), "prediction": numbers(), "label": numbers()},
        {"user_id": cycle(40, "u{}"), "score": [RNG.random() for _ in range(ROWS)]},
        {"low": numbers(), "prediction": numbers(), "label": numbers()},
    ],
    ids=["a store", "users without items", "one end"],
)
def test_other_models_get_no_hint(columns):
    """A category, a user and a feature called low are common."""
    text = "\n".join(infer(**columns).doubts)
    assert not any(word in text for word in ("ranking", "forecast", "interval"))
