"""Estimated performance of models of several classes, with and without a score."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from driftline_plugins.checks.estimated_performance import EstimatedPerformance
from labelled_profiles import profile_rows, profile_spec
from sklearn import metrics as sk

from driftline import CheckContext, Field, Kind, Schema
from driftline.kit.checks import Task

CHECK = EstimatedPerformance()
SCORED = Schema(
    prediction=Field("p", "p", Kind.CATEGORICAL),
    score=Field("s", "s", Kind.NUMERIC),
    label=Field("y", "y", Kind.CATEGORICAL),
    task=Task.MULTICLASS,
)
PLAIN = Schema(prediction=SCORED.prediction, label=SCORED.label, task=Task.MULTICLASS)
NAMES = np.array(["cat", "dog", "owl"])


def draw(rng, count, shift=0.0, drift=0.0):
    """Predictions, top scores and labels of a model whose scores are too sure of themselves.

    `shift` moves the classes, `drift` is the share of labels that are another class now.
    """
    logits = rng.normal([shift, 0.0, -shift], 1.2, (count, 3))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = (true.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    is_moved = rng.random(count) < drift
    label = np.where(is_moved, (label + 1) % 3, label)
    said = np.exp(1.6 * logits)
    said /= said.sum(axis=1, keepdims=True)
    return {"p": NAMES[said.argmax(axis=1)], "s": said.max(axis=1), "y": NAMES[label]}


def evaluate(reference, now, schema=SCORED, labels=0, hours=0):
    columns = [column.name for column in (schema.prediction, schema.score, schema.label) if column]
    reference, now = ({name: rows[name] for name in columns} for rows in (reference, now))
    spec = profile_spec(schema, reference)
    ctx = CheckContext(
        current=profile_rows(schema, spec, now, labels, hours),
        reference=profile_rows(schema, spec, reference),
        schema=schema,
        seed=hours,
    )
    return {
        m.labels.get("class", m.name.removeprefix("estimated_")): m for m in CHECK.evaluate(ctx)
    }


def realised(rows):
    """What all labels show, by scikit-learn."""
    y, p = rows["y"], rows["p"]
    return {
        "accuracy": sk.accuracy_score(y, p),
        "macro_precision": sk.precision_score(y, p, average="macro"),
        "macro_recall": sk.recall_score(y, p, average="macro"),
        "macro_f1": sk.f1_score(y, p, average="macro"),
    }


@pytest.mark.parametrize("schema", [SCORED, PLAIN], ids=["scored", "plain"])
@pytest.mark.parametrize("repeats", [12, pytest.param(1_000, marks=pytest.mark.slow)])
def test_intervals_hold_what_labels_show_later(schema, repeats):
    """Windows of the reference's kind: at least nine of ten intervals hold each metric."""
    rng, held = np.random.default_rng(1), Counter[str]()
    for repeat in range(repeats):
        reference, now = draw(rng, 2_000), draw(rng, 1_000)
        estimates, real = evaluate(reference, now, schema, hours=repeat), realised(now)
        for name, value in real.items():
            low, high = estimates[name].interval
            held[name] += low <= value <= high
    for name, count in held.items():
        assert count / repeats >= 0.93 - 0.5 / np.sqrt(repeats), (name, count)


def test_the_estimate_follows_a_shift_of_the_scores():
    """Other mixes of classes and scores: closer to the real accuracy than the reference is."""
    rng, errors, naive = np.random.default_rng(2), [], []
    for repeat in range(10):
        reference, now = draw(rng, 5_000), draw(rng, 4_000, shift=rng.uniform(0.5, 2.0))
        estimates, real = evaluate(reference, now, hours=repeat), realised(now)["accuracy"]
        errors.append(abs(estimates["accuracy"].value - real))
        naive.append(abs(estimates["accuracy"].was - real))
    assert np.mean(errors) < 0.02
    assert np.mean(errors) < 0.3 * np.mean(naive)


@pytest.mark.parametrize("schema", [SCORED, PLAIN], ids=["scored", "plain"])
def test_labels_correct_estimates_under_concept_drift(schema):
    """With 600 labels of 4,000 rows the estimates show the loss, and `correction` its size."""
    rng = np.random.default_rng(3)
    reference, now = draw(rng, 5_000), draw(rng, 4_000, drift=0.15)
    alone, corrected = (evaluate(reference, now, schema, labels) for labels in (0, 600))
    for name, value in realised(now).items():
        low, high = corrected[name].interval
        assert low <= value <= high, name
        assert alone[name].interval[0] > value, name
    gap = realised(now)["accuracy"] - alone["accuracy"].value
    low, high = corrected["correction"].interval
    assert low <= gap <= high < 0
    assert alone["correction"].value is None


def test_classes_that_the_reference_lacks_give_no_estimate():
    """A fifth of the predictions are a class without labels in the reference."""
    rng = np.random.default_rng(4)
    reference, now = draw(rng, 1_000), draw(rng, 500)
    now["p"] = np.where(np.arange(500) < 100, "bat", now["p"])
    for measurement in list(evaluate(reference, now, PLAIN).values())[:4]:
        assert measurement.value is None
        assert measurement.reason == (
            "20% of predictions are classes that the labelled reference lacks"
        )


def test_metrics_of_two_classes_have_a_reason():
    """ROC AUC is no metric of a model of several classes."""
    rng = np.random.default_rng(5)
    rows = draw(rng, 500)
    spec = profile_spec(SCORED, rows)
    window = profile_rows(SCORED, spec, rows)
    ctx = CheckContext(current=window, reference=window, schema=SCORED)
    [auc, *_] = EstimatedPerformance(metrics=("roc_auc",)).evaluate(ctx)
    assert auc.reason == "roc_auc is no metric of multiclass models"


def shifted(rng, count, shares):
    """Rows of each class as before, in another mix."""
    pool = draw(rng, 20_000)
    places = np.concatenate(
        [
            rng.choice(np.flatnonzero(pool["y"] == name), number)
            for name, number in zip(NAMES, rng.multinomial(count, shares), strict=True)
        ]
    )
    return {name: values[places] for name, values in pool.items()}


@pytest.mark.parametrize("repeats", [12, pytest.param(500, marks=pytest.mark.slow)])
def test_shares_of_classes_are_estimated_under_label_shift(repeats):
    """Owls are half of the rows now: nine of ten intervals hold the shares that labels show."""
    rng, held = np.random.default_rng(6), Counter[str]()
    for repeat in range(repeats):
        reference, now = draw(rng, 3_000), shifted(rng, 1_500, [0.2, 0.3, 0.5])
        found = evaluate(reference, now, PLAIN, hours=repeat)
        for name in NAMES:
            low, high = found[name].interval
            held[name] += low <= np.mean(now["y"] == name) <= high
            assert found[name].was == pytest.approx(np.mean(reference["y"] == name))
    for name, count in held.items():
        assert count / repeats >= 0.93 - 0.5 / np.sqrt(repeats), (name, count)


def test_useless_predictions_give_no_shares():
    """Predictions that do not depend on the label say nothing about its classes."""
    rng = np.random.default_rng(7)
    reference, now = draw(rng, 2_000), draw(rng, 500)
    reference["p"] = rng.permutation(reference["p"])
    share = evaluate(reference, now, PLAIN)["class_share"]
    assert (share.value, share.reason) == (None, "the predictions hardly tell the classes apart")


def test_a_redacted_label_is_not_named():
    """Its classes have numbers instead."""
    rng = np.random.default_rng(8)
    schema = replace(PLAIN, redact=frozenset({"y"}))
    found = evaluate(draw(rng, 1_000), draw(rng, 500), schema)
    assert {"class 1", "class 2", "class 3"} <= found.keys()
    assert not found.keys() & set(NAMES.tolist())
