"""Clarify's flip test FT, and checks from its bias baseline."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from driftline_plugins.checks.fairness import Fairness
from driftline_plugins.checks.fairness.bias_baseline import import_checks
from driftline_plugins.checks.flip_test import FlipTest

from driftline import Field, Kind, Schema
from driftline.cli.reference import import_baseline
from driftline.contracts.rule import Rule
from driftline.kit.checks import Task
from driftline.stats import flip_test
from driftline.testing import context
from driftline.testing.windows import window_of

SCHEMA = Schema(
    features={
        "sex": Field("sex", "sex", Kind.CATEGORICAL),
        "income": Field("income", "income", Kind.NUMERIC),
        "plan": Field("plan", "plan", Kind.CATEGORICAL),
    },
    prediction=Field("prediction", "prediction", Kind.CATEGORICAL),
    task=Task.BINARY,
    segments=("sex",),
)


def test_the_nearest_others_decide():
    """Two members are rejected beside accepted others, one is accepted beside rejected ones."""
    group = np.array([[0.0], [1.0], [10.0], [11.0]])
    others = np.array([[0.1], [0.2], [1.1], [10.1], [10.2], [11.1]])
    accepted = np.array([True, True, True, False, False, False])
    found = flip_test(group, np.array([False, False, True, False]), others, accepted, 3)
    assert found.value == pytest.approx((2 - 1) / 4)
    assert found.interval[0] < 0.25 < found.interval[1]


def test_half_of_an_even_number_is_no_majority():
    """Nothing flips where the neighbours are of two minds."""
    group, others = np.zeros((3, 1)), np.array([[0.1], [-0.1]])
    found = flip_test(group, np.array([True, False, True]), others, np.array([True, False]), 2)
    assert found.value == 0


def test_without_neighbours_there_is_a_reason():
    """Fewer others than neighbours: no value."""
    found = flip_test(np.zeros((3, 1)), np.ones(3, bool), np.zeros((2, 1)), np.ones(2, bool))
    assert (found.value, "5 of the others" in found.reason) == (None, True)


def applicants(rows, gap, seed=0):
    """Who earns enough is accepted; women need `gap` more."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], rows, p=[0.4, 0.6])
    income = rng.normal(0, 1, rows)
    bar = np.where(sex == "f", gap, 0.0)
    return {
        "sex": sex.tolist(),
        "income": income.tolist(),
        "plan": rng.choice(["a", "b"], rows).tolist(),
        "prediction": (income > bar).astype(int).astype(str).tolist(),
    }


def measure(columns, schema=SCHEMA, **options):
    check = FlipTest(facets=("sex",), **options)
    window = window_of(columns, schema=schema)
    return {m.labels.get("group", ""): m for m in check.evaluate(context(window, schema=schema))}


def test_a_group_that_needs_more_would_gain_by_a_flip():
    """Women would gain, men would lose; of equal treatment there is nothing to gain."""
    unfair = measure(applicants(500, gap=1.0))
    assert unfair["f"].interval[0] > 0.1
    assert unfair["m"].value < 0
    fair = measure(applicants(500, gap=0.0))
    assert abs(fair["f"].value) < 0.05


@pytest.mark.parametrize(
    ("columns", "schema", "reason"),
    [
        ({"sex": ["f"] * 40, "prediction": ["1"] * 40}, SCHEMA, "no other feature varies"),
        ({"income": [1.0, 2.0] * 20, "prediction": ["1"] * 40}, SCHEMA, "has sex and a decision"),
        ({"sex": ["f"] * 40, "income": [1.0] * 40}, SCHEMA, "has sex and a decision"),
        ({"sex": ["f"]}, Schema(features=SCHEMA.features), "two classes"),
        (applicants(40, 0.0) | {"sex": ["f"] * 40}, SCHEMA, "5 of the others"),
    ],
)
def test_what_can_not_be_compared_has_a_reason(columns, schema, reason):
    """No value, and why."""
    found = measure(columns, schema)
    assert all(m.value is None and reason in m.reason for m in found.values()), found
    assert found


def test_a_group_of_three_is_not_named():
    """Its members could be recognised."""
    columns = applicants(200, 0.0)
    columns["sex"][:3] = ["x"] * 3
    assert set(measure(columns)) == {"f", "m"}


def analysis(facet="sex", value="f", **metrics):
    """A bias report with these metrics."""
    listed = [
        {"name": name, "description": name, "value": value} for name, value in metrics.items()
    ]
    part = {
        "label": "repaid",
        "facets": {facet: [{"value_or_threshold": value, "metrics": listed}]},
        "label_value_or_threshold": "1",
    }
    return {"version": "1.0", "post_training_bias_metrics": part}


def test_a_bias_baseline_becomes_bounds_to_both_sides():
    """As far from equal treatment as in the baseline, and 0.03 at least; DI is a ratio."""
    found = import_checks(analysis(AD=-0.1, DPPL=0.01, DI=0.8, CI=0.4, FT=0.1, CDDPL=None), {})
    check = found.checks["bias_sex"]
    assert check["options"] == {"facets": ["sex"], "metrics": ["AD", "DPPL", "DI", "CI"]}
    bounds = {
        (rule["measurement"], side): rule[side]["warning"]
        for rule in check["rule"]
        for side in ("above", "below")
        if side in rule
    }
    assert bounds == {
        ("AD", "above"): 0.1,
        ("AD", "below"): -0.1,
        ("DPPL", "above"): 0.03,
        ("DPPL", "below"): -0.03,
        ("DI", "above"): pytest.approx(1.25),
        ("DI", "below"): pytest.approx(0.8),
    }
    Fairness.model_validate(check["options"])
    assert all(Rule.model_validate(rule) for rule in check["rule"])
    assert any("flip_test" in doubt for doubt in found.doubts)
    assert found.needs_labels


def test_a_range_is_a_segment_with_a_condition():
    """The facet of a number is named with the condition that the schema needs."""
    found = import_checks(analysis("age", "(25.5, 80]", AD=0.1), {"age": "years"})
    assert list(found.checks) == ["bias_years_above_25.5"]
    assert "{name: years_above_25.5, where: 'years > 25.5'}" in found.doubts[0]


@pytest.mark.parametrize(
    "document",
    [{}, [], None, {"post_training_bias_metrics": 3}, {"pre_training_bias_metrics": {"facets": [1]}},
     {"pre_training_bias_metrics": {"facets": {"a": [1, {"metrics": 2}]}}}],
)  # fmt: skip
def test_other_documents_are_no_bias_baseline(document):
    """They are left to others."""
    assert import_checks(document, {}) is None


def test_a_metric_without_a_number_has_no_bound():
    """Infinite or missing values are left out."""
    found = import_checks(analysis(TE=None, RD="Infinity", AD=float("inf")), {})
    assert not found.checks


@pytest.mark.system
def test_the_command_imports_a_bias_report(tmp_path):
    """`reference import` prints the checks and what the schema needs."""
    path = tmp_path / "analysis.json"
    path.write_text(json.dumps(analysis(AD=-0.1)))
    done = CliRunner().invoke(import_baseline, [str(path), "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["checks"]["bias_sex"]["type"] == "fairness"
    assert "schema.segments" in document["doubts"][0]
