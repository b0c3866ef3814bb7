"""Performance estimated from scores: right where labels follow the scores, and silent elsewhere."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from driftline_plugins.checks.estimated_performance import EstimatedPerformance
from loss_streams import JudgedStream
from profile_builder import HOUR, START, binary_scores, categorical, context, numeric
from sklearn import metrics as sk

from driftline import AlertFact, Field, Kind, Schema, Severity, Window
from driftline.contracts.check import CheckContext
from driftline.kit.checks import Scores, Task

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


def evaluate(reference, now, check=CHECK, schema=SCHEMA, hours=0, labels=None, decisions=None):
    """The estimates of scores `now` by a reference of labels and scores.

    `labels` are those of the first rows of the window; `decisions` the values of column `p`.
    """
    y, s = reference
    edges = np.unique(np.quantile(s, np.linspace(0, 1, 1500), method="inverted_cdf"))
    was = Window(
        rows=len(s), scores=binary_scores(y, s, edges=edges), columns={"s": numeric("s", s, edges)}
    )
    start = START + hours * HOUR
    scores = Scores(rows=len(now))
    if labels is not None:
        scores = replace(
            binary_scores(labels, now[: len(labels)], edges=edges),
            rows=len(now),
            label_values={str(name): count for name, count in Counter(labels.tolist()).items()},
            positive="1",
        )
    window = Window(
        rows=len(now),
        columns={
            "s": numeric("s", now, edges),
            **({} if decisions is None else {"p": categorical("p", decisions)}),
        },
        scores=scores,
        start=start,
        end=start + HOUR,
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
    assert estimates.pop("correction").was is None, "no row of the window has a label"
    assert estimates.pop("weighted_accuracy").value is None, "the model has no features"
    assert estimates.pop("class_share").was == pytest.approx(np.mean(y), abs=2e-3)
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
    measurements = evaluate((y, s), s * scale)
    del measurements["class_share"]
    for measurement in measurements.values():
        assert measurement.value is None
        assert reason in measurement.reason


SCHEMA_WITH_DECISIONS = replace(SCHEMA, prediction=Field("p", "p", Kind.CATEGORICAL))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.8])
def test_scores_without_predictions_give_no_estimate(share):
    """Rows without a predicted class are no negative decisions."""
    rng = np.random.default_rng(4)
    y, s = rows(rng, 2_000)
    decisions = [str(int(v >= 0.5)) if n < share * len(s) else None for n, v in enumerate(s)]
    measurements = evaluate((y, s), s, schema=SCHEMA_WITH_DECISIONS, decisions=decisions)
    assert measurements["recall"].value is None
    assert (
        measurements["recall"].reason == f"{1 - share:.0%} of rows with a score have no prediction"
    )


def test_scores_without_the_column_of_predictions_give_no_estimate():
    y, s = rows(np.random.default_rng(4), 2_000)
    measurement = evaluate((y, s), s, schema=SCHEMA_WITH_DECISIONS)["recall"]
    assert measurement.value is None
    assert measurement.reason == "100% of rows with a score have no prediction"


def test_scores_with_predictions_have_an_estimate():
    y, s = rows(np.random.default_rng(4), 2_000)
    decisions = [str(int(value >= 0.5)) for value in s]
    measurements = evaluate(
        (y, s), s, schema=SCHEMA_WITH_DECISIONS, decisions=decisions, labels=y[:50]
    )
    assert measurements["recall"].value == pytest.approx(realised(y, s)["recall"], abs=0.1)


@pytest.mark.parametrize("label", [0, 1])
def test_a_reference_of_one_class_gives_no_estimate(label):
    """It would promise that class for each score, without any doubt."""
    _, s = rows(np.random.default_rng(5), 500)
    measurements = evaluate((np.full(500, label), s), s)
    assert measurements.pop("class_share").value is None
    for measurement in measurements.values():
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


def test_the_share_of_positives_is_estimated_under_label_shift():
    """Positives are drawn twice as often: the interval holds their share, the reference does not."""
    rng = np.random.default_rng(20)
    y, s = rows(rng, 60_000)
    share = evaluate(rows(rng, 5_000), s[_twice(rng, y)])["class_share"]
    real = np.mean(y[_twice(np.random.default_rng(21), y)])
    low, high = share.interval
    assert share.labels == {"class": "1"}
    assert low < real < high
    assert share.was + 0.05 < low


def _twice(rng, y):
    """5,000 places, with the odds of a positive label doubled."""
    weight = 1 + y
    return rng.choice(len(y), 5_000, p=weight / weight.sum())


@pytest.mark.parametrize("task", [Task.BINARY, None])
def test_models_without_a_score_have_no_estimate(task):
    """A binary model without a score, and a model without a known task, say so."""
    measurements = list(CHECK.evaluate(context(Window(rows=3), task=task)))
    assert {m.reason for m in measurements[:-1]} == {
        "the model does not predict classes, or its records have no score"
    }
    assert measurements[-1].reason == "the window has no predicted classes"


def drifted(rng, y, s, points):
    """Labels of which as many are flipped as make the accuracy `points` lower."""
    right = np.mean((s >= 0.5) == y)
    return np.where(rng.random(len(y)) < points / (2 * right - 1), 1 - y, y)


@pytest.mark.parametrize("repeats", [25, pytest.param(1_000, marks=pytest.mark.slow)])
def test_corrected_intervals_hold_under_concept_drift(repeats):
    """300 labels of 2,000 rows: the intervals hold the metrics after an accuracy loss of 8 points,
    which those of the scores alone do not.
    """
    rng, held, alone = np.random.default_rng(11), Counter[str](), 0
    for repeat in range(repeats):
        reference = rows(rng, 3_000)
        y, s = rows(rng, 2_000, rng.uniform(-0.5, 0.5))
        y = drifted(rng, y, s, 0.08)
        estimates, real = evaluate(reference, s, hours=repeat, labels=y[:300]), realised(y, s)
        for name, value in real.items():
            low, high = estimates[name].interval
            held[name] += low <= value <= high
        low, high = evaluate(reference, s, hours=repeat)["accuracy"].interval
        alone += low <= real["accuracy"] <= high
    for name, count in held.items():
        assert count / repeats >= 0.93 - 0.5 / np.sqrt(repeats), (name, count)
    assert alone / repeats < 0.2


def test_labels_at_other_scores_than_the_rest_correct_right():
    """Only rows with scores above 0.5 get labels soon: the corrected accuracy is right."""
    rng = np.random.default_rng(12)
    errors, naive = [], []
    for repeat in range(20):
        y, s = rows(rng, 4_000)
        order = np.argsort((s < 0.5) + 0.1 * rng.random(4_000), kind="stable")
        y, s = y[order], s[order]
        labels = np.concatenate((y[:700], y[-300:]))
        now = np.concatenate((s[:700], s[-300:], s[700:-300]))
        estimate = evaluate(rows(rng, 5_000), now, labels=labels, hours=repeat)["accuracy"]
        errors.append(estimate.value - np.mean((s >= 0.5) == y))
        naive.append(np.mean((now[:1_000] >= 0.5) == labels) - np.mean((s >= 0.5) == y))
    assert abs(np.mean(errors)) < 0.008
    assert abs(np.mean(naive)) > 0.02, "the labels alone would mislead"


def test_all_labels_give_the_metrics_of_the_labels():
    """Where each row has a label, the corrected estimates are what the labels show."""
    rng = np.random.default_rng(13)
    y, s = rows(rng, 3_000, 0.5)
    y = drifted(rng, y, s, 0.05)
    estimates = evaluate(rows(rng, 3_000), s, labels=y)
    for name, value in realised(y, s).items():
        assert estimates[name].value == pytest.approx(value, abs=3e-3), name
        assert estimates[name].detail["labelled_rows"] == 3_000
    low, high = estimates["accuracy"].interval
    assert high - low < 0.036


@pytest.mark.parametrize(
    ("loss", "remark"),
    [
        (0.0, "0.70 (95%: 0.60 to 0.80), confirmed by 1,000 labels"),
        (0.2, "0.70 (95%: 0.60 to 0.80), corrected by 1,000 labels (without them "),
        (None, "0.70 (95%: 0.60 to 0.80)"),
    ],
)
def test_a_message_says_whether_labels_confirm_the_estimate(loss, remark):
    """Labels that agree with the scores confirm the estimate, others correct it, and without any
    it says neither.
    """
    rng = np.random.default_rng(15)
    y, s = rows(rng, 3_000)
    labels = None if loss is None else drifted(rng, y, s, loss)[:1_000]
    estimate = evaluate(rows(rng, 5_000), s, labels=labels)["accuracy"]
    numbers = {"usual": 0.9, "now": 0.7, "now_low": 0.6, "now_high": 0.8}
    alert = AlertFact(
        check="estimates",
        measurement=estimate.name,
        severity=Severity.WARNING,
        state="firing",
        since=START,
        value=0.7,
        detail={**estimate.detail, **numbers},
    )
    sentence = CHECK.wordings[estimate.name].sentence(alert)
    if loss == 0.2:
        sentence, _, value = sentence.partition("them ")
        sentence += "them "
        assert float(value.rstrip(")")) == pytest.approx(estimate.detail["scores_alone"], abs=0.01)
    assert sentence == f"estimated accuracy 0.90 → {remark}"


def test_few_labels_of_a_class_correct_nothing():
    """Eight labels leave the estimate as it is."""
    rng = np.random.default_rng(14)
    y, s = rows(rng, 2_000)
    reference = rows(rng, 2_000)
    few, none = evaluate(reference, s, labels=y[:8]), evaluate(reference, s)
    assert few["accuracy"].value == none["accuracy"].value
    assert "scores_alone" not in few["accuracy"].detail
    assert few["correction"].rows == 8


def correction_stream(seed, loss_from, days):
    """The verdicts of `correction` over days of 1,000 rows with 300 labels.

    The scores move from day to day; from `loss_from` on the labels cost five points of accuracy.
    """
    rng = np.random.default_rng(seed)
    rules = CHECK.default_rules
    stream = JudgedStream(
        rule=rules["correction"].loss, rule_of_others=rules["estimated_accuracy"].loss
    )
    reference = rows(rng, 3_000)
    for day in range(days):
        y, s = rows(rng, 1_000, rng.normal(0, 0.5))
        if day >= loss_from:
            y = drifted(rng, y, s, 0.05)
        gap = evaluate(reference, s, hours=day, labels=y[:300])["correction"]
        stream.window(day, gap)
    return stream.is_on


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 10))]
)
def test_a_concept_drift_of_five_points_raises_the_alarm(seed):
    """300 labels a day show it within 20 days, and nothing before, though the scores move, too."""
    is_on = correction_stream(seed, loss_from=20, days=40)
    assert not any(is_on[:20])
    assert any(is_on)
    assert all(is_on[is_on.index(True) :])


@pytest.mark.slow
def test_no_concept_drift_raises_no_alarm():
    """20 years of days with 300 labels each and moving scores: at most three alarms."""
    openings = 0
    for seed in range(20):
        is_on = correction_stream(100 + seed, loss_from=10**6, days=365)
        openings += sum(b and not a for a, b in zip([False, *is_on], is_on, strict=False))
    assert openings <= 3
