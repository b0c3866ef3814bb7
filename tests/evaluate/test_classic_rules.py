"""The classic rules: they judge as their charts do, and are wrong as often as they say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from driftline import Check, Measurement, Rule, Severity, Verdict
from driftline.contracts.classic_rules import MAX_RUN, format_rate
from driftline.evaluate.check_plan import CheckPlan, run_check
from driftline.kit.checks import Cusum, Ewma, PastValue, PValue, Shewhart, Sigma
from driftline.testing import context, window

pytestmark = pytest.mark.system

PAGE = Path(__file__).parents[2] / "docs/statistics.md"
CHARTS = [Shewhart(windows=12), Sigma(), Ewma(windows=12), Cusum(windows=12)]
HISTORY = [10.2, 9.8, 10.5, 10.1, 9.9, 10.3, 10.0, 9.7, 10.4, 10.1, 9.6, 10.2]


def verdict(rule, past, value):
    return rule.judge(past, value).verdict


@pytest.mark.parametrize("correction", ["holm", "bh", "by", "simes"])
def test_p_values_alarm_in_as_many_quiet_windows_as_the_level_says(correction):
    """Of 4,000 windows with 20 columns in which nothing changed, about 5% or fewer have any
    alarm.
    """
    rule = PValue(level=0.05, correction=correction)
    windows = np.random.default_rng(1).random((4_000, 20))
    alarms = np.mean(
        [
            any(said.verdict is Verdict.CHANGED for said in rule.judge(row.tolist()))
            for row in windows
        ]
    )
    assert alarms <= 0.06
    assert correction == "by" or alarms >= 0.04


def test_corrections_differ_in_what_they_name():
    """Holm names what is beyond chance among all, BH more of many, Simes the likeliest only;
    without p-value is unsure.
    """
    p = [0.0004, 0.004, 0.006, None, 0.009, 0.8]
    named = {
        name: [
            said.verdict is Verdict.CHANGED for said in PValue(level=0.01, correction=name).judge(p)
        ]
        for name in ("holm", "bh", "by", "simes")
    }
    assert named == {
        "holm": [True, False, False, False, False, False],
        "bh": [True, True, True, False, False, False],
        "by": [True, False, False, False, False, False],
        "simes": [True, False, False, False, False, False],
    }
    said = PValue(severity=Severity.INFO).judge(p)
    assert said[0].reason == "p 0.0004 (Holm over 5), level 0.01"
    assert said[0].severity is Severity.INFO
    assert (said[3].verdict, said[3].reason) == (Verdict.UNSURE, "no p-value")
    assert PValue().judge([]) == []
    assert PValue().judge([1e-9])[0].reason == "p below 1e-6, level 0.01"


@pytest.mark.parametrize(
    "rule",
    [Shewhart(windows=12, one_in=50), Sigma(), Shewhart(windows=12, one_in=50, side="above")],
)
def test_limits_are_left_as_often_as_they_say(rule):
    """Over 10,000 histories of good windows the share of good new windows outside is the stated
    rate.
    """
    rng = np.random.default_rng(2)
    histories, new = rng.normal(3, 2, (10_000, 12)), rng.normal(3, 2, 10_000)
    alarms = [
        verdict(rule, past.tolist(), one) is Verdict.CHANGED
        for past, one in zip(histories, new, strict=True)
    ]
    assert np.mean(alarms) == pytest.approx(rule.rate, rel=0.15)


@pytest.mark.parametrize(
    "rule", [Ewma(windows=15), Cusum(windows=15), Cusum(windows=15, side="above")]
)
def test_a_chart_is_quiet_for_as_long_as_it_says(rule):
    """Somewhat fewer of 1,500 quiet series alarm within 10 windows than the rate says: charts start
    quiet.
    """
    rng = np.random.default_rng(3)
    alarmed, steps = 0, 10
    for series in rng.normal(0, 1, (1_500, 15 + steps)).tolist():
        alarmed += any(
            verdict(rule, series[:n], series[n]) is Verdict.CHANGED for n in range(15, 15 + steps)
        )
    assert 0.45 * rule.rate * steps <= alarmed / 1_500 <= rule.rate * steps


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-30, 30), min_size=14, max_size=60),
    st.sampled_from(["above", "below", "both"]),
)
def test_charts_judge_as_their_definitions_do(values, side):
    """EWMA and CUSUM, written out as loops over standardised windows, cross their limits where the
    rules say changed.
    """
    baseline, after = np.array(values[:12]), values[12:]
    if np.ptp(baseline) < 1e-6:
        return
    z = [(value - baseline.mean()) / baseline.std(ddof=1) for value in after]
    mean, up, down = 0.0, 0.0, 0.0
    for one in z:
        mean = 0.8 * mean + 0.2 * one
        up, down = min(10.0, max(0.0, up + one - 0.5)), min(10.0, max(0.0, down - one - 0.5))
    limit = 3 * math.sqrt(0.2 / 1.8 * (1 - 0.8 ** (2 * len(z))))
    high = {"above": mean > limit, "below": mean < -limit, "both": abs(mean) > limit}[side]
    if abs(abs(mean) - limit) > 1e-9:
        assert (
            verdict(Ewma(windows=12, side=side), values[:-1], values[-1]) is Verdict.CHANGED
        ) == high
    far = {"above": up > 5, "below": down > 5, "both": max(up, down) > 5}[side]
    if abs(up - 5) > 1e-9 and abs(down - 5) > 1e-9:
        assert (
            verdict(Cusum(windows=12, side=side), values[:-1], values[-1]) is Verdict.CHANGED
        ) == far


def test_the_published_limits_are_the_rules():
    """t = 3.23 with 11 degrees of freedom is outside at once in 100 windows and inside at once in
    200; Sigma's z is 3.51.
    """
    assert verdict(Shewhart(windows=12, one_in=100), HISTORY, 11.0) is Verdict.CHANGED
    assert verdict(Shewhart(windows=12, one_in=200), HISTORY, 11.0) is Verdict.OK
    assert verdict(Sigma(windows=12, width=3.51), HISTORY, 11.0) is Verdict.CHANGED
    assert verdict(Sigma(windows=12, width=3.52), HISTORY, 11.0) is Verdict.OK
    assert Sigma().rate == pytest.approx(0.02385638454)
    said = Sigma(windows=12, severity=Severity.CRITICAL).judge(HISTORY, 11.0)
    assert said.severity is Severity.CRITICAL
    assert said.reason == "above 10.86, usually 10.07; by chance in 1 of 54 windows"
    assert Sigma(windows=12).judge(HISTORY, 9.0).reason.startswith("below 9.27")


def test_small_shifts_that_last_are_found_by_the_charts_with_memory():
    """A shift of 1.5 sd is found by EWMA and CUSUM within 10 windows, a single limit at the same
    rate misses it for longer.
    """
    noise = np.tile([0.9, -1.1, 0.4, -0.2, 1.2, -1.2], 5)
    series = np.concatenate((noise, noise[:10] * 0.5 + 1.5))
    found = {
        type(rule).__name__: next(
            (
                n - 30
                for n in range(30, 40)
                if verdict(rule, series[:n].tolist(), series[n]) is Verdict.CHANGED
            ),
            None,
        )
        for rule in (Ewma(), Cusum(), Shewhart())
    }
    assert found["Ewma"] is not None
    assert found["Cusum"] is not None
    assert found["Shewhart"] is None


def test_a_sum_comes_down_after_a_change():
    """However long and large a change was, 2 limit / slack quiet windows after it the sum is fine
    again.
    """
    rule = Cusum(windows=12)
    past = HISTORY + [1e6] * 50
    assert verdict(rule, past, 1e6) is Verdict.CHANGED
    assert rule.judge(past, 1e6).reason.startswith(
        "the sum of what lies above the usual 10.07 is 10 sd, more than 5;"
    )
    assert verdict(rule, past + [10.07] * 20, 10.07) is Verdict.OK


@pytest.mark.parametrize("rule", CHARTS, ids=lambda rule: type(rule).__name__)
def test_short_and_flat_pasts_are_unsure_with_the_reason(rule):
    """Too few windows say how many are lacking; a constant past is fine with its own value and
    knows no limits.
    """
    few = rule.judge(HISTORY[:4], 1e9)
    assert (few.verdict, few.reason) == (
        Verdict.UNSURE,
        f"{rule.windows - 4} more windows are needed to know what is usual",
    )
    assert verdict(rule, [0.1] * 40, 0.1) is Verdict.OK
    assert rule.judge([0.1] * 40, 0.2).reason == "always 0.1 before: there are no limits"
    assert verdict(rule, HISTORY * 3, 10.05) is Verdict.OK
    assert verdict(rule, HISTORY + [10.05] * 5, 40.0) is Verdict.CHANGED


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 1.0, -1e150, 1e150, 1e-300, 5e-324, 0.1]), max_size=20),
    st.sampled_from(CHARTS),
)
def test_extreme_pasts_raise_nothing(past, rule):
    """Any past and any number has a verdict, in words without NaN or infinity."""
    for value in (0.0, 1e150, -1e150, 1e-310):
        said = rule.judge(past, value)
        assert "nan" not in said.reason
        assert "inf" not in said.reason


def test_every_rule_says_how_often_it_is_wrong():
    """In words, from windows a year; half as often where one side counts; wide limits still have a
    number.
    """
    assert (
        Shewhart().promise(365)
        == "about 1 in 365 windows, 1 a year, for each series, windows independent and normal"
    )
    assert Sigma().promise(8_760).startswith("about 1 in 42 windows, 210 a year")
    assert (
        PValue(level=0.02).promise(52)
        == "about 1 in 50 windows, 1 a year, all columns of a check together, rows independent"
    )
    for both in (Sigma(), Ewma(), Cusum()):
        assert both.model_copy(update={"side": "below"}).rate == pytest.approx(both.rate / 2)
    assert Shewhart(side="above").rate == Shewhart().rate
    assert Ewma(weight=1.0, width=3.0, windows=5_000).rate == pytest.approx(1 / 370.4, rel=0.02)
    assert 0 < Ewma(width=10, windows=1_000).rate < 1e-6
    assert format_rate(0.4, 100) == "about 1 in 2.5 windows, 40 a year"


def test_the_page_states_the_rates_of_the_defaults():
    """docs/statistics.md tells for each rule, as it is without settings, what it promises for daily
    windows.
    """
    page = PAGE.read_text(encoding="utf-8")
    for name, rule in {
        "p_value": PValue(),
        "shewhart": Shewhart(),
        "sigma": Sigma(),
        "ewma": Ewma(),
        "cusum": Cusum(),
    }.items():
        assert f"| `{name}` |" in page
        assert rule.promise(365).partition(", for")[0].partition(", all")[0] in page


class Numbers(Check):
    """Tells numbers of three columns."""

    type = "numbers"

    def evaluate(self, ctx):
        for name, value, p, rows in (
            ("a", 5.0, 0.004, 100),
            ("b", 5.0, 0.006, 100),
            ("c", 5.0, 1e-9, 3),
        ):
            yield Measurement(value, {"column": name}, name="level", rows=rows, p_value=p)


def judged(rule, history=()):
    plan = CheckPlan(
        name="numbers",
        check=Numbers(),
        rules=(rule.model_copy(update={"measurement": "level"}),),
        min_rows=10,
    )
    current = window(x=[1.0, 2.0])
    asked = []

    def past(name, labels=None, limit=100):
        asked.append((name, dict(labels or {}), limit))
        column = (labels or {}).get("column")
        return [
            PastValue(current.start, value, 100, "ok")
            for value in (history if column == "a" else ())
        ]

    return run_check(
        plan, context(current, history=past), lambda plan, ctx: list(plan.check.evaluate(ctx))
    ), asked


def test_p_values_of_one_window_share_their_level():
    """Two columns that would each be changed alone are judged together; one with too few rows takes
    no part.
    """
    rows, _ = judged(Rule(p_value=PValue()))
    assert [row.verdict for row in rows] == [Verdict.CHANGED, Verdict.CHANGED, Verdict.UNSURE]
    assert rows[0].reason == "p 0.004 (Holm over 2), level 0.01"
    assert rows[2].reason == "7 more rows are needed: 3 of 10"
    strict, _ = judged(Rule(p_value=PValue(level=0.007)))
    assert [row.verdict for row in strict] == [Verdict.OK, Verdict.OK, Verdict.UNSURE]


def test_a_chart_is_given_the_past_of_its_own_series():
    """Each column is judged by its own earlier values, as many as the chart looks at."""
    rows, asked = judged(Rule(sigma=Sigma()), HISTORY)
    assert [row.verdict for row in rows] == [Verdict.CHANGED, Verdict.UNSURE, Verdict.UNSURE]
    assert rows[0].severity is Severity.WARNING
    assert rows[1].reason == "10 more windows are needed to know what is usual"
    assert asked == [("level", {"column": name}, 10 + MAX_RUN) for name in "ab"]


def test_a_rule_is_of_one_kind():
    """Two kinds at once, and settings that make no sense, are mistakes."""
    for wrong in (
        {"ewma": {}, "above": {"warning": 1}},
        {"ewma": {"weight": 0.0}},
        {"shewhart": {"one_in": 1}},
        {"cusum": {"limit": -1}},
        {"sigma": {"windows": 2}},
        {"p_value": {"correction": "none"}},
    ):
        with pytest.raises(ValidationError):
            Rule.model_validate(wrong)
    assert Rule.model_validate({"ewma": {}}).chart == Ewma()
