"""A verdict is about the model, not about how many rows a window has."""

from __future__ import annotations

import math

import numpy as np
import pytest

from driftline import Measurement, Schema, unusual
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.unusual_rule import PastJudge
from driftline.types.model import Judgement
from driftline.types.records import JudgedMeasurement, WindowKey
from driftline.types.times import DAY_MICROS

pytestmark = pytest.mark.system

SIZES = (500, 5_000, 50_000, 500_000, 5_000_000)
RULE = unusual(info=0.1, warning=0.25, obvious=2.0, lasting=True).unusual
BEGIN, END = 70, 84


def verdicts(rows, effect, seed):
    """Of each window from a day before the change on: days that wobble by 0.05, and the sampling
    error of so many rows.
    """
    days = np.random.default_rng(seed).normal(0, 0.05, END)
    noise = np.random.default_rng([seed, rows]).normal(0, 1 / math.sqrt(rows), END)
    policy = AlarmPolicy(DAY_MICROS)
    past = PastJudge(policy.make_trail(), policy, Schema())
    found = []
    for day in range(END):
        value = days[day] + noise[day] + (effect if day >= BEGIN else 0.0)
        wide = 1.96 / math.sqrt(rows)
        measurement = Measurement(
            value,
            {"column": "x"},
            name="mean_shift",
            rows=rows,
            interval=(value - wide, value + wide),
        )
        row = JudgedMeasurement(
            check="drift",
            measurement=measurement,
            judgement=Judgement(verdict=RULE.judge_without_past(measurement).verdict),
            rows=rows,
            past_rule=RULE,
        )
        [judged] = past.judge(day * DAY_MICROS, [(WindowKey("m", day * DAY_MICROS, "", ""), row)])
        found.append(judged)
    return found[BEGIN - 1 :]


@pytest.mark.parametrize("effect", [0.0, 0.05, 0.25, 0.5])
def test_more_rows_never_turn_a_verdict_round(effect):
    """From 500 to 5,000,000 rows a window is unsure, or judged as it is with all other numbers of
    rows.
    """
    for seed in range(2):
        by_size = [[row.verdict for row in verdicts(rows, effect, seed)] for rows in SIZES]
        for window in zip(*by_size, strict=True):
            assert len(set(window) - {"unsure"}) <= 1, (seed, window)


def test_what_is_unsure_says_how_many_rows_it_lacks():
    """Few rows, or days that differ: the reason says which of both it is."""
    few = [row for row in verdicts(60, 0.0, 1) if row.verdict == "unsure"]
    assert few
    assert any("more rows a window are needed: 60 here" in row.reason for row in few)


def test_an_alarm_says_how_sure_since_when_and_what_would_have_been_seen():
    """The reason of a change has what is usual, the odds and the smallest change that would be
    found.
    """
    changed = [row for row in verdicts(5_000, 0.3, 2) if row.verdict == "changed"]
    assert changed
    last = changed[-1]
    assert "evidence " in last.reason
    assert "shows within 7 windows" in last.reason
    assert abs(last.since / DAY_MICROS - BEGIN) <= 3
    assert last.measurement.detail["usual"] == pytest.approx(0.0, abs=0.05)
    assert 0.1 <= last.measurement.detail["smallest_seen"] <= 0.3
