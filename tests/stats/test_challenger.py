"""A challenger is promoted when it is proven better, and not before; the rest is a defined answer."""

from __future__ import annotations

import numpy as np
import pytest

from driftline import stats


def draw(rng, rows, rate):
    return (rng.random(rows) < rate).astype(float)


def test_a_better_challenger_is_promoted():
    rng = np.random.default_rng(1)
    difference = stats.unpaired_difference_of(draw(rng, 8_000, 0.15), draw(rng, 8_000, 0.10))
    result = stats.judge_challenger(difference)
    assert result.verdict is stats.ChallengeVerdict.PROMOTE
    assert result.interval[0] > 0


def test_a_worse_challenger_is_not_kept_waiting():
    rng = np.random.default_rng(2)
    difference = stats.unpaired_difference_of(draw(rng, 8_000, 0.10), draw(rng, 8_000, 0.15))
    assert stats.judge_challenger(difference).verdict is stats.ChallengeVerdict.KEEP


def test_few_rows_wait_and_say_how_many_more_are_needed():
    rng = np.random.default_rng(3)
    difference = stats.unpaired_difference_of(draw(rng, 400, 0.15), draw(rng, 400, 0.12))
    result = stats.judge_challenger(difference)
    assert result.verdict is stats.ChallengeVerdict.WAIT
    assert result.rows_needed > 500


def test_pairs_need_fewer_rows_than_rows_of_their_own():
    rng = np.random.default_rng(4)
    hard = rng.random(3_000)
    champion, challenger = (hard < 0.15).astype(float), (hard < 0.13).astype(float)
    paired = stats.judge_challenger(stats.paired_difference_of(champion, challenger))
    unpaired = stats.judge_challenger(stats.unpaired_difference_of(champion, challenger))
    assert paired.verdict is stats.ChallengeVerdict.PROMOTE
    assert unpaired.verdict is stats.ChallengeVerdict.WAIT


@pytest.mark.parametrize("looks", [60])
def test_equal_models_are_seldom_promoted_however_often_one_looks(looks):
    rng = np.random.default_rng(5)
    promotions = 0
    for _ in range(40):
        champion, challenger = draw(rng, 6_000, 0.15), draw(rng, 6_000, 0.15)
        promotions += any(
            stats.judge_challenger(
                stats.unpaired_difference_of(champion[:end], challenger[:end])
            ).verdict
            is stats.ChallengeVerdict.PROMOTE
            for end in range(100, 6_001, 6_000 // looks)
        )
    assert promotions <= 5


@pytest.mark.parametrize("side", [[], [float("nan")] * 3])
def test_no_rows_are_a_defined_answer(side):
    assert stats.unpaired_difference_of(side, [1.0, 0.0]) is None
    assert stats.paired_difference_of(side, side) is None
    result = stats.judge_challenger(None)
    assert result.verdict is stats.ChallengeVerdict.WAIT
    assert result.reason == "there are no rows to compare"


def test_models_without_any_error_wait():
    zeros = np.zeros(1_000)
    result = stats.judge_challenger(stats.paired_difference_of(zeros, zeros))
    assert result.verdict is stats.ChallengeVerdict.WAIT
    assert result.rows_needed is None
