"""Every check survives every input: a number or a reason, never an exception, never NaN."""

import math
import warnings
from datetime import timedelta

import numpy as np
import pytest
from driftline_plugins.checks import (
    constraints,
    drift,
    freshness,
    missing,
    other_tool,
    performance,
    range,
    units,
    volume,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from profile_builder import (
    HOUR,
    START,
    binary_scores,
    column,
    context,
    edges_of,
    pasts,
    regression_scores,
)

from driftline import Window
from driftline.kit.checks import Scores, Task
from driftline.profiles.window import RegressionSums, ScoreSums
from driftline.types.settings import field_descriptions

pytestmark = pytest.mark.system

SHIPPED = (drift, missing, range, volume, freshness, performance, constraints, units)
CHECKS = [kind() for module in SHIPPED for kind in module.register_checks()]
ALL = {"completeness": 1.0, "non_negative": True, "domain": ["a", "1.0"]}
ASKED = [
    constraints.Constraints(
        features={
            "x": ALL | {"type": "integral"},
            "z": ALL | {"type": "string"},
            "nowhere": ALL | {"type": "fractional"},
        },
        drift=constraints.Drift(),
    ),
    constraints.Constraints(
        features={
            "x": {"type": "string", "data_type_share": 0.5},
            "z": {"type": "integral", "domain": []},
        },
        drift=constraints.Drift(method="simple", categorical_method="chi_squared"),
    ),
    drift.Drift(columns=("x", "nowhere"), metrics=(*drift.NUMERIC, *drift.CATEGORICAL)),
    missing.Missing(columns=("x", "nowhere")),
    range.OutsideRange(
        columns=("nowhere",), limits={"x": {"low": 0.5, "high": 0.5}, "z": {"low": 1}}
    ),
    freshness.Freshness(limit=1e-300),
    units.Units(columns=("x", "nowhere")),
    *(
        other_tool.OtherTool(like=like, metrics=tuple(metrics))
        for like, metrics in other_tool.METRICS.items()
    ),
    *(other_tool.OtherTool(like=like, columns=("x", "nowhere")) for like in other_tool.METRICS),
    performance.Performance(headline="rmse", metrics=("accuracy", "r2", "macro_f1", "roc_auc")),
]

VALUES = st.sampled_from(
    [
        [],
        [None],
        [None] * 200,
        [float("nan")] * 5,
        [float("inf"), -float("inf"), 1.0],
        [1e200, 1.0, 2.0],
        [3.0],
        [3.0] * 200,
        [4.0] * 200,
        [1e150, -1e150] * 60,
        [1e-300, 2e-300, 0.0] * 60,
        [0.0, 1.0] * 100,
        list(np.linspace(-1, 1, 300)),
        [2.0**53, 2.0**53 + 2] * 90,
        ["a"] * 150,
        ["a", "b", None] * 60,
        ["new", "<script>", "x" * 500] * 60,
        [str(n) for n in np.arange(400)],
    ]
)
SCORES = st.sampled_from(
    [
        Scores(),
        Scores(rows=10),
        Scores(rows=5, labelled=5, confusion={("1", "1"): 5}),
        Scores(rows=5, labelled=5, confusion={("0", "1"): 5, ("1", "0"): 0}),
        Scores(rows=3, labelled=3, confusion={("a", "b"): 1, ("b", "c"): 2}),
        Scores(
            rows=1,
            labelled=1,
            confusion={("0", "0"): 1},
            edges=np.array([0.5]),
            negatives=np.array([0, 1, 0]),
            positives=np.zeros(3, np.int64),
            sums=ScoreSums(n=1, brier=0.25, brier2=0.0625),
        ),
        binary_scores([1] * 40, [1.0] * 40),
        binary_scores([0] * 20 + [1] * 20, [0.0] * 20 + [1.0] * 20),
        binary_scores([0, 1] * 20, [1.0, 0.0] * 20),
        regression_scores([1.0], [2.0]),
        regression_scores([1.0] * 50, [1.0] * 50),
        regression_scores([1e150, -1e150] * 20, [0.0] * 40),
        regression_scores([1e-200, 2e-200] * 20, [0.0] * 40),
        Scores(
            rows=9,
            labelled=9,
            regression=RegressionSums(
                n=9, e=1e300, abs_e=1e300, e2=1.7e308, e4=1.7e308, abs_y=1e300, y=0.0, y2=1e-300
            ),
        ),
    ]
)
PAST = st.sampled_from([[], [0] * 20, [5] * 9, [0, 10**12] * 10, [1, 2, 3, 10**6] * 5])


def window(x, z, scores, like=None, last=None):
    columns = {}
    for name, values in (("x", x), ("z", z)):
        if values is not None:
            columns[name] = column(name, values, like.columns.get(name) if like else None)
    rows = len(x) if x is not None else 0
    return Window(
        rows=rows, columns=columns, scores=scores, start=START, end=START + HOUR, last_seen=last
    )


def assert_sound(check, ctx):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = list(check.evaluate(ctx))
    keys = [(m.name, tuple(sorted(m.labels.items()))) for m in found]
    assert len(keys) == len(set(keys))
    for m in found:
        numbers = [
            m.value,
            m.p_value,
            m.was,
            *(m.interval or ()),
            *(v for v in m.detail.values() if isinstance(v, float)),
        ]
        assert all(number is None or math.isfinite(number) for number in numbers), m
        assert m.name
        assert m.value is not None or m.reason, m
        assert m.interval is None or m.interval[0] <= m.interval[1], m
        assert m.value is None or m.interval is None or m.interval[0] <= m.value <= m.interval[1], m
        assert m.p_value is None or 0 <= m.p_value <= 1, m
        assert all(type(v) in (str, int, float, type(None)) for v in m.detail.values()), m
        assert m.value is None or type(m.value) in (int, float), m
        rule = check.default_rules.get(m.name)
        assert rule is None or rule.judge(
            m, m.rows if m.rows is not None else ctx.current.rows, check.min_rows
        )


@pytest.mark.parametrize("check", CHECKS + ASKED, ids=lambda check: check.type)
@settings(max_examples=120, deadline=None)
@given(st.data())
def test_no_input_breaks_a_check(check, data):
    """Empty, null, constant, single, unseen, absent, of another kind, huge, tiny, without
    reference: a value or a reason.
    """
    columns = st.one_of(st.none(), VALUES)
    reference = None
    if data.draw(st.booleans()):
        reference = window(data.draw(columns), data.draw(columns), data.draw(SCORES))
    last = data.draw(st.sampled_from([None, START, START - timedelta(days=9), START + 3 * HOUR]))
    current = window(data.draw(columns), data.draw(columns), data.draw(SCORES), reference, last)
    task = data.draw(st.sampled_from([None, *Task]))
    assert_sound(check, context(current, reference, pasts(data.draw(PAST)), task=task))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.type)
def test_the_same_window_gives_the_same_measurements_in_the_same_order(check):
    """A check is a function of its context."""
    values = list(np.linspace(0, 1, 200))
    same = window(values, ["a", "b"] * 100, binary_scores([0, 1] * 50, np.linspace(0, 1, 100)))
    ctx = context(same, same, pasts([5, 6, 7] * 5))
    assert list(check.evaluate(ctx)) == list(check.evaluate(ctx))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.type)
def test_a_window_that_is_its_own_reference_changes_nothing(check):
    """Identical data is ok or unsure for every rule of every check, and drift is ok."""
    values = list(np.random.default_rng(0).normal(0, 1, 2_000))
    same = window(
        values,
        ["a", "b"] * 1_000,
        binary_scores([0, 1] * 5_000, np.linspace(0.2, 0.8, 10_000)),
        last=START + HOUR,
    )
    for m in check.evaluate(context(same, same, pasts([2_000] * 20, timedelta(days=1)))):
        if m.name in check.default_rules:
            assert (
                check.default_rules[m.name].judge(m, m.rows or 2_000, check.min_rows).verdict
                == "ok"
            ), m


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.type)
def test_a_check_says_what_it_is(check):
    """Its type, cause, main measurement and degenerate answers are declared and documented."""
    assert check.type
    assert check.cause in {"drift", "quality", "service", "performance"}
    assert "| input | answer |" in type(check).__doc__
    assert field_descriptions(type(check)).keys() == type(check).model_fields.keys()
    assert {"numeric", "categories", "scores"} >= check.collectors


def test_the_grid_of_the_tests_is_the_grid_of_the_profiles():
    """A column of few values has an edge for each, one of many at most 1,500."""
    assert list(edges_of([1.0, 2.0, 2.0])) == [1, 2]
    assert len(edges_of(np.random.default_rng(0).normal(0, 1, 9_000))) <= 1_500
