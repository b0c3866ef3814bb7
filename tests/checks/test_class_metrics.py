"""Sets of classes, and probabilities of several classes: scikit-learn's values over random parts."""

import json

import numpy as np
import pytest
from driftline_plugins.checks.performance import Performance
from profile_builder import context
from sklearn import metrics as sk
from split_profiles import cast, spec_of, split_window

from driftline.types.model import Field, Kind, Schema, Task, TaskColumns

NAMES = ["art", "news", "sport", "web"]
SETS = Schema(
    prediction=Field("p", "p", Kind.CATEGORICAL),
    label=Field("y", "y", Kind.CATEGORICAL),
    task=Task.MULTILABEL,
)
CLASSES = ["bird", "cat", "dog"]
SEVERAL = Schema(
    prediction=Field("p", "p", Kind.CATEGORICAL),
    label=Field("y", "y", Kind.CATEGORICAL),
    task=Task.MULTICLASS,
    task_columns=TaskColumns(
        probabilities={name: Field(f"#p {name}", name, Kind.NUMERIC) for name in CLASSES}
    ),
)
SET_METRICS = (
    *("subset_accuracy", "hamming_loss", "jaccard"),
    *(
        f"{average}_{name}"
        for average in ("micro", "macro", "weighted")
        for name in ("precision", "recall", "f1")
    ),
    *("class_precision", "class_recall", "class_f1"),
)
PROBABILITY_METRICS = ("log_loss", "brier", "roc_auc_ovr", "top_k_accuracy")


def measured(schema, columns, metrics, seed=0, k=None, **more):
    window = split_window(schema, columns, seed, **more)
    check = Performance(metrics=metrics, k=k)
    made = context(window, task=schema.task, task_columns=schema.task_columns)
    return {(m.name, m.labels.get("class", "")): m for m in check.evaluate(made)}


def random_sets(rng, rows):
    """True and predicted sets; some are empty."""
    y = rng.random((rows, 4)) < [0.5, 0.3, 0.2, 0.1]
    p = np.where(rng.random((rows, 4)) < 0.2, ~y, y)
    return y, p


def lists(table):
    return [[name for name, is_in in zip(NAMES, row, strict=True) if is_in] for row in table]


@pytest.mark.parametrize("seed", range(4))
def test_metrics_of_sets_are_those_of_scikit_learn(seed):
    """Counts decide, so the values are the same; lists, JSON and other orders are one set."""
    rng = np.random.default_rng(seed)
    y, p = random_sets(rng, 400)
    labels, predictions = lists(y), lists(p)
    if seed % 2:
        labels = [json.dumps(names[::-1]) for names in labels]
    found = measured(SETS, {"p": predictions, "y": labels}, SET_METRICS, seed, is_late=seed > 1)
    expected = {
        "subset_accuracy": sk.accuracy_score(y, p),
        "hamming_loss": sk.hamming_loss(y, p),
        "jaccard": sk.jaccard_score(y, p, average="samples", zero_division=1),
    }
    for average in ("micro", "macro", "weighted"):
        expected[f"{average}_precision"] = sk.precision_score(y, p, average=average)
        expected[f"{average}_recall"] = sk.recall_score(y, p, average=average)
        expected[f"{average}_f1"] = sk.f1_score(y, p, average=average)
    for name, value in expected.items():
        assert found[name, ""].value == pytest.approx(value, abs=1e-12), name
        assert found[name, ""].rows == 400
        low, high = found[name, ""].interval
        assert 0 <= low < value < high <= 1, name
    for place, name in enumerate(NAMES):
        f1 = sk.f1_score(y[:, place], p[:, place])
        assert found["class_f1", name].value == pytest.approx(f1)
        recall = sk.recall_score(y[:, place], p[:, place])
        assert found["class_recall", name].value == pytest.approx(recall)


def test_intervals_of_sets_cover_the_true_value():
    """The micro F1 of many windows lies in the interval about 95 times of 100."""
    from driftline import stats
    from driftline.kit.checks import class_metrics
    from driftline.profiles.label_sets import LabelSetCounts
    from driftline.profiles.window import Scores

    rng = np.random.default_rng(7)
    y, p = random_sets(rng, 200_000)
    truth = sk.f1_score(y, p, average="micro"), sk.f1_score(y, p, average="macro")
    hits, runs = np.zeros(2), 400
    for _ in range(runs):
        y, p = random_sets(rng, 150)
        counts = LabelSetCounts()
        counts.add(
            (json.dumps(a), json.dumps(b), 1) for a, b in zip(lists(y), lists(p), strict=True)
        )
        scores = Scores(label_sets=counts.summary(frozenset()))
        macro = class_metrics.average("f1", lambda s: stats.macro(s.confusion, "f1"))
        for place, metric in enumerate((class_metrics.micro("f1"), macro)):
            low, high = metric(scores).interval
            hits[place] += low < truth[place] < high
    assert (hits / runs > 0.91).all()
    assert (hits / runs < 0.99).all()


@pytest.mark.parametrize(
    ("label", "is_set"),
    [("news|sport", True), ('["news", "sport"]', True), ("[news", False), ('[{"a": 1}]', False)],
)
def test_texts_that_are_no_set_have_no_label(label, is_set):
    """Such a value counts as invalid, and its row has no label."""
    batch = cast(SETS, {"p": ['["news"]'], "y": [label]})
    assert batch.columns["y"].to_pylist() == (['["news","sport"]'] if is_set else [None])
    assert ("y" in batch.invalid) is not is_set


def random_probabilities(rng, rows, share=2.0):
    y = rng.integers(0, 3, rows)
    logits = rng.normal(0, 1, (rows, 3)) + share * (np.arange(3) == y[:, None])
    p = np.exp(logits)
    return y, p / p.sum(axis=1, keepdims=True)


def columns_of(y, p, **change):
    return {
        "p": [CLASSES[place] for place in p.argmax(axis=1)],
        "y": [CLASSES[place] for place in y],
        **{f"#p {name}": p[:, place] for place, name in enumerate(CLASSES)},
        **change,
    }


@pytest.mark.parametrize("seed", range(4))
def test_metrics_of_probabilities_are_those_of_scikit_learn(seed):
    """Sums and ranks decide exactly; the grid of probabilities within a thousandth."""
    rng = np.random.default_rng(seed)
    y, p = random_probabilities(rng, 600)
    if seed == 3:
        p = p.round(1)
        p[:, 2] = 1 - p[:, 0] - p[:, 1]
        p = np.clip(p, 0, 1)
    late = seed % 2 == 1
    found = measured(SEVERAL, columns_of(y, p), PROBABILITY_METRICS, seed, k=2, is_late=late)
    expected = {
        "brier": np.mean(((p - np.eye(3)[y]) ** 2).sum(axis=1)),
        "log_loss": -np.mean(np.log(np.clip(p[np.arange(600), y], 1e-15, 1))),
        "top_k_accuracy": sk.top_k_accuracy_score(y, p, k=2),
    }
    if seed != 3:
        assert expected["log_loss"] == pytest.approx(sk.log_loss(y, p))
    for name, value in expected.items():
        assert found[name, ""].value == pytest.approx(value, rel=1e-9), name
        low, high = found[name, ""].interval
        assert 0 <= low < value < high, name
    auc = np.mean([sk.roc_auc_score(y == place, p[:, place]) for place in range(3)])
    assert found["roc_auc_ovr", ""].value == pytest.approx(auc, rel=1e-3)
    low, high = found["roc_auc_ovr", ""].interval
    assert 0 < low < auc < high < 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"#p cat": [1.2, 0.3]}, "1 row has probabilities outside of 0 to 1"),
        ({"#p cat": [0.9, 0.9]}, "2 rows have probabilities outside of 0 to 1, or with a sum"),
        ({"y": ["fish", "cat"]}, "1 label is of a class without probability"),
    ],
)
def test_improper_probabilities_have_a_reason(change, reason):
    """No metric comes from clipped or unknown values; those of the predicted class stay."""
    columns = {
        "p": ["bird", "cat"],
        "y": ["bird", "cat"],
        "#p bird": [0.7, 0.2],
        "#p cat": [0.2, 0.3],
        "#p dog": [0.1, 0.5],
    }
    spec = spec_of(SEVERAL, cast(SEVERAL, {**columns, **change}))
    found = measured(
        SEVERAL, {**columns, **change}, ("accuracy", *PROBABILITY_METRICS), spec=spec, parts=2
    )
    for name in ("log_loss", "brier", "roc_auc_ovr"):
        assert found[name, ""].value is None
        assert reason in found[name, ""].reason
    assert found["accuracy", ""].value is not None
    assert found["top_k_accuracy", ""].value is not None


def test_one_class_only_leaves_no_order():
    """A class without labels has no area under its curve."""
    y, p = np.zeros(50, int), np.full((50, 3), 1 / 3)
    found = measured(SEVERAL, columns_of(y, p), PROBABILITY_METRICS)
    assert found["roc_auc_ovr", ""].value is None
    assert found["roc_auc_ovr", ""].reason.startswith("class bird: ")
    assert found["brier", ""].value == pytest.approx(2 / 3)


def test_sets_of_one_row_have_no_interval():
    """A value, but no spread."""
    found = measured(SETS, {"p": [["news"]], "y": [["news"]]}, SET_METRICS)
    assert found["micro_f1", ""].value == 1.0
    assert found["micro_f1", ""].interval is None


def test_empty_sets_have_no_rates():
    """Nothing predicted and nothing true: the sets are equal, rates do not exist."""
    found = measured(SETS, {"p": [[], []], "y": [[], []]}, SET_METRICS)
    assert found["subset_accuracy", ""].value == 1.0
    assert found["jaccard", ""].value == 1.0
    assert found["micro_precision", ""].value is None
    assert found["micro_precision", ""].reason == "no class was predicted"


def test_redacted_labels_name_no_class():
    """No metric of a class shows a value of a redacted column."""
    window = split_window(SETS, {"p": [["news"]] * 9, "y": [["news"]] * 9})
    made = context(window, task=SETS.task, label=SETS.label, redact=frozenset({"y"}))
    found = list(Performance(metrics=("class_f1", "micro_f1")).evaluate(made))
    assert not any(m.labels for m in found)
    reasons = {m.name: m.reason for m in found}
    assert reasons["class_f1"] == "the names of the classes are redacted"
