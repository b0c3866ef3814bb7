"""Shares judged by their odds, and the weight of columns with many streams."""

import numpy as np
import pytest
from driftline_plugins.checks.label_classes import LabelClasses

from driftline import Measurement, Schema, Severity, Verdict, stats, unusual
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.observation import Observation, Panel
from driftline.evaluate.evidence.odds import log_odds, share_of
from driftline.evaluate.evidence.trail import Stream
from driftline.evaluate.evidence.unusual_rule import PastJudge
from driftline.types.records import JudgedMeasurement, WindowKey
from driftline.types.times import DAY_MICROS

LABELS = LabelClasses.default_rules["positive_rate"]
RULE = unusual(scale="odds", info=0.2, warning=0.4, critical=3.0, obvious=0.1, neutral=None)
START = 19_700 * DAY_MICROS


def judge_days(hits, *, rows=1_000, was=0.05, rule=RULE):
    """The judgement of each daily window with so many hits."""
    policy = AlarmPolicy(DAY_MICROS)
    judge = PastJudge(policy.make_trail(), policy, Schema())
    found = []
    for day, count in enumerate(hits):
        measurement = Measurement(
            count / rows,
            {"column": "plan", "category": "gold"},
            name="category_share",
            rows=rows,
            interval=stats.wilson(count, rows),
            was=was,
            unit="share",
        )
        alone = rule.judge(measurement, rows, 100)
        row = JudgedMeasurement(
            check="drift",
            measurement=measurement,
            judgement=alone,
            rows=rows,
            cause="drift",
            past_rule=rule.unusual,
        )
        start = START + day * DAY_MICROS
        [judged] = judge.judge(start, [(WindowKey("m", start, "", ""), row)])
        found.append(judged.judgement)
    return found


def first_change(judgements):
    return next((n for n, each in enumerate(judgements) if each.verdict is Verdict.CHANGED), None)


def test_the_log_odds_of_a_share_have_an_inverse():
    """Also at the ends, and a difference of half a point doubles the odds at 0."""
    shares = np.array([0.0, 0.0005, 0.02, 0.5, 0.98, 1.0])
    assert share_of(log_odds(shares)) == pytest.approx(shares, abs=1e-12)
    assert log_odds(0.005) - log_odds(0.0) == pytest.approx(np.log(2), abs=0.006)
    assert log_odds(0.0005) - log_odds(0.0001) < np.log(1.2)


@pytest.mark.parametrize(("was", "now"), [(0.0, 0.25), (0.4, 0.2), (0.1, 0.25), (0.97, 0.8)])
def test_a_share_that_moves_by_more_than_ten_points_is_told_in_the_second_window(was, now):
    """From the first day on, in both directions, against the share of the reference."""
    judgements = judge_days([round(now * 1_000)] * 3, was=was)
    assert [each.verdict for each in judgements[:2]] == [Verdict.UNSURE, Verdict.CHANGED]


@pytest.mark.parametrize(("usual", "broken"), [(0.25, 0.0), (0.25, 1.0), (0.9, 0.0), (0.5, 0.05)])
def test_a_label_feed_that_gives_one_class_is_told_within_two_windows(usual, broken):
    """After 45 known days of 400 labels; critical, whatever the scores say."""
    rng = np.random.default_rng(6)
    known = rng.binomial(400, usual, 45).tolist()
    judgements = judge_days([*known, *[round(400 * broken)] * 3], rows=400, was=usual, rule=LABELS)
    assert first_change(judgements) in (45, 46)
    assert judgements[46].severity is Severity.CRITICAL


def test_ten_points_are_ten_points_at_every_share_once_the_past_is_known():
    """Known days of 2% to 10%, then a day of 25% twice: told in the second one."""
    rng = np.random.default_rng(0)
    usual = rng.binomial(1_000, 0.05, 50).tolist()
    assert first_change(judge_days([*usual, 250, 250])) == 51


def test_a_rare_class_that_goes_from_5_to_7_percent_is_told_within_two_weeks():
    """Two points are 43% of the odds: more than the 20% that matter."""
    rng = np.random.default_rng(1)
    hits = [*rng.binomial(1_000, 0.05, 60).tolist(), *rng.binomial(1_000, 0.07, 14).tolist()]
    judgements = judge_days(hits)
    assert 60 <= first_change(judgements) < 74
    assert judgements[-1].severity in (Severity.INFO, Severity.WARNING)


def test_a_share_that_stays_as_it_is_is_never_told():
    """A year of 5%, of a category without a row, and of one with a row now and then."""
    rng = np.random.default_rng(2)
    for share in (0.05, 0.0, 0.0003):
        hits = rng.binomial(1_000, share, 365).tolist()
        assert first_change(judge_days(hits, was=share)) is None


def test_single_rows_of_a_new_value_do_not_matter():
    """Two days with one row each after 60 without are chance; 0.5% that stays is told."""
    assert first_change(judge_days([0] * 60 + [1, 1] + [0] * 30 + [1, 0, 1], was=0.0)) is None
    assert first_change(judge_days([0] * 60 + [5] * 14, was=0.0)) is not None


@pytest.mark.parametrize(
    ("was", "now", "severity"),
    [
        (0.05, 0.30, Severity.CRITICAL),
        (0.30, 0.05, Severity.CRITICAL),
        (0.40, 0.55, Severity.WARNING),
        (0.005, 0.05, Severity.WARNING),
    ],
)
def test_the_severity_of_a_share_follows_the_odds_and_the_points(was, now, severity):
    """Critical needs four times the odds and ten points; 0.5% to 5% has the first only."""
    rng = np.random.default_rng(3)
    usual = rng.binomial(1_000, was, 50).tolist()
    judgements = judge_days([*usual, *[round(now * 1_000)] * 8], was=was)
    assert judgements[-1].severity is severity


def observation(name, column, labels="{}", family="drift", **settings):
    stream = Stream("", "", "drift", name, labels)
    return Observation(stream=stream, level=0.0, size=0.0, column=column, family=family, **settings)


def test_the_streams_of_a_column_divide_its_weight():
    """A column of 40 categories weighs as much as one of two measurements, and its PSI as much as
    all its shares together.
    """
    shares = [observation("category_share", "product", f'{{"n": {n}}}') for n in range(40)]
    product = [observation("psi", "product"), *shares]
    age = [observation("psi", "age"), observation("mean_shift", "age")]
    weight = Panel.of([*product, *age]).weight
    assert weight[:41].sum() == pytest.approx(weight[41:].sum())
    assert weight[0] == pytest.approx(weight[1:41].sum())


def test_the_weight_of_a_rule_counts_within_its_column():
    """A measurement of half the weight has half of what its neighbour has."""
    weight = Panel.of(
        [observation("mean_shift", "x"), observation("spread", "x", weight=0.5)]
    ).weight
    assert weight[1] == pytest.approx(weight[0] / 2)
