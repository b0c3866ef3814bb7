"""Rules: four verdicts, by value or by interval."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from driftline.contracts.rule import Range, Rule, Unusual, above, below
from driftline.stats import wilson
from driftline.types.model import Measurement, Severity, Verdict


def judge(rule, value, interval=None, rows=100, min_rows=1):
    return rule.judge(Measurement(value, interval=interval), rows, min_rows)


def test_the_most_severe_bound_that_is_crossed_counts():
    """Above critical is critical, between the bounds is a warning, below both is fine."""
    rule = above(warning=0.1, critical=0.25)
    assert [judge(rule, value).severity for value in (0.3, 0.2, 0.1)] == [
        Severity.CRITICAL,
        Severity.WARNING,
        None,
    ]
    assert [judge(rule, value).verdict for value in (0.3, 0.2, 0.1)] == [
        Verdict.CHANGED,
        Verdict.CHANGED,
        Verdict.OK,
    ]


def test_below_is_the_mirror_of_above():
    """A rule `below` judges the low side by the same logic."""
    rule = below(warning=0.9, critical=0.5)
    assert [judge(rule, value).severity for value in (0.4, 0.8, 0.9)] == [
        Severity.CRITICAL,
        Severity.WARNING,
        None,
    ]
    assert judge(rule, 0.8).reason == "below 0.9"
    assert judge(rule, 0.85, (0.8, 0.95)).verdict is Verdict.UNSURE
    assert judge(rule, 0.93, (0.91, 0.95)).verdict is Verdict.OK


def test_an_interval_astride_the_bound_is_unsure():
    """What can't be shown either way is neither a change nor fine, whatever the value is."""
    rule = above(warning=0.1)
    assert judge(rule, 0.2, (0.05, 0.4)).verdict is Verdict.UNSURE
    assert judge(rule, 0.2, (0.11, 0.4)).verdict is Verdict.CHANGED
    assert judge(rule, 0.05, (0.0, 0.09)).verdict is Verdict.OK


def test_an_unsure_value_within_its_bounds_says_so():
    """To end a change, a value within the bounds is enough; one beyond them is not."""
    rule = above(warning=0.1)
    assert judge(rule, 0.05, (0.0, 0.2)).is_within_bounds
    assert not judge(rule, 0.15, (0.0, 0.2)).is_within_bounds
    assert not judge(rule, None).is_within_bounds


def test_few_rows_and_no_value_are_unsure_with_the_reason():
    """The verdict says how many rows are lacking, or why there is no number."""
    assert (
        judge(above(warning=1), 5, rows=3, min_rows=10).reason == "7 more rows are needed: 3 of 10"
    )
    assert (
        Rule(above={"warning": 1}).judge(Measurement(None, reason="no labels"), 0, 0).reason
        == "no labels"
    )


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.4, Verdict.CHANGED), (0.5, Verdict.OK), (1.5, Verdict.OK), (1.6, Verdict.CHANGED)],
)
def test_outside_holds_both_ends(value, verdict):
    """The ends of the range are fine, beyond them is a change."""
    assert judge(Rule(outside=Range(low=0.5, high=1.5)), value).verdict is verdict


@pytest.mark.parametrize(
    "told", [{}, {"above": {"warning": 1}, "below": {"warning": 0}}, {"above": {}}]
)
def test_a_rule_says_exactly_one_thing(told):
    """None, two, or an empty bound is a mistake."""
    with pytest.raises(ValidationError):
        Rule.model_validate(told)


def test_what_would_have_been_seen_is_the_bound_and_the_arm_of_the_interval():
    """The smallest value that surely passes a bound; none without an interval, or where no bound
    was passed.
    """
    shift = Measurement(3.0, interval=(2.5, 3.5))
    assert above(warning=1.0, critical=2.0).smallest_detectable(shift, 100) == 1.5
    assert below(warning=5.0).smallest_detectable(shift, 100) == 4.5
    assert Rule(outside=Range(low=0.0, high=2.0)).smallest_detectable(shift, 100) == 2.5
    assert Rule(unusual=Unusual(obvious=2.0)).smallest_detectable(shift, 100) == 2.5
    assert above(warning=4.0).smallest_detectable(shift, 100) is None
    assert above(warning=1.0).smallest_detectable(Measurement(3.0), 100) is None


@pytest.mark.parametrize("hits", [150, 300, 560, 598, 600])
def test_a_share_as_large_as_would_have_been_seen_passes_the_bound(hits):
    """Of 600 rows, whatever share was found: one row less than said does not pass a bound of
    20%.
    """
    rule = above(critical=0.2)
    smallest = rule.smallest_detectable(Measurement(hits / 600, interval=wilson(hits, 600)), 600)
    enough = math.ceil(smallest * 600)

    def verdict(found):
        return rule.judge(Measurement(found / 600, interval=wilson(found, 600)), 600, 1).verdict

    assert verdict(enough) == "changed"
    assert hits < 500 or verdict(enough - 1) != "changed"


def test_settings_that_replace_others_have_their_own_tolerance():
    """The smallest size of the new settings counts, also after the old ones were used."""
    default = Unusual(info=0.1, warning=0.2)
    assert default.tolerance == 0.1
    merged = default.override(Unusual(info=0.02))
    assert merged == Unusual(info=0.02, warning=0.2)
    assert merged.tolerance == 0.02
