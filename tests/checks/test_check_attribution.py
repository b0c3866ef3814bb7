"""Attribution drift: from logged attributions, or from how features go with the score."""

import numpy as np
import pytest
import scipy.stats as ss
from driftline_plugins.checks.attribution import Attribution
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import Field, Kind, Schema
from driftline.testing import context, window
from driftline.testing.windows import window_of

FEATURES = ("age", "income", "plan", "tenure", "visits")
CHECK = Attribution(prefix="shap_")
NAN = float("nan")


def logged(seed, rows, importances):
    """Attributions of both signs, whose mean size is the importance of each feature."""
    rng = np.random.default_rng(seed)
    return {
        f"shap_{name}": rng.normal(0, size * np.sqrt(np.pi / 2), rows).tolist()
        for name, size in zip(FEATURES, importances, strict=True)
    }


def measured(check, current, reference, schema=None):
    return {m.name: m for m in check.evaluate(context(current, reference, schema=schema))}


def verdict(found):
    return (
        CHECK.default_rules["attribution_ndcg"]
        .judge(found, found.rows, CHECK.min_rows)
        .verdict.value
    )


WAS = (0.4, 0.3, 0.15, 0.1, 0.05)
REFERENCE = window_of(logged(0, 4_000, WAS))


def test_published_importances_give_the_published_numbers():
    """Attributions of one size each: NDCG 0.884359785, Spearman 0.3, mass moved 0.3, and the
    features that moved most.
    """
    was, now = (
        {f"shap_{n}": [v, -v] * 500 for n, v in zip(FEATURES, side, strict=True)}
        for side in (WAS, (0.2, 0.35, 0.05, 0.3, 0.1))
    )
    exact = measured(CHECK, window_of(now), window_of(was))
    for name, value in (
        ("attribution_ndcg", 0.884359785),
        ("attribution_moved", 0.3),
        ("attribution_spearman", 0.3),
    ):
        assert exact[name].value == pytest.approx(value, rel=1e-6)
    assert exact["attribution_ndcg"].detail["moved"].startswith("age -0.200, tenure +0.200")
    assert verdict(exact["attribution_ndcg"]) == "changed"


def test_the_numbers_are_those_of_the_rows():
    """Also where importances tripled, beyond the reference's grid: all is as by the plain means of
    the rows' sizes.
    """
    now = logged(1, 3_000, (0.2, 0.35, 0.05, 0.3, 0.1))
    found = measured(CHECK, window_of(now, REFERENCE), REFERENCE)
    ref, cur = (
        np.array([np.mean(np.abs(v)) for v in side.values()])
        for side in (logged(0, 4_000, WAS), now)
    )
    discounts = 1 / np.log2(np.arange(2, 7))
    assert found["attribution_ndcg"].value == pytest.approx(
        ref[np.argsort(-cur)] @ discounts / (-np.sort(-ref) @ discounts), rel=1e-9
    )
    assert found["attribution_moved"].value == pytest.approx(
        np.abs(ref / ref.sum() - cur / cur.sum()).sum() / 2, rel=1e-9
    )
    assert found["attribution_spearman"].value == pytest.approx(ss.spearmanr(ref, cur).statistic)
    assert all(
        m.interval[0] <= m.value <= m.interval[1] and m.rows == 3_000 for m in found.values()
    )


def test_the_same_use_of_features_is_ok():
    """Another sample of the same attributions, and the very same ones, are ok."""
    for now in (window_of(logged(2, 2_000, WAS), REFERENCE), REFERENCE):
        found = measured(CHECK, now, REFERENCE)
        assert verdict(found["attribution_ndcg"]) == "ok"
        assert found["attribution_moved"].interval[0] == 0
    assert found["attribution_ndcg"].interval == (1, 1)
    assert found["attribution_moved"].value == 0


def test_columns_may_be_named_one_by_one():
    """Settings say which column holds whose attributions; only those count."""
    check = Attribution(columns={"years": "shap_age", "money": "shap_income"})
    now = logged(3, 1_000, (0.3, 0.4, 9.0, 9.0, 9.0))
    found = measured(check, window_of(now, REFERENCE), REFERENCE)
    assert found["attribution_ndcg"].detail["moved"].startswith("money +") or found[
        "attribution_ndcg"
    ].detail["moved"].startswith("years -")
    assert found["attribution_spearman"].value == -1


def test_what_is_lacking_is_named():
    """No reference, an absent or empty attribution column, one feature, zeros: no value, and
    why.
    """
    bare = {name: values for name, values in logged(4, 200, WAS).items() if name != "shap_plan"}
    empty = logged(4, 200, WAS) | {"shap_plan": [None] * 200}
    zeros = {name: [0.0] * 200 for name in logged(4, 200, WAS)}
    for now, was, reason in (
        (REFERENCE, None, "no reference yet"),
        (window_of(bare), REFERENCE, "no attributions in shap_plan"),
        (window_of(empty, REFERENCE), REFERENCE, "no attributions in shap_plan"),
        (window_of(zeros, REFERENCE), REFERENCE, "other than 0"),
        (window(shap_age=[1.0]), window(shap_age=[1.0]), "two features"),
        (window(age=[1.0]), window(age=[1.0]), "two features"),
    ):
        found = measured(CHECK, now, was)
        assert list(found) == ["attribution_ndcg", "attribution_moved", "attribution_spearman"]
        assert all(m.value is None and reason in m.reason for m in found.values())


def scored(seed, rows, weight):
    """A score that follows `a` by its weight, and noise."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, rows))
    return {
        "a": a.tolist(),
        "b": b.tolist(),
        "score": (1 / (1 + np.exp(-weight * a - rng.normal(size=rows)))).tolist(),
    }


SCHEMA = Schema(
    features={
        "a": Field("a", "a", Kind.NUMERIC),
        "b": Field("b", "b", Kind.NUMERIC),
        "c": Field("c", "c", Kind.CATEGORICAL),
    },
    score=Field("score", "score", Kind.NUMERIC),
)


def correlations(now, was, schema=SCHEMA):
    reference = None if was is None else window_of(was, schema=schema)
    found = Attribution().evaluate(
        context(window_of(now, reference, schema), reference, schema=schema)
    )
    return {m.labels.get("column", ""): m for m in found}


def test_without_attributions_features_are_held_against_the_score():
    """The rank correlation of each numeric feature with the score, with its interval and the
    reference's.
    """
    now, was = scored(0, 400, 0.0), scored(1, 400, 2.0)
    found = correlations(now, was)
    assert list(found) == ["a", "b"]
    assert found["a"].value == pytest.approx(ss.spearmanr(now["a"], now["score"]).statistic)
    assert found["a"].was == pytest.approx(ss.spearmanr(was["a"], was["score"]).statistic)
    assert found["a"].interval[1] < 0.2 < found["a"].was
    assert found["b"].rows == 400
    assert correlations(now, None)["a"].was is None


def test_a_numeric_prediction_stands_for_the_score():
    """A regression's prediction serves as well; a category does not, and then the reason is
    told.
    """
    numeric = Schema(features=SCHEMA.features, prediction=Field("score", "score", Kind.NUMERIC))
    assert correlations(scored(2, 50, 1.0), None, numeric)["a"].value > 0
    for schema, reason in (
        (Schema(features=SCHEMA.features), "no score"),
        (Schema(score=SCHEMA.score), "no numeric feature"),
    ):
        (found,) = correlations(scored(3, 50, 1.0), None, schema).values()
        assert (found.value, found.reason) == (None, reason)


VALUES = st.sampled_from(
    [
        [None] * 12,
        [NAN] * 12,
        [3.0] * 12,
        [0.0] * 12,
        [1e150, -1e150, 1.0] * 4,
        [1e-300, -2e-300] * 6,
        list(np.linspace(-1, 1, 12)),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_input_breaks_it(data):
    """Null, constant, zero, huge, tiny, one row, absent on a side: a value or a reason for each."""
    was, now = (
        {name: data.draw(VALUES) for name in ("a", "b", "score")[: data.draw(st.integers(1, 3))]}
        for _ in range(2)
    )
    reference = window_of(
        {
            name: values[: data.draw(st.sampled_from([1, 12]))]
            for name, values in list(was.items())[:1]
        }
    )
    reference = window_of(was) if data.draw(st.booleans()) else reference
    cut = data.draw(st.sampled_from([1, 2, 12]))
    current = window_of({name: values[:cut] for name, values in now.items()}, reference)
    for check in (Attribution(), Attribution(columns={"a": "a", "b": "b"})):
        for m in check.evaluate(context(current, reference, schema=SCHEMA)):
            numbers = [
                m.value,
                m.was,
                *(m.interval or ()),
                *(v for v in m.detail.values() if isinstance(v, float)),
            ]
            assert all(number is None or np.isfinite(number) for number in numbers), m
            assert m.value is not None or m.reason, m
            assert (
                m.value is None or m.interval is None or m.interval[0] <= m.value <= m.interval[1]
            ), m
