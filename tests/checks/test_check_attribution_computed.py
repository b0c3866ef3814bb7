"""SHAP values of the sample, computed with the file of the model."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from driftline_plugins.checks.attribution import Attribution
from pydantic import ValidationError

from driftline import Field, Kind, Schema
from driftline.kit.checks.model_files import ModelFileError, ModelInputs, load_model_file
from driftline.stats import shapley_values
from driftline.testing import context
from driftline.testing.windows import window_of

pytestmark = pytest.mark.system

NAMES = ("age", "income", "tenure", "noise")
SCHEMA = Schema(features={name: Field(name, name, Kind.NUMERIC) for name in NAMES})


def draw(seed, rows):
    rng = np.random.default_rng(seed)
    return rng.normal([40, 3, 5, 0], [10, 1, 2, 1], (rows, 4))


def labels(table):
    score = 0.1 * (table[:, 0] - 40) + (table[:, 1] - 3) * (table[:, 2] > 5) + 0.2 * table[:, 1]
    return (score + np.random.default_rng(9).normal(0, 0.3, len(table)) > 0.6).astype(int)


TABLE = draw(1, 800)
LABELS = labels(TABLE)
ROWS, BACKGROUND = draw(2, 10), draw(3, 20)
INPUTS = ModelInputs(NAMES)


def xgboost_file(folder):
    import xgboost

    data = xgboost.DMatrix(TABLE, LABELS, feature_names=list(NAMES))
    settings = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1}
    booster = xgboost.train(settings, data, 30)
    booster.save_model(folder / "model.json")
    return folder / "model.json", booster


def lightgbm_file(folder):
    import lightgbm

    data = lightgbm.Dataset(TABLE, LABELS, feature_name=list(NAMES))
    settings = {"objective": "binary", "num_leaves": 7, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(settings, data, 30)
    booster.save_model(folder / "model.txt")
    return folder / "model.txt", booster


def forest():
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(5, max_depth=4, random_state=0).fit(TABLE, LABELS)


def pickled(folder, estimator):
    import joblib

    joblib.dump(estimator, folder / "model.joblib")
    return folder / "model.joblib"


def as_onnx(folder, estimator):
    from skl2onnx import to_onnx

    model = to_onnx(estimator, TABLE[:1].astype(np.float32), options={"zipmap": False})
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


def explain(model):
    return shapley_values(
        lambda rows: model.predict(rows, INPUTS), ROWS, BACKGROUND, np.random.default_rng(0)
    )[:, :, 0]


@pytest.mark.slow
@pytest.mark.parametrize("make", [xgboost_file, lightgbm_file])
def test_values_of_boosters_are_those_of_shap(tmp_path, make):
    """The same numbers as shap's TreeExplainer, for a model that was read from its file."""
    import shap

    path, booster = make(tmp_path)
    found = load_model_file(path, allow_pickle=False).contributions(ROWS, INPUTS)
    expected = shap.TreeExplainer(booster).shap_values(ROWS)
    assert found.shape == (10, 4, 1)
    assert found[:, :, 0] == pytest.approx(np.asarray(expected), abs=1e-5)


@pytest.mark.slow
def test_values_of_scikit_learn_are_those_of_shap(tmp_path):
    """The same numbers as shap's exact TreeExplainer against the same background."""
    import shap

    estimator = forest()
    explainer = shap.TreeExplainer(estimator, BACKGROUND, model_output="probability")
    expected = np.asarray(explainer.shap_values(ROWS, check_additivity=False))[:, :, 1]
    found = explain(load_model_file(pickled(tmp_path, estimator), allow_pickle=True))
    assert found == pytest.approx(expected, abs=1e-7)


@pytest.mark.slow
def test_values_of_onnx_are_those_of_shap(tmp_path):
    """The same numbers as shap's KernelExplainer of the same function."""
    import shap

    estimator = forest()
    # With four features it looks at every coalition.
    explainer = shap.KernelExplainer(lambda rows: estimator.predict_proba(rows)[:, 1], BACKGROUND)
    expected = explainer.shap_values(ROWS, silent=True)
    found = explain(load_model_file(as_onnx(tmp_path, estimator), allow_pickle=False))
    # ONNX computes with 32 bits: a row at the bound of a split may take its other side.
    assert found == pytest.approx(expected, abs=2e-3)


def test_sampled_orders_add_up_and_are_exact_for_sums():
    """With many features orders are sampled: the values add up to the output less its mean."""
    rng = np.random.default_rng(0)
    rows, background = rng.normal(size=(5, 14)), rng.normal(size=(8, 14))
    weights = rng.normal(size=14)

    def predict(table):
        return (table @ weights + table[:, 0] * table[:, 1])[:, None]

    found = shapley_values(predict, rows, background, np.random.default_rng(1), 10_000)[:, :, 0]
    assert found.sum(axis=1) == pytest.approx(predict(rows)[:, 0] - predict(background).mean())
    plain = weights[2:] * (rows[:, 2:] - background[:, 2:].mean(axis=0))
    assert found[:, 2:] == pytest.approx(plain)


def as_columns(table):
    return {name: table[:, place].tolist() for place, name in enumerate(NAMES)}


def measured(check, now, was):
    reference = None if was is None else window_of(as_columns(was), schema=SCHEMA)
    current = window_of(as_columns(now), reference, schema=SCHEMA)
    return list(check.evaluate(context(current, reference, schema=SCHEMA)))


def by_column(found, name):
    return {m.labels["column"]: m for m in found if m.name == name}


def test_swapped_features_are_named(tmp_path):
    """Two columns that were swapped upstream are the first ones of the detail."""
    path, _ = xgboost_file(tmp_path)
    check = Attribution(model_file=str(path))
    swapped = draw(5, 500)
    swapped[:, [0, 3]] = swapped[:, [3, 0]]
    found = measured(check, swapped, draw(4, 500))
    [share] = [m for m in found if m.name == "attribution_moved"]
    assert share.detail["moved"].split()[0] == "age"
    assert share.interval[0] > 0.1
    parts = by_column(found, "score_contribution")
    assert max(parts, key=lambda name: abs(parts[name].value)) == "age"
    same = measured(check, draw(6, 500), draw(4, 500))
    [usual] = [m for m in same if m.name == "attribution_moved"]
    assert usual.interval[0] < 0.02


def test_contributions_add_up_to_the_change_of_the_score(tmp_path):
    """The column that moved has the largest contribution; all of them are the whole change."""
    path, booster = lightgbm_file(tmp_path)
    moved, before = draw(5, 400), draw(4, 400)
    moved[:, 0] += 5
    found = measured(Attribution(model_file=str(path), explained_rows=400), moved, before)
    parts = by_column(found, "score_contribution")
    change = (
        booster.predict(moved, raw_score=True).mean()
        - booster.predict(before, raw_score=True).mean()
    )
    assert sum(m.value for m in parts.values()) == pytest.approx(change, abs=1e-6)
    assert max(parts, key=lambda name: abs(parts[name].value)) == "age"
    assert parts["age"].interval[0] > 0
    assert parts["noise"].interval[0] <= 0 <= parts["noise"].interval[1]
    importance = by_column(found, "importance")
    assert importance["age"].value > importance["noise"].value
    assert importance["age"].was is not None


def test_categories_are_given_to_a_pipeline_as_texts(tmp_path):
    """A pipeline of scikit-learn gets a table with its names and the texts of the log."""
    import pandas
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(0)
    plans = rng.choice(["free", "gold", "team"], 400)
    ages = rng.normal(40, 10, 400)
    table = pandas.DataFrame({"plan": plans, "age": ages})
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["plan"]), remainder="passthrough"
    )
    estimator = make_pipeline(encoder, LogisticRegression()).fit(table, plans == "gold")
    check = Attribution(model_file=str(pickled(tmp_path, estimator)), allow_pickle=True)
    schema = Schema(
        features={
            "age": Field("age", "age", Kind.NUMERIC),
            "plan": Field("plan", "plan", Kind.CATEGORICAL),
        }
    )
    reference = window_of({"age": ages.tolist(), "plan": plans.tolist()}, schema=schema)
    now = window_of({"age": ages.tolist(), "plan": ["gold"] * 400}, reference, schema=schema)
    found = list(check.evaluate(context(now, reference, schema=schema)))
    parts = by_column(found, "score_contribution")
    assert parts["plan"].value > 0.4
    assert abs(parts["age"].value) < 0.1


def test_several_classes_count_together(tmp_path):
    """The importance is the sum over classes; with several outputs there is no contribution."""
    import xgboost

    classes = np.digitize(TABLE[:, 0], [35, 45])
    data = xgboost.DMatrix(TABLE, classes, feature_names=list(NAMES))
    settings = {"objective": "multi:softprob", "num_class": 3, "max_depth": 2, "nthread": 1}
    booster = xgboost.train(settings, data, 10)
    booster.save_model(tmp_path / "model.ubj")
    values = load_model_file(tmp_path / "model.ubj", allow_pickle=False).contributions(ROWS, INPUTS)
    assert values.shape == (10, 4, 3)
    found = measured(
        Attribution(model_file=str(tmp_path / "model.ubj")), draw(5, 200), draw(4, 200)
    )
    importance = by_column(found, "importance")
    assert max(importance, key=lambda name: importance[name].value) == "age"
    assert not by_column(found, "score_contribution")


def test_onnx_with_an_input_for_each_column_takes_texts(tmp_path):
    """A pipeline with categories, converted to ONNX, gives the same contributions."""
    import pandas
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(0)
    plans, ages = rng.choice(["free", "gold"], 300), rng.normal(0, 1, 300)
    encoder = make_column_transformer((OneHotEncoder(), ["plan"]), remainder="passthrough")
    estimator = make_pipeline(encoder, LogisticRegression())
    estimator.fit(pandas.DataFrame({"plan": plans, "age": ages}), plans == "gold")
    inputs = [("plan", StringTensorType([None, 1])), ("age", FloatTensorType([None, 1]))]
    model = to_onnx(estimator, initial_types=inputs, options={"zipmap": False})
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    schema = Schema(
        features={
            "age": Field("age", "age", Kind.NUMERIC),
            "plan": Field("plan", "plan", Kind.CATEGORICAL),
        }
    )
    reference = window_of({"age": ages.tolist(), "plan": plans.tolist()}, schema=schema)
    now = window_of({"age": ages.tolist(), "plan": ["gold"] * 300}, reference, schema=schema)
    check = Attribution(model_file=str(tmp_path / "model.onnx"))
    found = list(check.evaluate(context(now, reference, schema=schema)))
    assert by_column(found, "score_contribution")["plan"].value > 0.3


def test_a_pickle_needs_permission(tmp_path):
    """A pickle runs code: without the setting it is a mistake at `validate`, and never loaded."""
    path = tmp_path / "model.pkl"
    path.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
    with pytest.raises(ValidationError, match="allow_pickle: true"):
        Attribution(model_file=str(path))
    with pytest.raises(ModelFileError, match="allow_pickle"):
        load_model_file(path, allow_pickle=False)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"model_file": "model.h5"}, "should end in one of"),
        ({"model_file": "m.onnx", "prefix": "shap_"}, "not several"),
        ({"model_file": "m.onnx", "explained_rows": 5}, "greater than or equal to 10"),
    ],
)
def test_settings_with_a_mistake_are_named(options, problem):
    """`validate` finds the mistake without the file."""
    with pytest.raises(ValidationError, match=problem):
        Attribution(**options)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"{}", "no model can be read"), (b"", "no model can be read")],
)
def test_a_file_that_is_no_model_is_a_reason(tmp_path, content, reason):
    """The check has no value, and says why; nothing else of the model is concerned."""
    path = tmp_path / "model.json"
    if content is not None:
        path.write_bytes(content)
    found = measured(Attribution(model_file=str(path)), draw(1, 100), draw(2, 100))
    assert [m.value for m in found] == [None] * 3
    assert all(reason in m.reason for m in found)


def test_what_the_log_lacks_is_a_reason(tmp_path):
    """An input that is no column, and a window before there is a reference."""
    path, _ = xgboost_file(tmp_path)
    other = measured(
        Attribution(model_file=str(path), inputs=("age", "city")), draw(1, 50), draw(2, 50)
    )
    assert "no column city" in other[0].reason
    assert (
        measured(Attribution(model_file=str(path)), draw(1, 50), None)[0].reason
        == "no reference yet"
    )
    few = measured(
        Attribution(model_file=str(path), inputs=("age", "income")), draw(1, 50), draw(2, 50)
    )
    assert "can't be applied" in few[0].reason


def test_a_window_costs_less_than_a_second(tmp_path: Path):
    """The values of the reference are kept: a further window explains its own rows only."""
    path, _ = xgboost_file(tmp_path)
    check, was = Attribution(model_file=str(path)), draw(4, 500)
    measured(check, draw(5, 500), was)
    start = time.process_time()
    measured(check, draw(6, 500), was)
    assert time.process_time() - start < 2
