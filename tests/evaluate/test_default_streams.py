"""What the default rules find in series of measurements, and how much it matters."""

import numpy as np
import pytest
from driftline_plugins.checks.correlation import Correlation
from driftline_plugins.checks.drift import Drift

from driftline import Measurement, Schema, Severity, Verdict
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.unusual_rule import PastJudge
from driftline.types.records import JudgedMeasurement, WindowKey
from driftline.types.times import DAY_MICROS, HOUR_MICROS

START = 19_700 * DAY_MICROS
RULES = {**Drift.default_rules, **Correlation.default_rules}
Z = 1.96
COLUMNS = 5
"""Columns of a model: the one that changes, and others that share its alarm budget."""


class Judge:
    """Judges one measurement of several columns, window by window."""

    def __init__(self, name, length=DAY_MICROS):
        self._policy = AlarmPolicy(length)
        self._past = PastJudge(self._policy.make_trail(), self._policy, Schema())
        self._name, self._rule = name, RULES[name]

    def judge(self, number, values, errors, *, rows=1_000, segment="", was=None):
        """The judgement of each column in window `number`."""
        start = START + number * self._policy.length
        key = WindowKey("m", start, "", segment)
        pairs = []
        for column, value in enumerate(values):
            measurement = Measurement(
                float(value),
                {"column": f"c{column}"},
                name=self._name,
                rows=rows,
                interval=(float(value - Z * errors), float(value + Z * errors)),
                was=was,
            )
            row = JudgedMeasurement(
                check="drift",
                measurement=measurement,
                judgement=self._rule.judge(measurement, rows, Drift.min_rows),
                rows=rows,
                cause="drift",
                past_rule=self._rule.unusual if rows >= Drift.min_rows else None,
            )
            pairs.append((key, row))
        return [row.judgement for row in self._past.judge(start, pairs)]


def delay(name, *, change, error, seed, was=None, usual=0.0, length=DAY_MICROS, past=60):
    """Windows from a change of column c0 until it is changed; None without, within 20."""
    rng, judge = np.random.default_rng(seed), Judge(name, length)
    for number in range(past + 20):
        values = usual + rng.normal(0, error, COLUMNS)
        values[0] += change * (number >= past)
        judgements = judge.judge(number, values, error, was=was)
        found = judgements[0].verdict is Verdict.CHANGED
        if number < past:
            assert not any(each.verdict is Verdict.CHANGED for each in judgements)
        elif found:
            return number - past + 1
    return None


@pytest.mark.parametrize("seed", range(3))
def test_a_variance_that_grows_by_30_percent_is_found_within_14_days(seed):
    """The standard deviation of 1,000 normal rows has a standard error of 2.2%."""
    found = delay("spread", change=np.log(1.3) / 2, error=1 / np.sqrt(2_000), seed=seed)
    assert found is not None
    assert found <= 14


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_that_decouples_is_found_within_7_days(seed):
    """From 0.9 to 0, in samples of 500 rows."""
    found = delay("correlation", usual=0.9, change=-0.9, error=0.03, was=0.9, seed=seed)
    assert found is not None
    assert found <= 3


def test_nights_that_vary_less_than_days_are_no_change_of_the_spread():
    """The hours of a column vary by half of what the days vary by: usual, also in the first days.

    So does a correlation that only the hour of the day makes.
    """
    rng = np.random.default_rng(0)
    for name, usual, was in (("spread", np.log(0.5), None), ("correlation", 0.1, 0.8)):
        judge = Judge(name, HOUR_MICROS)
        for number in range(15 * 24):
            values = usual + rng.normal(0, 0.05, COLUMNS)
            judgements = judge.judge(number, values, 0.05, was=was)
            assert not any(each.verdict is Verdict.CHANGED for each in judgements)


def test_a_segment_of_a_tenth_of_the_rows_that_moves_by_1_sd_is_found_within_7_days():
    """The whole column moves by 0.1 sd only. A window of the segment has about 100 rows."""
    delays = []
    for seed in range(5):
        rng, judges = np.random.default_rng(seed), Judge("mean_shift")
        for number in range(60 + 10):
            rows = int(rng.poisson(115))
            values = rng.normal(0, 1 / np.sqrt(rows), COLUMNS)
            values[0] += number >= 60
            error = 1 / np.sqrt(rows)
            judgements = judges.judge(number, values, error, rows=rows, segment="plan=gold")
            if judgements[0].verdict is Verdict.CHANGED:
                delays.append(number - 60 + 1)
                break
    assert len(delays) == 5
    assert min(delays) > 0
    assert max(delays) <= 7


@pytest.mark.parametrize(
    ("name", "change", "severity"),
    [
        ("mean_shift", 0.15, Severity.INFO),
        ("mean_shift", 1.0, Severity.WARNING),
        ("mean_shift", 17.0, Severity.CRITICAL),
        ("psi", 0.5, Severity.WARNING),
        ("psi", 4.0, Severity.CRITICAL),
        ("spread", np.log(18), Severity.CRITICAL),
    ],
)
def test_the_severity_of_a_drift_follows_its_size(name, change, severity):
    """A column that is multiplied by 18 pages; a small shift is for information."""
    rng, judge = np.random.default_rng(4), Judge(name)
    for number in range(45):
        values = np.abs(rng.normal(0, 0.003, COLUMNS)) + change * (number >= 35)
        judgements = judge.judge(number, values, 0.01)
    assert judgements[0].verdict is Verdict.CHANGED
    assert judgements[0].severity is severity


def test_a_large_drift_pages_before_the_past_is_known():
    """17 sd from the first day on: critical in the second window."""
    judge = Judge("mean_shift")
    judgements = [judge.judge(number, [17.0], 0.05)[0] for number in range(2)]
    assert judgements[1].severity is Severity.CRITICAL
