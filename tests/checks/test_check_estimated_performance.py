"""Performance estimated from scores: right where labels follow the scores, and silent elsewhere."""

from collections import Counter

import numpy as np
import pytest
from driftline_plugins.checks.estimated_performance import EstimatedPerformance
from profile_builder import HOUR, START, binary_scores, context, numeric
from sklearn import metrics as sk

from driftline import Field, Kind, Schema, Window
from driftline.contracts.check import CheckContext
from driftline.kit.checks import Task

SCHEMA = Schema(score=Field("s", "s", Kind.NUMERIC), task=Task.BINARY)
CHECK = EstimatedPerformance()


def probability(score):
    """Scores that are too extreme: the labels follow other probabilities."""
    odds = np.log(score / (1 - score))
    return 1 / (1 + np.exp(-(0.6 * odds - 0.3)))


def rows(rng, count, center=0.0):
    """Scores around a centre, and the labels that follow them."""
    score = 1 / (1 + np.exp(-rng.normal(center, 1.5, count)))
    return (rng.random(count) < probability(score)).astype(int), score


def evaluate(reference, now, check=CHECK, schema=SCHEMA, hours=0):
    """The estimates of scores `now` by a reference of labels and scores."""
    y, s = reference
    edges = np.unique(np.quantile(s, np.linspace(0, 1, 1500), method="inverted_cdf"))
    was = Window(
        rows=len(s), scores=binary_scores(y, s, edges=edges), columns={"s": numeric("s", s, edges)}
    )
    start = START + hours * HOUR
    window = Window(
        rows=len(now), columns={"s": numeric("s", now, edges)}, start=start, end=start + HOUR
    )
    ctx = CheckContext(current=window, reference=was, schema=schema, history=lambda *_, **__: [])
    return {m.name.removeprefix("estimated_"): m for m in check.evaluate(ctx)}


def realised(y, s):
    """What the labels show."""
    hit = s >= 0.5
    return {
        "accuracy": sk.accuracy_score(y, hit),
        "precision": sk.precision_score(y, hit),
        "recall": sk.recall_score(y, hit),
        "f1": sk.f1_score(y, hit),
        "roc_auc": sk.roc_auc_score(y, s),
    }


@pytest.mark.parametrize("repeats", [60, pytest.param(1_000, marks=pytest.mark.slow)])
def test_intervals_hold_what_labels_show_later(repeats):
    """Under a shift of the scores, 90 to 97% of the intervals hold the metric of the labels."""
    rng, held, errors, naive = np.random.default_rng(1), Counter[str](), [], []
    for repeat in range(repeats):
        reference = rows(rng, 3_000)
        y, s = rows(rng, 800, rng.uniform(-1, 1))
        estimates, real = evaluate(reference, s, hours=repeat), realised(y, s)
        for name, value in real.items():
            low, high = estimates[name].interval
            held[name] += low <= value <= high
        errors.append(abs(estimates["accuracy"].value - real["accuracy"]))
        naive.append(abs(estimates["accuracy"].was - real["accuracy"]))
    for name, count in held.items():
        assert 0.9 <= count / repeats <= 0.97 + 2 / np.sqrt(repeats) * 0.2, (name, count)
    assert np.mean(errors) < 0.8 * np.mean(naive), "better than to assume the reference"


def test_the_estimate_of_many_rows_is_near():
    """With 50,000 rows on both sides accuracy, recall and AUC are within half a point."""
    rng = np.random.default_rng(2)
    reference = rows(rng, 50_000)
    y, s = rows(rng, 50_000, 0.8)
    estimates = evaluate(reference, s)
    for name, value in realised(y, s).items():
        assert estimates[name].value == pytest.approx(value, abs=0.006), name


def test_the_reference_is_shown_with_its_real_metrics():
    """`was` is what the labels of the reference show."""
    rng = np.random.default_rng(3)
    y, s = rows(rng, 2_000)
    estimates = evaluate((y, s), s)
    assert {name: m.was for name, m in estimates.items()} == pytest.approx(realised(y, s), abs=2e-3)


@pytest.mark.parametrize(
    ("reference_rows", "scale", "reason"),
    [
        (100, 1.0, "fewer than 200 labelled rows"),
        (2_000, 100.0, "no probabilities"),
    ],
)
def test_no_estimate_has_a_reason(reference_rows, scale, reason):
    """Few labels and scores in percent give no number."""
    rng = np.random.default_rng(4)
    y, s = rows(rng, reference_rows)
    for measurement in evaluate((y, s), s * scale).values():
        assert measurement.value is None
        assert reason in measurement.reason


@pytest.mark.parametrize("label", [0, 1])
def test_a_reference_of_one_class_gives_no_estimate(label):
    """It would promise that class for each score, without any doubt."""
    _, s = rows(np.random.default_rng(5), 500)
    for measurement in evaluate((np.full(500, label), s), s).values():
        assert measurement.value is None
        assert "have one class" in measurement.reason


def test_scores_beyond_the_reference_give_no_estimate():
    """A fifth of the scores lie where the reference has no labels."""
    rng = np.random.default_rng(5)
    y, s = rows(rng, 2_000)
    keep = s < 0.7
    now = np.concatenate((s[keep][:800], np.linspace(0.75, 0.95, 200)))
    [estimate, *_] = evaluate((y[keep], s[keep]), now).values()
    assert estimate.reason == "20% of scores lie beyond those of the labelled reference"


def test_other_models_have_no_estimate():
    """A model without a score says so."""
    measurements = list(CHECK.evaluate(context(Window(rows=3), task=Task.REGRESSION)))
    assert {m.reason for m in measurements} == {
        "the model is not binary, or its records have no score"
    }
