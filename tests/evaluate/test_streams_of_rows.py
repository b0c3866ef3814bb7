"""Streams of rows through a check and its default rules: what is told of them, and when it ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from driftline_plugins.checks.correlation import Correlation
from driftline_plugins.checks.drift import Drift
from driftline_plugins.checks.missing import Missing
from driftline_plugins.checks.performance import Performance
from judged_windows import JudgedWindows

from driftline import Field, Kind, Schema
from driftline.types.model import Task

pytestmark = pytest.mark.system
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Rows = dict[str, np.ndarray]
Draw = Callable[..., Rows]


def schema_of(task: Task) -> Schema:
    kind = Kind.NUMERIC if task is Task.REGRESSION else Kind.CATEGORICAL
    return Schema(
        task=task,
        prediction=Field("prediction", "prediction", kind),
        score=Field("score", "score", Kind.NUMERIC) if task is Task.BINARY else None,
        label=Field("label", "label", kind),
    )


def texts(values: np.ndarray) -> np.ndarray:
    return values.astype(int).astype(str)


def binary(rng: np.random.Generator, rows: int, *, slope=1.5, bias=1.0, inflated=0.0) -> Rows:
    """Calibrated scores of a binary model; `inflated` moves the scores and leaves their order."""
    logit = slope * rng.normal(size=rows) - bias
    label = rng.random(rows) < 1 / (1 + np.exp(-logit))
    score = 1 / (1 + np.exp(-(logit + inflated)))
    return {"score": score, "prediction": texts(score >= 0.5), "label": texts(label)}


def regression(rng: np.random.Generator, rows: int, *, error=3.0) -> Rows:
    label = rng.lognormal(4, 0.5, rows)
    return {"prediction": label + error * rng.standard_t(5, rows), "label": label}


def classes(rng: np.random.Generator, rows: int, *, right=0.8) -> Rows:
    """A model of three classes that is right in a share of its rows."""
    label = rng.choice(3, rows, p=[0.5, 0.3, 0.2])
    wrong = (label + rng.integers(1, 3, rows)) % 3
    return {
        "prediction": texts(np.where(rng.random(rows) < right, label, wrong)),
        "label": texts(label),
    }


def performance(task: Task, draw: Draw, length: timedelta, seed: int) -> JudgedWindows:
    rng = np.random.default_rng((seed, 1))
    return JudgedWindows.against(Performance(), length, schema_of(task), draw(rng, 10_000))


@pytest.mark.parametrize(
    ("task", "draw", "rows", "length", "windows"),
    [
        (Task.BINARY, binary, 120, HOUR, 14 * 24),
        pytest.param(Task.BINARY, binary, 120, HOUR, 60 * 24, marks=pytest.mark.slow),
        pytest.param(
            Task.BINARY,
            lambda rng, rows: binary(rng, rows, slope=0.8, bias=2.0),
            300,
            6 * HOUR,
            90 * 4,
            marks=pytest.mark.slow,
        ),
        pytest.param(Task.REGRESSION, regression, 60, HOUR, 60 * 24, marks=pytest.mark.slow),
        pytest.param(Task.MULTICLASS, classes, 40, HOUR, 60 * 24, marks=pytest.mark.slow),
    ],
    ids=[
        "two weeks of hours",
        "AUC 0.81 in hours",
        "rare positives in 6 hours",
        "errors with heavy tails",
        "three classes",
    ],
)
def test_a_model_that_stays_as_it_is_raises_no_alarm(task, draw, rows, length, windows):
    """Rows that are independent, with labels: single windows are far off by chance and no alarm."""
    stream = performance(task, draw, length, 11)
    rng = np.random.default_rng(11)
    for _ in range(windows):
        stream.add(draw(rng, rng.poisson(rows)))
    assert not any(stream.changed())


@pytest.mark.parametrize(
    ("task", "draw", "worse", "rows", "metric"),
    [
        (Task.BINARY, lambda rng, rows, **loss: binary(rng, rows, slope=4.0, bias=0.0, **loss), {"inflated": 3.0}, 500, "accuracy"),
        (Task.REGRESSION, regression, {"error": 3.9}, 300, "mae"),
        (Task.MULTICLASS, classes, {"right": 0.7}, 400, "accuracy"),
    ],
    ids=["the ranking stays", "errors grow by 30%", "three classes"],
)  # fmt: skip
def test_a_lasting_loss_is_one_change_that_stays(task, draw, worse, rows, metric):
    """15 good days and 45 bad ones: told within four days, and the loss does not become usual."""
    stream = performance(task, draw, DAY, 12)
    rng = np.random.default_rng(12)
    for day in range(60):
        stream.add(draw(rng, rows, **(worse if day >= 15 else {})))
    is_on = stream.changed()
    first = is_on.index(True)
    assert 15 <= first < 19
    assert all(is_on[first:])
    assert any(stream.changed(metric)[:22])


def pair(transform: Callable[[np.ndarray], np.ndarray], strength: float) -> Draw:
    def draw(
        rng: np.random.Generator, rows: int, *, apart: bool = False, shift: float = 0.0
    ) -> Rows:
        a, free, c = rng.normal(size=(3, rows))
        a = a + shift
        b = strength * a + np.sqrt(1 - strength**2) * free
        return {"a": transform(a), "b": transform(rng.permutation(b) if apart else b), "c": c}

    return draw


@pytest.mark.parametrize(
    ("transform", "strength", "rows", "length", "begin", "windows"),
    [
        (lambda x: x, 0.9, 1_000, DAY, 55, 7),
        (np.exp, -0.7, 400, DAY, 30, 7),
        pytest.param(
            lambda x: np.floor(np.exp(1 + x)), 0.8, 150, HOUR, 16 * 24, 48, marks=pytest.mark.slow
        ),
    ],
    ids=["normal", "amounts that move against each other", "counts in hours"],
)
def test_columns_that_decouple_are_told_though_each_stays_as_it_is(
    transform, strength, rows, length, begin, windows
):
    """The check is one of the default checks: told in a week of days, or two days of hours."""
    assert "numeric" in Correlation.default_for
    names = {name: Field(name, name, Kind.NUMERIC) for name in "abc"}
    draw, rng = pair(transform, strength), np.random.default_rng(13)
    stream = JudgedWindows.against(Correlation(), length, Schema(features=names), draw(rng, 10_000))
    shifts = rng.normal(0, 0.05, begin + windows)
    for number, shift in enumerate(shifts):
        stream.add(draw(rng, rows, apart=number >= begin, shift=shift))
    is_on = stream.changed()
    assert not any(is_on[:begin])
    assert any(is_on[begin:])


def values(rng: np.random.Generator, rows: int, *, far: bool = False) -> Rows:
    return {"x": rng.normal(4.0 * far, 1, rows)}


def amounts(rng: np.random.Generator, rows: int, *, far: bool = False) -> Rows:
    """Amounts of which one row in ten is 0, three times as large while `far`."""
    paid = rng.random(rows) > 0.1
    return {"x": np.where(paid, np.round(rng.lognormal(3, 0.8, rows) * (3 if far else 1), 2), 0)}


def plans(rng: np.random.Generator, rows: int, *, far: bool = False) -> Rows:
    return {
        "x": rng.choice(
            ["free", "gold", "team"], rows, p=[0.2, 0.7, 0.1] if far else [0.6, 0.3, 0.1]
        )
    }


def holes(rng: np.random.Generator, rows: int, *, far: bool = False) -> Rows:
    x = rng.normal(size=rows)
    x[rng.random(rows) < (0.3 if far else 0.01)] = np.nan
    return {"x": x}


@pytest.mark.parametrize(
    ("check", "draw", "kind", "begin", "lasts"),
    [
        (Drift(), values, Kind.NUMERIC, 10, 45),
        pytest.param(Drift(), amounts, Kind.NUMERIC, 3, 60, marks=pytest.mark.slow),
        (Drift(), plans, Kind.CATEGORICAL, 20, 30),
        pytest.param(Missing(), holes, Kind.NUMERIC, 0, 40, marks=pytest.mark.slow),
    ],
    ids=["4 sd", "amounts times three", "shares of plans", "missing values from the first day"],
)
def test_a_long_drift_ends_with_the_third_window_that_is_back(check, draw, kind, begin, lasts):
    """150 rows a day. However long it lasts, the drift does not become usual."""
    rng = np.random.default_rng(15)
    schema = Schema(features={"x": Field("x", "x", kind)})
    stream = JudgedWindows.against(check, DAY, schema, draw(rng, 1_000))
    for day in range(begin + lasts + 30):
        stream.add(draw(rng, 150, far=begin <= day < begin + lasts))
    is_on = stream.changed()
    assert not any(is_on[:begin])
    assert all(is_on[begin + 1 : begin + lasts])
    assert not any(is_on[begin + lasts + 2 :])
