"""What a prediction without a model scores, beside the model."""

import numpy as np
import pytest
from driftline_plugins.checks.performance import BASELINES, METRIC_ALIASES, Performance
from profile_builder import context
from sklearn import metrics as sk
from sklearn.dummy import DummyClassifier, DummyRegressor
from split_profiles import split_window

from driftline.types.model import Field, Kind, Schema, Task, TaskColumns


def schema_of(task, **columns):
    kind = Kind.NUMERIC if task in (Task.REGRESSION, Task.RANKING) else Kind.CATEGORICAL
    return Schema(
        prediction=Field("p", "p", kind),
        label=Field("y", "y", kind),
        score=Field("s", "s", Kind.NUMERIC) if task is Task.BINARY else None,
        task=task,
        task_columns=TaskColumns(**columns),
    )


def measured(schema, columns, **options):
    window = split_window(schema, columns)
    made = context(
        window,
        task=schema.task,
        task_columns=schema.task_columns,
        score=schema.score,
        prediction=schema.prediction,
        label=schema.label,
    )
    return {m.name: m for m in Performance(**options).evaluate(made)}


def baseline(schema, columns, metric):
    return measured(schema, columns, headline=metric)[f"{metric}_of_baseline"].value


def test_baselines_of_a_binary_model_are_those_of_dummy_classifiers():
    """The most frequent class, the positive one, and the shares of both, as scikit-learn has them."""
    rng = np.random.default_rng(1)
    y = (rng.random(500) < 0.3).astype(int)
    columns = {"p": rng.integers(0, 2, 500), "y": y, "s": rng.random(500)}
    x, schema = np.zeros((500, 1)), schema_of(Task.BINARY)
    frequent = DummyClassifier(strategy="most_frequent").fit(x, y).predict(x)
    prior = DummyClassifier(strategy="prior").fit(x, y).predict_proba(x)[:, 1]
    assert baseline(schema, columns, "accuracy") == pytest.approx(sk.accuracy_score(y, frequent))
    assert baseline(schema, columns, "f1") == pytest.approx(sk.f1_score(y, np.ones(500)))
    assert baseline(schema, columns, "precision") == pytest.approx(y.mean())
    assert baseline(schema, columns, "log_loss") == pytest.approx(sk.log_loss(y, prior))
    assert baseline(schema, columns, "brier") == pytest.approx(sk.brier_score_loss(y, prior))
    assert baseline(schema, columns, "roc_auc") == 0.5


def test_baselines_of_several_classes():
    """Accuracy and macro averages of the most frequent class."""
    rng = np.random.default_rng(2)
    y = rng.choice(list("abc"), 300, p=[0.5, 0.3, 0.2])
    columns = {"p": rng.choice(list("abc"), 300), "y": y}
    schema, frequent = schema_of(Task.MULTICLASS), np.full(300, "a")
    assert baseline(schema, columns, "accuracy") == pytest.approx(np.mean(y == "a"))
    assert baseline(schema, columns, "macro_f1") == pytest.approx(
        sk.f1_score(y, frequent, average="macro")
    )
    assert baseline(schema, columns, "macro_recall") == pytest.approx(1 / 3)


def test_baselines_of_a_regression():
    """MAE of the median, RMSE of the mean."""
    rng = np.random.default_rng(3)
    y = rng.lognormal(1, 1, 501)
    columns, x = {"p": y + rng.normal(0, 1, 501), "y": y}, np.zeros((501, 1))
    schema = schema_of(Task.REGRESSION)
    median = DummyRegressor(strategy="median").fit(x, y).predict(x)
    assert baseline(schema, columns, "mae") == pytest.approx(sk.mean_absolute_error(y, median))
    rmse = sk.root_mean_squared_error(y, np.full(501, y.mean()))
    assert baseline(schema, columns, "rmse") == pytest.approx(rmse)
    assert baseline(schema, columns, "r2") == 0.0


def test_the_baseline_of_a_ranking_is_a_random_order():
    """The mean NDCG of shuffled items."""
    rng = np.random.default_rng(4)
    y, scores = rng.choice([0.0, 0, 1, 2], (80, 6)), rng.random((80, 6))
    columns = {
        "#group": np.repeat([f"q{n}" for n in range(80)], 6).tolist(),
        "p": scores.ravel(),
        "y": y.ravel(),
    }
    schema = schema_of(Task.RANKING, group=Field("#group", "q", Kind.CATEGORICAL))
    known = y[y.any(axis=1)]
    runs = [sk.ndcg_score(known, rng.random(known.shape), k=3) for _ in range(500)]
    window = measured(schema, columns, k=3)["ndcg_of_baseline"]
    assert window.value == pytest.approx(np.mean(runs), abs=0.005)


@pytest.mark.parametrize(("share", "says"), [(0.02, True), (0.9, False)])
def test_a_model_that_is_no_better_says_so(share, says):
    """The metric says what it is no better than, in the measurement and as a number."""
    rng = np.random.default_rng(5)
    y = (rng.random(400) < 0.2).astype(int)
    p = np.where(rng.random(400) < share, y, rng.integers(0, 2, 400))
    found = measured(schema_of(Task.BINARY), {"p": p, "y": y, "s": rng.random(400)})
    share = f"{1 - y.mean():.3g}"
    text = f"no better than the most frequent class for every row: {share}" if says else ""
    assert found["accuracy"].reason == text
    assert found["accuracy"].detail == ({"baseline": 1 - y.mean()} if says else {})


def test_without_labels_there_is_no_baseline():
    """No number, with the reason."""
    columns = {"p": [1.0, 2.0], "y": [None, None]}
    found = measured(schema_of(Task.REGRESSION), {**columns, "y": np.array([np.nan, np.nan])})
    assert found["mae_of_baseline"].value is None
    assert found["mae_of_baseline"].reason


def test_baselines_have_names_of_metrics():
    """Each belongs to a metric by its own name, not an alias."""
    assert not BASELINES.keys() & METRIC_ALIASES.keys()
