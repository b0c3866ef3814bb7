"""The statistics check: plain numbers of columns, with intervals, and nothing compared."""

import numpy as np
import pytest
from driftline_plugins.checks.statistics import Statistics
from profile_builder import compare, context, pair
from pydantic import ValidationError

from driftline.profiles.window import Window

RNG = np.random.default_rng(7)


def measured(check, now, was=None):
    current, reference = pair(now, was)
    return {
        (m.name, *(m.labels[key] for key in ("quantile", "category") if key in m.labels)): m
        for m in check.evaluate(context(current, reference))
    }


def test_statistics_are_those_of_the_rows():
    """Mean, sum, spread and extremes are exact; median and quantiles lie on the grid."""
    x = RNG.lognormal(1, 1, 900)
    values = measured(Statistics(quantiles=(0.95,)), x.tolist())
    plain = {
        ("mean_value",): x.mean(),
        ("sum_value",): x.sum(),
        ("sd_value",): x.std(ddof=1),
        ("min_value",): x.min(),
        ("max_value",): x.max(),
        ("median_value",): np.quantile(x, 0.5, method="inverted_cdf"),
        ("quantile_value", "0.95"): np.quantile(x, 0.95, method="inverted_cdf"),
    }
    assert {key: values[key].value for key in plain} == pytest.approx(plain)
    for key in plain.keys() - {("min_value",), ("max_value",)}:
        low, high = values[key].interval
        assert low < plain[key] < high
    assert set(values) == set(plain)


def test_the_intervals_hold_the_true_value():
    """Those of mean, median and 0.9 quantile hold it in 92 to 98% of 400 samples."""
    held = dict.fromkeys((("mean_value",), ("median_value",), ("quantile_value", "0.9")), 0)
    true = {
        ("mean_value",): 1.0,
        ("median_value",): np.log(2),
        ("quantile_value", "0.9"): np.log(10),
    }
    for _ in range(400):
        values = measured(Statistics(quantiles=(0.9,)), RNG.exponential(1, 200).tolist())
        for key in held:
            low, high = values[key].interval
            held[key] += low <= true[key] <= high
    for key, count in held.items():
        assert 0.91 <= count / 400 <= 0.985, key


def test_shares_of_named_values():
    """A category is one by its canonical text; what does not occur has the share 0."""
    now, was = ["a"] * 30 + ["b"] * 70, ["a"] * 50 + ["b"] * 50
    values = measured(Statistics(categories={"x": ("a", "z")}), now, was)
    assert values["category_share", "a"].value == pytest.approx(0.3)
    assert values["category_share", "a"].was == pytest.approx(0.5)
    assert values["category_share", "z"].value == 0
    assert values["distinct_count",].value == 2
    numeric = measured(Statistics(categories={"x": (True,)}), [1.0] * 3 + [2.0] * 7)
    assert numeric["category_share", "1"].value == pytest.approx(0.3)


def test_the_reference_is_shown_and_not_compared():
    """Each statistic has the number of the reference beside it."""
    values = compare(Statistics(), [1.0, 2.0, 3.0] * 20, [2.0, 4.0, 6.0] * 20)
    assert values["mean_value"].was == pytest.approx(4)
    assert values["max_value"].was == 6


@pytest.mark.parametrize(
    ("now", "name", "reason"),
    [
        ([], "mean_value", "no rows"),
        ([None, None], "mean_value", "the column has no values"),
        ([3.0], "sd_value", "one value"),
    ],
)
def test_no_value_has_a_reason(now, name, reason):
    """Empty, missing and single values give a reason, never a number that is not one."""
    assert measured(Statistics(), now)[name,].reason == reason


def test_named_columns_say_why_they_have_no_statistic():
    """A column that is absent or of the other kind has a reason where it is named."""
    check = Statistics(columns=("x", "y"), statistics=("mean_value",))
    current, _ = pair(["a", "b"], None)
    reasons = {m.labels["column"]: m.reason for m in check.evaluate(context(current))}
    assert reasons == {"x": "the column is categorical", "y": "the window has no such column"}
    assert not list(Statistics(statistics=("mean_value",)).evaluate(context(current)))


def test_a_quantile_lies_between_the_ends():
    """0 and 1 are no quantiles: min and max are."""
    with pytest.raises(ValidationError, match="above 0 and below 1"):
        Statistics(quantiles=(1.0,))


def test_a_window_without_columns_has_no_statistics():
    """Nothing is measured, and nothing fails."""
    assert not list(Statistics().evaluate(context(Window(rows=0))))


@pytest.mark.parametrize(
    "settings",
    [{}, {"quantiles": []}, {"categories": {}}, {"categories": {"plan": []}}],
)
def test_nothing_to_measure_is_a_mistake_of_the_configuration(settings):
    """`statistics: []` needs quantiles or categories beside it."""
    with pytest.raises(ValidationError, match="nothing to measure"):
        Statistics(statistics=[], **settings)
    assert Statistics(statistics=[], quantiles=[0.9]).statistics == ()
    assert Statistics(statistics=[], categories={"plan": ["free"]}).statistics == ()
