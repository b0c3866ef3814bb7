"""SageMaker's constraints as checks: the real files, the old schema, overrides, and what has no
counterpart.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from driftline_plugins.checks.constraints import Constraints
from driftline_plugins.checks.model_monitor import convert_constraints, is_constraints
from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftline.contracts.rule import Rule

pytestmark = [pytest.mark.postgres, pytest.mark.system]

BASELINE = Path(__file__).parent.parent / "data" / "samples" / "aws" / "baseline"


def real(name):
    return json.loads((BASELINE / name).read_text())


def test_the_constraints_of_a_real_monitor():
    """Six columns with type, completeness and sign; thresholds and method are the file's."""
    asked = convert_constraints(real("data_quality/constraints.json"), {"_c0": "prediction"})
    assert asked.doubts == []
    check = Constraints.model_validate(asked.constraints)
    assert list(check.features) == ["prediction", "_c1", "_c2", "_c3", "_c4", "_c5"]
    assert check.features["_c1"].model_dump(exclude_defaults=True) == {
        "type": "fractional",
        "completeness": 1.0,
        "non_negative": True,
    }
    assert (
        check.data_type_share,
        check.domain_share,
        check.drift.threshold,
        check.drift.method,
    ) == (1, 1, 0.1, "robust")


def test_the_schema_of_2019():
    """enable_comparisons and min_domain_mass; overrides stand within the string constraints."""
    asked = convert_constraints(real("nyc_taxi_old_schema/constraints.json"), {})
    check = Constraints.model_validate(asked.constraints)
    assert check.features["message"].domain == ("preproc-not-YET-supported-for-csv-json",)
    assert (check.domain_share, check.drift.threshold) == (1.0, 1.0)


def test_model_quality_becomes_rules_and_r2_is_left_out():
    """mae and rmse are bounds of the performance check, mse says the same as rmse, and r2's meaning
    is another.
    """
    asked = convert_constraints(real("model_quality_regression/constraints.json"), {})
    assert asked.constraints == {}
    rules = [Rule.model_validate(rule) for rule in asked.rules]
    assert {rule.measurement: round(rule.above.warning, 4) for rule in rules} == {
        "mae": 0.5041,
        "rmse": 0.5776,
    }
    assert [doubt[:2] for doubt in asked.doubts] == ["r2"]


@pytest.mark.parametrize(
    ("constraints", "rules", "kept"),
    [
        (
            {"mse": (0.0336, "Greater"), "rmse": (0.5776, "Greater")},
            [("rmse", "above", 0.1833)],
            "mse is the stricter one and is kept as rmse not above 0.183303",
        ),
        (
            {"rmse": (0.1, "Greater"), "mse": (0.5, "Greater")},
            [("rmse", "above", 0.1)],
            "rmse is the stricter one and is kept as rmse not above 0.1",
        ),
        (
            {"true_positive_rate": (0.8, "Less"), "recall": (0.5, "Less")},
            [("recall", "below", 0.8)],
            "true_positive_rate is the stricter one and is kept as recall not below 0.8",
        ),
    ],
)
def test_the_stricter_of_two_constraints_of_one_metric_is_kept(constraints, rules, kept):
    """A window that violates either of them violates the one that is kept; a sentence says so."""
    document = {
        name: {"threshold": bound, "comparison_operator": f"{word}ThanThreshold"}
        for name, (bound, word) in constraints.items()
    }
    checks = convert_constraints({"regression_constraints": document}, {})
    assert [
        (rule["measurement"], word, round(bounds["warning"], 4))
        for rule in checks.rules
        for word, bounds in rule.items()
        if word != "measurement"
    ] == rules
    assert [kept in doubt for doubt in checks.doubts] == [True]


def test_binary_model_quality():
    """Rates that mean the same are one rule; what the check does not measure is told."""
    told = {
        "recall": {"threshold": 0.5, "comparison_operator": "LessThanThreshold"},
        "true_positive_rate": {"threshold": 0.5, "comparison_operator": "LessThanThreshold"},
        "auc": {"threshold": 0.7, "comparison_operator": "LessThanThreshold"},
        "f2": {"threshold": 0.1, "comparison_operator": "LessThanThreshold"},
        "accuracy": {"threshold": "NaN", "comparison_operator": "LessThanThreshold"},
    }
    asked = convert_constraints({"binary_classification_constraints": told}, {})
    assert asked.rules == [
        {"measurement": "recall", "below": {"warning": 0.5}},
        {"measurement": "roc_auc", "below": {"warning": 0.7}},
    ]
    assert [doubt.split()[0] for doubt in asked.doubts] == ["f2", "accuracy"]


@pytest.mark.parametrize("spelling", ["monitoringConfigOverrides", "monitoring_config_overrides"])
def test_a_feature_overrides_the_file(spelling):
    """Thresholds of a feature go before the file's; a disabled comparison or feature is left
    out.
    """
    config = {
        "datatype_check_threshold": 0.9,
        "distribution_constraints": {
            "perform_comparison": "Enabled", "comparison_threshold": 0.1, "comparison_method": "Simple",
            "categorical_comparison_threshold": 0.2, "categorical_drift_method": "ChiSquared",
        },
    }  # fmt: skip
    features = [
        {
            "name": "a",
            spelling: {
                "datatype_check_threshold": 0.5,
                "distribution_constraints": {"comparison_threshold": 0.3},
            },
        },
        {"name": "b", spelling: {"distribution_constraints": {"perform_comparison": "Disabled"}}},
        {"name": "c", spelling: {"evaluate_constraints": "Disabled"}},
        {"name": "d", "inferred_type": "Unknown", "completeness": 2},
    ]
    asked = convert_constraints({"features": features, "monitoring_config": config}, {})
    check = Constraints.model_validate(asked.constraints)
    assert check.drift.model_dump() == {
        "threshold": 0.1, "method": "simple", "categorical_threshold": 0.2, "categorical_method": "chi_squared",
    }  # fmt: skip
    assert check.features["a"].data_type_share == 0.5
    assert (check.features["a"].drift.threshold, check.features["a"].drift.method) == (
        0.3,
        "simple",
    )
    assert check.features["b"].drift is False
    assert "c" not in check.features
    assert check.features["d"].model_dump(exclude_defaults=True) == {}
    assert [doubt.split(":")[0] for doubt in asked.doubts] == ["c"]


def test_a_disabled_file_asks_for_nothing():
    """Nothing is checked that was not, and that is told."""
    asked = convert_constraints(
        {"features": [], "monitoring_config": {"evaluate_constraints": "Disabled"}}, {}
    )
    assert (asked.constraints, len(asked.doubts)) == ({}, 1)


def test_other_files_are_no_constraints():
    """Statistics and other JSON are told from constraints."""
    assert is_constraints(real("data_quality/constraints.json"))
    assert not is_constraints(real("data_quality/statistics.json"))
    assert not is_constraints([])


NAMES = (
    "name", "inferred_type", "completeness", "num_constraints", "string_constraints", "domains", "is_non_negative",
    "monitoringConfigOverrides", "distribution_constraints", "comparison_threshold", "comparison_method", "threshold",
)  # fmt: skip
WILD = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.sampled_from(["Enabled", "Disabled", "Robust", "x", "String"]),
    lambda below: (
        st.lists(below, max_size=2) | st.dictionaries(st.sampled_from(NAMES), below, max_size=5)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(WILD, max_size=3),
    WILD,
    st.dictionaries(st.sampled_from(["mae", "mse", "r2", "x"]), WILD, max_size=3),
)
@example([], {"distribution_constraints": {"comparison_method": ["Robust"]}}, {})
def test_whatever_stands_there_makes_a_valid_check(features, config, quality):
    """Files that people have edited give a check that the configuration accepts, and never an
    exception.
    """
    asked = convert_constraints(
        {"features": features, "monitoring_config": config, "regression_constraints": quality}, {}
    )
    Constraints.model_validate(json.loads(json.dumps(asked.constraints)))
    for rule in asked.rules:
        Rule.model_validate(rule)
