"""The measurements of the other checks on 40 shapes of columns, over splits and merges, against
numpy, scipy and scikit-learn on the raw rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.stats as ss
from column_shapes import Rows, draw
from driftline_plugins.checks.correlation import Correlation
from driftline_plugins.checks.drift import Drift
from driftline_plugins.checks.label_classes import LabelClasses
from driftline_plugins.checks.missing import Missing
from driftline_plugins.checks.other_tool import OtherTool
from driftline_plugins.checks.performance import Performance
from driftline_plugins.checks.range import OutsideRange
from driftline_plugins.checks.uniqueness import Uniqueness
from shape_windows import (
    PIECES,
    SHAPES,
    Columns,
    Numbers,
    assert_close,
    run,
    same_values,
    with_gaps,
)
from sklearn import metrics as sk

from driftline import Field, Kind, Measurement, Schema
from driftline.types.model import Task

pytestmark = pytest.mark.system
ONE_COLUMN = Schema(features={"x": Field("x", "x", Kind.NUMERIC)})


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("shape", SHAPES)
def test_missing_distinct_and_outside_values_are_those_of_the_rows(shape, pieces):
    """Missing, repeated and distinct values, and values beyond the reference, counted by numpy."""
    was, now = (
        with_gaps(rows, share) for rows, share in zip(draw(shape), (0.05, 0.08), strict=True)
    )
    columns = {"x": was}, {"x": now}
    before, after = (rows[~np.isnan(rows)] for rows in (was, now))
    counts = np.unique(after, return_counts=True)[1]
    # A value of 32 bits is not beyond the same value of 64 bits.
    room = 1e-6 * np.abs([before.min(), before.max()])
    room = room if "32 bits" in shape else np.zeros(2)
    outside = np.mean((after < before.min() - room[0]) | (after > before.max() + room[1]))
    found = run(Missing(), ONE_COLUMN, *columns, pieces)
    assert_close(
        found,
        {
            "missing_rate": float(np.isnan(now).mean()),
            "missing_increase": float(np.isnan(now).mean() - np.isnan(was).mean()),
            "invalid_rate": 0.0,
            "constant": float(np.ptp(after) == 0 < np.ptp(before)),
        },
    )
    found = run(OutsideRange(), ONE_COLUMN, *columns, pieces)
    assert_close(found, {"outside_rate": float(outside)})
    keyed = run(Uniqueness(keys=("x",)), ONE_COLUMN, *columns, pieces)
    assert_close(
        keyed,
        {
            "distinct_ratio": len(counts) / len(after),
            "duplicate_rate": 1 - len(counts) / len(after),
        },
    )


def other_tools(was: Rows, now: Rows) -> Iterator[tuple[str, str, float | None]]:
    """Tool, metric and value by numpy and scipy, of metrics that have no bins of their own."""
    distance = float(ss.wasserstein_distance(was, now))
    test = ss.ks_2samp(was, now, method="asymp")
    yield "evidently", "wasserstein", distance / max(float(np.std(was)), 0.001)
    yield (
        "azure",
        "normalized_wasserstein_distance",
        distance / max(float(np.std(was, ddof=1)), 0.001),
    )
    yield "nannyml", "wasserstein", distance
    yield "nannyml", "kolmogorov_smirnov", float(test.statistic)
    yield "sagemaker", "simple", float(test.statistic)


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("shape", SHAPES)
def test_distances_of_other_tools_are_those_of_the_rows(shape, pieces):
    """Wasserstein within 1% and KS within 0.001 of scipy's, in the unit of the tool."""
    was, now = same_values(*draw(shape))
    for like, metric, value in other_tools(was, now):
        found = run(
            OtherTool(like=like, metrics=(metric,)), ONE_COLUMN, {"x": was}, {"x": now}, pieces
        )
        assert_close(found, {metric: value}, absolute=0.001)


REGRESSION = Schema(
    features={},
    prediction=Field("p", "p", Kind.NUMERIC),
    label=Field("y", "y", Kind.NUMERIC),
    task=Task.REGRESSION,
)


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("shape", SHAPES)
def test_errors_of_a_regression_are_those_of_scikit_learn(shape, pieces):
    """Labels of every shape, with predictions that are off by about as much as they vary."""
    sides = []
    for seed, y in enumerate(draw(shape)):
        noise = np.random.default_rng(seed).normal(0, np.std(y) or 1.0, len(y))
        sides.append({"y": y, "p": y + 0.3 * noise + 0.01 * np.std(y)})
    y, p = sides[1]["y"], sides[1]["p"]
    centred = y - y[0]
    expected: Numbers = {
        "mae": float(sk.mean_absolute_error(y, p)),
        "rmse": float(sk.root_mean_squared_error(y, p)),
        "mse": float(sk.mean_squared_error(y, p)),
        "wape": float(np.abs(p - y).sum() / np.abs(y).sum()),
        "bias": float(np.mean(p - y)),
        "r2": float(sk.r2_score(centred, p - y[0])) if np.ptp(y) else None,
    }
    found = run(Performance(metrics=tuple(expected)), REGRESSION, *sides, pieces)
    assert_close(found, expected, absolute=1e-9 * float(np.std(p - y)))


BINARY = Schema(
    features={},
    prediction=Field("p", "p", Kind.CATEGORICAL),
    score=Field("s", "s", Kind.NUMERIC),
    label=Field("y", "y", Kind.CATEGORICAL),
    task=Task.BINARY,
    positive="1",
)


@dataclass(frozen=True)
class Scored:
    """Labels, predictions and scores of the rows of a side."""

    y: np.ndarray
    p: np.ndarray
    s: np.ndarray

    @property
    def columns(self) -> Columns:
        return {"y": self.y.astype(int), "p": self.p.astype(int), "s": self.s}


def scored(rows: Rows, scores: Rows, seed: int) -> Scored:
    """Labels that follow the ranks of the rows, and decisions at the middle rank."""
    rank = (ss.rankdata(rows) - 0.5) / len(rows)
    rng = np.random.default_rng(seed)
    return Scored(rng.random(len(rows)) < 0.1 + 0.8 * rank, rank >= 0.5, scores)


OF_ORDER = ("roc_auc", "average_precision")
OF_PROBABILITIES = ("brier", "log_loss", "calibration_gap")
OUTSIDE = {
    "Cauchy, far away",
    "two clusters",
    "shares instead of two values",
    "beyond the reference",
}
"""Shapes whose window has so many scores outside of the reference that their order is not known."""
SOME_OUTSIDE = {"uniform", "zero-inflated", "rows in the gap"}
"""Shapes whose window has so many of them that the order of the highest scores is not known."""


def threshold_metrics(side: Scored) -> Numbers:
    y, p = side.y, side.p
    varies = p.min() != p.max()
    return {
        "accuracy": float(sk.accuracy_score(y, p)),
        "precision": float(sk.precision_score(y, p)) if p.any() else None,
        "recall": float(sk.recall_score(y, p)),
        "f1": float(sk.f1_score(y, p)),
        "f0_5": float(sk.fbeta_score(y, p, beta=0.5)),
        "f2": float(sk.fbeta_score(y, p, beta=2)),
        "jaccard": float(sk.jaccard_score(y, p)),
        "balanced_accuracy": float(sk.balanced_accuracy_score(y, p)),
        "specificity": float(sk.recall_score(y, p, pos_label=0)),
        "false_positive_rate": float(1 - sk.recall_score(y, p, pos_label=0)),
        "false_negative_rate": float(1 - sk.recall_score(y, p)),
        "mcc": float(sk.matthews_corrcoef(y, p)) if varies else None,
        "cohen_kappa": float(sk.cohen_kappa_score(y, p)) if varies else None,
        "roc_auc": float(sk.roc_auc_score(y, side.s)),
        "average_precision": float(sk.average_precision_score(y, side.s)),
    }


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("shape", SHAPES)
def test_metrics_of_scores_of_any_size_are_those_of_scikit_learn(shape, pieces):
    """The rows are the scores: ROC AUC and the metrics of decisions; no metric of probabilities
    where a score is none.
    """
    was, now = (scored(rows, rows, seed) for seed, rows in enumerate(draw(shape)))
    expected = threshold_metrics(now)
    if shape in OUTSIDE:
        expected |= dict.fromkeys(OF_ORDER)
    if shape in SOME_OUTSIDE:
        expected["average_precision"] = None
    check = Performance(metrics=(*expected, *OF_PROBABILITIES))
    found = run(check, BINARY, was.columns, now.columns, pieces)
    assert_close(found, expected)
    if now.s.min() < -1e-6 or now.s.max() > 1 + 1e-6:
        assert_close(found, dict.fromkeys(OF_PROBABILITIES))


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("shape", SHAPES)
def test_metrics_of_probabilities_are_those_of_scikit_learn(shape, pieces):
    """The shares of rows at or below a value as scores, with all ties of the shape."""
    was, now = (
        scored(rows, ss.rankdata(rows) / (len(rows) + 1), seed)
        for seed, rows in enumerate(draw(shape))
    )
    expected = threshold_metrics(now) | {
        "brier": float(sk.brier_score_loss(now.y, now.s)),
        "log_loss": float(sk.log_loss(now.y, now.s)),
        "calibration_gap": float(np.mean(now.y) - np.mean(now.s)),
    }
    if shape == "shares instead of two values":
        expected |= dict.fromkeys(OF_ORDER)
    found = run(Performance(metrics=tuple(expected)), BINARY, was.columns, now.columns, pieces)
    assert_close(found, expected)
    labels = run(LabelClasses(), BINARY, was.columns, now.columns, pieces)
    assert_close(labels, {"positive_rate": float(now.y.mean()), "unknown_class_rate": 0.0})


CLASSES = Schema(
    features={},
    prediction=Field("p", "p", Kind.CATEGORICAL),
    label=Field("y", "y", Kind.CATEGORICAL),
    task=Task.MULTICLASS,
)


AVERAGED = ("precision", "recall", "f1")


def classes_of(rows: Rows, cuts: Rows) -> np.ndarray:
    """The class of each row: a letter for the number of cuts below it."""
    return np.array(list("abcdefghij"))[np.searchsorted(cuts, rows)]


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("shape", SHAPES)
def test_averages_over_classes_are_those_of_scikit_learn(shape, pieces):
    """The groups of ten of the reference are classes; a third of the predictions are another."""
    was, now = draw(shape)
    cuts, sides = np.unique(np.quantile(was, np.arange(1, 10) / 10)), []
    for seed, rows in enumerate((was, now)):
        rng, y = np.random.default_rng(seed), classes_of(rows, cuts)
        p = np.where(rng.random(len(y)) < 0.3, rng.choice(classes_of(was, cuts), len(y)), y)
        sides.append({"y": y, "p": p})
    y, p = sides[1]["y"], sides[1]["p"]
    names = (
        "accuracy",
        *(f"{kind}_{name}" for kind in ("macro", "weighted") for name in AVERAGED),
        "mcc",
        "cohen_kappa",
    )
    found = run(Performance(metrics=names), CLASSES, *sides, pieces)
    # A class that the reference lacks is not known: such labels are left out.
    known = np.isin(y, np.union1d(sides[0]["y"], sides[0]["p"]))
    if not known.any():
        assert_close(found, dict.fromkeys(names))
        return
    expected: Numbers = {
        f"{kind}_{name}": float(value)
        for kind in ("macro", "weighted")
        for name, value in zip(
            AVERAGED,
            sk.precision_recall_fscore_support(y[known], p[known], average=kind, zero_division=0),
            strict=False,
        )
    }
    varies = min(len(set(y[known])), len(set(p[known]))) > 1
    expected |= {
        "accuracy": float(sk.accuracy_score(y[known], p[known])),
        "mcc": float(sk.matthews_corrcoef(y[known], p[known])) if varies else None,
        "cohen_kappa": float(sk.cohen_kappa_score(y[known], p[known])) if varies else None,
    }
    assert_close(found, expected)


CATEGORIES = Schema(features={"c": Field("c", "c", Kind.CATEGORICAL)})
DISTANCES = ("psi", "js", "hellinger", "tvd", "linf", "chi_square", "g_test", "new_categories")


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("shape", SHAPES)
def test_distances_of_categories_are_those_of_the_rows(shape, pieces):
    """The groups of ten of the reference as categories, by numpy and scipy."""
    was, now = draw(shape)
    cuts = np.unique(np.quantile(was, np.arange(1, 10) / 10))
    before, after = classes_of(was, cuts), classes_of(now, cuts)
    columns = {"c": before}, {"c": after}
    found = run(Drift(metrics=DISTANCES), CATEGORIES, *columns, pieces)
    names = np.union1d(before, after)
    counts = [np.array([np.sum(side == name) for name in names]) for side in (before, after)]
    p, q = (side / side.sum() for side in counts)
    half = [(side + 0.5) / (side.sum() + len(side) / 2) for side in counts]
    middle = (p + q) / 2
    expected: Numbers = {
        "psi": float(np.sum((half[0] - half[1]) * np.log(half[0] / half[1]))),
        "js": math.sqrt((ss.entropy(p, middle, base=2) + ss.entropy(q, middle, base=2)) / 2),
        "hellinger": float(np.sqrt(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2) / 2)),
        "tvd": float(np.abs(p - q).sum() / 2),
        "linf": float(np.abs(p - q).max()),
        "new_categories": float(np.mean(~np.isin(after, before))),
    }
    if len(names) > 1:
        table = np.array(counts)
        expected |= {
            "chi_square": float(ss.chi2_contingency(table, correction=False).statistic),
            "g_test": float(ss.chi2_contingency(table, False, lambda_="log-likelihood").statistic),
        }
    raw = {
        name: Measurement(m.detail.get("raw", m.value), reason=m.reason)
        if name in ("psi", "js", "hellinger")
        else m
        for name, m in found.items()
    }
    assert_close(raw, expected, absolute=1e-6)


PAIR = Schema(features={name: Field(name, name, Kind.NUMERIC) for name in "xz"})


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("shape", SHAPES)
def test_rank_correlations_are_those_of_the_sampled_rows(shape, pieces):
    """Two columns, the second of which follows the ranks of the first, in the 500 sampled rows."""
    sides = []
    for seed, x in enumerate(draw(shape)):
        noise = np.random.default_rng(seed).normal(0, 0.3, len(x))
        sides.append({"x": x, "z": ss.rankdata(x) / len(x) + noise})
    found = run(Correlation(columns=("x", "z")), PAIR, *sides, pieces)
    sample = {name: values[:500] for name, values in sides[1].items()}
    varies = all(np.ptp(side["x"][:500]) > 0 for side in sides)
    value = float(ss.spearmanr(sample["x"], sample["z"]).statistic) if varies else None
    assert_close(found, {"correlation": value})
