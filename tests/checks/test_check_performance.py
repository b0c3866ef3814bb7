"""The performance check: metrics with their intervals, and how much worse the headline is."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
import scipy.stats as ss
from driftline_plugins.checks.performance import (
    METRIC_ALIASES,
    PERFORMANCE_METRICS,
    Performance,
)
from profile_builder import binary_scores, context, judged, regression_scores, severity, window_of
from sklearn import metrics as sk

from driftline import Field, Kind, Schema, above
from driftline.kit.checks import Decision, Scores, Task
from driftline.profiles.window import RegressionSums
from driftline.testing import context as context_of
from driftline.testing import window

CHECK = Performance()
BOUNDS = above(warning=0.02, critical=0.05)
"""A rule for `drop` that somebody configured."""


def measured(now, was=None, check=CHECK, **schema):
    reference = None if was is None else window_of(was)
    return {m.name: m for m in check.evaluate(context(window_of(now), reference, **schema))}


def logits(seed, n, quality):
    draw = np.random.default_rng(seed)
    y = (draw.random(n) < 0.4).astype(float)
    return y, 1 / (1 + np.exp(-(quality * (y - 0.5) + draw.normal(0, 1, n))))


def test_binary_metrics_are_those_of_the_rows():
    """Every metric of a binary model equals its plain definition over the rows, and lies in its
    interval.
    """
    y, s = logits(1, 900, 1.5)
    found = measured(binary_scores(y, s))
    hit = s >= 0.5
    plain = {
        "accuracy": np.mean(hit == y),
        "precision": y[hit].mean(),
        "recall": hit[y == 1].mean(),
        "f1": 2 * np.sum(hit * y) / (hit.sum() + y.sum()),
        "roc_auc": ss.mannwhitneyu(s[y == 1], s[y == 0]).statistic / (y.sum() * (1 - y).sum()),
        "log_loss": -np.mean(np.log(np.where(y == 1, s, 1 - s))),
        "brier": np.mean((s - y) ** 2),
    }
    assert {name: found[name].value for name in plain} == pytest.approx(plain)
    assert all(
        found[name].interval[0] < value < found[name].interval[1] for name, value in plain.items()
    )
    assert found["precision"].rows == hit.sum()


def test_every_metric_by_name_is_that_of_scikit_learn():
    """Metrics of the confusion cells and of the order of scores agree; those of the score grid do
    within a thousandth.
    """
    y, s = logits(1, 900, 1.5)
    hit = (s >= 0.5).astype(float)
    now = binary_scores(y, s)
    names = [name for name, m in PERFORMANCE_METRICS.items() if Task.BINARY in m.tasks]
    measurements = measured(now, check=Performance(metrics=names))
    plain = {
        "accuracy": sk.accuracy_score(y, hit),
        "balanced_accuracy": sk.balanced_accuracy_score(y, hit),
        "specificity": sk.recall_score(y, hit, pos_label=0),
        "false_positive_rate": 1 - sk.recall_score(y, hit, pos_label=0),
        "false_negative_rate": 1 - sk.recall_score(y, hit),
        "f0_5": sk.fbeta_score(y, hit, beta=0.5),
        "f2": sk.fbeta_score(y, hit, beta=2),
        "jaccard": sk.jaccard_score(y, hit),
        "mcc": sk.matthews_corrcoef(y, hit),
        "cohen_kappa": sk.cohen_kappa_score(y, hit),
        "average_precision": sk.average_precision_score(y, s),
        "separation": ss.ks_2samp(s[y == 0], s[y == 1]).statistic,
        "gain": y[np.argsort(-s)[:90]].sum() / y.sum(),
        "lift": y[np.argsort(-s)[:90]].mean() / y.mean(),
        "calibration_gap": np.mean(y - s),
    }
    for name, value in plain.items():
        assert measurements[name].value == pytest.approx(value, rel=1e-3), name
    assert all(measurements[name].value is not None for name in names)


def test_metrics_of_several_classes_are_those_of_scikit_learn():
    """Correlation, kappa and weighted averages agree."""
    rng = np.random.default_rng(3)
    y = rng.choice(list("abc"), 500)
    guess = np.where(rng.random(500) < 0.6, y, rng.choice(list("abc"), 500))
    confusion = Counter(zip(y.tolist(), guess.tolist(), strict=True))
    names = ("mcc", "cohen_kappa", "weighted_precision", "weighted_recall", "weighted_f1")
    now = Scores(rows=500, labelled=500, confusion=confusion)
    measurements = measured(now, check=Performance(metrics=names), task=Task.MULTICLASS)
    assert {name: measurements[name].value for name in names} == pytest.approx(
        {
            "mcc": sk.matthews_corrcoef(y, guess),
            "cohen_kappa": sk.cohen_kappa_score(y, guess),
            "weighted_precision": sk.precision_score(y, guess, average="weighted"),
            "weighted_recall": sk.recall_score(y, guess, average="weighted"),
            "weighted_f1": sk.f1_score(y, guess, average="weighted"),
        }
    )


def test_metrics_of_errors_by_name():
    """MSE and WAPE are those of the rows, within their intervals."""
    draw = np.random.default_rng(2)
    y = draw.normal(50, 10, 400)
    p = y + draw.normal(1, 3, 400)
    check = Performance(metrics=("mse", "wape"))
    measurements = measured(regression_scores(y, p), check=check, task=Task.REGRESSION)
    for name, value in (
        ("mse", np.mean((p - y) ** 2)),
        ("wape", np.abs(p - y).sum() / np.abs(y).sum()),
    ):
        assert measurements[name].value == pytest.approx(value)
        assert measurements[name].interval[0] < value < measurements[name].interval[1]


def test_names_of_other_tools_are_accepted():
    """SageMaker's, Arize's, Evidently's and scikit-learn's name the same metric."""
    for alias, name in METRIC_ALIASES.items():
        assert name in PERFORMANCE_METRICS
        assert Performance(metrics=(alias,)).metrics == (name,)
    assert Performance(headline="auc").headline == "roc_auc"


def test_a_metric_of_another_task_has_a_reason():
    """The MAE of a binary model has no value."""
    mae = measured(Scores(rows=40), check=Performance(metrics=("mae",)), task=Task.BINARY)["mae"]
    assert mae.value is None
    assert mae.reason == "mae is a metric of regression models, not of binary ones"


def test_no_calibration_of_scores_that_are_no_probabilities():
    """The reason says so for each metric of calibration."""
    y, s = logits(1, 200, 1.5)
    names = ("expected_calibration_error", "calibration_slope", "spiegelhalter_z")
    measurements = measured(binary_scores(y, s * 100), check=Performance(metrics=names))
    for name in names:
        assert measurements[name].value is None
        assert "no probabilities" in measurements[name].reason


def test_regression_metrics_are_those_of_the_rows():
    """MAE, RMSE, R2 and bias equal their plain definitions over the rows, and lie in their
    intervals.
    """
    draw = np.random.default_rng(2)
    y = draw.normal(50, 10, 400)
    p = y + draw.normal(1, 3, 400)
    found = measured(regression_scores(y, p))
    plain = {
        "mae": np.abs(p - y).mean(),
        "rmse": np.sqrt(np.mean((p - y) ** 2)),
        "r2": 1 - np.sum((p - y) ** 2) / np.sum((y - y.mean()) ** 2),
        "bias": np.mean(p - y),
    }
    assert {name: found[name].value for name in plain} == pytest.approx(plain)
    assert all(
        found[name].interval[0] < value < found[name].interval[1] for name, value in plain.items()
    )


def test_multiclass_metrics_are_macro_averages():
    """Accuracy and the macro averages come from the counts of label and prediction."""
    scores = Scores(
        rows=100,
        labelled=100,
        confusion={("a", "a"): 40, ("a", "b"): 10, ("b", "b"): 20, ("c", "b"): 10, ("c", "c"): 20},
    )
    found = measured(scores)
    assert found["accuracy"].value == 0.8
    assert found["macro_recall"].value == pytest.approx((0.8 + 1 + 2 / 3) / 3)
    assert found["macro_precision"].value == pytest.approx((1 + 0.5 + 1) / 3)
    assert found["drop"].detail["metric"] == "accuracy"


def test_a_worse_model_drops():
    """An AUC that fell by a tenth on many rows is critical; `was` has the old one, and the detail
    names the metric.
    """
    found = measured(binary_scores(*logits(3, 4_000, 0.8)), binary_scores(*logits(4, 4_000, 2.0)))
    drop = found["drop"]
    assert drop.value == pytest.approx(found["roc_auc"].was - found["roc_auc"].value)
    assert drop.value > 0.1
    assert severity(CHECK, drop, BOUNDS) == "critical"
    assert drop.detail["metric"] == "roc_auc"
    assert severity(CHECK, found["roc_auc"]) == "critical"


def test_a_better_model_is_ok():
    """An improvement is a negative drop and never a change, for scores and for errors."""
    scores = measured(binary_scores(*logits(3, 3_000, 2.5)), binary_scores(*logits(4, 3_000, 1.0)))[
        "drop"
    ]
    y = np.random.default_rng(5).normal(0, 10, 3_000)
    errors = measured(regression_scores(y, y * 0.95), regression_scores(y, y * 0.8))["drop"]
    for drop in (scores, errors):
        assert drop.value < 0
        assert judged(CHECK, drop, BOUNDS) == "ok"


def test_few_labels_are_unsure():
    """On forty labelled rows a drop may be chance."""
    found = measured(binary_scores(*logits(6, 60, 1.5)), binary_scores(*logits(4, 4_000, 1.5)))
    assert judged(CHECK, found["drop"], BOUNDS) == "unsure"
    assert judged(CHECK, found["roc_auc"]) == "unsure"


def test_the_drop_of_an_error_is_relative():
    """An MAE of 2 where it was 1 is a drop of 1, whatever the unit of the label."""
    y = np.random.default_rng(5).normal(0, 1_000, 500)
    noise = np.random.default_rng(6).exponential(100, 500)
    drop = measured(regression_scores(y, y + 2 * noise), regression_scores(y, y + noise))["drop"]
    assert drop.value == pytest.approx(1)
    assert 0.5 < drop.interval[0] < 1 < drop.interval[1] < 1.5
    assert severity(CHECK, drop, BOUNDS) == "critical"


def test_the_same_numbers_on_both_sides_are_ok():
    """A window that is its own reference has not dropped, with certainty."""
    scores = binary_scores(*logits(7, 60, 1.0))
    drop = measured(scores, scores)["drop"]
    assert (drop.value, drop.interval) == (0, (0, 0))
    assert judged(CHECK, drop, BOUNDS) == "ok"


def test_the_headline_can_be_chosen():
    """The drop compares the metric that was asked for, turned so that above 0 is worse."""
    was, now = binary_scores(*logits(8, 2_000, 2.0)), binary_scores(*logits(9, 2_000, 0.5))
    loss = measured(now, was, Performance(headline="log_loss"))
    assert loss["drop"].value == pytest.approx(loss["log_loss"].value - loss["log_loss"].was)
    recall = measured(now, was, Performance(headline="recall", metrics=("recall",)))
    assert set(recall) == {"recall", "drop"}
    assert recall["drop"].value == pytest.approx(recall["recall"].was - recall["recall"].value)


def test_a_perfect_reference_leaves_room_for_doubt():
    """An accuracy of 1 on few reference rows is not taken as certain."""
    now, was = (
        Scores(rows=100, labelled=100, confusion={("a", "a"): 95, ("b", "a"): 5}),
        Scores(rows=20, labelled=20, confusion={("a", "a"): 20}),
    )
    drop = measured(now, was, task=Task.MULTICLASS)["drop"]
    assert drop.value == pytest.approx(0.05)
    assert drop.interval[0] < 0


def test_what_is_undefined_has_a_reason():
    """No labels, no positive predictions, no scores, few positives and constant labels are reasons,
    not zeros.
    """
    assert measured(Scores(rows=500))["accuracy"].reason == "no labelled rows"
    decided = Scores(rows=100, labelled=100, confusion={("1", "0"): 5, ("0", "0"): 95})
    found = measured(decided)
    assert found["precision"].reason == "nothing was predicted positive"
    assert found["log_loss"].reason == "no labelled rows with a score"
    assert found["roc_auc"].value is None
    assert found["recall"].value == 0
    assert found["drop"].reason.startswith("the reference has no accuracy")
    few = measured(binary_scores([1] * 9 + [0] * 50, np.linspace(0.9, 0.1, 59)))
    assert few["roc_auc"].reason == "needs 10 positive and negative labels: 9 and 50"
    flat = measured(
        Scores(rows=50, labelled=50, regression=RegressionSums(n=50, e=5, abs_e=5, e2=5, e4=5))
    )
    assert flat["r2"].reason == "all labels are the same"


def test_the_schema_decides_the_task():
    """Where the schema names the task its metrics are measured, also without any label."""
    names = {"mae", "rmse", "r2", "bias", "drop", "mae_of_baseline"}
    assert set(measured(Scores(), task=Task.REGRESSION)) == names
    assert "macro_f1" in measured(Scores(), task=Task.MULTICLASS)


def test_scores_that_are_no_probabilities_have_no_brier_score():
    """A score of 3 is a mistake of the log, and no number between 0 and 1 comes of it."""
    found = measured(binary_scores([0, 1] * 50, [3.0] * 100))["brier"]
    assert found.value is None
    assert "no probabilities" in found.reason


def test_it_says_what_is_to_be_done():
    """With a decision in its settings the drop and the judged metrics bear it, and no others."""
    was, now = binary_scores(*logits(8, 2_000, 2.0)), binary_scores(*logits(9, 2_000, 0.5))
    found = measured(now, was, Performance(decision="retrain"))
    judged_metrics = {"accuracy", "recall", "roc_auc", "brier", "calibration_gap"}
    assert {name: m.decision for name, m in found.items() if m.decision} == dict.fromkeys(
        {*judged_metrics, "drop"}, Decision.RETRAIN
    )


def test_labels_that_leave_the_scores_are_a_calibration_gap():
    """The mean label less the mean score, with its interval, also where the scores stayed."""
    y, s = logits(10, 3_000, 1.5)
    found = measured(binary_scores(y, s))["calibration_gap"]
    assert found.value == pytest.approx(np.mean(y - s))
    spread = np.std(y - s, ddof=1) / np.sqrt(3_000)
    assert found.interval == pytest.approx(
        (found.value - 1.96 * spread, found.value + 1.96 * spread), abs=2e-4
    )
    assert CHECK.default_rules["calibration_gap"].loss.side == "both"


REGRESSION = Schema(
    features={},
    prediction=Field("p", "p", Kind.NUMERIC),
    label=Field("y", "y", Kind.NUMERIC),
    task=Task.REGRESSION,
)


@pytest.mark.parametrize(
    ("predictions", "labels", "reason"),
    [
        ([1e200, -3e180], [1.0, 2.0], "p has only values that are infinite or beyond 1e+150"),
        ([1.0, 2.0], [float("inf"), 1e300], "y has only values that are infinite or beyond 1e+150"),
        ([1.0, 2.0], [None, None], "no labelled rows"),
    ],
)
def test_errors_that_no_row_has_name_their_column(predictions, labels, reason):
    """Predictions of 1e200 are there, and no metric can be made from them."""
    now = window(schema=REGRESSION, check=CHECK, p=predictions, y=labels)
    found = {m.name: m for m in CHECK.evaluate(context_of(now, now, schema=REGRESSION))}
    assert {m.value for m in found.values()} == {None}
    assert {found[name].reason for name in ("mae", "rmse", "r2", "bias", "drop")} == {reason}


def test_metrics_of_scores_that_a_model_lacks_say_so():
    """Decisions alone have no ROC AUC, not too few labels for it."""
    decided = Scores(rows=100, labelled=100, confusion={("1", "0"): 50, ("0", "0"): 50})
    assert measured(decided)["roc_auc"].reason == "no labelled rows with a score"
    assert measured(Scores(rows=9), decided)["recall"].reason == "no labelled rows"


SCALES = {
    "probabilities": lambda s: s,
    "one sentinel in 900": lambda s: np.where(np.arange(len(s)) == 5, -1.0, s),
    "logits": lambda s: np.log(s / (1 - s)),
    "percents": lambda s: 100 * s,
    "points up to 1000": lambda s: 1000 * s,
    "margins from -1 to 1": lambda s: 2 * s - 1,
}


@pytest.mark.parametrize("scale", SCALES)
def test_scores_alone_give_classes_only_where_they_are_probabilities(scale):
    """A threshold of 0.5 decides nothing about logits and percents: no accuracy, with the reason,
    and the ROC AUC of the rows.
    """
    y, s = logits(1, 900, 1.5)
    schema = Schema(
        features={},
        score=Field("s", "s", Kind.NUMERIC),
        label=Field("y", "y", Kind.CATEGORICAL),
        task=Task.BINARY,
    )
    values = SCALES[scale](s)
    now = window(schema=schema, check=CHECK, s=values.tolist(), y=y.astype(int).tolist())
    found = {m.name: m for m in CHECK.evaluate(context_of(now, now, schema=schema))}
    assert found["roc_auc"].value == pytest.approx(sk.roc_auc_score(y, values), rel=1e-3)
    decided = ("accuracy", "precision", "recall", "f1")
    if scale in ("probabilities", "one sentinel in 900"):
        assert found["accuracy"].value == pytest.approx(sk.accuracy_score(y, values >= 0.5))
        return
    assert {found[name].value for name in decided} == {None}
    assert all("set prediction.threshold, or name" in found[name].reason for name in decided)


def test_a_chosen_threshold_decides_about_logits():
    """The accuracy at 0 is that of scikit-learn; a reference of logits gives no accuracy to a
    window of probabilities.
    """
    y, s = logits(1, 900, 1.5)
    schema = Schema(
        features={},
        score=Field("s", "s", Kind.NUMERIC),
        label=Field("y", "y", Kind.CATEGORICAL),
        task=Task.BINARY,
        threshold=0.0,
    )
    rows = {"s": np.log(s / (1 - s)).tolist(), "y": y.astype(int).tolist()}
    of_logits = window(schema=schema, check=CHECK, **rows)
    found = {m.name: m for m in CHECK.evaluate(context_of(of_logits, of_logits, schema=schema))}
    assert found["accuracy"].value == pytest.approx(sk.accuracy_score(y, s >= 0.5))
    plain = dataclasses.replace(schema, threshold=0.5)
    rows["s"] = s.tolist()
    now = window(schema=plain, check=CHECK, **rows)
    found = {m.name: m for m in CHECK.evaluate(context_of(now, of_logits, schema=plain))}
    assert found["accuracy"].value == pytest.approx(sk.accuracy_score(y, s >= 0.5))
    assert found["accuracy"].was is None
