"""What decisions are worth: by a value for each outcome, and by expressions."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from driftline_plugins.checks.business_value import BusinessValue
from pydantic import ValidationError
from station import MODEL, START, Station

from driftline import stats
from driftline.testing import assert_plugin_contract, context, window
from driftline.types.model import Field, Kind, Schema, Task

SCHEMA = Schema(
    features={
        "price": Field("price", "price", Kind.NUMERIC),
        "count": Field("count", "count", Kind.NUMERIC),
    },
    prediction=Field("prediction", "prediction", Kind.CATEGORICAL),
    label=Field("label", "label", Kind.CATEGORICAL),
    task=Task.BINARY,
)
VALUES = {"tp": 50, "fp": -10, "fn": -100, "tn": 0}


def measure(check: BusinessValue, schema: Schema = SCHEMA, **columns: list[object]):
    current = window(schema=schema, check=check, **columns)
    return {
        (m.name, m.labels.get("figure", "")): m
        for m in check.evaluate(context(current, schema=schema))
    }


def outcomes(tn: int, fp: int, fn: int, tp: int) -> dict[str, list[object]]:
    rows = [("0", "0")] * tn + [("0", "1")] * fp + [("1", "0")] * fn + [("1", "1")] * tp
    label, prediction = zip(*rows, strict=True) if rows else ([], [])
    amounts = [1.0] * len(rows)
    return {
        "label": list(label), "prediction": list(prediction), "price": amounts, "count": amounts
    }  # fmt: skip


def test_a_known_table_is_worth_minus_one_per_prediction():
    """Confusion [[900, 50], [20, 30]] with values [[0, -10], [-100, 50]]."""
    found = measure(BusinessValue(values=VALUES, unit="EUR"), **outcomes(900, 50, 20, 30))
    per_prediction = found["value_per_prediction", ""]
    assert per_prediction.value == pytest.approx(-1.0)
    assert per_prediction.unit == "EUR"
    assert found["total_value", ""].value == pytest.approx(-1000.0)
    worth = np.repeat([0.0, -10.0, -100.0, 50.0], [900, 50, 20, 30])
    room = 1.959964 * worth.std(ddof=1) / np.sqrt(1000)
    assert per_prediction.interval == pytest.approx((-1 - room, -1 + room), rel=1e-6)


def test_the_interval_of_the_value_covers_it():
    """Of 1,000 windows of 400 predictions, 90 to 97% of the intervals hold the true mean."""
    rng = np.random.default_rng(4)
    shares, amounts = [0.8, 0.08, 0.04, 0.08], np.array([0.0, -10.0, -100.0, 50.0])
    keys = [("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")]
    truth, covered = float(amounts @ shares), 0
    for _ in range(1000):
        confusion = dict(zip(keys, rng.multinomial(400, shares).tolist(), strict=True))
        values = dict(zip(keys, amounts.tolist(), strict=True))
        low, high = stats.outcome_value(confusion, values).interval
        covered += low <= truth <= high
    assert 900 <= covered <= 970


def test_figures_are_means_and_sums_of_expressions():
    """A calculation over columns and labels, and a share of rows; a missing value does not count."""
    check = BusinessValue(
        expressions={"revenue": "price * count", "cheap": "price < 2"}, unit="EUR"
    )
    found = measure(
        check, price=[1.0, 2.0, None, 4.0], count=[10.0, 1.0, 3.0, 1.0],
        prediction=["1"] * 4, label=["1"] * 4,
    )  # fmt: skip
    assert found["figure_mean", "revenue"].value == pytest.approx(16 / 3)
    assert found["figure_total", "revenue"].value == pytest.approx(16)
    assert found["figure_mean", "revenue"].rows == 3
    assert found["figure_mean", "cheap"].value == pytest.approx(1 / 3)
    assert found["figure_mean", "cheap"].unit == "share"
    assert found["figure_total", "cheap"].unit == "rows"
    assert found["figure_total", "cheap"].value == 1


def test_a_division_by_zero_leaves_its_row_out():
    """No infinite number, and no error."""
    check = BusinessValue(expressions={"per item": "price / count"})
    found = measure(
        check, price=[4.0, 2.0], count=[2.0, 0.0], prediction=["1"] * 2, label=["1"] * 2
    )
    assert (found["figure_mean", "per item"].value, found["figure_mean", "per item"].rows) == (2, 1)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (outcomes(0, 0, 0, 0), "no labelled rows"),
        ({**outcomes(5, 0, 0, 5), "label": [None] * 10}, "no labelled rows"),
    ],
)
def test_without_labels_there_is_no_value(columns, reason):
    """The reason is said, for the mean and for the sum."""
    found = measure(BusinessValue(values=VALUES), **columns)
    assert {m.reason for m in found.values()} == {reason}


@pytest.mark.parametrize(
    "options",
    [{"expressions": {"a": "price +"}}, {"values": {"tp": float("inf")}}, {"values": {"tpp": 1}}],
)
def test_a_mistake_in_the_settings_is_an_error(options):
    """An expression that can't be read, an infinite value, an unknown outcome."""
    with pytest.raises(ValidationError):
        BusinessValue.model_validate(options)


def test_it_keeps_the_contract_of_plugins():
    """On any window there may be, it measures a finite number or says why there is none."""
    assert_plugin_contract(
        BusinessValue, values=VALUES, expressions={"a": "number * 2", "b": "number > 0"}
    )


@pytest.mark.system
def test_a_fall_of_revenue_is_reported_in_its_currency(tmp_path):
    """Twenty days of about 50 EUR an order, then days of 40: one incident of the family business."""
    model = MODEL.replace("length: 1h, lateness: 15m, reopen_for: 12h", "length: 1d")
    model = model[: model.index("    checks:")] + (
        "    checks: {{worth: {{type: business_value, options: "
        "{{unit: EUR, expressions: {{order: amount}}}}}}}}\n"
    )
    station = Station(tmp_path, model)
    day = timedelta(days=1)
    for number in range(26):
        less = 10 if number >= 20 else 0
        station.write(
            f"log/{number:02d}.jsonl", START + number * day, day, 200,
            amount=lambda row, less=less: row["amount"] - less,
        )  # fmt: skip
    station.clock.now = START + 26 * day + timedelta(hours=1)
    with station.open():
        station.tick()
        messages = station.told()
    [opening] = [note for note in messages if note["event"] == "opened"]
    assert opening["cause"] == "business"
    assert opening["alerts"][0]["labels"] == {"figure": "order"}
    assert "EUR" in opening["title"]
    assert opening["since"].startswith("2026-05-21")


def test_scores_that_are_no_probabilities_decide_nothing():
    """Logits without a threshold and without a column of decisions give no outcomes."""
    schema = Schema(
        features={},
        score=Field("score", "score", Kind.NUMERIC),
        label=Field("label", "label", Kind.CATEGORICAL),
        task=Task.BINARY,
    )
    logits = np.random.default_rng(2).normal(0, 2, 200)
    rows = {"label": (logits > 0).astype(int).tolist(), "score": logits.tolist()}
    found = measure(BusinessValue(values=VALUES), schema, **rows)["value_per_prediction", ""]
    assert found.value is None
    assert "set prediction.threshold" in found.reason
    rows["score"] = (1 / (1 + np.exp(-logits))).tolist()
    found = measure(BusinessValue(values=VALUES), schema, **rows)["value_per_prediction", ""]
    assert found.value == pytest.approx(50 * np.mean(logits > 0))


@pytest.mark.parametrize("prices", [[-3.0, -3.1], [-3.0] * 5, [4.0, 4.0, 4.1]])
def test_few_rows_that_are_alike_by_chance_have_the_usual_spread(prices):
    """Two rows of nearly the same worth say little: the reference varies by 10."""
    check = BusinessValue(expressions={"worth": "price"})
    usual = np.random.default_rng(1).normal(0, 10, 500)
    ones = [1.0] * 500
    reference = window(schema=SCHEMA, check=check, price=list(usual), count=ones)
    current = window(schema=SCHEMA, check=check, price=prices, count=ones[: len(prices)])
    mean, _ = check.evaluate(context(current, reference, schema=SCHEMA))
    low, high = mean.interval
    assert mean.value == pytest.approx(np.mean(prices))
    assert high - low > 2 * 1.96 * 9 / len(prices) ** 0.5
    assert low < 0 < high
