"""Which budget is proposed."""

from __future__ import annotations

from datetime import timedelta

from driftline.backtest.measure_history import MeasuredSeries
from driftline.backtest.score import Score
from driftline.backtest.shuffled_history import AlarmRate, NoisySeries
from driftline.backtest.tune_budget import Trial, choose_trial, propose_settings

HOUR = timedelta(hours=1)


def trial(budget, false, *delays, shuffled=0):
    """With so many alarms in ten years of shuffled history."""
    found = [None if delay is None else delay * HOUR for delay in delays]
    return Trial(budget, Score(false + len(found), false, tuple(found)), AlarmRate(shuffled, 10.0))


def test_found_comes_before_few_false_before_near():
    """Each decides where those before it are equal; some hours of delay decide nothing."""
    assert choose_trial([trial(1, 0, 5, None), trial(2, 9, 5, 9)], 1).budget == 2
    assert choose_trial([trial(1, 2, 5, 5), trial(2, 3, 1, 1)], 2).budget == 1
    assert choose_trial([trial(1, 2, 5, 5), trial(12, 2, 4, 4)], 1).budget == 1
    assert choose_trial([trial(0.25, 2, 5), trial(1, 2, 5), trial(4, 2, 5)], 1).budget == 1


def test_a_budget_that_is_not_kept_is_never_chosen():
    """However much it would find: shuffled history alarms surely more often than it says."""
    broken = trial(1, 0, 1, 1, shuffled=40)
    assert not broken.keeps_budget
    assert trial(1, 0, 1, shuffled=12).keeps_budget
    assert choose_trial([broken, trial(4, 8, 9, None, shuffled=20)], 1).budget == 4


def test_where_none_is_kept_the_smallest_is_the_least_harm():
    """There is nothing better to propose."""
    assert (
        choose_trial([trial(1, 0, 1, shuffled=90), trial(0.25, 5, None, shuffled=90)], 1).budget
        == 0.25
    )


def test_without_known_incidents_the_budget_stays():
    """Unless it is not kept: then it is the nearest that is."""
    assert choose_trial([trial(0.25, 1), trial(1, 2), trial(4, 3)], 1).budget == 1
    assert choose_trial([trial(0.25, 1), trial(1, 2, shuffled=90), trial(2, 9)], 1).budget == 0.25


def test_proposals_are_the_models_part_of_the_configuration():
    """What stays as it is, is not proposed; a series that is of no column can't be held."""
    noisy = [
        NoisySeries(
            MeasuredSeries("", "", "drift", "psi", labels, "", "drift", None),
            AlarmRate(9, 1.0),
            0.1,
            "memory",
        )
        for labels in ((("column", "b"),), (("column", "a"),), (("column", "b"),), ())
    ]
    assert propose_settings(noisy, trial(2, 0), 1.0) == {
        "false_pages_per_year": 2,
        "warn_only": ["a", "b"],
    }
    assert propose_settings(noisy[:1], None, 1.0, {"c"}) == {"warn_only": ["b", "c"]}
    assert propose_settings([], trial(1, 0), 1.0, {"c"}) == propose_settings([], None, 1.0) == {}
