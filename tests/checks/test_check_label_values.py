"""Labels themselves: their drift, labels of one class, and labels of a selection of the rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from driftline_plugins.checks.label_classes import LabelClasses
from driftline_plugins.checks.labels import LabelCoverage
from profile_builder import HOUR, START, binary_scores, categorical, context, judged, numeric

from driftline import Field, Kind, Window
from driftline.kit.checks import RegressionSums, Scores, Task

LABEL = Field("y", "y", Kind.CATEGORICAL)
NUMBER = Field("y", "y", Kind.NUMERIC)
SCORE = Field("s", "s", Kind.NUMERIC)
CLASS = Field("p", "p", Kind.CATEGORICAL)


def label_window(labels, classes=("a", "b", "c")):
    counts = Counter(labels)
    scores = Scores(rows=len(labels), labelled=len(labels), label_values=counts, classes=classes)
    return Window(rows=len(labels), scores=scores, start=START, end=START + HOUR)


def measure_classes(now, was, **schema):
    ctx = context(now, was, label=schema.pop("label", LABEL), **schema)
    return {m.name: m for m in LabelClasses().evaluate(ctx)}


def draw(rng, shares, rows):
    return rng.choice(["a", "b", "c"], rows, p=shares).tolist()


def test_labels_of_one_class_are_a_fault():
    """400 labels `a`, of which the reference has a half, are told with the name of the class."""
    was = label_window(draw(np.random.default_rng(0), [0.5, 0.3, 0.2], 1_000))
    [found] = [measure_classes(label_window(["a"] * 400), was, task=Task.MULTICLASS)["one_class"]]
    assert (found.value, found.detail) == (1.0, {"class": "a"})
    assert judged(LabelClasses(), found) == "changed"


def test_a_redacted_label_is_not_named():
    """The class stays out of the measurement."""
    was = label_window(draw(np.random.default_rng(0), [0.5, 0.3, 0.2], 1_000))
    now = label_window(["a"] * 400)
    found = measure_classes(now, was, task=Task.MULTICLASS, redact=frozenset({"y"}))["one_class"]
    assert (found.value, found.detail) == (1.0, {})


@pytest.mark.parametrize(
    ("now", "was"),
    [
        (["a"] * 12, ["a"] * 500 + ["b"] * 500),
        (["a"] * 5_000, ["a"] * 9_990 + ["b"] * 10),
        (["a"] * 300 + ["b"], ["a"] * 500 + ["b"] * 500),
        (["a"] * 300, ["a"] * 900),
    ],
    ids=["few labels", "a rare other class", "one label of another class", "as in the reference"],
)
def test_one_class_by_chance_is_no_fault(now, was):
    """Few labels, or labels of which nearly all were of that class, say nothing."""
    found = measure_classes(label_window(now), label_window(was), task=Task.MULTICLASS)
    assert found["one_class"].value == 0.0


def scores_window(share, reverse, rows=2_000, seed=1):
    """Scores that separate the classes; `reverse` gives the probability of the other class."""
    rng = np.random.default_rng(seed)
    y = rng.random(rows) < share
    s = np.clip(0.35 + 0.3 * y + rng.normal(0, 0.12, rows), 0, 1)
    scores = binary_scores(y, 1 - s if reverse else s, edges=np.linspace(0, 1, 201))
    return Window(rows=rows, scores=scores, start=START, end=START + HOUR)


@pytest.mark.parametrize(
    ("now", "was", "verdict"),
    [
        (scores_window(0.3, True), scores_window(0.3, True, seed=2), "changed"),
        (scores_window(0.02, True), scores_window(0.02, True, seed=2), "changed"),
        (scores_window(0.3, True), None, "changed"),
        (scores_window(0.3, False), scores_window(0.3, False, seed=2), "ok"),
        # The loss of a model is told by its metrics.
        (scores_window(0.3, True), scores_window(0.3, False, seed=2), "ok"),
    ],
)
def test_a_score_of_the_other_class_is_a_fault(now, was, verdict):
    """Higher scores have fewer positive labels, in the window and in the reference."""
    schema = {"task": Task.BINARY, "score": SCORE, "positive": "1"}
    found = measure_classes(now, was, **schema)["reversed_score"]
    assert judged(LabelClasses(), found) == verdict


def test_few_labels_do_not_tell_whose_score_it_is():
    """Nine positive labels have no ROC AUC."""
    few = scores_window(0.3, True, rows=30)
    found = measure_classes(few, None, task=Task.BINARY, score=SCORE, positive="1")
    assert found["reversed_score"].value is None
    assert found["reversed_score"].reason


def test_the_shift_of_class_shares_is_psi():
    """Three classes: the PSI of their shares, with an interval that holds it; none without drift."""
    rng = np.random.default_rng(1)
    was, now = [0.5, 0.3, 0.2], [0.3, 0.3, 0.4]
    true_psi = sum((q - p) * np.log(q / p) for p, q in zip(was, now, strict=True))
    reference = label_window(draw(rng, was, 20_000))
    moved = measure_classes(label_window(draw(rng, now, 20_000)), reference, task=Task.MULTICLASS)
    same = measure_classes(label_window(draw(rng, was, 20_000)), reference, task=Task.MULTICLASS)
    low, high = moved["label_psi"].interval
    assert low < true_psi < high
    assert moved["label_psi"].value == pytest.approx(true_psi, rel=0.1)
    assert same["label_psi"].value < 0.001
    assert "positive_rate" not in moved


def regression_window(y, error=0.0):
    y = np.asarray(y, float)
    centre = 100.0
    off = y - centre
    sums = RegressionSums(
        n=len(y), e=error * len(y), y=float(off.sum()), y2=float((off**2).sum()), centre=centre
    )
    return Window(
        rows=len(y),
        scores=Scores(rows=len(y), labelled=len(y), regression=sums),
        start=START,
        end=START + HOUR,
    )


def test_the_shift_of_a_numeric_label_is_in_standard_deviations():
    """The mean label rose by half a standard deviation."""
    rng = np.random.default_rng(2)
    was, now = rng.normal(120, 20, 5_000), rng.normal(130, 20, 2_000)
    found = measure_classes(
        regression_window(now), regression_window(was), label=NUMBER, task=Task.REGRESSION
    )["label_mean_shift"]
    assert found.value == pytest.approx((now.mean() - was.mean()) / was.std())
    low, high = found.interval
    assert low < 0.5 < high
    assert found.detail == pytest.approx({"mean": now.mean(), "mean_was": was.mean()})


@pytest.mark.parametrize(
    ("now", "was", "reason"),
    [
        ([], [1.0, 2.0], "no labels"),
        ([1.0, 2.0], [1.0], "the reference has too few labels"),
        ([1.0, 2.0], [3.0] * 9, "all labels of the reference are the same"),
        ([1e200, 1.0], [1.0, 2.0], "the labels are too large to compare"),
    ],
)
def test_a_numeric_label_without_shift_has_a_reason(now, was, reason):
    """No labels, or labels that can't be compared."""
    with np.errstate(over="ignore"):
        found = measure_classes(
            regression_window(now), regression_window(was), label=NUMBER, task=Task.REGRESSION
        )["label_mean_shift"]
    assert (found.value, found.reason) == (None, reason)


def selected(window, **schema):
    found = {m.name: m for m in LabelCoverage().evaluate(context(window, None, **schema))}
    return found["selection"]


def binary_window(rng, choose, rows=5_000):
    """Scores of all rows, and labels of those that `choose` says."""
    s = rng.beta(2, 3, rows)
    y, chosen = rng.random(rows) < s, choose(s)
    edges = np.unique(np.quantile(s, np.linspace(0, 1, 500), method="inverted_cdf"))
    scores = replace(binary_scores(y[chosen], s[chosen], edges=edges), rows=rows)
    columns = {"s": numeric("s", s, edges)}
    return Window(rows=rows, columns=columns, scores=scores, start=START, end=START + HOUR)


def test_labels_of_high_scores_are_a_selection():
    """Rows with high scores are labelled first, as frauds are: told, with the number of rows."""
    rng = np.random.default_rng(3)
    window = binary_window(rng, lambda s: rng.random(len(s)) < s**3)
    found = selected(window, score=SCORE, task=Task.BINARY)
    assert found.interval[0] > 0.5
    assert found.detail == {"labelled_rows": window.scores.labelled, "rows": 5_000}
    assert judged(LabelCoverage(), found) == "changed"


def test_a_random_tenth_is_no_selection():
    """Labels of random rows: no window of 50 is `changed`, and 0 is in nearly all intervals."""
    rng, held = np.random.default_rng(4), 0
    for _ in range(50):
        window = binary_window(rng, lambda s: rng.random(len(s)) < 0.1, rows=3_000)
        found = selected(window, score=SCORE, task=Task.BINARY)
        held += found.interval[0] <= 0.0
        assert judged(LabelCoverage(), found) != "changed"
    assert held >= 45


def test_all_rows_labelled_are_no_selection():
    """It is 0, for sure."""
    window = binary_window(np.random.default_rng(5), lambda s: s >= 0)
    found = selected(window, score=SCORE, task=Task.BINARY)
    assert (found.value, found.interval) == (0.0, (0.0, 0.0))


def test_predicted_classes_show_a_selection():
    """Nearly only rows predicted `b` have labels."""
    predictions = ["a"] * 600 + ["b"] * 400
    confusion = {("a", "a"): 10, ("b", "b"): 180, ("a", "b"): 10}
    window = Window(
        rows=1_000,
        columns={"p": categorical("p", predictions)},
        scores=Scores(rows=1_000, labelled=200, confusion=confusion),
        start=START,
        end=START + HOUR,
    )
    found = selected(window, prediction=CLASS, task=Task.MULTICLASS)
    p, q = np.array([0.6, 0.4]), np.array([0.05, 0.95])
    assert found.value == pytest.approx(np.sum((q - p) * np.log(q / p)), rel=0.05)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_mean_predictions_show_a_selection_in_regression(shift):
    """The squared difference of mean predictions, in standard deviations."""
    rng = np.random.default_rng(6)
    predictions = rng.normal(50, 10, 4_000)
    chosen = np.argsort(predictions * shift + rng.normal(0, 5, 4_000))[:300]
    labelled = regression_window(predictions[chosen] - 1.0, error=1.0).scores
    window = Window(
        rows=4_000,
        columns={"p": numeric("p", predictions)},
        scores=replace(labelled, rows=4_000),
        start=START,
        end=START + HOUR,
    )
    found = selected(window, prediction=replace(CLASS, kind=Kind.NUMERIC), task=Task.REGRESSION)
    distance = (predictions[chosen].mean() - predictions.mean()) / predictions.std()
    low, high = found.interval
    assert low <= distance**2 <= high
    assert (low > 0.1) == (shift > 0)


def test_no_labels_are_no_selection():
    """Without labels, and without predictions, there is a reason."""
    window = Window(rows=5, scores=Scores(rows=5), start=START, end=START + HOUR)
    assert selected(window, task=Task.BINARY).reason == "no labels"
    window = replace(window, scores=Scores(rows=5, labelled=2))
    assert selected(window, task=Task.BINARY).reason == "the window has no predictions"
