"""Metrics of one class of two or several: scikit-learn's on raw rows, over random parts.

Counts decide most of them, so that they are the same. Metrics of the order of scores rest on the
grid of the reference: they agree within a thousandth.
"""

import numpy as np
import pytest
import scipy.stats as ss
from driftline_plugins.checks.performance import PERFORMANCE_METRICS, Performance
from profile_builder import context
from sklearn import metrics as sk
from split_profiles import split_window

from driftline.types.model import Field, Kind, Schema, Task

ROWS = 3_000
SEEDS = [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 40))]
CALIBRATIONS = frozenset(
    {
        "calibration_intercept",
        "calibration_slope",
        "debiased_calibration_error",
        "expected_calibration_error",
        "spiegelhalter_z",
    }
)
"""Metrics that scikit-learn does not have; their tests have other witnesses."""


def binary_schema(threshold):
    return Schema(
        score=Field("s", "s", Kind.NUMERIC),
        label=Field("y", "y", Kind.CATEGORICAL),
        task=Task.BINARY,
        threshold=threshold,
        positive="1",
    )


def measured(schema, columns, metrics, seed):
    """The metrics of the rows in random parts; in every other seed their labels come late."""
    window = split_window(schema, columns, seed, is_late=seed % 2 == 1)
    made = context(window, task=schema.task, threshold=schema.threshold, label=schema.label)
    return {
        (m.name, m.labels.get("class", "")): m for m in Performance(metrics=metrics).evaluate(made)
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_binary_metrics_are_those_of_scikit_learn(seed):
    """Every metric of a binary model, at any share of positives and threshold, with tied scores."""
    rng = np.random.default_rng(seed)
    y = (rng.random(ROWS) < rng.uniform(0.05, 0.9)).astype(int)
    raw = 1 / (1 + np.exp(-rng.normal((y - 0.5) * rng.uniform(0.5, 4), 1)))
    s = np.round(np.clip(raw, 1e-4, 1 - 1e-4), rng.choice([2, 3, 12]))
    threshold = float(rng.choice([0.25, 0.5, 0.7]))
    hit = (s >= threshold).astype(int)
    names = tuple(
        name
        for name, metric in PERFORMANCE_METRICS.items()
        if Task.BINARY in metric.tasks and name not in CALIBRATIONS
    )
    found = measured(binary_schema(threshold), {"s": s, "y": y.astype(str)}, names, seed)
    top = np.argsort(-s, kind="stable")[: ROWS // 10]
    exact = {
        "accuracy": sk.accuracy_score(y, hit),
        "balanced_accuracy": sk.balanced_accuracy_score(y, hit),
        "precision": sk.precision_score(y, hit),
        "recall": sk.recall_score(y, hit),
        "specificity": sk.recall_score(y, hit, pos_label=0),
        "false_positive_rate": 1 - sk.recall_score(y, hit, pos_label=0),
        "false_negative_rate": 1 - sk.recall_score(y, hit),
        "f1": sk.f1_score(y, hit),
        "f0_5": sk.fbeta_score(y, hit, beta=0.5),
        "f2": sk.fbeta_score(y, hit, beta=2),
        "jaccard": sk.jaccard_score(y, hit),
        "mcc": sk.matthews_corrcoef(y, hit),
        "cohen_kappa": sk.cohen_kappa_score(y, hit),
        "log_loss": sk.log_loss(y, s),
        "brier": sk.brier_score_loss(y, s),
        "calibration_gap": y.mean() - s.mean(),
    }
    of_grid = {
        "roc_auc": sk.roc_auc_score(y, s),
        "average_precision": sk.average_precision_score(y, s),
        "separation": ss.ks_2samp(s[y == 0], s[y == 1]).statistic,
    }
    for name, value in exact.items():
        assert found[name, ""].value == pytest.approx(value, rel=1e-9, abs=1e-12), name
    for name, value in of_grid.items():
        assert found[name, ""].value == pytest.approx(value, rel=1e-3), name
    # Ties at the border of the tenth count by their share: a cell of rows may lie on either side.
    tied = np.sum(s == s[top[-1]]) / y.sum()
    assert found["gain", ""].value == pytest.approx(y[top].sum() / y.sum(), abs=tied + 1e-3)
    assert found["lift", ""].value == pytest.approx(found["gain", ""].value * 10, rel=1e-3)
    assert set(names) == set(exact) | set(of_grid) | {"gain", "lift"}


@pytest.mark.parametrize("seed", SEEDS)
def test_metrics_of_several_classes_are_those_of_scikit_learn(seed):
    """Every metric of counts, with averages and by class; a class may be predicted only."""
    rng = np.random.default_rng(seed + 100)
    classes = np.array(["ant", "bee", "cat", "dog", "eel"][: rng.integers(3, 6)])
    shares = rng.dirichlet(np.full(len(classes), 2.0))
    y = rng.choice(classes, ROWS, p=shares)
    p = np.where(rng.random(ROWS) < rng.uniform(0.3, 0.95), y, rng.choice(classes, ROWS))
    if seed % 3 == 0:
        p[:5] = "owl"
    schema = Schema(
        prediction=Field("p", "p", Kind.CATEGORICAL),
        label=Field("y", "y", Kind.CATEGORICAL),
        task=Task.MULTICLASS,
    )
    averages = {
        f"{average}_{name}": score(y, p, average=average, zero_division=0)
        for average in ("micro", "macro", "weighted")
        for name, score in (
            ("precision", sk.precision_score),
            ("recall", sk.recall_score),
            ("f1", sk.f1_score),
        )
    }
    exact = averages | {
        "accuracy": sk.accuracy_score(y, p),
        "mcc": sk.matthews_corrcoef(y, p),
        "cohen_kappa": sk.cohen_kappa_score(y, p),
    }
    by_class = ("class_precision", "class_recall", "class_f1")
    found = measured(schema, {"p": p, "y": y}, (*exact, *by_class), seed)
    for name, value in exact.items():
        assert found[name, ""].value == pytest.approx(value, rel=1e-9), name
    for name in classes:
        of_class = {"y_true": y == name, "y_pred": p == name}
        assert found["class_precision", name].value == pytest.approx(sk.precision_score(**of_class))
        assert found["class_recall", name].value == pytest.approx(sk.recall_score(**of_class))
        assert found["class_f1", name].value == pytest.approx(sk.f1_score(**of_class))
