"""What decisions are worth: by a value for each outcome, and by expressions."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from driftline_plugins.checks.business_value import BusinessValue
from pydantic import ValidationError
from station import MODEL, START, Station

from driftline import Notification, stats
from driftline.agent.incident_cost import describe_cost, estimate_cost
from driftline.contracts.check import Worth
from driftline.delivery.rendering.renderer import Renderer
from driftline.state.worth import WorthRow
from driftline.testing import assert_plugin_contract, context, window
from driftline.types.model import Field, Kind, Schema, Task

DAY = timedelta(days=1)
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


LOANS = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema:
      timestamp: t
      features: {{amount: numeric}}
      prediction: {{kind: binary, column: decision}}
      label: outcome
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1d, lateness: 15m}}
    checks:
      worth: {{type: business_value, options: {{unit: EUR, values: {values}}}}}
      level:
        type: statistics
        options: {{columns: [amount], statistics: [mean_value]}}
        rule: {{measurement: mean_value, above: {{warning: 80}}}}
""".replace("{values}", "{{tp: 10, tn: 10, fp: -10, fn: -10}}")


def loans(tmp_path, days: int, bad_since: int, **bad: object) -> list[dict]:
    """The messages of a model that decides right in 90% of rows until a day."""
    station = Station(tmp_path, LOANS)
    flip = np.random.default_rng(5)

    def outcome(row: dict) -> str:
        return str(int(row["amount"] > 50))

    def decision(row: dict) -> str:
        return str(int((row["amount"] > 50) == (flip.random() < 0.9)))

    good = {"outcome": outcome, "decision": decision}
    station.write("reference.jsonl", START - 10 * DAY, 10 * DAY, 3000, **good)
    for number in range(days):
        changes = {**good, **(bad if number >= bad_since else {})}
        station.write(f"log/{number:02d}.jsonl", START + number * DAY, DAY, 400, **changes)
    station.clock.now = START + days * DAY + timedelta(hours=1)
    with station.open():
        station.tick()
    return station.told()


@pytest.mark.system
def test_a_message_says_what_the_incident_has_cost(tmp_path):
    """From 11 May on all rows are approved: 8 EUR a row become 0, so a day of 400 costs 3,200."""
    told = loans(tmp_path, 16, 10, decision="1")
    [opening] = [note for note in told if note["cause"] == "business"]
    text = opening["facts"]["cost so far"]
    amount, low, high = (
        float(part.replace(",", ""))
        for part in re.fullmatch(
            r"([\d,]+) EUR less than usual \(95% sure: ([\d,]+) to ([\d,]+) EUR\) "
            r"over the [\d,]+ predictions since it began",
            text,
        ).groups()
    )
    days = (datetime.fromisoformat(opening["window"][1]) - START).days - 10
    assert opening["since"].startswith("2026-05-11")
    assert low < 3200 * days < high
    assert low < amount < high
    message = Renderer()(Notification.model_validate(opening))
    lines = message.body.splitlines()
    assert f"Cost of this incident so far: {text}" in lines
    cost = lines.index(f"Cost of this incident so far: {text}")
    assert lines.index("What to do:") < cost < lines.index(message.findings[0])
    assert message.body.count(text) == 1


@pytest.mark.system
def test_without_labels_the_message_says_that_the_cost_is_not_known(tmp_path):
    """An incident about a column, in days without a label: its cost is no 0."""
    told = loans(tmp_path, 4, 2, outcome=None, decision="1", amount=lambda row: 100.0)
    [opening] = [note for note in told if note["event"] == "opened" and note["cause"] == "quality"]
    assert opening["facts"]["cost so far"] == "not known: none of 400 predictions has a value yet"


def rows_of_worth(*values: float, rows: int = 100, error: float = 1.0) -> list[WorthRow]:
    return [
        WorthRow(
            rows=rows, value=value, interval=(value - 1.96 * error, value + 1.96 * error),
            was=5.0, was_interval=(4.9, 5.1), unit="EUR",
        )
        for value in values
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((1.0, 1.0), "800 EUR less than usual (95% sure: 522 to 1,080 EUR)"),
        ((5.1, 5.1), "none that differs from chance (95% sure: -298 to 258 EUR)"),
        ((9.0, 9.0), "none, but a gain of 800 EUR (95% sure: 522 to 1,080 EUR)"),
    ],
)
def test_a_loss_a_gain_and_chance_read_differently(values, text):
    """Two windows of 100 rows that were worth 5 EUR; windows and reference add their errors."""
    written = describe_cost(rows_of_worth(*values), 200)
    assert written == f"{text} over the 200 predictions since it began"


def test_rows_without_a_value_are_named():
    """Half of the labels are missing: the cost is that of the others, and says so."""
    text = describe_cost(rows_of_worth(1.0, 1.0), 400)
    assert text.endswith("over 200 of 400 predictions since it began; others have no value yet")


def test_a_window_without_a_known_error_has_that_of_the_others():
    """The cost of 100 rows of unknown error has the interval of 100 rows like the others."""
    rows = rows_of_worth(1.0, 1.0)
    unknown = [rows[0], replace(rows[1], interval=None)]
    assert estimate_cost(unknown).interval == pytest.approx(estimate_cost(rows).interval)


def test_the_cost_is_what_an_expression_lost_where_one_is_named():
    """`cost_by` names a figure; a name that no expression has is a mistake."""
    check = BusinessValue(expressions={"revenue": "price"}, cost_by="revenue")
    assert check.worth() == Worth("figure_mean", {"figure": "revenue"})
    assert BusinessValue(expressions={"revenue": "price"}).worth() is None
    with pytest.raises(ValidationError, match="there is no expression 'sales'"):
        BusinessValue(expressions={"revenue": "price"}, cost_by="sales")


def test_the_interval_of_a_cost_covers_it():
    """Of 1,000 incidents of five days of 400 rows, 90 to 97% of the intervals hold the true cost."""
    rng = np.random.default_rng(8)
    keys = [("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")]
    good, bad = [0.8, 0.06, 0.03, 0.11], [0.8, 0.06, 0.08, 0.06]
    amounts = np.array([0.0, -10.0, -100.0, 50.0])
    values = dict(zip(keys, amounts.tolist(), strict=True))

    def draw(rows: int, shares: list[float]) -> stats.Estimate:
        counts = rng.multinomial(rows, shares).tolist()
        return stats.outcome_value(dict(zip(keys, counts, strict=True)), values)

    truth, covered = 5 * 400 * float(amounts @ np.subtract(good, bad)), 0
    for _ in range(1000):
        usual = draw(3000, good)
        rows = [
            WorthRow(
                rows=day.n, value=day.value, interval=day.interval,
                was=usual.value, was_interval=usual.interval, unit="EUR",
            )
            for day in (draw(400, bad) for _ in range(5))
        ]  # fmt: skip
        low, high = estimate_cost(rows).interval
        covered += low <= truth <= high
    assert 900 <= covered <= 970


def test_a_value_near_zero_that_falls_is_a_large_change():
    """1 EUR becomes -9: many times the value, and a share of what predictions gain and lose."""
    check = BusinessValue(values={"tp": 10, "tn": 10, "fp": -10, "fn": -10}, unit="EUR")
    reference = window(schema=SCHEMA, check=check, **outcomes(275, 225, 225, 275))
    current = window(schema=SCHEMA, check=check, **outcomes(10, 190, 0, 0))
    found = {
        m.name: m for m in check.evaluate(context(current, reference, schema=SCHEMA))
    }  # fmt: skip
    change = found["value_change"]
    assert change.value == pytest.approx((-9 - 1) / 10)
    assert change.was == 0
    assert change.was_interval[0] < 0 < change.was_interval[1]
